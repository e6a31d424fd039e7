"""Whole messages, as Vapor has them: frames are put together, and each message is given to its handler.

An async handler is waited for before the next message (law 3).

Source: websocket-kit's ``onText`` and ``onBinary``.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from ..callbacks import CallbackLoop
from ..errors import LocalProtocolError
from .arguments import check_continuation
from .contract import Connection
from .frames import BINARY, CONTINUATION, TEXT, Frame
from .inbox import Delivery, Inbox
from .opcodes import OpcodeType

#: Called with (socket, message).
MessageHandler = Callable[[Any, Any], object]

_NOT_BESIDE = "messages go to on_text and on_binary: read_* cannot read beside them"


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


class MessageInbox(Inbox):
    """The whole messages that wait, and the handlers that take them. Those that have no handler are dropped."""

    __slots__ = ("_assembler", "_handlers")

    def __init__(self, connection: Connection, loop: CallbackLoop, former: Inbox) -> None:
        super().__init__(connection, loop)
        self._assembler = Assembler()
        self._handlers: dict[OpcodeType, MessageHandler] | None = None
        self.is_full = former.is_full
        self._has_ended = former._has_ended
        if not former.is_held:
            self._delivery = Delivery.IDLE

    @property
    def has_reader(self) -> bool:
        """Whether a handler is set."""
        return self._handlers is not None

    def set_handler(self, opcode: OpcodeType, handler: MessageHandler) -> None:
        """Give whole messages of ``opcode`` (TEXT or BINARY) to ``handler``."""
        if self._handlers is None:
            self._handlers = {}
        self._handlers[opcode] = handler

    def read(self, as_text: bool | None, continuation: object, timeout: float | None) -> NoReturn:
        """Refuse to read a frame: a session reads frames, or takes whole messages.

        Raises:
            LocalProtocolError: Always, unless ``continuation`` cannot be called, which is a `TypeError`.
        """
        check_continuation(continuation)
        raise LocalProtocolError(_NOT_BESIDE)

    async def receive(self, as_text: bool | None, timeout: float | None) -> NoReturn:
        """Refuse to read a frame. Raises `LocalProtocolError`."""
        self._loop.check_thread()
        raise LocalProtocolError(_NOT_BESIDE)

    def take_over(self, waiting: list[Frame]) -> None:
        """Put together what waited for a read."""
        self._keep(waiting)
        if self.is_full:
            self._make_room()
        self.settle()

    def _keep(self, frames: list[Frame]) -> None:
        for frame in frames:
            whole = self._assembler.whole_of(frame)
            if whole is not None:
                self._frames.append(whole)

    def _is_due(self) -> bool:
        return bool(self._frames)

    def _is_awaited(self) -> bool:
        return False

    def _deliver_next(self) -> object:
        self._delivery = Delivery.BUSY  # before taking one makes room for more, which wait until it is handled
        opcode, data, _ = self._take()
        handler = self._handlers.get(opcode) if self._handlers is not None else None
        result = None
        try:
            result = None if handler is None else handler(self._connection.socket, data)
        finally:
            if not isinstance(result, Coroutine):
                self._message_handled()
        return self._await_handler(result) if isinstance(result, Coroutine) else None

    async def _await_handler(self, work: Coroutine[Any, Any, object]) -> None:
        try:
            await work
        except Exception:
            raise
        except BaseException:
            self.discard()  # cancelled, as the loop ends: a handler begun now could not even wait
            raise
        finally:
            self._message_handled()

    def _message_handled(self) -> None:
        self._delivery = Delivery.IDLE
        self.settle()

    def end(self) -> None:
        """Take no further frame. The messages that wait are still delivered; one that is not whole is forgotten."""
        self._assembler.discard()
        super().end()
