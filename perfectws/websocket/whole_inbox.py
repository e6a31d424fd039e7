"""Frames put together to whole messages, for the two inboxes that hold such: `message_inbox` and `receive_inbox`."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, NoReturn

from ..callbacks import CallbackLoop
from ..errors import LocalProtocolError
from .arguments import check_continuation
from .contract import Connection
from .frames import BINARY, CONTINUATION, TEXT, Frame
from .inbox import Delivery, Inbox
from .opcodes import OpcodeType

#: What the frame has that begins a message; if it is final too, it is all of the message.
_BEGINNINGS = (TEXT, BINARY)


class Assembler:
    """Puts frames together to whole messages. It knows no connection, and no limits: those were judged before."""

    __slots__ = ("_pieces",)

    def __init__(self) -> None:
        self._pieces: list[Any] | None = None  # all bytes or all str

    def whole_of(self, frame: Frame) -> Frame | None:
        """Return the message that ``frame`` completes, as one frame; ``None`` if it completes none."""
        opcode, data, final = frame
        if opcode is OpcodeType.PONG:
            return None  # of use to a read only
        if self._pieces is None:
            if opcode is CONTINUATION:
                return None  # the rest of a message whose beginning was read frame by frame: no whole message
            if final:
                return frame
            self._pieces = []
        self._pieces.append(data)
        if not final:
            return None
        pieces, self._pieces = self._pieces, None
        return (TEXT, "".join(pieces), True) if isinstance(data, str) else (BINARY, b"".join(pieces), True)

    def discard(self) -> None:
        """Forget the message that is not whole."""
        self._pieces = None


class WholeInbox(Inbox):
    """The whole messages that wait.

    Args:
        connection, loop: As for `Inbox`.
        former: The inbox that it takes over from.
    """

    __slots__ = ("_assembler",)

    #: Why no frame can be read.
    _not_beside: ClassVar[str]

    def __init__(self, connection: Connection, loop: CallbackLoop, former: Inbox) -> None:
        super().__init__(connection, loop)
        self._assembler: Assembler = former._assembler if isinstance(former, WholeInbox) else Assembler()
        self.is_full = former.is_full
        self._has_ended = former._has_ended
        if not former.is_held:
            self._delivery = Delivery.IDLE
        former.retire()

    def read(self, as_text: bool | None, continuation: object, timeout: float | None) -> NoReturn:
        """Refuse to read a frame: a session reads frames, or takes whole messages.

        Raises:
            LocalProtocolError: Always, unless ``continuation`` cannot be called, which is a `TypeError`.
        """
        check_continuation(continuation)
        raise LocalProtocolError(self._not_beside)

    async def receive(self, as_text: bool | None, timeout: float | None) -> NoReturn:
        """Refuse to read a frame. Raises `LocalProtocolError`."""
        self._loop.check_thread()
        raise LocalProtocolError(self._not_beside)

    @abstractmethod
    def give_up(self) -> list[Frame]:
        """Return what waits, for another inbox to take over. Raises `LocalProtocolError` if that cannot be now."""

    def take_over(self, waiting: list[Frame]) -> None:
        """Put together what waited elsewhere."""
        self._keep(waiting)
        if self.is_full:
            self._make_room()
        self.settle()

    def _keep(self, frames: list[Frame]) -> None:
        for frame in frames:
            whole = frame if frame[2] and frame[0] in _BEGINNINGS else self._assembler.whole_of(frame)
            if whole is not None:
                self._frames.append(whole)

    def end(self) -> None:
        """Take no further frame. The messages that wait can still be had; one that is not whole is forgotten."""
        self._assembler.discard()
        super().end()
