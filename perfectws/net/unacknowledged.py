"""What a kernel socket has taken and the peer has not acknowledged: how far what was sent has got."""

from __future__ import annotations

import socket
import struct
import sys

if sys.platform == "win32":

    def unacknowledged(connected: socket.SocketType) -> int:
        """Return how many bytes the kernel holds that the peer has not acknowledged: here it does not tell."""
        return 0
elif sys.platform == "darwin":
    #: Apple's <sys/socket.h>: "Get number of bytes currently in send socket buffer". Python has no name for it.
    _SO_NWRITE = 0x1024

    def unacknowledged(connected: socket.SocketType) -> int:
        """Return how many bytes the kernel holds that the peer has not acknowledged; 0 once the socket is closed."""
        try:
            return connected.getsockopt(socket.SOL_SOCKET, _SO_NWRITE)
        except OSError:
            return 0
else:
    import fcntl
    import termios

    def unacknowledged(connected: socket.SocketType) -> int:
        """Return how many bytes the kernel holds that the peer has not acknowledged; 0 once the socket is closed.

        Source: ``SIOCOUTQ`` in tcp(7) and unix(7), which is ``TIOCOUTQ``.
        """
        try:
            (amount,) = struct.unpack("i", fcntl.ioctl(connected.fileno(), termios.TIOCOUTQ, bytes(4)))
        except (OSError, ValueError):  # a ValueError where the descriptor is gone
            return 0
        return int(amount)


#: Where ``struct tcp_info`` has its ``tcpi_bytes_acked``, in Linux's <linux/tcp.h>, and how much to ask for.
_BYTES_ACKED = 120
_TCP_INFO_SIZE = 128


def acknowledged(connected: socket.SocketType) -> int | None:
    """Return how many bytes the peer has acknowledged in all; ``None`` where the kernel does not tell.

    Source: ``TCP_INFO`` in tcp(7).
    """
    if sys.platform != "linux":
        return None
    try:
        info = connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_SIZE)
    except OSError:
        return None  # a Unix socket, or one that is closed
    if len(info) < _TCP_INFO_SIZE:
        return None
    return int(struct.unpack_from("=Q", info, _BYTES_ACKED)[0])
