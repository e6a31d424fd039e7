"""Time for scripts without ``async``: `call_later`, `call_every`."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from math import inf
from typing import TYPE_CHECKING

from ..callbacks import CallbackOwner, Timer, set_running_loop
from ..checks.quantities import INTERVAL, SECONDS
from ..checks.signatures import check_callable
from ..net.loop import Loop
from .event_loop import begin_on

if TYPE_CHECKING:
    import trio

    from ..websocket.connecting import EventLoopHandle


def call_later(
    seconds: float, callback: Callable[[], object], *, on: trio.Nursery | EventLoopHandle | None = None
) -> Timer:
    """Call ``callback()`` once, later.

    Args:
        seconds: When, in seconds from now.
        callback: What to call; may be ``async def``.
        on: An `EventLoop`, a trio nursery, or an `HTTPServer` or its `LaunchContext`, which need not run yet: the time
            is counted from when it does. Not needed inside a callback or `perfectws.run`.

    Returns:
        A timer, which can be cancelled.

    Calls back:
        ``callback()`` once, unless it is cancelled or the loop ends before. An exception is logged.

    Raises:
        LocalProtocolError: There is no event loop here.
    """
    SECONDS.check("seconds", seconds)
    return _started(on, ScriptTimer(seconds, None, callback))


def call_every(
    seconds: float, callback: Callable[[], object], *, on: trio.Nursery | EventLoopHandle | None = None
) -> Timer:
    """Call ``callback()`` again and again, at multiples of ``seconds`` from now, however long the calls take.

    Args:
        seconds: How often, in seconds.
        callback: What to call; may be ``async def``. While one call is under way, those that come due are left out.
        on: An `EventLoop`, a trio nursery, or an `HTTPServer` or its `LaunchContext`, which need not run yet: the time
            is counted from when it does. Not needed inside a callback or `perfectws.run`.

    Returns:
        A timer, which can be cancelled.

    Calls back:
        ``callback()`` until it is cancelled or the loop ends. An exception is logged, and the next call made.

    Raises:
        LocalProtocolError: There is no event loop here.
    """
    INTERVAL.check("seconds", seconds)
    return _started(on, ScriptTimer(seconds, seconds, callback))


class ScriptTimer(Timer):
    """The timer of `call_later` and `call_every`.

    Args:
        seconds: When the first call is due, in seconds from its beginning.
        interval: Seconds from one call to the next, ``None`` for a single one.
        callback: What is called.
    """

    __slots__ = ("_callback", "_delay", "_interval", "_is_busy", "_is_cancelled", "_loop", "_owner", "_timer")

    def __init__(self, seconds: float, interval: float | None, callback: Callable[[], object]) -> None:
        check_callable(callback, "the callback of a timer")
        self.when = inf
        self._loop: Loop | None = None
        self._delay = seconds
        self._interval = interval
        self._callback = callback
        self._owner = CallbackOwner()
        self._timer: Timer | None = None
        self._is_busy = False
        self._is_cancelled = False

    def begin(self, loop: Loop) -> None:
        """Count the time from now on, and call in ``loop``. From any thread."""
        self._owner.run(set_running_loop, loop)
        self._loop = loop
        self._do(loop, self._start)

    def cancel(self) -> None:
        """Make no further call. From any thread."""
        self._is_cancelled = True
        if self._loop is not None:
            self._do(self._loop, self._end)

    def _do(self, loop: Loop, function: Callable[[Loop], object]) -> None:
        if loop.is_here():
            function(loop)
        else:
            loop.ask(self._owner, function, loop)

    def _start(self, loop: Loop) -> None:
        if not self._is_cancelled:
            loop.hold()
            self.when = loop.time() + self._delay
            self._set(loop)

    def _set(self, loop: Loop) -> None:
        self._timer = loop.call_later(self._owner, max(0.0, self.when - loop.time()), self._fire, loop)

    def _end(self, loop: Loop) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            loop.release()

    def _fire(self, loop: Loop) -> object:
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


def _started(on: object, timer: ScriptTimer) -> Timer:
    begin_on(on, timer.begin)
    return timer
