"""Reading frame by frame, as Perfect does: each frame is given to the one pending read.

Source: Perfect-WebSockets' ``readStringMessage`` and ``readBytesMessage``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

import outcome

from ..callbacks import CallbackLoop
from ..deadline import Deadline
from ..errors import LocalProtocolError
from ..log_limit import LogLimit
from ..suspension import Suspension
from .arguments import check_continuation
from .contract import Connection
from .frames import Frame
from .inbox import HALF_OF_FRAMES, Delivery, Inbox
from .opcodes import OpcodeType

INVALID = OpcodeType.INVALID

DataT = TypeVar("DataT")

#: Called with (data, opcode, final), as `WebSocket.read_string_message` says.
Continuation = Callable[[Any, OpcodeType, bool], object]

#: Read for each frame: a global is found faster than an enum's member.
_HELD, _IDLE, _READY, _QUEUED, _ADDRESSED, _ = Delivery

#: Says at most once an hour, for each kind of session, that a read took the place of another.
_replaced_reads = LogLimit(interval=3600)


class Message(NamedTuple, Generic[DataT]):
    """What ``await socket.read_string_message()`` gives: the three arguments that a continuation gets.

    For type checkers, a read of a string gives a ``Message[str | None]``, one of bytes a ``Message[bytes]``.

    Attributes:
        data: The payload: ``str`` or ``bytes``, or ``None`` if a string was asked for and it is not UTF-8.
        opcode: The frame's opcode.
        final: Whether the frame is its message's last.
    """

    data: DataT
    opcode: OpcodeType
    final: bool


class _AwaitedRead:
    """The continuation of a read that a task awaits."""

    __slots__ = ("_suspension",)

    def __init__(self, suspension: Suspension) -> None:
        self._suspension = suspension

    def __call__(self, data: object, opcode: OpcodeType, final: bool) -> None:
        self._suspension.resume(outcome.Value(Message(data, opcode, final)))


class FrameInbox(Inbox):
    """The frames that wait, and the read that waits for one.

    Attributes:
        is_chosen: Whether the session has read a frame this way, and so chosen it.
    """

    __slots__ = ("_as_text", "_deadline", "_reader", "is_chosen")

    def __init__(self, connection: Connection, loop: CallbackLoop) -> None:
        Inbox.__init__(self, connection, loop)  # which costs half of `super`
        self.is_chosen = False
        #: The continuation of the pending read, and whether it wants str, bytes, or (None) what the frame holds.
        self._reader: Continuation | None = None
        self._as_text: bool | None = None
        #: Of the pending read; made for the first that has one.
        self._deadline: Deadline | None = None

    @property
    def has_reader(self) -> bool:
        """Whether a read is pending."""
        return self._reader is not None

    @property
    def is_answered(self) -> bool:
        """Whether the session was given all that arrived, and reads on."""
        return self._reader is not None and not self._frames and self._delivery is _IDLE

    def read(
        self, as_text: bool | None, continuation: Continuation, timeout: float | None, is_awaited: bool = False
    ) -> None:
        """Make ``continuation`` the pending read, in place of one that is pending (law 5).

        Args:
            as_text: Whether the payload is wanted as ``str``, as ``bytes``, or (``None``) as it is.
            continuation: Gets the frame.
            timeout: How long to wait for it, in seconds; ``None`` or a negative number waits for ever.
            is_awaited: Whether it may be cancelled before a frame comes.

        Raises:
            LocalProtocolError: A read is pending, and this one or that one is awaited.
            TypeError: ``continuation`` cannot be called.
        """
        if not callable(continuation):
            check_continuation(continuation)
        if self._reader is not None:
            self._drop_reader(is_awaited)
        self.is_chosen = True
        self._reader = continuation
        self._as_text = as_text
        if timeout is not None and timeout >= 0 and not self._has_ended:  # else it is served at once
            self._set_deadline(timeout)
        elif self._deadline is not None:
            self._deadline.clear()
        if self._has_ended or is_awaited or self._delivery is not _IDLE:
            if self._pause is not None:
                self._expect_nothing()
            self.settle()
        else:
            self._delivery = _READY
            if self._frames:
                self.add(self._frames.pop(0))
                if self.is_full and len(self._frames) <= HALF_OF_FRAMES:
                    self._make_room()  # for more, which come behind it

    def _drop_reader(self, for_awaited: bool) -> None:
        """Let a new read take the place of the pending one, as in Perfect: a task that awaits would wait for ever."""
        if isinstance(self._reader, _AwaitedRead):
            raise LocalProtocolError("a task awaits a read of this socket: read again when it has been served")
        if for_awaited:
            raise LocalProtocolError("a read is pending: await the next one when its continuation has been called")
        _replaced_reads.log(
            self._connection.session_name,
            "%s read while a read was pending: the newer read takes its place, and the earlier continuation is never "
            "called",
            self._connection.session_name,
        )

    async def receive(self, as_text: bool | None, timeout: float | None) -> Message[Any]:
        """Read one frame with ``await``.

        Raises:
            ConnectionClosed: There is no further frame.
            TimeoutError: The read timed out.
            LocalProtocolError: A read is pending.
        """
        self._loop.check_thread()
        suspension = self._loop.suspension()
        self.read(as_text, _AwaitedRead(suspension), timeout, is_awaited=True)
        message: Message[Any] = await suspension.sleep(on_cancel=self._forget_reader)
        if message.opcode is INVALID:
            if self._has_ended:
                raise self._connection.closed_error()
            raise TimeoutError(f"no frame came within {timeout} seconds")
        return message

    def _forget_reader(self) -> None:
        self._reader = None
        self.settle()

    # What arrives

    def add(self, frame: Frame) -> None:
        """Take a frame: of data, or a pong for the pending read."""
        if self._delivery is not _READY:
            self._let_wait([frame])
            return
        # The read is queued together with what it gets: it costs half of a delivery that looks for both.
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
            self._let_wait(frames)

    def _keep(self, frames: list[Frame]) -> None:
        self._frames += frames

    def give_up(self) -> list[Frame]:
        """Return what waits, for the inbox of whole messages to take over: there will be no read any more.

        Raises:
            LocalProtocolError: A read is pending.
        """
        if self._reader is not None:
            raise LocalProtocolError("a read is pending: set on_text and on_binary when it has been served")
        self._close_deadline()
        waiting, self._frames = self._frames, []
        return waiting

    # What is delivered

    def _is_due(self) -> bool:
        if self._reader is None:
            return False
        # The pending read is told of the end behind the completions (law 12).
        return bool(self._frames) or (self._has_ended and not self._connection.has_unfinished_sends)

    def _is_awaited(self) -> bool:
        return self._reader is not None or super()._is_awaited()

    def _deliver_next(self) -> object:
        if not self._frames:
            return self._deliver_invalid()
        reader, self._reader = self._reader, None
        assert reader is not None
        opcode, data, final = self._take()
        if self._has_ended:
            self._expect_more()
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

    # Timing out

    def _set_deadline(self, seconds: float) -> None:
        if self._deadline is None:
            self._deadline = Deadline(self._loop, self._connection, self._time_out)
        self._deadline.set(seconds)

    def _time_out(self) -> object:
        if self._reader is None or self._delivery is _QUEUED or self._delivery is _ADDRESSED or self._has_ended:
            return None
        return self._deliver_invalid()

    def _close_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    # The end

    def end(self) -> None:
        """Take no further frame. What waits is still delivered; then reads get ``INVALID``."""
        if self._delivery is _READY:
            self._delivery = _IDLE
        if self._deadline is not None:
            self._close_deadline()
        Inbox.end(self)

    def discard(self) -> None:
        """Forget what waits, and end: the session failed."""
        if self._delivery is _ADDRESSED:
            self._delivery = _IDLE
        super().discard()


def _deliver_to_reader(inbox: FrameInbox, frame: Frame) -> object:
    """Give the pending read its frame. Not a method, which would have to be bound anew for each frame."""
    if inbox._delivery is not _ADDRESSED:
        return None  # discarded meanwhile
    inbox._delivery = _IDLE
    reader = inbox._reader
    inbox._reader = None
    if inbox._has_ended:
        inbox._expect_more()
    opcode, data, final = frame
    wanted = data if inbox._as_text and isinstance(data, str) else inbox._as_wanted(data)
    return reader(wanted, opcode, final)  # type: ignore[misc]  # a read that is addressed cannot be cancelled


def _text_or_none(data: bytes) -> str | None:
    try:
        return str(data, "utf-8")
    except UnicodeDecodeError:
        return None
