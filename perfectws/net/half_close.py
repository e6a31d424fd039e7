"""Whether a peer has ended its side, before that is read: behind bytes that nobody reads, no read tells."""

from __future__ import annotations

import select
import socket
import sys

#: Linux knows it.
_ENDED: int = getattr(select, "POLLRDHUP", 0)


def has_ended(connected: socket.SocketType) -> bool:
    """Return whether the peer has ended its side, or the connection is gone; false where the kernel does not tell."""
    if sys.platform == "win32" or not _ENDED:
        return False
    poll = select.poll()
    try:
        poll.register(connected.fileno(), _ENDED)
    except ValueError:  # the descriptor is gone
        return True
    return bool(poll.poll(0))
