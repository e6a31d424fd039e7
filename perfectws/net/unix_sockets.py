"""Unix sockets to listen on: ``address="unix:/run/chat.sock"``."""

from __future__ import annotations

import os
import socket
import stat

#: What an address begins with that is a path.
SCHEME = "unix:"


def listen_unix(path: str, backlog: int) -> socket.socket:
    """Listen on a path. What a server that is gone has left behind there is removed; one that is served stays.

    Raises:
        OSError: There is something else, or a server listens there.
    """
    if not hasattr(socket, "AF_UNIX"):
        raise OSError("this system has no Unix sockets")
    _remove_stale(path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.bind(path)
        listening.listen(backlog)
    except OSError:
        listening.close()
        raise
    return listening


def _remove_stale(path: str) -> None:
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
            pass  # somebody is there, or nobody may ask


class BoundPath:
    """The path of a Unix socket of ours, to be removed when the server stops."""

    def __init__(self, path: str) -> None:
        self._path = os.path.abspath(path)
        self._inode = os.stat(path).st_ino

    def remove(self) -> None:
        """Remove the path, unless somebody else has put another socket there."""
        try:
            if os.stat(self._path).st_ino == self._inode:
                os.unlink(self._path)
        except OSError:
            pass  # it is gone already
