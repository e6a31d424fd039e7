"""Whole messages, as Vapor has them: each is given to its handler.

An async handler is waited for before the next message (law 3).

Source: websocket-kit's ``onText`` and ``onBinary``.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from ..callbacks import CallbackLoop
from ..errors import LocalProtocolError
from .contract import Connection
from .frames import BINARY, TEXT, Frame
from .inbox import Delivery, Inbox
from .opcodes import OpcodeType
from .whole_inbox import WholeInbox

#: Called with (socket, message).
MessageHandler = Callable[[Any, Any], object]

#: Read for each message: a global is found faster than an enum's member.
_, _IDLE, _, _, _ADDRESSED, _BUSY = Delivery


class MessageInbox(WholeInbox):
    """The whole messages that wait, and the handlers that take them. Those that have no handler are dropped."""

    __slots__ = ("_handlers",)

    _not_beside = "messages go to on_text and on_binary: neither read_* nor receive can read beside them"

    def __init__(self, connection: Connection, loop: CallbackLoop, former: Inbox) -> None:
        super().__init__(connection, loop, former)
        self._handlers: dict[OpcodeType, MessageHandler] | None = None

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

    def give_up(self) -> list[Frame]:
        """Return what waits, for the inbox of `WebSocket.receive`. Raises `LocalProtocolError` if a handler is set."""
        if self._handlers is not None:
            raise LocalProtocolError(self._not_beside)
        waiting, self._frames = self._frames, []
        return waiting

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

    def add_all(self, frames: list[Frame]) -> None:
        """Take frames of data, at least one. A message that they complete alone is queued with its delivery too."""
        if self._delivery is not _IDLE or self._has_ended:
            self._let_wait(frames)
            return
        messages = self._assembler.whole_of(frames)
        if len(messages) == 1:
            self.add(messages[0])
        elif messages:
            self._frames += messages
            self._deliver_waiting()

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
        try:
            result = None if handler is None else handler(self._connection.socket, data)
        except BaseException:
            self._message_handled()
            raise
        if result is not None and isinstance(result, Coroutine):
            return self._await_handler(result)
        self._message_handled()
        return None

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


def _deliver_alone(inbox: MessageInbox, message: Frame) -> object:
    """Give a message that nothing waits before to its handler. Not a method, which would have to be bound anew."""
    if inbox._delivery is not _ADDRESSED:
        return None  # discarded meanwhile
    inbox._delivery = _BUSY
    return inbox._handle(message)
