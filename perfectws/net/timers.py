"""Calls that are made later: one heap, and one task that sleeps until the first is due.

A deadline per message would cost a cancel scope each; so what has a deadline that moves keeps one timer, and looks when
it fires whether the deadline has moved (`perfectws.deadline`).
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Any

import trio

from ..callbacks import CallbackLoop, CallbackOwner, Timer

#: Cancelled timers are swept out once there are so many, and more of them than of live ones.
_SWEEP_FROM = 64


class HeapTimer(Timer):
    """One entry of `Timers`."""

    __slots__ = ("_timers", "args", "function", "is_due", "owner")

    def __init__(
        self, timers: Timers, when: float, owner: CallbackOwner, function: Callable[..., object], args: tuple[Any, ...]
    ) -> None:
        self._timers = timers
        self.when = when
        self.owner: CallbackOwner | None = owner
        self.function: Callable[..., object] | None = function
        self.args = args
        self.is_due = False

    def cancel(self) -> None:
        """Make no call."""
        if self.function is not None:
            self.owner = self.function = None  # as `forget` does
            self.args = ()
            if not self.is_due:
                self._timers.timer_cancelled()

    def fire(self) -> object:
        """Make the call, unless it was cancelled while it stood in the queue."""
        function, args = self.function, self.args
        self.forget()
        return None if function is None else function(*args)

    def forget(self) -> None:
        """Let go of what would be called: a cancelled timer may stay in the heap for long."""
        self.owner = None
        self.function = None
        self.args = ()


class Timers:
    """The timers of one loop.

    Args:
        loop: Whose clock counts, and on which the calls are queued.
    """

    def __init__(self, loop: CallbackLoop) -> None:
        self._loop = loop
        self._heap: list[tuple[float, int, HeapTimer]] = []
        self._order = count()
        self._cancelled = 0
        self._earlier = trio.Event()

    def __len__(self) -> int:
        """Return how many calls are still to be made."""
        return len(self._heap) - self._cancelled

    def add(
        self, owner: CallbackOwner, when: float, function: Callable[..., object], args: tuple[Any, ...]
    ) -> HeapTimer:
        """Queue ``function(*args)`` on the loop when its clock says ``when``."""
        timer, heap = HeapTimer(self, when, owner, function, args), self._heap
        heappush(heap, (when, next(self._order), timer))
        if heap[0][2] is timer:
            self._earlier.set()
        return timer

    def timer_cancelled(self) -> None:
        """Count an entry that was cancelled; sweep the cancelled out when they are many."""
        self._cancelled += 1
        if self._cancelled > _SWEEP_FROM and self._cancelled * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].function is not None]
            heapify(self._heap)
            self._cancelled = 0

    async def run(self) -> None:
        """Make the calls that are due, until cancelled."""
        while True:
            self._earlier = trio.Event()
            deadline = self._queue_due()
            with trio.CancelScope(deadline=deadline):
                await self._earlier.wait()

    def _queue_due(self) -> float:
        """Queue what is due on the loop; return when the next is."""
        now = self._loop.time()
        while self._heap and (self._heap[0][0] <= now or self._heap[0][2].function is None):
            timer = heappop(self._heap)[2]
            if timer.owner is None:
                self._cancelled -= 1
                continue
            timer.is_due = True
            self._loop.call(timer.owner, timer.fire)
        return self._heap[0][0] if self._heap else float("inf")
