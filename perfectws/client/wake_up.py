"""Noticing that the machine has slept: what was open may be gone, and who waits has waited long enough.

The clock that timers run by stands still while the machine sleeps, and another one does not. So once a second the two
are compared. Without it a client would notice when its keepalive does.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from weakref import WeakKeyDictionary

from ..callbacks import CallbackLoop, Timer

#: How often the clocks are compared, in seconds.
LOOK_SECONDS = 1.0
#: By how much one must have run ahead of the other, in seconds: less is no sleep that anybody would notice.
LEAST_SLEEP = 2.0


def clock_lead() -> float:
    """Return by how many seconds the clock that goes on in sleep is ahead of the one that does not.

    Where there is no such clock it is the wall's. That it was set looks like a sleep: the harm is a ping.
    """
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)
    return time.time() - time.monotonic()


class WakeUps:
    """Calls whoever wants to know that the machine has slept; looks only as long as there is anybody.

    Args:
        loop: The loop in which it looks, and calls.
    """

    def __init__(self, loop: CallbackLoop) -> None:
        self._loop = loop
        self._listeners: set[Callable[[], object]] = set()
        self._lead = 0.0
        self._timer: Timer | None = None

    def add(self, listener: Callable[[], object]) -> None:
        """Call ``listener()`` after each sleep."""
        self._listeners.add(listener)
        if self._timer is None:
            self._lead = clock_lead()
            self._timer = self._loop.call_later(self._loop.owner, LOOK_SECONDS, self._look)

    def discard(self, listener: Callable[[], object]) -> None:
        """Call it no more."""
        self._listeners.discard(listener)
        if not self._listeners and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        before, self._lead = self._lead, clock_lead()
        self._timer = self._loop.call_later(self._loop.owner, LOOK_SECONDS, self._look)
        if self._lead - before >= LEAST_SLEEP:
            for listener in list(self._listeners):
                listener()


_wake_ups: WeakKeyDictionary[CallbackLoop, WakeUps] = WeakKeyDictionary()


def wake_ups_of(loop: CallbackLoop) -> WakeUps:
    """Return what notices sleep in a loop. In the loop's thread."""
    found = _wake_ups.get(loop)
    if found is None:
        found = _wake_ups[loop] = WakeUps(loop)
    return found
