"""The contract between what moves bytes and what understands them.

The words are asyncio's. A *transport* moves bytes over one connection and understands none of them; a *protocol*
understands them and does no I/O. Each calls the other in one direction only, always from the loop's thread::

    transport → protocol:  data_received  eof_received  resume_writing  connection_lost  shut_down  retire
    protocol  → transport: write  keep  discard_unsent  pause_reading  resume_reading  close  abort  set_high_water

A protocol never calls back into user code from these methods: what belongs to the user it queues on the loop.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Protocol as Contract

from .callbacks import CallbackOwner

#: (host, port) of an IP socket, (path, 0) of a Unix one, ("", 0) where neither applies.
Address = tuple[str, int]
#: ``await sender(descriptor, part)`` sends a part of a file; whether all of it was sent.
FileSender = Callable[[int, range], Awaitable[bool]]

#: Above this many bytes not yet with the kernel, completions wait.
HIGH_WATER = 64 * 1024

#: What stands before the path where an address is written as one string: ``unix:/run/chat.sock``.
UNIX = "unix:"
#: The first byte of a client that wants TLS. RFC 8446 §5.1: a record of the type "handshake".
TLS_HANDSHAKE = b"\x16"


class Parts:
    """A head and a body that are sent one behind the other, too long to be joined for it. `bytes` joins them."""

    __slots__ = ("body", "head")

    def __init__(self, head: bytes, body: bytes | memoryview) -> None:
        self.head = head
        self.body = body

    def __len__(self) -> int:
        """Return how many bytes both have together."""
        return len(self.head) + len(self.body)

    def __bytes__(self) -> bytes:
        return b"".join((self.head, self.body))

    def after(self, count: int) -> Parts | memoryview:
        """Return what is left behind the first ``count`` bytes, which are not all."""
        if count < len(self.head):
            return Parts(self.head[count:], self.body)
        return memoryview(self.body)[count - len(self.head) :]


class Protocol(CallbackOwner, ABC):
    """What a transport expects of the protocol that it feeds: one connection, which owns its callbacks too.

    An exception that leaves one of these methods is an error in perfectws; it goes to `callback_failed`, and so costs
    this connection only.
    """

    __slots__ = ()

    @property
    def is_unfinished(self) -> bool:
        """Whether what is written has an end that only the connection's end tells, and has not come to it.

        An orderly end would pass for it: where there is TLS, it is then cut off without an alert.
        """
        return False

    @abstractmethod
    def data_received(self, data: bytes) -> None:
        """Take bytes that arrived, at least one. Not called while reading is paused."""

    @abstractmethod
    def eof_received(self) -> None:
        """Take the end of what the peer sends. The transport can still be written to."""

    @abstractmethod
    def resume_writing(self) -> None:
        """Send more, if anything waits: the output, which stood at its high-water mark or above, fell below it."""

    @abstractmethod
    def connection_lost(self, error: Exception | None) -> None:
        """Settle what is pending: the connection is gone. Called last, exactly once.

        Args:
            error: Why it is gone; ``None`` after `Transport.close`.
        """

    @abstractmethod
    def shut_down(self) -> None:
        """End in an orderly way, as soon as what is under way is done: the server stops."""

    def retire(self) -> None:
        """End in an orderly way: another process serves from now on. `shut_down` follows, in a while."""
        self.shut_down()

    def shed(self) -> None:
        """Let go of what is written and has not begun to go out, and end: too much waits for all peers together."""


class NoProtocol(Protocol):
    """Stands for the protocol of a transport that has none yet, or none any more: so that it refers to nothing."""

    __slots__ = ()

    def data_received(self, data: bytes) -> None:
        """Take nothing."""

    def eof_received(self) -> None:
        """Take nothing."""

    def resume_writing(self) -> None:
        """Send nothing."""

    def connection_lost(self, error: Exception | None) -> None:
        """Settle nothing."""

    def shut_down(self) -> None:
        """End nothing."""


NO_PROTOCOL = NoProtocol()


class Transport(Contract):
    """What a protocol may ask of the transport that feeds it. Nothing here calls the protocol back before it returns.

    Attributes:
        remote_address: The peer's address.
        is_secure: Whether the bytes travel inside TLS.
    """

    remote_address: Address
    is_secure: bool

    @property
    def buffered_amount(self) -> int:
        """Bytes written that are not yet with the kernel. Read after each write: it is to cost nothing."""

    @property
    def local_address(self) -> Address:
        """Our own address."""

    @property
    def file_sender(self) -> FileSender | None:
        """What lets the kernel send a part of a file, to be used while nothing is written.

        ``None`` where the kernel cannot: over TLS, over a stream.
        """

    def set_protocol(self, protocol: Protocol) -> None:
        """Feed ``protocol`` from now on."""

    def set_high_water(self, amount: int) -> None:
        """Take ``amount`` for the high-water mark of the output, in bytes: at most `HIGH_WATER`, which it is else."""

    def write(self, data: bytes | Parts) -> None:
        """Send ``data``, once per turn together with all else that was written. Ignored after `close` or `abort`."""

    def write_at_once(self, data: bytes) -> int:
        """Send ``data`` as `write` does, but at the end of a turn, when all else has been written: no need to wait.

        Returns:
            How many bytes the kernel has taken already, which the caller is to count; the transport counts the rest.
        """

    def keep(self) -> None:
        """Keep what was written so far, whatever is discarded."""

    def discard_unsent(self) -> None:
        """Forget every `write` since `keep` whose first byte is not with the kernel yet; one that has begun is kept."""

    def unsent_amount(self) -> int:
        """Return how many bytes were written that the peer has not acknowledged, as far as can be told."""

    def progress(self) -> int:
        """Return a number that changes as the peer takes what was sent. A system call: to be asked now and then."""

    def peer_has_ended(self) -> bool:
        """Return whether the peer has ended its side, as far as can be told, though reading is paused.

        A system call: to be asked now and then.
        """

    def pause_reading(self) -> None:
        """Read nothing more for now, so that TCP holds the peer back."""

    def resume_reading(self) -> None:
        """Read again."""

    def close(self, linger: float) -> None:
        """Send what is buffered, then end our side, discard input until the peer ends its own, then close.

        Closing with unread input would reset the connection, and the peer would lose our last bytes.

        Args:
            linger: How long the peer may take nothing of what is sent, and after that not end its side, in seconds.
        """

    def abort(self, error: Exception | None = None) -> None:
        """Close at once; what is buffered is lost. ``error`` goes to `Protocol.connection_lost`.

        TLS is ended before, if that takes no waiting, and the protocol is not `Protocol.is_unfinished`.
        """


class DialedTransport(Transport, Contract):
    """What a client may ask of the transport that it has dialed."""

    @property
    def abandoned_amount(self) -> int:
        """Bytes written that the kernel never took; known once it is closed."""
