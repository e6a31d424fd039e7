"""What waits to be appended to the logs, and how it gets there.

What a room says while entries are on their way becomes one entry of the next *flight*: so the more there is to say, the
less each message costs. A flight that nobody answered is sent again as it was, ahead of everything newer; who listens
knows by the sequence numbers what it has heard already.

What waits is bounded in bytes. What finds no room is lost: it is counted, and the room's next entry says how much is
missing before it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable
from itertools import islice
from threading import Lock
from typing import NamedTuple

from ...log_limit import LogLimit
from ..broker import LogMessage
from .connection import RedisConnection, refusal
from .counts import Counts
from .entry import MAX_MISSING, MESSAGE_SIZE, Entry, WireMessage
from .room import RedisRoom, position_of
from .scripts import APPEND
from .signal import Signal

#: The most that the messages of an entry take together, but for a single one that is larger, and those of a flight.
ENTRY_BYTES, FLIGHT_BYTES = 256 * 1024, 1024 * 1024
#: The largest message. Redis drops a listener that it has 32 MiB for.
MAX_MESSAGE = 8 * 1024 * 1024
#: How many rooms a flight is for.
FLIGHT_ROOMS = 128
#: The least time between two flights, in seconds: each costs as much as dozens of messages.
PACE = 0.003


class Parcel(NamedTuple):
    """An entry on its way.

    Attributes:
        room: The room.
        sequence: The number of its first message.
        messages: How many messages it has.
        size: What it takes of the queue, in bytes.
        entry: The entry.
    """

    room: RedisRoom
    sequence: int
    messages: int
    size: int
    entry: bytes


class Queue:
    """What waits, of all rooms. From any thread.

    Args:
        max_size: The most that it holds, in bytes. A message that finds it empty is taken whatever its size.

    Attributes:
        messages: How many messages wait, those on their way included.
    """

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._lock = Lock()
        self._size = 0
        self._waiting: dict[RedisRoom, deque[LogMessage]] = {}
        self.messages = 0

    def add(self, room: RedisRoom, message: LogMessage) -> bool:
        """Let a message wait for the next flight. Tell whether there was room."""
        size = MESSAGE_SIZE + len(message.data)
        with self._lock:
            if len(message.data) > MAX_MESSAGE or (self._size and self._size + size > self._max_size):
                return False
            self._size += size
            self.messages += 1
            self._waiting.setdefault(room, deque()).append(message)
        room.hold()
        return True

    def load(self) -> deque[Parcel]:
        """Return the next flight: one entry for each of several rooms; empty if nothing waits."""
        flight: deque[Parcel] = deque()
        size = 0
        for room in self._rooms():
            flight.append(self._parcel(room))
            size += flight[-1].size
            if size >= FLIGHT_BYTES:
                break
        return flight

    def _rooms(self) -> list[RedisRoom]:
        """Return the rooms that have waited longest."""
        with self._lock:
            return list(islice((room for room in self._waiting if not room.is_opening), FLIGHT_ROOMS))

    def _parcel(self, room: RedisRoom) -> Parcel:
        with self._lock:
            waiting = self._waiting.pop(room)
            messages = _first_entry(waiting)
            if waiting:
                self._waiting[room] = waiting  # behind the others
        first = messages[0]
        missing = 0 if room.logged is None else first.sequence - room.logged
        entry = Entry(
            first.instance,
            first.sequence,
            [WireMessage(message.opcode, message.data) for message in messages],
            min(max(missing, 0), MAX_MISSING),
            max(0, int(first.when * 1000)),
        ).encode()
        size = sum(MESSAGE_SIZE + len(message.data) for message in messages)
        return Parcel(room, first.sequence, len(messages), size, entry)

    def forget(self, parcel: Parcel) -> None:
        """Let go of a parcel that was answered."""
        with self._lock:
            self._size -= parcel.size
            self.messages -= parcel.messages
        parcel.room.release(parcel.messages)

    def __bool__(self) -> bool:
        """Tell whether anything waits, or is on its way."""
        return bool(self.messages)


def _first_entry(waiting: deque[LogMessage]) -> list[LogMessage]:
    """Take the messages of one entry: as far as their numbers follow each other, and not too many."""
    taken = [waiting.popleft()]
    size = len(taken[0].data)
    while waiting and size < ENTRY_BYTES and waiting[0].sequence == taken[0].sequence + len(taken):
        taken.append(waiting.popleft())
        size += len(taken[-1].data)
    return taken


class Lost:
    """Which messages found no room in the queue, and were not told to their rooms yet. From any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._ranges: dict[RedisRoom, list[range]] = {}

    def add(self, room: RedisRoom, sequence: int) -> None:
        """Take note of a message."""
        with self._lock:
            ranges = self._ranges.setdefault(room, [])
            first = ranges.pop().start if ranges and ranges[-1].stop == sequence else sequence
            ranges.append(range(first, sequence + 1))

    def take(self) -> dict[RedisRoom, list[range]]:
        """Return them, and forget them."""
        with self._lock:
            ranges, self._ranges = self._ranges, {}
        return ranges


class Publishing:
    """Appends what rooms say to their logs.

    Args:
        max_queue: How much may wait, in bytes.
        counts: The broker's figures.
        log: Where to say what goes wrong.

    Attributes:
        queue: What waits.
        signal: Set when there is something to do.
    """

    def __init__(self, max_queue: int, counts: Counts, log: LogLimit) -> None:
        self.queue = Queue(max_queue)
        self.signal = Signal()
        self._counts = counts
        self._log = log
        #: What is on its way, or was when the connection was lost.
        self._flight: deque[Parcel] = deque()
        #: The answers to it, and the connection over which they come.
        self._answers: deque[Awaitable[object]] = deque()
        self._over: RedisConnection | None = None
        self._lost = Lost()

    def publish(self, room: RedisRoom, message: LogMessage) -> None:
        """Let a message wait. From any thread, but for one room from one at a time."""
        if room.logged is None:
            room.instance, room.logged = message.instance, message.sequence
        if self.queue.add(room, message):
            return
        self._counts.lose(1)
        self._lost.add(room, message.sequence)
        self._log.log(
            "full", "The queue for Redis is full: what room %r says now does not reach other processes", room.name
        )

    def tell_lost(self) -> None:
        """Tell the rooms what found no room. In the broker's loop."""
        for room, ranges in self._lost.take().items():
            subscriber = room.subscriber
            for each in ranges:
                if subscriber is not None:
                    subscriber.lost(each.start, len(each))

    async def run(self, connection: RedisConnection) -> None:
        """Append, over one connection, until it is lost, which raises."""
        from trio import sleep

        self._counts.resent += sum(parcel.messages for parcel in self._flight)
        while True:
            self.tell_lost()
            if await self.send(connection):
                await sleep(PACE)
            else:
                await self.signal.wait()

    async def send(self, connection: RedisConnection) -> bool:
        """Send a flight, the one that was not answered or the next, until it is; tell whether there was one."""
        if not self._flight:
            self._flight = self.queue.load()
            self._over = None
        if self._over is not connection:
            self._over = connection
            self._answers = deque([_sent(parcel, connection) for parcel in self._flight])
        has_any = bool(self._flight)
        while self._flight:
            self._settle(self._flight[0], await self._answers[0])
            self.queue.forget(self._flight.popleft())
            self._answers.popleft()
        return has_any

    def _settle(self, parcel: Parcel, answer: object) -> None:
        room, subscriber = parcel.room, parcel.room.subscriber
        position = position_of(answer)
        if position is not None:
            room.epoch = b"%d" % position.epoch
            room.logged = parcel.sequence + parcel.messages
            self._counts.published += parcel.messages
            if subscriber is not None:
                subscriber.confirmed(parcel.sequence, parcel.messages, position)
            return
        reason = refusal(answer)
        self._counts.refused += parcel.messages
        self._counts.lose(parcel.messages)
        self._log.log("refused", "Redis keeps no log of room %r: %s", room.name, reason)
        if subscriber is not None:
            subscriber.lost(parcel.sequence, parcel.messages)


def _sent(parcel: Parcel, connection: RedisConnection) -> Awaitable[object]:
    room, run = parcel.room, connection.run
    epoch = room.epoch if room.epoch.endswith(run) else b""
    return connection.run_script(
        APPEND, [room.log], room.channel, parcel.entry, room.entries, room.lifetime, epoch, run
    )
