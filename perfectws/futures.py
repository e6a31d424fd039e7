"""`Future` and `Promise`: a value that comes later, for callbacks, for ``await`` and for other threads.

A `Promise` is the end that is fulfilled, its `future_result` the end that is read. Both may be used from any thread.

Source: SwiftNIO's ``EventLoopFuture`` and ``EventLoopPromise``, as Vapor uses them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from typing import Any, Generic, TypeVar, cast

import outcome
import trio

from .callbacks import CallbackLoop, CallbackOwner, logger, running_loop
from .errors import LocalProtocolError

T = TypeVar("T")
#: The value of a future that only says "it has happened": ``Future[None]``.
_NOTHING = cast(Any, None)
CallbackT = TypeVar("CallbackT", bound=Callable[..., object])


class Suspension:
    """One trio task, asleep until it is resumed: the only place where ours meet trio's scheduler.

    To resume is to decide: a task that was resumed can no longer be cancelled out of its sleep, so what it was given is
    never lost.
    """

    __slots__ = ("_task", "_thread_id", "_token")

    def __init__(self) -> None:
        self._task: trio.lowlevel.Task | None = trio.lowlevel.current_task()
        self._token = trio.lowlevel.current_trio_token()
        self._thread_id = threading.get_ident()

    async def sleep(self, on_cancel: Callable[[], object] | None = None) -> Any:
        """Sleep until `resume`; return or raise its outcome. A cancellation that comes first calls ``on_cancel()``."""

        def abort(_: object) -> trio.lowlevel.Abort:
            self._task = None
            if on_cancel is not None:
                on_cancel()
            return trio.lowlevel.Abort.SUCCEEDED

        return await trio.lowlevel.wait_task_rescheduled(abort)

    def resume(self, result: outcome.Outcome[Any]) -> None:
        """Wake the task with ``result``, from any thread. Ignored if it is awake already."""
        if threading.get_ident() == self._thread_id:
            self._reschedule(result)
            return
        try:
            self._token.run_sync_soon(self._reschedule, result)
        except trio.RunFinishedError:
            pass  # the run that the task belonged to is over, and so is the task

    def _reschedule(self, result: outcome.Outcome[Any]) -> None:
        task, self._task = self._task, None
        if task is not None:
            trio.lowlevel.reschedule(task, result)


async def checkpoint() -> None:
    """Let the other tasks run, and be cancelled here if so it is decided."""
    await trio.lowlevel.checkpoint()


class Future(Generic[T]):
    """A value, or an error, that a `Promise` will deliver.

    ``await future`` gives the value or raises the error; cancelling the ``await`` leaves the future as it is. An error
    that nobody ever asked for is logged once, when the future is collected.

    Source: SwiftNIO's ``EventLoopFuture``. ``whenComplete``, ``whenSuccess`` and ``whenFailure`` are here in
    snake_case, `wait` takes a limit.
    """

    __slots__ = ("__weakref__", "_lock", "_loop", "_on_resolved", "_outcome", "_owner", "_retrieved")

    def __init__(self, loop: CallbackLoop | None = None, owner: CallbackOwner | None = None) -> None:
        self._loop = loop if loop is not None else running_loop()
        self._owner = owner
        self._lock = threading.Lock()
        self._outcome: outcome.Outcome[T] | None = None
        self._on_resolved: list[Callable[[outcome.Outcome[T]], object]] = []
        self._retrieved = False

    @property
    def is_done(self) -> bool:
        """Whether the value or the error is there."""
        return self._outcome is not None

    def when_complete(self, callback: CallbackT) -> CallbackT:
        """Call back with the outcome, once it is there.

        Calls back: ``callback(result)`` from the loop's queue, once; ``result`` is an ``outcome.Value`` or an
        ``outcome.Error``: ``result.unwrap()`` gives the value or raises the error.
        """
        self._retrieved = True
        self._queue_when_resolved(callback, lambda result: (result,))
        return callback

    def when_success(self, callback: CallbackT) -> CallbackT:
        """Call back with the value, if there will be one. Calls back: ``callback(value)``, at most once."""
        self._queue_when_resolved(callback, lambda result: (result.unwrap(),) if _is_value(result) else None)
        return callback

    def when_failure(self, callback: CallbackT) -> CallbackT:
        """Call back with the error, if there will be one. Calls back: ``callback(error)``, at most once."""
        self._retrieved = True
        self._queue_when_resolved(callback, lambda result: None if _is_value(result) else (_error_of(result),))
        return callback

    def wait(self, seconds: float | None = None) -> T:
        """Block this thread until the value is there, and return it, or raise the error.

        Args:
            seconds: How long to wait at most; ``None`` waits for ever.

        Raises:
            TimeoutError: It was not there in time.
            LocalProtocolError: This is the loop's own thread, where waiting would hang for ever.
        """
        loop = running_loop()
        if self._outcome is None and loop is not None and loop.thread_id == threading.get_ident():
            raise LocalProtocolError(
                "wait() in an event loop's own thread would hang for ever: use when_complete(callback) or await"
            )
        resolved = threading.Event()
        self._add(lambda _: resolved.set())
        if not resolved.wait(seconds):
            raise TimeoutError(f"the future was not resolved within {seconds} seconds")
        return self._unwrap()

    def __await__(self) -> Generator[Any, Any, T]:
        return self._result().__await__()

    async def _result(self) -> T:
        if self._outcome is None:
            suspension = Suspension()
            self._add(lambda _: suspension.resume(outcome.Value(None)))
            await suspension.sleep()
        else:
            await checkpoint()
        return self._unwrap()

    def _unwrap(self) -> T:
        self._retrieved = True
        assert self._outcome is not None
        return self._outcome.unwrap() if _is_value(self._outcome) else _raise(_error_of(self._outcome))

    def _queue_when_resolved(
        self,
        callback: Callable[..., object],
        arguments: Callable[[outcome.Outcome[T]], tuple[Any, ...] | None],
    ) -> None:
        loop = self._loop or running_loop()
        if loop is None:
            raise LocalProtocolError("this future belongs to no event loop: make its Promise inside one")
        owner = self._owner or CallbackOwner()

        def queue(result: outcome.Outcome[T]) -> None:
            args = arguments(result)
            if args is None:
                return
            if threading.get_ident() == loop.thread_id:
                loop.call(owner, callback, *args)
            else:
                loop.call_from_thread(owner, callback, *args)

        self._add(queue)

    def _add(self, on_resolved: Callable[[outcome.Outcome[T]], object]) -> None:
        with self._lock:
            if self._outcome is None:
                self._on_resolved.append(on_resolved)
                return
        on_resolved(self._outcome)

    def _resolve(self, result: outcome.Outcome[T]) -> bool:
        with self._lock:
            if self._outcome is not None:
                return False
            self._outcome = result
            waiting, self._on_resolved = self._on_resolved, []
        for on_resolved in waiting:
            on_resolved(result)
        return True

    def __del__(self) -> None:
        if self._outcome is not None and not self._retrieved and not _is_value(self._outcome):
            error = _error_of(self._outcome)
            logger.error("A future failed and nobody asked for its result", exc_info=error)


class Promise(Generic[T]):
    """The end of a `Future` that is fulfilled.

    Attributes:
        future_result: The future that this promise resolves.

    Source: SwiftNIO's ``EventLoopPromise``.
    """

    __slots__ = ("future_result",)

    def __init__(self, loop: CallbackLoop | None = None, owner: CallbackOwner | None = None) -> None:
        self.future_result: Future[T] = Future(loop, owner)

    def succeed(self, value: T = _NOTHING) -> None:
        """Resolve the future with ``value``. Raises `LocalProtocolError` if it is resolved already."""
        self._resolve(outcome.Value(value))

    def fail(self, error: BaseException) -> None:
        """Resolve the future with ``error``. Raises `LocalProtocolError` if it is resolved already."""
        self._resolve(outcome.Error(error))

    def _resolve(self, result: outcome.Outcome[T]) -> None:
        if not self.future_result._resolve(result):
            raise LocalProtocolError("this promise is resolved already: succeed or fail it once")


def _is_value(result: outcome.Outcome[Any]) -> bool:
    return isinstance(result, outcome.Value)


def _error_of(result: outcome.Outcome[Any]) -> BaseException:
    assert isinstance(result, outcome.Error)
    return result.error


def _raise(error: BaseException) -> Any:
    raise error
