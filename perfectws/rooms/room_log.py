"""A room's log, as far as this process has it: what was sent, what has come, and up to where."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum
from threading import RLock

from ..websocket.frames import build_frame
from ..websocket.opcodes import OpcodeType
from .broker import Channel, Log, LogLimits, LogMessage
from .entry import RoomEntry, Stamp, StampedMessage, entry_of, position_behind
from .instance import Instance
from .message import RoomMessage
from .position import NOWHERE, Position
from .recent import Heard, Recent, kept, last_of, once


class Lack(Enum):
    """Why what was missed is not here."""

    #: It will come: the channel has not told a position yet, or not one that the client has already.
    NOT_YET = 0
    #: The log may have it.
    NOT_READ = 1
    #: Nobody has it.
    GAP = 2


class RoomLog:
    """A room's log. From any thread, under the room's lock; `read` and `last` take it themselves.

    Args:
        channel: Where more can be read.
        limits: How much is kept.
        stamp: The application's function that says what members are sent.
        is_exact: Whether the log is in this process: there is no message that is yet to come.
        lock: The room's.

    Attributes:
        is_open: Whether the channel is open.
        is_ready: Whether it has told a position since.
        reads: How often the log was read, or could not be.
    """

    def __init__(self, channel: Channel, limits: LogLimits, stamp: Stamp | None, is_exact: bool, lock: RLock) -> None:
        self._channel = channel
        self._limits = limits
        self._stamp = stamp
        self._is_exact = is_exact
        self._lock = lock
        #: Who says what is sent here, and how many messages that were.
        self._instance = Instance()
        self._sequence = 0
        self._recent = Recent(limits)
        self._heard = Heard()
        #: What was sent, and has not come back in its turn: the members have it, and who recovers gets it.
        self._unlogged: deque[LogMessage] = deque()
        #: The number behind the last message that was lost, while the log does not say yet that it is missing; else 0.
        self._lost = 0
        self.is_open = self.is_ready = False
        self.reads = 0
        self._after_reading: list[Callable[[Log | None], object]] = []

    @property
    def position(self) -> Position:
        """Up to where all has come."""
        return self._recent.end

    def begin(self, position: Position) -> None:
        """Begin behind ``position``: what came before is not here."""
        self._recent.begin(position)
        self.is_ready = True
        self._drop_logged()

    def go_on(self, position: Position) -> None:
        """Go on from ``position``, though something before it never came."""
        self._recent.go_on(position)

    def tear(self) -> None:
        """Take it that something was said behind the position where this is, and is in no log."""
        self._recent.tear(self.position.next)

    def close(self) -> None:
        """Forget all, but for where the log is torn: the room is empty."""
        self.is_open = self.is_ready = False
        self._recent.begin(NOWHERE)
        self._heard = Heard()
        self._drop_logged()

    # What is sent, and what comes

    def new(self, opcode: OpcodeType, data: bytes) -> LogMessage:
        """Return the next message of this room."""
        self._sequence += 1
        return LogMessage(self._instance.name, self._sequence, opcode, data)

    def sent(self, message: LogMessage) -> None:
        """Take a message of this room that was published."""
        if message.position is NOWHERE:
            if not self._is_exact:
                self._unlogged.append(message)
        elif self.is_ready:
            self._recent.add(message)

    def take(self, message: LogMessage) -> bool | None:
        """Take the next message of the log. Tell whether the members are to get it; ``None`` if it had come before."""
        if not self._heard.is_new(message):
            return None
        own = self._confirmed(message)
        self._recent.add(message if own is None else own)
        return own is None

    def move(self, position: Position) -> None:
        """Take it that the log has got so far."""
        self._recent.move(position)

    def _confirmed(self, message: LogMessage) -> LogMessage | None:
        """Return the message of this room that has got into the log, if it is one that the members have."""
        unlogged = self._unlogged
        # Not the name of this room: it was another before a fork.
        while unlogged and unlogged[0].instance == message.instance and unlogged[0].sequence < message.sequence:
            unlogged.popleft()
        if not unlogged or unlogged[0].instance != message.instance or unlogged[0].sequence != message.sequence:
            return None
        own = unlogged.popleft()
        own.position, own.is_last = message.position, message.is_last
        return own

    def take_own(self, first: int, count: int, position: Position) -> bool:
        """Take the next entry of the log, if its messages are the first of those that were sent and have not come."""
        unlogged = self._unlogged
        if len(unlogged) < count or unlogged[0].sequence != first or unlogged[count - 1].sequence != first + count - 1:
            return False
        for _ in range(count):
            message = unlogged.popleft()
            message.position, message.is_last = position, False
            self._recent.add(message)
        message.is_last = True
        self._heard.is_new(message)  # and so the others have come before
        return True

    def confirm(self, first: int, count: int, position: Position) -> None:
        """Take it that messages of this room are in the log, though they have not come back in their turn."""
        end = first + count
        for message in self._unlogged:
            if message.sequence >= end:
                break
            if message.sequence >= first:
                message.position, message.is_last = position, message.sequence == end - 1
        if self._lost and first >= self._lost:  # the entry says so
            self._lost = 0
            self._recent.tear(position)
        self._drop_logged()

    def _drop_logged(self) -> None:
        """Forget what will not come back: nobody listens, or this began to listen behind it."""
        unlogged, position = self._unlogged, self.position
        while unlogged and unlogged[0].position is not NOWHERE:
            if self.is_open and (not self.is_ready or unlogged[0].position > position):
                return
            unlogged.popleft()

    def lose(self, first: int, count: int) -> None:
        """Forget messages of this room: they will never be in the log."""
        lost = range(first, first + count)
        self._unlogged = deque(message for message in self._unlogged if message.sequence not in lost)
        self._lost = max(self._lost, lost.stop)

    # What is said of it

    def said(self, message: LogMessage) -> RoomMessage:
        """Return what the members are sent for a message: made once, as long as the message is kept."""
        said = message.sent
        if self._stamp is None:
            if type(said) is not RoomMessage:
                said = message.sent = RoomMessage(bytes(build_frame(message.opcode, message.data)), None)
        elif not isinstance(said, StampedMessage) or said.stamp is not self._stamp:
            said = message.sent = StampedMessage(self._stamp, self._entry(message))
        assert isinstance(said, RoomMessage)
        return said

    def _entry(self, message: LogMessage) -> RoomEntry:
        is_to_come = message.position is NOWHERE or (self.is_ready and message.position > self.position)
        return entry_of(message, self.position if is_to_come else position_behind(message))

    def after(self, position: Position) -> list[RoomMessage] | Lack:
        """Return all that came, or was sent, behind ``position``, or why that is not here."""
        if not self.is_ready:
            return Lack.NOT_YET
        missed = None if self._lost else self._recent.after(position)
        if missed is not None:
            return [self.said(message) for message in (*missed, *self._unlogged)]
        if position.epoch != self.position.epoch or position < self._recent.floor:
            return Lack.GAP
        if position > self.position:
            return Lack.GAP if self._is_exact else Lack.NOT_YET
        return Lack.GAP if self._lost or self._recent.is_whole else Lack.NOT_READ

    def read(self, done: Callable[[Log | None], object]) -> None:
        """Read the log, once for all who ask meanwhile; ``done(log)`` as `Channel.read_log`."""
        with self._lock:
            self._after_reading.append(done)
            is_under_way = len(self._after_reading) > 1
        if not is_under_way:
            self._channel.read_log(self._was_read)

    def _was_read(self, log: Log | None) -> None:
        with self._lock:
            is_early = log is not None and self.is_ready and not self._fill(log)
        if is_early:  # the room has begun to listen meanwhile, behind what was read
            self._channel.read_log(self._was_read_again)
        else:
            self._tell(log)

    def _was_read_again(self, log: Log | None) -> None:
        with self._lock:
            if log is not None and self.is_ready:
                self._fill(log)
        self._tell(log)

    def _fill(self, log: Log) -> bool:
        is_filled = self._recent.fill(log)
        for message in log.messages:
            if message.position <= self.position:  # the others are to come
                self._heard.is_new(message)
                self._confirmed(message)
        return is_filled

    def _tell(self, log: Log | None) -> None:
        with self._lock:
            waiting, self._after_reading = self._after_reading, []
            self.reads += 1
        for done in waiting:
            done(log)

    def last(self, count: int, done: Callable[[list[RoomEntry]], object]) -> None:
        """Find the last messages, ``count`` at most. ``done(entries)`` once, maybe before this returns."""
        with self._lock:
            is_here = self.is_ready and (self._recent.is_whole or len(self._recent) >= count)
            entries = self._last(count, None) if is_here else []
        if is_here:
            done(entries)
        else:
            self.read(lambda log: done(self._read_last(count, log)))

    def _read_last(self, count: int, log: Log | None) -> list[RoomEntry]:
        with self._lock:
            return self._last(count, None if self.is_ready else log)

    def _last(self, count: int, log: Log | None) -> list[RoomEntry]:
        logged = self._recent.last(count) if log is None else kept(log.messages, self._limits)
        return [self._entry(message) for message in last_of(once((*logged, *self._unlogged)), count)]
