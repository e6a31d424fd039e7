"""What waits to be appended to the logs, bounded in bytes; and what found no room.

What a room says while entries are on their way becomes one entry of the next *flight*: so the more there is to say, the
less each message costs. An entry says how many messages are missing before it. Where none follows those that are, one
that holds no message says so: who comes back is to be told of a gap, wherever they come to.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from threading import Lock
from time import time
from typing import NamedTuple

from ..broker import LogMessage
from .entry import HEAD_SIZE, MAX_MISSING, MESSAGE_SIZE, Entry
from .room import RedisRoom

#: The most that the messages of an entry take together, but for a single one that is larger, and those of a flight.
ENTRY_BYTES, FLIGHT_BYTES = 256 * 1024, 1024 * 1024
#: The largest message. Redis drops a listener that it has 32 MiB for.
MAX_MESSAGE = 8 * 1024 * 1024
_MOST = MESSAGE_SIZE + MAX_MESSAGE
#: How many rooms a flight is for.
FLIGHT_ROOMS = 128


class Parcel(NamedTuple):
    """An entry on its way.

    Attributes:
        room: The room.
        sequence: The number of its first message, or of the one that would follow.
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
            if size > _MOST or (self._size and self._size + size > self._max_size):
                return False
            self._size += size
            self.messages += 1
            waiting = self._waiting.get(room)
            if waiting is not None:
                waiting.append(message)
            else:
                room.hold()  # for all that waits
                self._waiting[room] = deque((message,))
        return True

    def tear(self, room: RedisRoom, end: int) -> None:
        """Let the log of a room say, once it has all that waits, that something is missing before this number."""
        with self._lock:
            room.lost = max(room.lost, end)
            if room not in self._waiting:
                room.hold()
                self._waiting[room] = deque()

    def load(self) -> deque[Parcel]:
        """Return the next flight: one entry for each of several rooms; empty if nothing waits."""
        flight: deque[Parcel] = deque()
        size = 0
        for room in self._rooms():
            parcel = self._parcel(room)
            if parcel is None:
                room.release()
                continue
            flight.append(parcel)
            size += parcel.size
            if size >= FLIGHT_BYTES:
                break
        return flight

    def _rooms(self) -> list[RedisRoom]:
        """Return the rooms that have waited longest."""
        with self._lock:
            return list(islice((room for room in self._waiting if not room.is_opening), FLIGHT_ROOMS))

    def _parcel(self, room: RedisRoom) -> Parcel | None:
        """Return the next entry of a room; ``None`` if its log says already what is missing."""
        with self._lock:
            waiting = self._waiting.pop(room)
            messages = _first_entry(waiting)
            if waiting or (messages and messages[-1].sequence < room.lost):
                room.hold()  # for these, or for what is missing behind, beside the parcel
                self._waiting[room] = waiting  # behind the others
        instance, sequence, when = _head(messages[0]) if messages else (room.instance, room.lost, time())
        missing = 0 if room.logged is None else min(max(sequence - room.logged, 0), MAX_MISSING)
        if not messages and not missing:
            return None
        said = [(message.opcode, message.data) for message in messages]
        entry = Entry(instance, sequence, said, missing, max(0, int(when * 1000))).encode()
        return Parcel(room, sequence, len(messages), len(entry) - HEAD_SIZE, entry)

    def forget(self, parcel: Parcel) -> None:
        """Let go of a parcel that was answered."""
        with self._lock:
            self._size -= parcel.size
            self.messages -= parcel.messages
        parcel.room.release()

    @property
    def is_waiting(self) -> bool:
        """Whether anything waits that is not on its way."""
        return bool(self._waiting)

    def __bool__(self) -> bool:
        """Tell whether anything waits, or is on its way."""
        return bool(self.messages)


def _head(first: LogMessage) -> tuple[bytes, int, float]:
    """Return who says an entry that begins with this message, its number, and when."""
    return first.instance, first.sequence, first.when


def _first_entry(waiting: deque[LogMessage]) -> list[LogMessage]:
    """Take the messages of one entry: as far as one instance's numbers follow each other, and not too many."""
    if not waiting:
        return []
    taken = [waiting.popleft()]
    size, instance, sequence = len(taken[0].data), taken[0].instance, taken[0].sequence
    while waiting and size < ENTRY_BYTES:
        following = waiting[0]
        if following.sequence != sequence + len(taken) or following.instance != instance:
            break  # something found no room, or the process was forked from the one that spoke before
        taken.append(waiting.popleft())
        size += len(following.data)
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

    def __bool__(self) -> bool:
        """Tell whether there are any."""
        return bool(self._ranges)

    def take(self) -> dict[RedisRoom, list[range]]:
        """Return them, and forget them."""
        with self._lock:
            ranges, self._ranges = self._ranges, {}
        return ranges
