"""Processes in memory: rooms of one name on one log, whose every step a test takes by hand."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from weakref import ref

from perfectws import Broker, BrokerFigures, Recovery, Room, RoomEntry, WebSocket
from perfectws.callbacks import CallbackLoop
from perfectws.rooms.broker import Channel, Log, LogMessage, Person, Subscriber
from perfectws.rooms.position import Position
from perfectws.websocket.connection import WebSocketConnection
from perfectws.websocket.options import WebSocketOptions

from ..websocket.fakes import FrameTransport, TaskLoop


class FakeSocket:
    """A socket in memory, on a loop that a test turns by hand.

    Attributes:
        socket: The `WebSocket`.
        transport: What keeps what it is sent.
    """

    def __init__(self, loop: TaskLoop, **options: Any) -> None:
        self.transport = FrameTransport()
        self._connection = WebSocketConnection(
            self.transport, loop, None, WebSocketOptions(ping_interval=None, **options), session_name="Session"
        )
        self.transport.resumed = self._connection.resume_writing
        self.socket: WebSocket = self._connection.socket
        self._connection.start_without_session()

    def vanish(self) -> None:
        """Lose the connection."""
        self._connection.connection_lost(None)

    def texts(self) -> list[str]:
        """Return the messages that were sent."""
        return [frame.payload.decode() for frame in self.transport.frames() if frame.opcode == 1]

    def entries(self) -> list[tuple[str, Position, str]]:
        """Return the messages that were sent, as `stamp` has stamped them: id, position and text."""
        found = []
        for text in self.texts():
            identity, position, said = json.loads(text)
            parsed = Position.parse(position)
            assert parsed is not None
            found.append((identity, parsed, said))
        return found


def stamp(entry: RoomEntry) -> str:
    """Say what a client has to know."""
    return json.dumps([entry.id, entry.position, entry.data])


class FakeLog:
    """The log that all processes share: what a server would keep.

    Attributes:
        all: Every message that ever was in it.
        entries: What it holds: the messages of each entry.
        torn: The positions of those entries that say that something is missing before them.
    """

    def __init__(self) -> None:
        self.all: list[LogMessage] = []
        self.entries: deque[list[LogMessage]] = deque()
        self.torn: list[Position] = []
        self.epoch, self.number, self.start = 1, 0, 0

    @property
    def end(self) -> Position:
        """How far it has got."""
        return Position(self.epoch, self.number)

    def append(self, messages: list[LogMessage], *, is_torn: bool = False) -> None:
        """Append what one process has sent in one turn."""
        self.number += 1
        if is_torn:
            self.torn.append(self.end)
        entry = [
            LogMessage(
                message.instance,
                message.sequence,
                message.opcode,
                message.data,
                message.when,
                self.end,
                message is messages[-1],
            )
            for message in messages
        ]
        self.entries.append(entry)
        self.all.extend(entry)

    def trim(self, kept: int) -> None:
        """Keep so many entries."""
        while len(self.entries) > kept:
            self.entries.popleft()
            self.start += 1

    def lose(self) -> None:
        """Begin anew, empty."""
        self.epoch, self.number, self.start = self.epoch + 1, 0, 0
        self.entries.clear()

    def read(self) -> Log:
        """Return what it holds."""
        messages = [message for entry in self.entries for message in entry]
        start = max([Position(self.epoch, self.start), *(torn for torn in self.torn if torn.epoch == self.epoch)])
        return Log(start, self.end, messages)


class FakeBroker(Broker):
    """One process's way to a `FakeLog`. Nothing goes there, or comes from there, but when a test says so.

    Attributes:
        queue: What was published and is not in the log.
        answers: What is owed to the room, each to be called: the answers to `Channel.read_log` and `Channel.enter`, and
            that what was published is in the log.
        asked: What the channel was asked for: (name, *arguments).
        refuses: Whether names that are to be unique are somebody's elsewhere.
    """

    def __init__(self, log: FakeLog) -> None:
        super().__init__()
        self.log = log
        self.queue: list[LogMessage] = []
        #: Who has published.
        self.instance = b""
        #: The numbers behind the last message that was appended, is known to be, and was lost.
        self.appended, self.logged, self.lost = 1, 1, 0
        self.answers: deque[Callable[[], object]] = deque()
        self.asked: list[tuple[object, ...]] = []
        self.subscriber: Subscriber | None = None
        self.duplicates = 0
        #: Up to where the subscriber has been given the log; ``None`` while nobody listens.
        self.position: Position | None = None
        self.is_deaf = False
        self.refuses = False
        #: What it has skipped, since the log had it no longer: from where, and up to where.
        self.holes: list[tuple[Position, Position]] = []

    def channel(self, subscriber: Subscriber) -> Channel:
        self._subscriber = ref(subscriber)
        return FakeChannel(self, subscriber)

    def room(self) -> Subscriber:
        """Return the room."""
        subscriber = self._subscriber()
        assert subscriber is not None
        return subscriber

    @property
    def figures(self) -> BrokerFigures:
        return BrokerFigures(0, len(self.queue), 0, 0, 0, self.duplicates, 0, 0, not self.is_deaf)

    def close(self) -> None:
        self.is_deaf = True

    def begin(self) -> None:
        """Tell the subscriber where it begins."""
        if self.subscriber is not None and self.position is None:
            self.position = self.log.end
            self.subscriber.opened(self.position)

    def push(self, *, again: bool = False) -> None:
        """Append the queue to the log, as one entry; ``again``: nobody has heard that it is there, so it will come."""
        logged = self.logged
        for entry in self._entries():
            first = entry[0].sequence if entry else self.lost
            self.log.append(entry, is_torn=first > self.logged)
            self.logged = first + len(entry)
            if not again:
                self.answers.append(partial(self.room().confirmed, first, len(entry), self.log.end))
        self.appended = self.logged
        if again:
            self.logged = logged
        else:
            self.queue = []

    def _entries(self) -> list[list[LogMessage]]:
        """Return what waits, as far as its numbers follow each other; an empty entry says that the last is missing."""
        entries: list[list[LogMessage]] = []
        for message in self.queue:
            if entries and message.sequence == entries[-1][-1].sequence + 1:
                entries[-1].append(message)
            else:
                entries.append([message])
        said = self.queue[-1].sequence + 1 if self.queue else self.logged
        return [*entries, []] if self.lost > said else entries

    def lose(self) -> None:
        """Lose the last message that waits, if it was not appended."""
        if self.queue and self.queue[-1].sequence >= self.appended:
            lost = self.queue.pop().sequence
            self.lost = lost + 1
            self.room().lost(lost, 1)

    def pull(self, entries: int) -> None:
        """Give the subscriber so many entries, if there are."""
        if self.position is None or self.subscriber is None:
            return
        log = self.log
        if self.position.epoch != log.epoch or self.position.number < log.start:
            before, self.position = self.position, Position(log.epoch, log.start)
            self.holes.append((before, self.position))
            self.subscriber.gap(self.position)
        behind = self.position.number - log.start
        for entry in list(log.entries)[behind : behind + entries]:
            self.position = self.position.next
            if self.position in log.torn:
                self.subscriber.torn()
            elif self._take_own(entry):
                continue
            self.duplicates += self.subscriber.take(entry, self.position)

    def _take_own(self, entry: list[LogMessage]) -> bool:
        first = entry[0]
        assert self.subscriber is not None
        return first.instance == self.instance and self.subscriber.take_own(first.sequence, len(entry), first.position)

    def answer(self) -> None:
        """Answer the first question that is owed an answer."""
        if self.answers:
            self.answers.popleft()()


class FakeChannel(Channel):
    """A channel that keeps what it is asked for."""

    def __init__(self, broker: FakeBroker, subscriber: Subscriber) -> None:
        self._broker = broker
        self._subscriber = subscriber

    def publish(self, message: LogMessage, loop: CallbackLoop | None) -> None:
        self._broker.instance = message.instance
        self._broker.queue.append(message)

    def open(self, loop: CallbackLoop) -> None:
        self._broker.asked.append(("open",))
        self._broker.subscriber = self._subscriber

    def close(self) -> None:
        self._broker.asked.append(("close",))
        self._broker.subscriber = self._broker.position = None

    def read_log(self, done: Callable[[Log | None], object]) -> None:
        self._broker.asked.append(("read_log",))
        log = self._broker.log
        self._broker.answers.append(lambda: done(None if self._broker.is_deaf else log.read()))

    def enter(self, member: int, person: Person, unique: bool, done: Callable[[bool], object]) -> None:
        self._broker.asked.append(("enter", member, person, unique))
        self._broker.answers.append(lambda: done(not (unique and self._broker.refuses)))

    def exit(self, member: int) -> None:
        self._broker.asked.append(("exit", member))


class Process:
    """A process in memory: a loop, a broker, a room.

    Args:
        log: The log that it shares with others; ``None`` for one of its own.
        **options: Those of `Room`.
    """

    def __init__(self, log: FakeLog | None = None, **options: Any) -> None:
        self.loop = TaskLoop()
        self.broker = FakeBroker(log or FakeLog())
        self.room = Room("tea", **{"broker": self.broker, "history": 100, "stamp": stamp, **options})

    @classmethod
    def alone(cls, **options: Any) -> Process:
        """Return one whose room has a broker of its own."""
        return cls(**{"broker": None, **options})

    @contextmanager
    def running(self) -> Iterator[None]:
        """Do something in this process, then let its loop run."""
        yield
        self.loop.run()

    def send(self, text: str) -> None:
        """Send a message to the room."""
        with self.running():
            self.room.send_string_message(text)

    def join(self, after: str | None = None, **arguments: Any) -> Client:
        """Let a new client join."""
        client = Client(self)
        client.join(after, **arguments)
        return client

    def settle(self) -> None:
        """Let all that is on its way to or from the broker arrive."""
        for _ in range(2):
            with self.running():
                self.broker.begin()
                self.broker.push()
                self.broker.pull(1_000)
                while self.broker.answers:
                    self.broker.answer()


class Client(FakeSocket):
    """A client of a room.

    Attributes:
        process: Where it is.
        recoveries: What it was told.
    """

    def __init__(self, process: Process, **options: Any) -> None:
        super().__init__(process.loop, **options)
        self.process = process
        self.recoveries: list[Recovery] = []

    def join(self, after: str | None = None, **arguments: Any) -> None:
        """Join the room, maybe again."""
        told = len(self.recoveries)
        with self.process.running():
            self.process.room.join(self.socket, after=after, completion=self.recoveries.append, **arguments)
            assert len(self.recoveries) == told, "no public method calls back before it returns"

    @property
    def said(self) -> list[str]:
        """What it was sent, less the stamps."""
        return [text for _, _, text in self.entries()]

    @property
    def position(self) -> str:
        """The position of the last message that it was sent, or of what it was told."""
        entries = self.entries()
        return str(entries[-1][1]) if entries else self.recoveries[-1].position

    def leave(self) -> None:
        """Lose the connection."""
        with self.process.running():
            self.vanish()
