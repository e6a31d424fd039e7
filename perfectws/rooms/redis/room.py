"""A room, as the broker knows it: its keys, and whether anything is owed to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import Lock
from weakref import ref

from ..broker import LogLimits, Subscriber
from ..position import Position
from .keys import Keys

#: How many entries the log of a room has that wants none: holes are repaired from it.
_LEAST_ENTRIES = 256
#: The most that Redis is told: it counts with 64 bits.
_MOST_ENTRIES = 1 << 40
#: How long a log lives at least after the last that was heard of its room, in seconds, so that its numbers go on.
_LEAST_LIFETIME = 3600.0

#: Guards what threads share of rooms.
_lock = Lock()


class RedisRoom:
    """The names of a room's keys, and its `Subscriber`, as long as anything is owed to that: else it may go.

    Args:
        subscriber: The room.
        keys: What the keys are called.

    Attributes:
        name: The room's name.
        is_open: Whether it has members here, and listens.
        is_opening: Whether it will listen soon: what it says waits, so that it hears it come back.
        log: The key of its log.
        channel: The channel on which it is announced.
        limits: What is wanted of the log.
        instance: What the room is called in its messages; ``b""`` before the first.
        logged: The sequence number behind the last that is in the log; ``None`` before the first.
        lost: The sequence number behind the last that will never be in the log; 0 if there is none.
        epoch: That of the log, as the connection that is open has heard it last; ``b""`` if it has not.
    """

    __slots__ = (
        "_kept",
        "_owed",
        "_subscriber",
        "channel",
        "epoch",
        "instance",
        "is_open",
        "is_opening",
        "limits",
        "log",
        "logged",
        "lost",
        "name",
    )

    def __init__(self, subscriber: Subscriber, keys: Keys) -> None:
        self._subscriber = ref(subscriber)
        self._kept: Subscriber | None = None
        self._owed = 0
        self.is_open = self.is_opening = False
        self.name = subscriber.name
        self.limits: LogLimits = subscriber.limits
        self.log = keys.log(self.name)
        self.channel = keys.channel_of(self.log)
        self.logged: int | None = None
        self.lost = 0
        self.epoch = b""
        self.instance = b""

    @property
    def subscriber(self) -> Subscriber | None:
        """The room itself; ``None`` once nobody has it."""
        return self._kept or self._subscriber()

    def hold(self) -> None:
        """Keep the room, as something more is owed to it. From any thread."""
        with _lock:
            self._owed += 1
            self._kept = self._subscriber()

    def release(self) -> None:
        """Owe it something less."""
        with _lock:
            self._owed -= 1
            kept = self._kept  # let go of outside the lock: it may be the last that held the room
            if not self._owed:
                self._kept = None
        del kept

    @property
    def entries(self) -> int:
        """How many entries its log keeps at least."""
        return min(max(self.limits.messages, _LEAST_ENTRIES), _MOST_ENTRIES)

    @property
    def lifetime(self) -> bytes:
        """How long its log lives after the last that was heard of it, in milliseconds; ``b""`` for ever."""
        seconds = self.limits.seconds
        return b"" if seconds is None else b"%d" % (1000 * min(max(seconds, _LEAST_LIFETIME), 1e9))


def position_of(number: object) -> Position | None:
    """Return the position that a number of an entry is; ``None`` if it is none."""
    if not isinstance(number, bytes) or len(number) > 41:
        return None
    return Position.parse(number.decode("ascii", "replace"))


def numbered(found: Sequence[object]) -> Iterator[tuple[Position, bytes]]:
    """Yield the entries that a script has read, each stands behind its number."""
    for number, data in zip(found[::2], found[1::2], strict=True):
        position = position_of(number)
        if position is not None and isinstance(data, bytes):
            yield position, data
