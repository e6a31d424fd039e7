"""The end of a room's log, read for those who come back."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from ..broker import Log, LogMessage
from ..position import NOWHERE, Position
from .connection import RedisConnection
from .entry import Entry
from .listening import log_messages, numbered
from .room import RedisRoom, position_of
from .scripts import READ_END
from .signal import Signal

#: How much of a log is read, in bytes: what is older is taken for trimmed.
MAX_BYTES = 4 * 1024 * 1024

Done = Callable[[Log | None], object]


class Reading:
    """Reads logs for rooms.

    Attributes:
        signal: Set when there is something to do.
    """

    def __init__(self) -> None:
        self.signal = Signal()
        self._asked: deque[tuple[RedisRoom, Done]] = deque()

    def __bool__(self) -> bool:
        """Tell whether anybody waits for a log."""
        return bool(self._asked)

    def read(self, room: RedisRoom, done: Done) -> None:
        """Read the log of a room; ``done(log)`` is called once. From any thread."""
        room.hold()
        self._asked.append((room, done))
        self.signal.set()

    def give_up(self) -> None:
        """Tell all that wait that there is nothing to be read now."""
        while self._asked:
            self._answer(None)

    async def run(self, connection: RedisConnection) -> None:
        """Read, over one connection, until it is lost. What is not answered then is read again over the next."""
        while True:
            answers = [
                connection.run_script(READ_END, [room.log], room.limits.messages, MAX_BYTES)
                for room, _ in list(self._asked)
            ]
            for answer in answers:
                self._answer(log_of(await answer))
            if not answers:
                await self.signal.wait()

    def _answer(self, log: Log | None) -> None:
        room, done = self._asked.popleft()
        room.release()
        done(log)


def log_of(answer: Sequence[object]) -> Log:
    """Return a log as `READ_END` has read it, the newest entry first."""
    end = position_of(answer[0]) or NOWHERE
    start, is_whole = end, True
    messages: list[LogMessage] = []
    for position, data in numbered(answer[1:]):
        entry = Entry.decode(data)
        is_whole = is_whole and position == start
        if is_whole:
            is_whole = entry is None or not entry.missing
            start = Position(position.epoch, position.number - is_whole)
        if entry is not None:
            messages += reversed(log_messages(entry, position))
    messages.reverse()
    return Log(start, end, messages)
