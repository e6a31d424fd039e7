"""Time and threads for scripts without ``async``: `call_later`, `call_every`, `run_in_thread`."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from math import inf
from typing import TYPE_CHECKING, TypeVar

import trio

from ..callbacks import CallbackOwner, Timer, check_callable, context_in
from ..errors import PerfectWSError
from ..futures import Future, Promise
from ..net.loop import Loop
from ..quantities import INTERVAL, SECONDS
from .event_loop import loop_for

if TYPE_CHECKING:
    from ..websocket.connecting import EventLoopHandle

T = TypeVar("T")


def call_later(
    seconds: float, callback: Callable[[], object], *, on: trio.Nursery | EventLoopHandle | None = None
) -> Timer:
    """Call ``callback()`` once, later.

    Args:
        seconds: When, in seconds from now.
        callback: What to call; may be ``async def``.
        on: An `EventLoop` or a trio nursery; not needed inside a callback or `perfectws.run`.

    Returns:
        A timer, which can be cancelled.

    Calls back:
        ``callback()`` once, unless it is cancelled or the loop ends before. An exception is logged.

    Raises:
        LocalProtocolError: There is no event loop here.
    """
    SECONDS.check("seconds", seconds)
    return _started(ScriptTimer(loop_for(on), seconds, None, callback))


def call_every(
    seconds: float, callback: Callable[[], object], *, on: trio.Nursery | EventLoopHandle | None = None
) -> Timer:
    """Call ``callback()`` again and again, at multiples of ``seconds`` from now, however long the calls take.

    Args:
        seconds: How often, in seconds.
        callback: What to call; may be ``async def``. While one call is under way, those that come due are left out.
        on: An `EventLoop` or a trio nursery; not needed inside a callback or `perfectws.run`.

    Returns:
        A timer, which can be cancelled.

    Calls back:
        ``callback()`` until it is cancelled or the loop ends. An exception is logged, and the next call made.

    Raises:
        LocalProtocolError: There is no event loop here.
    """
    INTERVAL.check("seconds", seconds)
    return _started(ScriptTimer(loop_for(on), seconds, seconds, callback))


def run_in_thread(
    function: Callable[[], T],
    completion: Callable[[T], object] | None = None,
    *,
    on: trio.Nursery | EventLoopHandle | None = None,
) -> Future[T]:
    """Run ``function()``, which may block, in a thread of trio's.

    Args:
        function: What to run.
        completion: Gets its value.
        on: An `EventLoop` or a trio nursery; not needed inside a callback or `perfectws.run`.

    Returns:
        The future of the value; it fails with what ``function`` raises.

    Calls back:
        ``completion(value)`` in the loop, once, unless ``function`` raises.

    Raises:
        LocalProtocolError: There is no event loop here.
    """
    check_callable(function, "the function of run_in_thread")
    loop = loop_for(on)
    promise: Promise[T] = Promise(loop)
    if completion is not None:
        promise.future_result.when_success(completion)
    owner = CallbackOwner(context_in(loop))

    def start() -> None:
        try:
            loop.tasks.start_soon(_run_function, loop, function, promise)
        except RuntimeError:
            promise.fail(_loop_ended())
        else:
            loop.hold()

    loop.call_soon(owner, start)
    return promise.future_result


async def _run_function(loop: Loop, function: Callable[[], T], promise: Promise[T]) -> None:
    try:
        # The loop's end must not wait for a thread that blocks.
        promise.succeed(await trio.to_thread.run_sync(function, abandon_on_cancel=True))
    except Exception as error:
        promise.fail(error)
    finally:
        promise.fail(_loop_ended())  # unless it has been resolved
        loop.release()


def _loop_ended() -> PerfectWSError:
    return PerfectWSError("the event loop ended before the function returned")


class ScriptTimer(Timer):
    """The timer of `call_later` and `call_every`.

    Args:
        loop: The loop that calls.
        seconds: When the first call is due, in seconds from now.
        interval: Seconds from one call to the next, ``None`` for a single one.
        callback: What is called.
    """

    __slots__ = ("_callback", "_delay", "_interval", "_is_busy", "_is_cancelled", "_loop", "_owner", "_timer")

    def __init__(self, loop: Loop, seconds: float, interval: float | None, callback: Callable[[], object]) -> None:
        check_callable(callback, "a callback")
        self.when = inf
        self._loop = loop
        self._delay = seconds
        self._interval = interval
        self._callback = callback
        self._owner = CallbackOwner(context_in(loop))
        self._timer: Timer | None = None
        self._is_busy = False
        self._is_cancelled = False

    def start(self) -> None:
        """Begin, from any thread."""
        if self._loop.is_here():
            self._start()
        else:
            self._loop.ask(self._owner, self._start)

    def cancel(self) -> None:
        """Make no further call. From any thread."""
        self._is_cancelled = True
        if self._loop.is_here():
            self._end()
        else:
            self._loop.ask(self._owner, self._end)

    def _start(self) -> None:
        if not self._is_cancelled:
            self._loop.hold()
            self.when = self._loop.time() + self._delay
            self._set()

    def _set(self) -> None:
        self._timer = self._loop.call_later(self._owner, max(0.0, self.when - self._loop.time()), self._fire)

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._loop.release()

    def _fire(self) -> object:
        if self._is_cancelled:
            return None
        if self._interval is None:
            self._end()
            return self._callback()
        self.when += self._interval
        late = self._loop.time() - self.when
        if late >= 0:
            self.when += self._interval * (late // self._interval + 1)
        self._set()
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


def _started(timer: ScriptTimer) -> Timer:
    timer.start()
    return timer
