"""Files sent by the kernel itself (``sendfile``): in a thread, since their bytes may have to come from a disk first.

Only sockets on the reactor send so, of which Windows has none; it is not imported there.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Callable

import trio

assert sys.platform != "win32"  # which is also how type checkers know

#: The most bytes of one call.
MOST = 4 * 1024 * 1024
#: The most bytes of one copy, where the kernel cannot do it.
PIECE = 256 * 1024
#: How long to wait for a descriptor when the process has none left, in seconds.
REST = 0.1
#: The errors of a file, or a file system, with which the kernel cannot do it.
_CANNOT = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})


async def send_file(
    connected: socket.SocketType,
    descriptor: int,
    part: range,
    may_send: Callable[[], bool],
    count_sent: Callable[[int], object],
) -> bool:
    """Send a part of a file over a plain, non-blocking socket.

    Args:
        connected: The socket, to which nothing else is written meanwhile.
        descriptor: The file's.
        part: The positions of the bytes.
        may_send: Whether all that was written before is with the kernel.
        count_sent: Told how many bytes the kernel has taken, each time.

    Returns:
        Whether all was sent; not if the connection is gone.

    Raises:
        EOFError: The file has become shorter.
    """
    # A descriptor of our own: while a thread writes, the loop may close the socket, and another may get its number.
    target = await _duplicate(connected)
    position = part.start
    try:
        while position < part.stop:
            await trio.lowlevel.wait_writable(target)
            if may_send():
                most = min(part.stop - position, MOST)
                sent = await trio.to_thread.run_sync(_send_some, target, descriptor, position, most)
                if sent is None:
                    return False
                position += sent
                count_sent(sent)
    finally:
        os.close(target)
    return True


async def _duplicate(connected: socket.SocketType) -> int:
    """Return another descriptor of a socket; while there is none, wait: the file is promised already."""
    while True:
        try:
            return os.dup(connected.fileno())
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE):
                raise
        await trio.sleep(REST)


def _send_some(target: int, descriptor: int, position: int, count: int) -> int | None:
    """Return how many bytes were sent; ``None`` if the connection is gone.

    That is no exception: one that comes out of a thread refers to the frames of the task, which refer to it.
    """
    try:
        try:
            sent = os.sendfile(target, descriptor, position, count)
        except OSError as error:
            if error.errno not in _CANNOT:
                raise
            sent = _copy_some(target, descriptor, position, count)
    except BlockingIOError:
        return 0
    except ConnectionError:
        return None
    if not sent:
        raise EOFError("a file became shorter while it was sent")
    return sent


def _copy_some(target: int, descriptor: int, position: int, count: int) -> int:
    data = os.pread(descriptor, min(count, PIECE), position)
    return os.write(target, data) if data else 0
