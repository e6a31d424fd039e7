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

_PONG = OpcodeType.PONG


class Assembler:
    """Puts frames together to whole messages. It knows no connection, and no limits: those were judged before."""

    __slots__ = ("_pieces",)

    def __init__(self) -> None:
        self._pieces: list[Any] | None = None  # all bytes or all str

    def whole_of(self, frames: list[Frame]) -> list[Frame]:
        """Return the messages that ``frames`` complete, each as one frame."""
        messages: list[Frame] = []
        pieces = self._pieces
        for frame in frames:
            opcode, data, final = frame
            if opcode is _PONG:
                continue  # of use to a read only
            if pieces is not None:
                pieces.append(data)
                if final:
                    messages.append(
                        (TEXT, "".join(pieces), True) if isinstance(data, str) else (BINARY, b"".join(pieces), True)
                    )
                    pieces = None
            elif opcode is not CONTINUATION:  # else the rest of one whose beginning was read frame by frame: no message
                if final:
                    messages.append(frame)
                else:
                    pieces = [data]
        self._pieces = pieces
        return messages

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

    def take_over(self, waiting: list[Frame], *, are_whole: bool = False) -> None:
        """Put together what waited elsewhere, unless they ``are_whole`` messages: one in parts may be under way."""
        if are_whole:
            self._frames += waiting
        else:
            self._keep(waiting)
        if self.is_full:
            self._make_room()
        self.settle()

    def _keep(self, frames: list[Frame]) -> None:
        self._frames += self._assembler.whole_of(frames)

    def end(self) -> None:
        """Take no further frame. The messages that wait can still be had; one that is not whole is forgotten."""
        self._assembler.discard()
        super().end()
