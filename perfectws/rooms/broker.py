"""The contract between a room and what carries its messages to the rooms of the same name in other processes.

A room delivers to its own members at once, whatever the broker does. Behind it stands an ordered *log* per name: what
is sent is appended there, and what others appended comes back, in the order of the log, each message once::

    Room ──► Channel      publish  open  close  read_log  enter  exit
    Room ◄── Subscriber   opened  take  take_own  gap  torn  confirmed  lost  people_changed

An entry of the log holds one message or several: what one process sent to a room in one turn. Entries are numbered
without holes within an epoch (`Position`), so a hole shows, and so does a log that was lost and begun anew. Each room
has a name of its own (``instance``), and numbers what it is sent (``sequence``): so one that was appended twice, since
nobody answered the first time, is heard once, and two brokers in one process are like two processes.

A `Subscriber` has a *position*: the number up to which all that the log holds has been given to it. It only grows, but
for a new epoch. What this process published itself comes back too, and moves the position; the members have it already.

What could not be appended is a hole: the log says so as soon as it can, in an entry that may hold nothing else. So
everybody has the same answer for one position, who was there and who reads the log later.

Nothing here blocks, and nothing here raises for what a network does.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from time import time
from typing import NamedTuple
from weakref import WeakSet, WeakValueDictionary

from ..callbacks import CallbackLoop
from ..websocket.opcodes import OpcodeType
from .figures import BrokerFigures
from .position import NOWHERE, Position


class LogMessage:
    """A message as the log has it.

    Args:
        instance: The room that was sent it, in the process where it was sent.
        sequence: Its number among what that room was sent: grows by one from message to message.
        opcode: TEXT or BINARY.
        data: What it says, before it is stamped.
        when: When it was sent, in seconds since 1970.
        position: The number of its entry; `NOWHERE` until it has one.
        is_last: Whether it is the last message of its entry.

    Attributes:
        sent: What a room keeps with it, which no broker looks at.
    """

    __slots__ = ("data", "instance", "is_last", "opcode", "position", "sent", "sequence", "when")

    def __init__(
        self,
        instance: bytes,
        sequence: int,
        opcode: OpcodeType,
        data: bytes,
        when: float | None = None,
        position: Position = NOWHERE,
        is_last: bool = True,
    ) -> None:
        self.instance = instance
        self.sequence = sequence
        self.opcode = opcode
        self.data = data
        self.when = time() if when is None else when
        self.position = position
        self.is_last = is_last
        self.sent: object = None


class Log(NamedTuple):
    """What a log holds.

    Attributes:
        start: From there on, nothing is missing: the position before its first entry, or that behind a hole.
        end: The position behind its last.
        messages: All its messages, in order, those before ``start`` included.
    """

    start: Position
    end: Position
    messages: Sequence[LogMessage]


class LogLimits(NamedTuple):
    """How long a message stays in the log of a room, at least as far as the broker can; a little longer does no harm.

    Attributes:
        messages: How many it keeps.
        seconds: For how long it keeps each, after which one that nobody appends to is gone; ``None``: no limit.
    """

    messages: int
    seconds: float | None


class Person(NamedTuple):
    """Somebody who is in a room in another process.

    Attributes:
        who: The name.
        info: What is said about them, as JSON.
    """

    who: str
    info: str


class Subscriber(ABC):
    """A room, as its broker sees it. From any thread, but not from two at once for one room.

    Attributes:
        name: The room's.
        limits: How much of the log is wanted.
    """

    __slots__ = ("__weakref__",)

    name: str
    limits: LogLimits

    @abstractmethod
    def opened(self, position: Position) -> None:
        """Begin to listen: every message behind ``position`` will come. Once for each `Channel.open`."""

    @abstractmethod
    def take(self, messages: Sequence[LogMessage], position: Position) -> int:
        """Take what the log has got, in its order, from the last position on and without a hole; one's own included.

        Args:
            messages: What came, whole entries; none if the entries up to ``position`` held none.
            position: The number of the last entry.

        Returns:
            How many of them are dropped, since they are there already: `BrokerFigures.duplicates`.
        """

    @abstractmethod
    def take_own(self, first: int, count: int, position: Position) -> bool:
        """Take the next entry of the log, whose messages are one's own: as `confirmed`, and then `take`, but at once.

        Args:
            first: The sequence of the first.
            count: How many they are.
            position: The number of their entry.

        Returns:
            Whether it was taken. It is not if something of it is not known as sent: `take` is to bring it then.
        """

    @abstractmethod
    def gap(self, position: Position) -> None:
        """Go on from ``position``, though something before it never came: the log was trimmed, or lost."""

    @abstractmethod
    def torn(self) -> None:
        """Take it that something was said behind the position where this is, and is in no log."""

    @abstractmethod
    def confirmed(self, first: int, count: int, position: Position) -> None:
        """Take it that the log's server has answered: messages of one's own are in the log, as one entry.

        What was lost before them is missing there, as the entry says, which holds nothing else if ``count`` is 0.
        Told whether the channel is open or not; if it is, `take` brings them in their turn all the same.
        """

    @abstractmethod
    def lost(self, first: int, count: int) -> None:
        """Forget ``count`` messages of one's own from sequence ``first`` on: they will never be in the log.

        Told before `confirmed` tells of anything behind them.
        """

    @abstractmethod
    def people_changed(self, arrived: Mapping[str, Person], gone: Collection[str]) -> None:
        """Take who came, or changed, and who went, in other processes.

        Args:
            arrived: Each under a key that is different for each membership of each process.
            gone: Such keys.
        """

    @abstractmethod
    def loops(self) -> list[CallbackLoop]:
        """Return the loops that have members now: one of them can do what the broker's has done, when that ends."""


class Channel(ABC):
    """What a broker does for one room. From any thread. Nothing here blocks.

    It is made with the room, and holds nothing but its name until it is used.
    """

    __slots__ = ()

    @abstractmethod
    def publish(self, message: LogMessage, loop: CallbackLoop | None) -> None:
        """Append a message to the log, and let the other processes hear it, whether the channel is open or not.

        Called under the room's lock, in the order of the sequences: it calls nothing of the `Subscriber`. Where the log
        is in this process it sets the message's ``position`` at once, and does not give it to `Subscriber.take`.

        Args:
            message: The message, whose ``sent`` may be kept with it.
            loop: The loop in which it was sent, ``None`` if in none: that is where tasks are started for it, if the
                broker has no loop yet. Else any that runs in this process will do, or the next that does.
        """

    @abstractmethod
    def open(self, loop: CallbackLoop) -> None:
        """Listen: the room has got its first member. In the loop's thread. `Subscriber.opened` tells when it does."""

    @abstractmethod
    def close(self) -> None:
        """Listen no longer, and let go of everything but the log: the room is empty. Its people have left before.

        `Subscriber` is told nothing from then on, but what becomes of what it has published, and what `read_log` and
        `enter` still owe.
        """

    @abstractmethod
    def read_log(self, done: Callable[[Log | None], object]) -> None:
        """Read the log, as far as the limits of the `Subscriber` want it.

        Calls back: ``done(log)`` once, from any thread, maybe before this returns; ``None`` if it cannot be read now.
        It is perfectws's own, and raises nothing. Within a few seconds, whatever happens, also when the loop ends.
        """

    @abstractmethod
    def enter(self, member: int, person: Person, unique: bool, done: Callable[[bool], object]) -> None:
        """Say to the other processes who is here.

        A member that is in already changes its name or info so; a refusal leaves it as it was.

        Args:
            member: A number that the room gives each member.
            person: Who it is.
            unique: Refuse if somebody of that name lives in another process; in this one, the room has looked.
            done: Told whether it is so.

        Calls back: ``done(entered)``, as `read_log` does; ``True`` if the others cannot be asked now.
        """

    @abstractmethod
    def exit(self, member: int) -> None:
        """Say that a member has left, who may or may not have entered, or wait for that."""


def brokers() -> list[Broker]:
    """Return the brokers of this process that other processes hear of."""
    return list(_brokers)


class Broker(ABC):
    """What carries messages between the rooms of one name in several processes, and keeps their logs.

    A room is given one as ``broker=``. Which are there: `LocalBroker`, within one process; `RedisBroker`.
    """

    #: Whether rooms in other processes hear of it.
    spans_processes = True

    def __init__(self) -> None:
        self._subscribers: WeakValueDictionary[str, Subscriber] = WeakValueDictionary()
        if self.spans_processes:
            _brokers.add(self)

    def subscribe(self, subscriber: Subscriber) -> Channel:
        """Return a room's channel; perfectws's own.

        Raises:
            ValueError: There is a room of that name on this broker already.
        """
        if subscriber.name in self._subscribers:
            raise ValueError(f"there is a room {subscriber.name!r} on this broker already: keep that one, and use it")
        self._subscribers[subscriber.name] = subscriber
        return self.channel(subscriber)

    @abstractmethod
    def channel(self, subscriber: Subscriber) -> Channel:
        """Make a room's channel; perfectws's own.

        Without any I/O: there may be no loop yet, and the process may be forked still.
        """

    @property
    @abstractmethod
    def figures(self) -> BrokerFigures:
        """What the broker has done so far. From any thread."""

    @abstractmethod
    def close(self) -> None:
        """Send what is queued, as far as that is possible at once, and let go of all connections. From any thread."""


_brokers: WeakSet[Broker] = WeakSet()
