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

#: What the frame has that begins a message; if it is final too, it is all of the message.
_BEGINNINGS = (TEXT, BINARY)
#: Read for each message: a global is found faster than an enum's member.
_, _IDLE, _, _, _ADDRESSED, _BUSY = Delivery

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
            self._delivery = _IDLE
        former.retire()

    @property
    def has_reader(self) -> bool:
        """Whether a handler is set."""
        return self._handlers is not None

    @property
    def is_answered(self) -> bool:
        """Whether the session was given all that arrived, and no handler is at work."""
        return not self._frames and self._delivery is _IDLE

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

    def add(self, frame: Frame) -> None:
        """Take a frame. A message that comes alone and whole is queued together with its delivery."""
        opcode, _, final = frame
        if not final or self._delivery is not _IDLE or self._has_ended or (opcode is not TEXT and opcode is not BINARY):
            self._let_wait([frame])
            return
        self._delivery = _ADDRESSED
        loop = self._loop
        loop.ready.append((self._connection, (_deliver_alone, self, frame)))
        if loop.idle:
            loop.wake()

    def _keep(self, frames: list[Frame]) -> None:
        for frame in frames:
            whole = frame if frame[2] and frame[0] in _BEGINNINGS else self._assembler.whole_of(frame)
            if whole is not None:
                self._frames.append(whole)

    def _is_due(self) -> bool:
        return bool(self._frames)

    def _is_awaited(self) -> bool:
        return bool(self._frames)

    def _deliver_next(self) -> object:
        self._delivery = _BUSY  # before taking one makes room for more, which wait until it is handled
        return self._handle(self._take())

    def _handle(self, message: Frame) -> object:
        opcode, data, _ = message
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
        self._delivery = _IDLE
        if self._frames or self._has_ended:
            self.settle()

    def discard(self) -> None:
        """Forget what waits, and end: the session failed."""
        if self._delivery is _ADDRESSED:
            self._delivery = _IDLE
        super().discard()

    def outlive(self, ended: Connection) -> None:
        """Ask ``ended`` from now on, and let go of the handlers: the connection is over, and its end was told."""
        super().outlive(ended)
        self._handlers = None

    def end(self) -> None:
        """Take no further frame. The messages that wait are still delivered; one that is not whole is forgotten."""
        self._assembler.discard()
        super().end()


def _deliver_alone(inbox: MessageInbox, message: Frame) -> object:
    """Give a message that nothing waits before to its handler. Not a method, which would have to be bound anew."""
    if inbox._delivery is not _ADDRESSED:
        return None  # discarded meanwhile
    inbox._delivery = _BUSY
    return inbox._handle(message)
