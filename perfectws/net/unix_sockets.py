"""Unix sockets to listen on: ``address="unix:/run/chat.sock"``."""

from __future__ import annotations

import os
import socket
import stat
import sys

from ..transport import UNIX


def unix_path(address: object) -> str | None:
    """Return the path in ``unix:/run/chat.sock``; ``None`` if this is the address of no Unix socket."""
    return address.removeprefix(UNIX) if isinstance(address, str) and address.startswith(UNIX) else None


def listen_unix(path: str, backlog: int) -> socket.socket:
    """Return a non-blocking socket that listens on a path.

    A socket there that nothing listens on any more, as a crashed server leaves it, is replaced.

    Raises:
        OSError: A server listens there, or there is something other than a socket, or this is Windows.
    """
    if sys.platform == "win32" or not hasattr(socket, "AF_UNIX"):
        raise OSError("this system has no Unix sockets; give a host's name or its IP address, and a port")
    _remove_stale(path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.bind(path)
        listening.listen(backlog)
    except OSError:
        listening.close()
        raise
    listening.setblocking(False)
    return listening


def _remove_stale(path: str) -> None:
    if sys.platform == "win32":
        return  # where there are none
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            return
    except OSError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
        except OSError:
            pass  # a server listens there, or we may not ask


class BoundPath:
    """The path of a Unix socket of ours, to be removed when the server stops."""

    def __init__(self, path: str) -> None:
        self._path = os.path.abspath(path)
        self._inode = os.stat(path).st_ino

    def remove(self) -> None:
        """Remove the path, unless another process has put a socket of its own there."""
        try:
            if os.stat(self._path).st_ino == self._inode:
                os.unlink(self._path)
        except OSError:
            pass  # it is gone already
