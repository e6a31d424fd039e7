"""What arrived and has not been taken: frames wait here for a read, or become messages for ``on_text``.

The session chooses how it reads by what it calls first; until then frames wait::

    UNDECIDED ──read_*──► FRAMES ──on_text / on_binary, no read pending──► MESSAGES
        └───────────────on_text / on_binary───────────────────────────────────┘

In FRAMES each frame is given to the one pending read. In MESSAGES frames are put together, and each whole message is
given to its handler; an async handler is waited for before the next message.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from enum import Enum
from math import inf
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import outcome

from ..errors import LocalProtocolError
from ..futures import Suspension
from .frames import BINARY, CONTINUATION, TEXT, Frame
from .opcodes import OpcodeType
from .options import READ_AHEAD_BYTES, READ_AHEAD_FRAMES

if TYPE_CHECKING:
    from ..callbacks import CallbackLoop, Timer
    from .connection import WebSocketConnection
    from .socket import WebSocket

INVALID, PONG = OpcodeType.INVALID, OpcodeType.PONG

#: Called with (data, opcode, final), as `WebSocket.read_string_message` says.
Continuation = Callable[[Any, OpcodeType, bool], object]
#: Called with (socket, message).
MessageHandler = Callable[["WebSocket", Any], object]


class Message(NamedTuple):
    """What ``await socket.read_string_message()`` gives: the three arguments that a continuation gets.

    Attributes:
        data: The payload: ``str`` or ``bytes``, or ``None`` if a string was asked for and it is not UTF-8.
        opcode: The frame's opcode.
        final: Whether the frame is its message's last.
    """

    data: Any
    opcode: OpcodeType
    final: bool


class Mode(Enum):
    """How the session reads."""

    UNDECIDED = 0
    FRAMES = 1
    MESSAGES = 2


class Delivery(Enum):
    """What becomes of the frames that wait; see `Inbox.settle`."""

    #: The session has not begun: nothing is delivered (law 9).
    HELD = 0
    #: There is nothing to deliver, or nobody to deliver it to.
    IDLE = 1
    #: There is nothing to deliver, but a read that nobody can cancel waits for the next frame.
    READY = 2
    #: `Inbox._deliver` stands in the loop's queue.
    QUEUED = 3
    #: `_deliver_to_reader` does, with what the pending read gets.
    ADDRESSED = 4
    #: A handler is at work on a message.
    BUSY = 5


#: Read on each frame: a global is found faster than an enum's member.
_, _IDLE, _READY, _QUEUED, _ADDRESSED, _ = Delivery
_FRAMES, _MESSAGES = Mode.FRAMES, Mode.MESSAGES
_UNDER_WAY = (_QUEUED, _ADDRESSED)
_payload_of = itemgetter(1)


class Inbox:
    """The frames of one connection that wait to be taken, and who takes them.

    Attributes:
        is_full: Whether so much waits that reading should pause.
    """

    __slots__ = (
        "_as_text",
        "_connection",
        "_delivery",
        "_expects_read",
        "_frames",
        "_handlers",
        "_has_ended",
        "_loop",
        "_mode",
        "_pieces",
        "_read_deadline",
        "_reader",
        "_timer",
        "is_full",
    )

    def __init__(self, connection: WebSocketConnection, loop: CallbackLoop) -> None:
        self._connection = connection
        self._loop = loop
        self._frames: list[Frame] = []
        self.is_full = False
        self._mode = Mode.UNDECIDED
        #: The continuation of the pending read, and whether it wants str, bytes, or (None) what the frame holds.
        self._reader: Continuation | None = None
        self._as_text: bool | None = None
        self._read_deadline = 0.0
        self._timer: Timer | None = None
        self._handlers: dict[OpcodeType, MessageHandler] | None = None
        self._pieces: list[Any] | None = None
        self._delivery = Delivery.HELD
        self._has_ended = False
        #: Whether a frame was delivered after the end, so that one more read is likely to come.
        self._expects_read = False

    @property
    def has_reader(self) -> bool:
        """Whether a read is pending, or a handler is set."""
        return self._reader is not None or self._handlers is not None

    @property
    def is_held(self) -> bool:
        """Whether the session has not begun yet."""
        return self._delivery is Delivery.HELD

    def open(self) -> None:
        """Begin to deliver."""
        self._delivery = _IDLE
        self.settle()

    def end(self) -> None:
        """Learn that no further frame will come. What waits is still delivered; then reads get ``INVALID``."""
        self._has_ended = True
        self.is_full = False
        if self._delivery is _READY:
            self._delivery = _IDLE
        self._pieces = None
        self._stop_timer()
        self.settle()

    def discard(self) -> None:
        """Forget what waits, and end: the session failed."""
        if self._delivery is _ADDRESSED:
            self._delivery = _IDLE
        self._frames.clear()
        self._expects_read = False
        self.end()

    def settle(self) -> None:
        """Queue a delivery if one is due; after the end, tell the connection once nothing is left to deliver."""
        if self._delivery is not _IDLE:
            return
        if self._is_due():
            self._delivery = _QUEUED
            self._loop.call(self._connection, self._deliver)
        elif self._has_ended and not (self._frames or self._reader is not None or self._expects_read):
            self._connection.inbox_drained()

    def _is_due(self) -> bool:
        if self._mode is _MESSAGES:
            return bool(self._frames)
        if self._reader is None:
            return False
        # The pending read learns of the end behind the completions (law 12).
        return bool(self._frames) or (self._has_ended and not self._connection.has_unfinished_sends)

    @property
    def room(self) -> int:
        """How many more frames may be added at once: after the end any number, which are let go."""
        return READ_AHEAD_FRAMES if self._has_ended else READ_AHEAD_FRAMES - len(self._frames)

    def add(self, frame: Frame) -> None:
        """Take a frame: of data, or a pong for the pending read."""
        if self._delivery is not _READY:
            self._add_waiting([frame])
            return
        # The read is queued with what it gets: half the cost of a delivery that looks for both.
        self._delivery = _ADDRESSED
        loop = self._loop
        loop.ready.append((self._connection, (_deliver_to_reader, self, frame)))
        if loop.idle:
            loop.wake()

    def add_all(self, frames: list[Frame]) -> None:
        """Take frames of data, at least one."""
        if self._delivery is _READY:
            self.add(frames.pop(0))
        if frames:
            self._add_waiting(frames)

    def _add_waiting(self, frames: list[Frame]) -> None:
        if self._has_ended:
            return
        if self._mode is _MESSAGES:
            for frame in frames:
                self._gather(frame)
        else:
            self._frames += frames
        self.is_full = self._is_crowded(READ_AHEAD_FRAMES, READ_AHEAD_BYTES)
        if self._delivery is _IDLE:
            self.settle()

    def _is_crowded(self, frames: int, size: int) -> bool:
        """Tell whether at least so many frames wait, or so many bytes."""
        return len(self._frames) >= frames or sum(map(len, map(_payload_of, self._frames))) >= size

    def _take(self) -> Frame:
        frame = self._frames.pop(0)
        if self.is_full:
            self._make_room()
        return frame

    def _make_room(self) -> None:
        """Read more once half is taken, and not before: a slow session would pause and resume at every frame."""
        if not self._is_crowded(READ_AHEAD_FRAMES // 2 + 1, READ_AHEAD_BYTES // 2 + 1):
            self.is_full = False
            self._connection.read_frames()

    def _deliver(self) -> object:
        self._delivery = _IDLE
        if not self._is_due():  # the read was cancelled meanwhile
            self.settle()
            return None
        if self._mode is _MESSAGES:
            return self._deliver_message()
        return self._deliver_frame() if self._frames else self._deliver_invalid()

    # Reading frame by frame

    def read(
        self, as_text: bool | None, continuation: Continuation, timeout: float | None, is_awaited: bool = False
    ) -> None:
        """Make ``continuation`` the pending read; ``is_awaited`` tells that it may be cancelled.

        Raises:
            LocalProtocolError: A read is pending, or messages go to handlers.
            TypeError: ``continuation`` cannot be called.
        """
        if not callable(continuation):
            check_continuation(continuation)
        if self._mode is not _FRAMES:
            self._choose_frames()
        if self._reader is not None:
            raise LocalProtocolError("a read is pending: read again from its continuation")
        self._reader = continuation
        self._as_text = as_text
        if timeout is not None and timeout >= 0:
            self._set_timeout(self._loop.time() + timeout)
        elif self._timer is not None:
            self._set_timeout(inf)
        if self._has_ended or is_awaited or self._delivery is not _IDLE:
            self._expects_read = False
            self.settle()
        else:
            self._delivery = _READY
            if self._frames:
                self.add(self._frames.pop(0))
                if self.is_full:
                    self._make_room()  # for more, which come behind it

    def _choose_frames(self) -> None:
        if self._mode is _MESSAGES:
            raise LocalProtocolError("messages go to on_text and on_binary: read_* cannot read beside them")
        self._mode = _FRAMES

    async def receive(self, as_text: bool | None, timeout: float | None) -> Message:
        """Read one frame with ``await``.

        Raises:
            ConnectionClosed: There is no further frame.
            TimeoutError: The read timed out.
            LocalProtocolError: A read is pending, or messages go to handlers.
        """
        self._loop.check_thread()
        suspension = Suspension()

        def resume(data: object, opcode: OpcodeType, final: bool) -> None:
            suspension.resume(outcome.Value(Message(data, opcode, final)))

        self.read(as_text, resume, timeout, is_awaited=True)
        message: Message = await suspension.sleep(on_cancel=self._forget_reader)
        if message.opcode is INVALID:
            if self._has_ended:
                raise self._connection.closed_error()
            raise TimeoutError(f"no frame came within {timeout} seconds")
        return message

    def _forget_reader(self) -> None:
        self._reader = None
        self.settle()

    def _deliver_frame(self) -> object:
        reader, self._reader = self._reader, None
        assert reader is not None
        opcode, data, final = self._take()
        self._expects_read = self._has_ended
        return reader(self._as_wanted(data), opcode, final)

    def _as_wanted(self, data: str | bytes) -> str | bytes | None:
        """Return a payload as the pending read wants it."""
        if self._as_text and isinstance(data, bytes):
            return _text_or_none(data)
        if self._as_text is False and isinstance(data, str):
            return data.encode()
        return data

    def _deliver_invalid(self) -> object:
        """Tell the pending read that it cannot be served."""
        if self._delivery is _READY:
            self._delivery = _IDLE
        reader, self._reader = self._reader, None
        assert reader is not None
        self.settle()
        return reader(None, INVALID, True)

    def _set_timeout(self, deadline: float) -> None:
        """Let the pending read time out at ``deadline``. One timer serves many reads: it is only ever moved forward."""
        self._read_deadline = deadline
        if self._timer is not None and deadline < self._timer.when:
            self._stop_timer()
        if self._timer is None:
            self._timer = self._loop.call_later(self._connection, deadline - self._loop.time(), self._look_at_deadline)

    def _look_at_deadline(self) -> object:
        self._timer = None
        if self._reader is None or self._delivery in _UNDER_WAY or self._has_ended or self._read_deadline == inf:
            return None
        if self._read_deadline > self._loop.time():
            self._set_timeout(self._read_deadline)
            return None
        return self._deliver_invalid()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # Whole messages

    def set_handler(self, opcode: OpcodeType, handler: MessageHandler) -> None:
        """Give whole messages of ``opcode`` (TEXT or BINARY) to ``handler``.

        Raises:
            LocalProtocolError: A read is pending.
        """
        if self._reader is not None:
            raise LocalProtocolError("a read is pending: set on_text and on_binary when it has been served")
        if self._handlers is None:
            self._handlers = {}
        self._handlers[opcode] = handler
        self.choose_messages()

    def drop_unhandled(self) -> None:
        """Take messages from now on, and drop those that have no handler, unless the session reads frame by frame."""
        if self._mode is Mode.UNDECIDED:
            self.choose_messages()

    def choose_messages(self) -> None:
        """Put together from now on whatever arrives, what waits included."""
        if self._mode is _MESSAGES:
            return
        self._mode = _MESSAGES
        self._expects_read = False
        self._connection.whole_messages_chosen(self._frames)
        waiting, self._frames = self._frames, []
        was_full = self.is_full
        for frame in waiting:
            self._gather(frame)
        if was_full:
            self._make_room()
        self.settle()

    def _gather(self, frame: Frame) -> None:
        opcode, data, final = frame
        if opcode is PONG:
            return  # of use to a read only
        if self._pieces is None:
            if opcode is CONTINUATION:
                return  # the rest of a message whose beginning was read frame by frame: no whole message
            if final:
                self._frames.append(frame)
            else:
                self._pieces = [data]
            return
        self._pieces.append(data)
        if final:
            pieces, self._pieces = self._pieces, None
            whole = "".join(pieces) if isinstance(data, str) else b"".join(pieces)
            self._frames.append((TEXT if isinstance(data, str) else BINARY, whole, True))

    def _deliver_message(self) -> object:
        self._delivery = Delivery.BUSY  # before taking one makes room for more, which wait until it is handled
        _, data, _ = self._take()
        handler = self._handlers.get(TEXT if isinstance(data, str) else BINARY) if self._handlers is not None else None
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
        self.settle()


def _deliver_to_reader(inbox: Inbox, frame: Frame) -> object:
    """Give the pending read its frame. Not a method: to bind one for each frame takes a tenth of its delivery."""
    if inbox._delivery is not _ADDRESSED:
        return None  # discarded meanwhile
    inbox._delivery = _IDLE
    reader = inbox._reader
    inbox._reader = None
    if inbox._has_ended:
        inbox._expects_read = True
    opcode, data, final = frame
    wanted = data if opcode is TEXT and inbox._as_text else inbox._as_wanted(data)
    return reader(wanted, opcode, final)  # type: ignore[misc]  # who is addressed cannot be cancelled


def check_continuation(continuation: object) -> None:
    """Raise `TypeError` for what cannot be called."""
    if not callable(continuation):
        raise TypeError(f"a continuation is a callable that takes (data, opcode, final), not {continuation!r}")


def _text_or_none(data: bytes) -> str | None:
    try:
        return str(data, "utf-8")
    except UnicodeDecodeError:
        return None
