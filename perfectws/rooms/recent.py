"""The last messages of a room's log, in this process: who comes back is answered from here, a herd of them too.

::

    the log        ├──── trimmed ────┼────────────── kept ───────────────┤
    what is here                     ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄├─────────────────┤
                                                      start             end

It begins with what comes while the room has members. What the log had before is read once, when somebody first asks for
it, and is here from then on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from time import time

from .broker import Log, LogLimits, LogMessage
from .position import NOWHERE, Position


class Heard:
    """Which messages have come: the highest number of each instance. What is not above it has come before."""

    __slots__ = ("_highest", "_last")

    #: How many instances are remembered: those that were heard last.
    _MOST = 1024

    def __init__(self) -> None:
        self._highest: dict[bytes, int] = {}
        self._last = b""

    def is_new(self, message: LogMessage) -> bool:
        """Take a message; tell whether it has not come before."""
        speaker, sequence = message.instance, message.sequence
        if speaker == self._last:  # as most do, an entry holds several messages of one
            highest = self._highest[speaker]
        else:
            self._last = speaker
            highest = self._highest.pop(speaker, 0)
            self._highest[speaker] = highest
            if len(self._highest) > self._MOST:
                del self._highest[next(iter(self._highest))]
        if sequence <= highest:
            return False
        self._highest[speaker] = sequence
        return True


class Recent:
    """The last messages of a log, as far as they are here.

    Args:
        limits: How many are kept, and for how long.

    Attributes:
        start: Nothing that the log has had behind it is missing here. What is here and is older has a hole behind it.
        end: The room's position: the number up to which all has come; `NOWHERE` as long as that is not known.
        floor: Who comes from before it misses something that is in no log.
        is_whole: Whether the log was read: what is not here, it does not have.
    """

    __slots__ = ("_limits", "_messages", "end", "floor", "is_whole", "start")

    def __init__(self, limits: LogLimits) -> None:
        self._limits = limits
        self._messages: deque[LogMessage] = deque()
        self.floor = NOWHERE
        self.begin(NOWHERE)

    def begin(self, position: Position) -> None:
        """Begin anew, behind ``position``."""
        self._messages.clear()
        self.go_on(position)

    def go_on(self, position: Position) -> None:
        """Go on from ``position``, though something before it is missing: what is here does not lead to what comes."""
        self.start = self.end = position
        self.is_whole = not self._limits.messages

    def tear(self, position: Position) -> None:
        """Take it that before ``position`` something was said that is in no log."""
        self.floor = max(self.floor, position)

    def add(self, message: LogMessage) -> None:
        """Take the next message of the log."""
        self._messages.append(message)
        epoch, number = message.position
        if self.start.epoch != epoch:  # there was no log when it began
            self.start = Position(epoch, number - 1)
        if message.position is not self.end:  # those of one entry have one
            self.move(message.position)
        if len(self._messages) > self._limits.messages:
            self._drop_first()

    def move(self, position: Position) -> None:
        """Take it that the log has got so far."""
        self.end = max(self.end, position)
        if (not self._messages and self.start.epoch != position.epoch) or not self._limits.messages:
            self.start = self.end

    def _drop_first(self) -> None:
        position = self._messages.popleft().position
        if position is not self.start:
            self.start = max(self.start, position)

    def fill(self, log: Log) -> bool:
        """Take what the log holds: what came before ``start`` is put there.

        Returns:
            Whether it was taken. It is not if it is another log than this belongs to, or does not go as far as this
            begins.
        """
        if log.end.epoch != self.start.epoch or log.end < self.start:
            return False
        self.is_whole = True
        self._messages.extendleft(reversed(self._older(log)))
        self.start = min(self.start, log.start)
        while len(self._messages) > self._limits.messages:
            self._drop_first()
        return True

    def _older(self, log: Log) -> list[LogMessage]:
        here = {(message.instance, message.sequence) for message in self._messages}
        return [
            message
            for message in once(log.messages)
            if message.position <= self.start and (message.instance, message.sequence) not in here
        ]

    def after(self, position: Position) -> list[LogMessage] | None:
        """Return all messages behind ``position``, in order; ``None`` if some of them are not here."""
        self._drop_old()
        if position.epoch != self.end.epoch or not max(self.start, self.floor) <= position <= self.end:
            return None
        found = []
        for message in reversed(self._messages):
            if message.position <= position:
                break
            found.append(message)
        found.reverse()
        return found

    def last(self, count: int) -> list[LogMessage]:
        """Return the last messages that are here, ``count`` at most."""
        self._drop_old()
        return last_of(self._messages, count)

    def __len__(self) -> int:
        return len(self._messages)

    def _drop_old(self) -> None:
        oldest = oldest_kept(self._limits)
        while self._messages and self._messages[0].when < oldest:
            self._drop_first()


def oldest_kept(limits: LogLimits) -> float:
    """Return when the oldest message may have been sent that is kept, in seconds since 1970."""
    return 0 if limits.seconds is None else time() - limits.seconds


def once(messages: Iterable[LogMessage]) -> list[LogMessage]:
    """Return the messages without those that come again."""
    heard = Heard()
    return [message for message in messages if heard.is_new(message)]


def kept(messages: Iterable[LogMessage], limits: LogLimits) -> list[LogMessage]:
    """Return those of a log's messages that are within the limits, each once."""
    oldest = oldest_kept(limits)
    return last_of((message for message in once(messages) if message.when >= oldest), limits.messages)


def last_of(messages: Iterable[LogMessage], count: int) -> list[LogMessage]:
    """Return the last ``count`` messages."""
    return list(messages)[-count:] if count else []
