"""Timers that an application sets: `call_later` and `call_every`, of a script or of a socket."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from math import inf

from ..callbacks import CallbackLoop, CallbackOwner, Timer, set_running_loop
from ..checks.quantities import INTERVAL, SECONDS
from ..checks.signatures import check_callable


class ApplicationTimer(Timer):
    """A timer that an application has set.

    Args:
        seconds: When the first call is due, in seconds from its beginning.
        callback: What is called.
        repeats: Whether it is called again and again, each time as long after the one before.
        owner: Whose callback it is; by default nobody's, and it runs in the context of who makes this.

    Raises:
        TypeError, ValueError: ``callback`` takes arguments, or ``seconds`` is no number of them.
    """

    __slots__ = (
        "__weakref__",
        "_callback",
        "_delay",
        "_interval",
        "_is_busy",
        "_is_cancelled",
        "_is_own",
        "_loop",
        "_owner",
        "_timer",
    )

    def __init__(
        self,
        seconds: float,
        callback: Callable[[], object],
        *,
        repeats: bool = False,
        owner: CallbackOwner | None = None,
    ) -> None:
        (INTERVAL if repeats else SECONDS).check("seconds", seconds)
        check_callable(callback, "the callback of a timer")
        self.when = inf
        self._loop: CallbackLoop | None = None
        self._delay = seconds
        self._interval = seconds if repeats else None
        self._callback = callback
        self._owner = CallbackOwner() if owner is None else owner
        self._is_own = owner is None
        self._timer: Timer | None = None
        self._is_busy = False
        self._is_cancelled = False

    def begin(self, loop: CallbackLoop) -> None:
        """Count the time from now on, and call in ``loop``. From any thread."""
        if self._is_own:
            self._owner.run(set_running_loop, loop)
        self._loop = loop
        self._do(loop, self._start)

    def cancel(self) -> None:
        """Make no further call. From any thread."""
        self._is_cancelled = True
        if self._loop is not None:
            self._do(self._loop, self._end)

    def _do(self, loop: CallbackLoop, function: Callable[[CallbackLoop], object]) -> None:
        if loop.is_here():
            function(loop)
        else:
            loop.ask(self._owner, function, loop)

    def _start(self, loop: CallbackLoop) -> None:
        if not self._is_cancelled:
            loop.hold()
            self.when = loop.time() + self._delay
            self._set(loop)

    def _set(self, loop: CallbackLoop) -> None:
        self._timer = loop.call_later(self._owner, max(0.0, self.when - loop.time()), self._fire, loop)

    def _end(self, loop: CallbackLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            loop.release()

    def _fire(self, loop: CallbackLoop) -> object:
        if self._is_cancelled:
            return None
        if self._interval is None:
            self._end(loop)
            return self._callback()
        self.when += self._interval
        late = loop.time() - self.when
        if late >= 0:
            self.when += self._interval * (late // self._interval + 1)
        self._set(loop)
        return None if self._is_busy else self._call_again()

    def _call_again(self) -> object:
        result = self._callback()
        self._is_busy = isinstance(result, Coroutine)
        return self._run(result) if isinstance(result, Coroutine) else None

    async def _run(self, coroutine: Coroutine[object, object, object]) -> None:
        try:
            await coroutine
        finally:
            self._is_busy = False
