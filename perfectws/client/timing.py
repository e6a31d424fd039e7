"""Time for scripts without ``async``: `call_later`, `call_every`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..callbacks import Timer
from ..websocket.timer import ApplicationTimer
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
        LocalProtocolError: There is no event loop here, or it has ended.
        TypeError, ValueError: ``callback`` takes arguments, or ``seconds`` is no number of them.
    """
    return _started(on, ApplicationTimer(seconds, callback))


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
        LocalProtocolError: There is no event loop here, or it has ended.
        TypeError, ValueError: ``callback`` takes arguments, or ``seconds`` is no number of them.
    """
    return _started(on, ApplicationTimer(seconds, callback, repeats=True))


def _started(on: object, timer: ApplicationTimer) -> Timer:
    begin_on(on, timer.begin)
    return timer
