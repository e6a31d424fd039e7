"""Mailboxes between the processes of one machine: whole messages, each perhaps with descriptors.

A `Post` is one end of a pair. A `Mailbox` is a pair whose ends are both known to all who were forked since: many may
send into it and many may take from it, and the kernel gives each message to one of them.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from array import array
from collections.abc import Iterable
from typing import NamedTuple

assert sys.platform != "win32"  # where descriptors cannot be sent

#: The longest message, in bytes, and the most descriptors that come with one.
MESSAGE_SIZE = 512
MOST_DESCRIPTORS = 4
#: How much a mailbox is to hold, in bytes as the kernel counts them: a descriptor with a short message takes 800.
CAPACITY = 4 * 1024 * 1024

# <asm-generic/socket.h> of Linux: as SO_SNDBUF, beyond the system's limit, for those who may.
_SO_SNDBUFFORCE = 32
#: A Mac has none that keep messages apart and tell of the end; there nobody is told of it.
_KIND: int = socket.SOCK_SEQPACKET if sys.platform == "linux" else socket.SOCK_DGRAM
#: Descriptors that come are not for the programs that we start.
_CLOSE_ON_EXEC: int = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


class Letter(NamedTuple):
    """A message that came.

    Attributes:
        message: The message.
        descriptors: What came with it. They belong to whoever has the letter. Some are missing if this process has no
            more room for them.
    """

    message: bytes
    descriptors: list[int]


class Post:
    """One end of a pair: what is sent here arrives at the other, as it was sent. It never waits.

    Args:
        end: A socket of this kind, which it owns.
    """

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._socket = end

    @classmethod
    def pair(cls) -> tuple[Post, Post]:
        """Return both ends."""
        one, other = socket.socketpair(socket.AF_UNIX, _KIND)
        return cls(one), cls(other)

    @classmethod
    def of_descriptor(cls, descriptor: int) -> Post:
        """Return the end that a program was started with."""
        return cls(socket.socket(fileno=descriptor))

    def fileno(self) -> int:
        """Return the descriptor that is readable when `receive` would tell something."""
        return self._socket.fileno()

    def send(self, message: bytes, descriptors: Iterable[int] = ()) -> bool:
        """Send a message, of one byte at least; tell whether there was room for it, and anybody there."""
        rights = array("i", descriptors)
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)] if rights else []
        try:
            self._socket.sendmsg([message], ancillary)
        except OSError:
            return False  # it is full, or too many descriptors are under way, or the other end is gone
        return True

    def receive(self) -> Letter | None:
        """Return the next message, ``None`` if there is none.

        Raises:
            EOFError: The other end is gone, and all of its messages are taken.
        """
        room = socket.CMSG_SPACE(MOST_DESCRIPTORS * array("i").itemsize)
        try:
            message, ancillary, _, _ = self._socket.recvmsg(MESSAGE_SIZE, room, _CLOSE_ON_EXEC)
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno == errno.ECONNRESET:
                raise EOFError("the other end is gone") from None
            raise
        if not message:
            raise EOFError("the other end is gone")
        return Letter(message, _descriptors_in(ancillary))

    def widen(self) -> None:
        """Let it hold `CAPACITY`, or as much of that as the system allows: by itself it holds some 270 descriptors."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, CAPACITY // 2)  # the kernel doubles it
        if sys.platform == "linux":
            try:
                self._socket.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, CAPACITY // 2)
            except OSError:
                pass  # we may not

    def close(self) -> None:
        """Let go of it."""
        self._socket.close()


class Mailbox:
    """A pair of which every process has both ends. To be made before the fork."""

    def __init__(self) -> None:
        self._entry, self._exit = Post.pair()
        self._entry.widen()

    def fileno(self) -> int:
        """Return the descriptor that is readable when `receive` would tell something."""
        return self._exit.fileno()

    def send(self, message: bytes, descriptors: Iterable[int] = ()) -> bool:
        """Put a message in; tell whether there was room."""
        return self._entry.send(message, descriptors)

    def receive(self) -> Letter | None:
        """Take a message out, ``None`` if there is none."""
        return self._exit.receive()

    def close(self) -> None:
        """Let go of both ends, in this process."""
        self._entry.close()
        self._exit.close()


def _descriptors_in(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    found = array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            found.frombytes(data[: len(data) - len(data) % found.itemsize])
    for descriptor in found if not _CLOSE_ON_EXEC else ():
        os.set_inheritable(descriptor, False)
    return found.tolist()
