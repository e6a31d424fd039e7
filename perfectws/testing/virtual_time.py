"""Time in a test: a clock that stands still until it is moved, and knowing when nothing is left to do."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import inf

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from ..errors import LocalProtocolError

#: How long a thread that a callback has started is waited for, in real seconds: it may wait for something itself.
THREAD_PATIENCE = 1.0
#: How often one looks whether threads are done, in real seconds.
_LOOK_INTERVAL = 0.001
#: By how much a timer may be due later than it should be, in seconds: sums of floats are not exact.
_ROUNDING = 1e-6


async def settle() -> None:
    """Wait until nothing happens any more unless time passes: no task can run, no thread is at work for one.

    So all loops of this trio run have come to rest, each of which is driven by a task.
    """
    patience = time.monotonic() + THREAD_PATIENCE
    while True:
        await wait_all_tasks_blocked()
        if not _threads_at_work() or time.monotonic() > patience:
            return
        await trio.to_thread.run_sync(time.sleep, _LOOK_INTERVAL, limiter=trio.CapacityLimiter(1))


def _threads_at_work() -> float:
    return trio.to_thread.current_default_thread_limiter().borrowed_tokens


async def advance(seconds: float, read_ahead: Callable[[], bool]) -> None:
    """Let time pass: what is due by then is done in its order, and what that makes ready too.

    Args:
        seconds: How much.
        read_ahead: Called whenever all has come to rest: reads for clients what the test has not received yet, and
            tells whether there was any.

    Raises:
        LocalProtocolError: The clock cannot be moved.
    """
    clock = clock_here()
    end = clock.current_time() + seconds
    while True:
        await settle()
        if read_ahead():
            continue
        left = end - clock.current_time()
        due = trio.lowlevel.current_statistics().seconds_to_next_deadline
        if due > left + _ROUNDING:
            clock.jump(max(left, 0))
            return
        clock.jump(max(due, 0))


def clock_here() -> MockClock:
    """Return the clock of this trio run. Raises `LocalProtocolError` if it cannot be moved."""
    clock = trio.lowlevel.current_clock()
    if not isinstance(clock, MockClock):
        raise LocalProtocolError(
            "advance() needs a clock that can be moved: run the test under trio.testing.MockClock, as by the fixtures "
            "mock_clock and autojump_clock of pytest-trio, or use TestServer, which has one"
        )
    return clock


def why_still() -> str:
    """Return what a test that waits in vain is to know about the clock, if that stands still: the end of a sentence."""
    clock = trio.lowlevel.current_clock()
    if not isinstance(clock, MockClock) or clock.rate or clock.autojump_threshold < inf:
        return ""
    due = trio.lowlevel.current_statistics().seconds_to_next_deadline
    if due == inf:
        return "; the server's clock stands still, and no timer of it is set"
    return f"; the server's clock stands still: server.advance({max(due, 0):.6g}) lets its next timer be due"
