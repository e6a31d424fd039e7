"""How late a loop is: what is due has to wait while a callback, or a task, holds the thread.

Two things tell. A *beat* is due again and again; how late it comes is what any task has waited, whatever the reason: a
callback that blocks, a task, the garbage collector, another process on the same core. And the loop itself notes how
long it took turns without a pause, since what blocks for less than the time between two beats falls between them.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

#: The time between two beats, in seconds.
BEAT_SECONDS = 0.25
#: What is remembered: from so many seconds to twice as many.
LATELY_SECONDS = 30.0


class LoopDelay:
    """How late a loop was lately, within the last 30 to 60 seconds.

    Args:
        time: The loop's clock, in seconds.
    """

    def __init__(self, time: Callable[[], float]) -> None:
        self._time = time
        self._ends = time() + LATELY_SECONDS
        self._now, self._before = _Period(), _Period()
        self._is_beating = False

    @property
    def mean(self) -> float:
        """The mean delay of a beat, in seconds."""
        beats = self._now.beats + self._before.beats
        return (self._now.sum + self._before.sum) / beats if beats else 0.0

    @property
    def worst(self) -> float:
        """The longest delay, in seconds."""
        return max(self._now.worst, self._before.worst)

    def note(self, seconds: float) -> None:
        """Take notice of a delay that was not a beat's."""
        if seconds > self._now.worst:
            self._now.worst = seconds

    async def beat(self) -> None:
        """Measure until cancelled. Returns at once if this is done already."""
        if self._is_beating:
            return
        self._is_beating = True
        try:
            while True:
                due = self._time() + BEAT_SECONDS
                await trio.sleep_until(due)
                self._take_beat(max(self._time() - due, 0.0))
        finally:
            self._is_beating = False

    def _take_beat(self, seconds: float) -> None:
        if self._time() >= self._ends:
            self._ends = self._time() + LATELY_SECONDS
            self._now, self._before = _Period(), self._now
        self.note(seconds)
        self._now.sum += seconds
        self._now.beats += 1


class _Period:
    """What was measured in a period."""

    __slots__ = ("beats", "sum", "worst")

    def __init__(self) -> None:
        self.beats = 0
        self.sum = self.worst = 0.0
