"""`LocalBroker`: the logs of rooms in the memory of this process."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from threading import Lock
from time import time, time_ns
from weakref import ref

from ..callbacks import CallbackLoop
from .broker import Broker, Channel, Log, LogLimits, LogMessage, Person, Subscriber
from .figures import BrokerFigures
from .position import NOWHERE, Position


class LocalBroker(Broker):
    """Keeps the logs of rooms in the memory of this process, and carries nothing to others.

    A room of which nobody says otherwise has one of its own. One that several rooms share keeps their logs, each by the
    room's name, so that a room which was dropped and is made again has its history; `Room`'s ``history`` and
    ``history_seconds`` say how long.
    """

    spans_processes = False

    def __init__(self) -> None:
        super().__init__()
        self._lock = Lock()
        self._logs: dict[str, LocalLog] = {}
        #: When logs that nobody uses may be due to be forgotten, with their names.
        self._due: list[tuple[float, str]] = []
        #: The epoch of logs that are begun from now on.
        self._epoch = time_ns() // 1000
        self._published = 0

    def channel(self, subscriber: Subscriber) -> LocalChannel:
        """Make a room's channel; perfectws's own."""
        return LocalChannel(self, subscriber)

    @property
    def figures(self) -> BrokerFigures:
        """What the broker has done so far."""
        return BrokerFigures(self._published, 0, 0, 0, 0, 0, 0, 0, True)

    def close(self) -> None:
        """Forget all logs that no room uses now."""
        with self._lock:
            self._logs = {name: log for name, log in self._logs.items() if log.is_used}
            self._epoch = max(self._epoch + 1, time_ns() // 1000)

    def append(self, name: str, limits: LogLimits, message: LogMessage) -> None:
        """Append a message to a log, if that is used, or will be; perfectws's own."""
        with self._lock:
            self._published += 1
            if name in self._logs or limits.messages:
                self._log(name, limits).append(message)
                self._look_again(name)

    def open(self, name: str, limits: LogLimits) -> Position:
        """Begin to use a log; return how far it has got; perfectws's own."""
        with self._lock:
            log = self._log(name, limits)
            log.is_used = True
            return log.end

    def let_go(self, name: str) -> None:
        """Take it that a log is used no longer; perfectws's own."""
        with self._lock:
            log = self._logs.get(name)
            if log is not None:
                log.is_used = False
                self._look_again(name)

    def read(self, name: str, limits: LogLimits) -> Log:
        """Return what a log holds; perfectws's own."""
        with self._lock:
            return self._log(name, limits).read() if name in self._logs else Log(NOWHERE, NOWHERE, ())

    def _log(self, name: str, limits: LogLimits) -> LocalLog:
        log = self._logs.get(name)
        if log is None:
            log = self._logs[name] = LocalLog(self._epoch, limits)
        log.limits = limits
        return log

    def _look_again(self, name: str) -> None:
        """See that a log which nobody uses is forgotten when its time has come, as are others whose time has come."""
        self._judge(name)
        now = time()
        while self._due and self._due[0][0] <= now:
            _, due = heappop(self._due)
            if due in self._logs:
                self._logs[due].is_due = False
                self._judge(due)

    def _judge(self, name: str) -> None:
        log = self._logs[name]
        log.trim()
        if log.is_used or log.is_due:
            return
        if not log.messages:
            del self._logs[name]
            if log.end.number:  # so that a position that somebody has of it is none of a later log
                self._epoch = max(self._epoch + 1, time_ns() // 1000)
        elif log.limits.seconds is not None:
            log.is_due = True
            heappush(self._due, (log.messages[-1].when + log.limits.seconds, name))


class LocalLog:
    """The log of one room.

    Args:
        epoch: Which log it is.
        limits: How much it keeps.

    Attributes:
        limits: As above.
        messages: What it holds.
        end: The position behind its last message.
        is_used: Whether a room with members uses it.
        is_due: Whether it will be looked at when its time has come.
    """

    __slots__ = ("end", "is_due", "is_used", "limits", "messages")

    def __init__(self, epoch: int, limits: LogLimits) -> None:
        self.limits = limits
        self.messages: deque[LogMessage] = deque()
        self.end = Position(epoch, 0)
        self.is_used = False
        self.is_due = False

    def append(self, message: LogMessage) -> None:
        """Append a message, and give it its position."""
        epoch, number = self.end
        self.end = message.position = Position(epoch, number + 1)
        self.messages.append(message)

    def trim(self) -> None:
        """Forget what is past the limits."""
        most, seconds = self.limits
        while len(self.messages) > most:
            self.messages.popleft()
        if seconds is not None:
            oldest = time() - seconds
            while self.messages and self.messages[0].when < oldest:
                self.messages.popleft()

    def read(self) -> Log:
        """Return what it holds."""
        self.trim()
        epoch, number = self.end
        return Log(Position(epoch, number - len(self.messages)), self.end, list(self.messages))


class LocalChannel(Channel):
    """A room's channel to its `LocalBroker`."""

    __slots__ = ("_broker", "_limits", "_name", "_subscriber")

    def __init__(self, broker: LocalBroker, subscriber: Subscriber) -> None:
        self._broker = broker
        self._name = subscriber.name
        self._limits = subscriber.limits
        self._subscriber = ref(subscriber)

    def publish(self, message: LogMessage, loop: CallbackLoop | None) -> None:
        """Append a message to the log."""
        self._broker.append(self._name, self._limits, message)

    def open(self, loop: CallbackLoop) -> None:
        """Use the log."""
        position = self._broker.open(self._name, self._limits)
        subscriber = self._subscriber()
        if subscriber is not None:
            subscriber.opened(position)

    def close(self) -> None:
        """Use it no longer."""
        self._broker.let_go(self._name)

    def read_log(self, done: Callable[[Log | None], object]) -> None:
        """Read the log."""
        done(self._broker.read(self._name, self._limits))

    def enter(self, member: int, person: Person, unique: bool, done: Callable[[bool], object]) -> None:
        """Let anybody in: there is no other process."""
        done(True)

    def exit(self, member: int) -> None:
        """Do nothing: nobody else is to know."""
