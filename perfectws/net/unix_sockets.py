"""Unix sockets to listen on: ``address="unix:/run/chat.sock"``."""

from __future__ import annotations

import os
import socket
import stat
import sys

from ..transport import UNIX

#: The mode of a Unix socket's file unless another is asked for: whoever may enter its directory may connect. A proxy is
#: most often another user.
EVERYBODY = 0o666


def unix_path(address: object) -> str | None:
    """Return the path in ``unix:/run/chat.sock``; ``None`` if this is the address of no Unix socket."""
    return address.removeprefix(UNIX) if isinstance(address, str) and address.startswith(UNIX) else None


def listen_unix(path: str, backlog: int, mode: int = EVERYBODY) -> socket.socket:
    """Return a non-blocking socket that listens on a path.

    A socket there that nothing listens on any more, as a crashed server leaves it, is replaced.

    Args:
        path: The path.
        backlog: How many connections may wait to be accepted.
        mode: That of the file. Who may write to it may connect.

    Raises:
        OSError: A server listens there, or there is something other than a socket, or this is Windows.
    """
    if sys.platform == "win32" or not hasattr(socket, "AF_UNIX"):
        raise OSError("this system has no Unix sockets; give a host's name or its IP address, and a port")
    _remove_stale(path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _bind(listening, path, mode)
        listening.listen(backlog)
    except FileNotFoundError as error:
        listening.close()
        raise FileNotFoundError(error.errno, f"there is no folder {os.path.dirname(path)!r}") from None
    except OSError:
        listening.close()
        raise
    listening.setblocking(False)
    return listening


def _bind(listening: socket.socket, path: str, mode: int) -> None:
    """Bind, so that at no time anybody can connect who may not, and nobody is refused who may.

    The process's umask would be that of its other threads too, so it stays what it is. Linux gives the file the mode of
    the socket, less the umask: never more than is wanted. What is missing is added before it listens, which until then
    nobody can tell from a server that is not there.
    """
    if sys.platform == "linux":
        os.fchmod(listening.fileno(), mode)
    listening.bind(path)
    try:
        if stat.S_IMODE(os.lstat(path).st_mode) != mode:
            _change_mode(path, mode)
    except OSError:
        os.unlink(path)
        raise


def _change_mode(path: str, mode: int) -> None:
    """Change the mode of a socket, and of nothing that another user may have put in its place."""
    if os.chmod in os.supports_follow_symlinks:
        os.chmod(path, mode, follow_symlinks=False)
        return
    if sys.platform != "linux":  # nor a Mac, where the above holds
        os.chmod(path, mode)
        return
    descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW)
    try:
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            raise OSError(f"{path} is no socket any more")
        os.chmod(f"/proc/self/fd/{descriptor}", mode)
    finally:
        os.close(descriptor)


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
        self._process = os.getpid()

    def remove(self) -> None:
        """Remove the path, unless another process has put a socket of its own there, or this one was forked since."""
        if self._process != os.getpid():
            return
        try:
            if os.stat(self._path).st_ino == self._inode:
                os.unlink(self._path)
        except OSError:
            pass  # it is gone already
