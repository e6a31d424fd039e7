"""`Deadline`: a moment that can be moved often and cheaply."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from .callbacks import CallbackLoop, CallbackOwner, Timer


class Deadline:
    """A call to be made when a moment has passed, unless the moment is moved first.

    At most one timer runs. It is started anew only when it would ring too late; when it rings too early, it is started
    again for the rest. So a deadline that is put off by every request costs a timer in a while, not one per request.

    Args:
        loop: The loop whose clock counts.
        owner: Whose callback it is.
        passed: What to call.

    Calls back: ``passed()`` from the loop's queue, once for each moment that passes; it may be async.
    """

    __slots__ = ("_loop", "_moment", "_owner", "_passed", "_rings_at", "_timer")

    def __init__(self, loop: CallbackLoop, owner: CallbackOwner, passed: Callable[[], object]) -> None:
        self._loop = loop
        self._owner = owner
        self._passed = passed
        self._moment = inf
        self._timer: Timer | None = None
        self._rings_at = inf

    def set(self, seconds: float | None) -> None:
        """Put the moment ``seconds`` from now; ``None`` means never."""
        if seconds is None:
            self.clear()
            return
        if self._timer is None:
            self._start_timer(seconds)
            self._moment = self._rings_at
            return
        self._moment = self._loop.time() + seconds
        if self._rings_at > self._moment:
            self._stop_timer()
            self._start_timer(seconds)

    def clear(self) -> None:
        """Let no moment pass, until the next `set`. The timer may run on, for that one."""
        self._moment = inf

    def cancel(self) -> None:
        """Stop for good, and let go of what would have been called."""
        self._moment = inf
        self._stop_timer()
        self._owner, self._passed = self._loop.owner, _nothing

    def _stop_timer(self) -> None:
        """Stop the timer, if it runs."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._rings_at = inf

    def _start_timer(self, seconds: float) -> None:
        self._timer = self._loop.call_later(self._owner, seconds, self._rang)
        self._rings_at = self._timer.when

    def _rang(self) -> object:
        self._timer, self._rings_at = None, inf
        if self._moment == inf:
            return None
        left = self._moment - self._loop.time()
        if left > 0:
            self._start_timer(left)
            return None
        self._moment = inf
        return self._passed()


def _nothing() -> None:
    """Do what is left to do at the deadline of something that is over."""
