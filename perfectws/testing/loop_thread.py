"""A trio run in a thread of its own, on a clock that stands still, for tests that are no tasks of trio's."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from typing import Generic, TypeVar

import trio
from trio.testing import MockClock

from ..errors import LocalProtocolError, lone_error
from .limits import outer_limits

T = TypeVar("T")
R = TypeVar("R")

#: How long the thread may take for what is no waiting, in real seconds: more, and a callback blocks it.
BLOCKED_TIMEOUT = 10.0


class LoopThread(Generic[T]):
    """Runs an async context manager in a thread, and functions in the tasks of that thread.

    Args:
        opened: Makes what runs.
    """

    def __init__(self, opened: Callable[[], AbstractAsyncContextManager[T]]) -> None:
        self._opened = opened
        self._thread = threading.Thread(target=self._run, name="perfectws test server", daemon=True)
        self._clock = MockClock()
        self._begun: Future[T] = Future()
        self._error: BaseException | None = None
        self._token: trio.lowlevel.TrioToken
        self._nursery: trio.Nursery
        self._end: trio.Event

    @property
    def is_here(self) -> bool:
        """Whether this is that thread."""
        return threading.current_thread() is self._thread

    def start(self) -> T:
        """Begin, and return what runs. Raises what its beginning raises."""
        self._thread.start()
        return self._begun.result()

    def call(self, seconds: float, function: Callable[[], Awaitable[R]]) -> R:
        """Return what ``await function()`` gives there.

        Args:
            seconds: How long it may wait, in real seconds; then its innermost limit is over.
            function: What to call.

        Raises:
            LocalProtocolError: This is that thread, where waiting would hang for ever; or it has ended.
            TimeoutError: The time is over.
            Exception: What the function raises.
        """
        call = self._begin(function)
        try:
            return call.result.result(seconds)
        except TimeoutError:
            if call.result.done():
                raise  # the function's own
        except BaseException:  # a KeyboardInterrupt
            self._soon(call.scope.cancel)
            raise
        self._soon(call.expire)
        try:
            return call.result.result(BLOCKED_TIMEOUT)
        except TimeoutError:
            if call.result.done():
                raise
            raise _blocked() from None

    async def call_from_asyncio(self, seconds: float, function: Callable[[], Awaitable[R]]) -> R:
        """Do the same in a task of asyncio's, for which others go on meanwhile."""
        import asyncio  # which runs the caller

        call = self._begin(function)
        result = asyncio.wrap_future(call.result)
        try:
            done, _ = await asyncio.wait([result], timeout=seconds)
            if not done:
                self._soon(call.expire)
                done, _ = await asyncio.wait([result], timeout=BLOCKED_TIMEOUT)
        except asyncio.CancelledError:
            result.cancel()  # nobody asks for it any more
            self._soon(call.scope.cancel)
            raise
        if not done:
            raise _blocked()
        return result.result()

    def stop(self) -> None:
        """End what runs, and wait for that. Raises what its end raises."""
        self._soon(self._end.set)
        self._thread.join(BLOCKED_TIMEOUT)
        if self._thread.is_alive():
            raise _blocked()
        if self._error is not None:
            raise self._error

    def _begin(self, function: Callable[[], Awaitable[R]]) -> _Call[R]:
        if self.is_here:
            raise LocalProtocolError("a callback runs in the server's thread, which would wait for itself")
        call = _Call(function)
        try:
            self._token.run_sync_soon(self._start, call)
        except trio.RunFinishedError:
            raise _closed() from None
        return call

    def _start(self, call: _Call[R]) -> None:
        try:
            self._nursery.start_soon(call.run)
        except RuntimeError:
            if call.result.set_running_or_notify_cancel():
                call.result.set_exception(_closed())

    def _soon(self, function: Callable[[], object]) -> None:
        try:
            self._token.run_sync_soon(function)
        except trio.RunFinishedError:
            pass

    def _run(self) -> None:
        try:
            trio.run(self._serve, clock=self._clock)
        except BaseException as error:
            self._error = lone_error(error)
            if not self._begun.done():
                self._begun.set_exception(self._error)

    async def _serve(self) -> None:
        self._token, self._end = trio.lowlevel.current_trio_token(), trio.Event()
        async with self._opened() as running, trio.open_nursery() as self._nursery:
            self._begun.set_result(running)
            await self._end.wait()
            self._clock.autojump_threshold = 0  # nobody moves it any more, and what ends may wait for time to pass
            self._nursery.cancel_scope.cancel()


class _Call(Generic[R]):
    """One call from another thread, in a task."""

    def __init__(self, function: Callable[[], Awaitable[R]]) -> None:
        self.result: Future[R] = Future()
        self.scope = trio.CancelScope()
        self._function = function
        self._limits: list[trio.CancelScope] = []

    def expire(self) -> None:
        """End the waiting: of the innermost limit, which says what was waited for, or of all there is."""
        (self._limits or [self.scope])[-1].cancel()

    async def run(self) -> None:
        """Make the call."""
        if not self.result.set_running_or_notify_cancel():
            return  # who waited in asyncio was cancelled
        outer_limits.set(self._limits)
        try:
            with self.scope:
                self.result.set_result(await self._function())
        except Exception as error:
            self.result.set_exception(error)
        finally:
            if not self.result.done():
                self.result.set_exception(_late() if self.scope.cancelled_caught else _closed())


def _late() -> TimeoutError:
    return TimeoutError("it took too long")


def _blocked() -> TimeoutError:
    return TimeoutError("the server's thread does not answer: a callback blocks it, or never ends")


def _closed() -> LocalProtocolError:
    return LocalProtocolError("this test server is closed: use it inside its 'with' block")
