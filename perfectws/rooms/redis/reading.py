"""The end of a room's log, read for those who come back, and for those who ask what was said last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from time import monotonic

from ...log_limit import LogLimit
from ..broker import Log, LogMessage
from ..position import NOWHERE, Position
from .connection import RedisConnection
from .entry import Entry
from .room import RedisRoom, numbered, position_of
from .scripts import READ_END
from .signal import Signal
from .wire import Answer

#: How much of a log is read, in MiB and in bytes, but for the rest of an entry: what is older is taken for trimmed.
MAX_MIB = 4
MAX_BYTES = MAX_MIB * 1024 * 1024

#: How long somebody waits for a log, in seconds.
PATIENCE = 2.0

Done = Callable[[Log | None], object]


class Reading:
    """Reads logs for rooms.

    Args:
        log: Where to say that one is longer than what is read.

    Attributes:
        signal: Set when there is something to do.
        reads: How many were read.
    """

    def __init__(self, log: LogLimit) -> None:
        self.signal = Signal()
        self.reads = 0
        self._log = log
        self._numbers = count()
        #: The room of each question, who is to be told, and when it was asked.
        self._asked: dict[int, tuple[RedisRoom, Done, float]] = {}

    def __bool__(self) -> bool:
        """Tell whether anybody waits for a log."""
        return bool(self._asked)

    def read(self, room: RedisRoom, done: Done) -> None:
        """Read the log of a room; ``done(log)`` is called once. From any thread, as `give_up`."""
        room.hold()
        self._asked[next(self._numbers)] = (room, done, monotonic())
        self.signal.set()

    def give_up(self, waited: float = 0.0) -> None:
        """Tell all that wait, or have waited for so many seconds, that there is nothing to be read now."""
        now = monotonic()
        for number, (_, _, asked_at) in list(self._asked.items()):
            if now - asked_at >= waited:
                self._answer(number, None)

    async def run(self, connection: RedisConnection) -> None:
        """Read, over one connection, until it is lost. What is not answered then is read again over the next."""
        from trio import move_on_after

        while True:
            answers = [(number, room, _ask(connection, room)) for number, (room, _, _) in list(self._asked.items())]
            with move_on_after(PATIENCE) as waiting:
                for number, room, answer in answers:
                    self._answer(number, self._read(room, await answer))
            if waiting.cancelled_caught:
                self.give_up()
            elif not answers:
                await self.signal.wait()

    def _read(self, room: RedisRoom, answer: Sequence[object]) -> Log:
        end, is_cut, *found = answer
        self.reads += 1
        if is_cut:
            self._log.log(
                "cut",
                "The history of room %r takes more than the last %d MiB, which are all that is read of it",
                room.name,
                MAX_MIB,
            )
        return log_of(end, found)

    def _answer(self, number: int, log: Log | None) -> None:
        asked = self._asked.pop(number, None)
        if asked is not None:
            room, done, _ = asked
            room.release()
            done(log)


def _ask(connection: RedisConnection, room: RedisRoom) -> Answer:
    return connection.run_script(READ_END, [room.log], min(room.limits.messages, room.entries), MAX_BYTES)


def log_of(number: object, found: Sequence[object]) -> Log:
    """Return a log as `READ_END` has read it: the number of its last entry, and entries, the newest first."""
    end = position_of(number) or NOWHERE
    start, is_whole = end, True
    messages: list[LogMessage] = []
    for position, data in numbered(found):
        entry = Entry.decode(data)
        is_whole = is_whole and position == start
        if is_whole:
            is_whole = entry is None or not entry.missing
            start = Position(position.epoch, position.number - is_whole)
        if entry is not None:
            messages += reversed(entry.log_messages(position))
    messages.reverse()
    return Log(start, end, messages)
