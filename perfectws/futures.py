"""`Future` and `Promise`: a value that comes later, for callbacks, for ``await`` and for other threads.

A `Promise` is the end that is fulfilled, its `future_result` the end that is read. Both may be used from any thread.

Source: SwiftNIO's ``EventLoopFuture`` and ``EventLoopPromise``, as Vapor uses them.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextvars import copy_context
from typing import Any, Generic, TypeVar, cast, overload

import outcome

from .callbacks import (
    CallbackLoop,
    CallbackOwner,
    context_in,
    logger,
    report_failure,
    running_loop,
    set_running_loop,
)
from .checks.quantities import WAIT
from .checks.signatures import check_callable
from .errors import LocalProtocolError, PerfectWSError
from .suspension import checkpoint, suspension_here

T = TypeVar("T")
U = TypeVar("U")
#: Who is told of an outcome: it may return others, who are to be told next.
OnResolved = Callable[[outcome.Outcome[Any]], "list[OnResolved] | None"]
#: The value of a future that only says "it has happened": ``Future[None]``.
_NOTHING = cast(Any, None)


class Future(Generic[T]):
    """A value, or an error, that a `Promise` will deliver.

    ``await future`` gives the value or raises the error, in a task of trio or of asyncio; cancelling the ``await``
    leaves the future as it is. An error that nobody ever asked for is logged once, when the future is collected, unless
    its loop had come to its end.

    Source: SwiftNIO's ``EventLoopFuture``. Its members are here in snake_case, `wait` takes a limit.
    """

    __slots__ = ("__weakref__", "_joined_to", "_lock", "_loop", "_on_resolved", "_outcome", "_owner", "_retrieved")

    def __init__(self, loop: CallbackLoop | None = None, owner: CallbackOwner | None = None) -> None:
        self._loop = loop if loop is not None else running_loop()
        self._owner = owner
        self._lock = threading.Lock()
        self._outcome: outcome.Outcome[T] | None = None
        self._on_resolved: list[OnResolved] = []
        #: The future that has this one's outcome, and its waiters, since they come to the same: see `_join`.
        self._joined_to: Future[T] | None = None
        self._retrieved = False

    @property
    def is_done(self) -> bool:
        """Whether the value or the error is there."""
        return self._end._outcome is not None

    def when_complete(self, callback: Callable[[outcome.Maybe[T]], U]) -> Callable[[outcome.Maybe[T]], U]:
        """Call back with the outcome, once it is there.

        Calls back: ``callback(result)`` from the loop's queue, once; ``result`` is an ``outcome.Value`` or an
        ``outcome.Error``: ``result.unwrap()`` gives the value or raises the error.
        """
        check_callable(callback, "when_complete", "result")
        self._retrieved = True
        # A fresh outcome for each callback: one can be unwrapped only once.
        self._queue_when_resolved(callback, lambda result: (_copy(result),))
        return callback

    def when_success(self, callback: Callable[[T], U]) -> Callable[[T], U]:
        """Call back with the value, if there will be one. Calls back: ``callback(value)``, at most once."""
        check_callable(callback, "when_success", "value")
        self._queue_when_resolved(callback, _value_of)
        return callback

    def when_failure(self, callback: Callable[[Exception], U]) -> Callable[[Exception], U]:
        """Call back with the error, if there will be one. Calls back: ``callback(error)``, at most once."""
        check_callable(callback, "when_failure", "error")
        self._retrieved = True
        self._queue_when_resolved(callback, _error_of)
        return callback

    @overload
    def map(self, callback: Callable[[T], Coroutine[Any, Any, U]]) -> Future[U]: ...
    @overload
    def map(self, callback: Callable[[T], U]) -> Future[U]: ...
    def map(self, callback: Callable[[T], Any]) -> Future[Any]:
        """Return the future of what ``callback(value)`` returns; it may be ``async def``.

        The future fails with this one's error, or with what ``callback`` raises.

        Calls back: ``callback(value)`` from the loop's queue, at most once.

        Source: SwiftNIO's ``map`` and ``flatMapThrowing``.
        """
        check_callable(callback, "map", "value")
        return self._then(callback, _value_of, Promise.succeed)

    def flat_map(self, callback: Callable[[T], Future[U]]) -> Future[U]:
        """Return the future that ``callback(value)`` returns, once this one has a value.

        It fails with this one's error, or with what ``callback`` raises.

        Calls back: ``callback(value)`` from the loop's queue, at most once.

        Source: SwiftNIO's ``flatMap``.
        """
        check_callable(callback, "flat_map", "value")
        return self._then(callback, _value_of, _resolve_as)

    def flat_map_error(self, callback: Callable[[Exception], Future[T]]) -> Future[T]:
        """Return the future that ``callback(error)`` returns, if this one fails; else this one's value.

        Calls back: ``callback(error)`` from the loop's queue, at most once.

        Source: SwiftNIO's ``flatMapError``.
        """
        check_callable(callback, "flat_map_error", "error")
        return self._then(callback, _error_of, _resolve_as)

    def _then(
        self,
        callback: Callable[[Any], object],
        argument: Callable[[outcome.Outcome[T]], tuple[Any] | None],
        resolve: Callable[[Promise[Any], Any], object],
    ) -> Future[Any]:
        """Return the future of what ``callback`` makes of the outcome; one that it is not for is passed on."""
        taken_once = [Promise[Any](self._loop, self._owner)]
        future = taken_once[0].future_result
        self._retrieved = True

        def apply(result: outcome.Outcome[T]) -> object:
            promise = taken_once.pop()
            args = argument(result)
            if args is None:
                promise.resolve(_copy(result))
                return None
            try:
                made = callback(*args)
            except Exception as error:
                promise.fail(error)
                del promise  # the error's traceback refers to this frame: see `_unwrapped`
                return None
            if isinstance(made, Coroutine):
                return _resolve_later(promise, made, resolve)
            resolve(promise, made)
            return None

        self._queue_when_resolved(apply, lambda result: (_copy(result),))
        try:
            return future
        finally:
            del future  # ``apply`` may have been called by now, from here

    def belong_to(self, owner: CallbackOwner) -> None:
        """Let the callbacks that are given from now on be those of ``owner``; perfectws's own."""
        self._owner = owner

    def excuse(self) -> None:
        """Let no error of this future be logged, though nobody asks for it: it was to be expected; perfectws's own."""
        self._retrieved = True

    def cascade(self, promise: Promise[T]) -> None:
        """Resolve ``promise`` as this future is resolved, in whatever thread brings it.

        Source: SwiftNIO's ``cascade(to:)``.
        """
        self._retrieved = True
        self._add(promise.future_result._settle)

    def wait(self, seconds: float | None = None) -> T:
        """Block this thread until the value is there, and return it, or raise the error.

        Args:
            seconds: How long to wait at most; ``None`` waits for ever, a negative number not at all.

        Raises:
            TimeoutError: It was not there in time.
            LocalProtocolError: This is the loop's own thread, where waiting would hang for ever.
        """
        WAIT.check("seconds", seconds)
        if not self.is_done and self._is_in_loop_thread():
            raise LocalProtocolError(
                "wait() in an event loop's own thread would hang for ever: use when_complete(callback) or await"
            )
        resolved = threading.Event()

        def wake(_: object) -> None:
            resolved.set()

        if self._add_unless_resolved(wake) and not resolved.wait(_bounded(seconds)):
            self._remove(wake)
            raise TimeoutError(f"the future was not resolved within {seconds} seconds")
        self._retrieved = True
        try:
            return _unwrapped(self._end._outcome)
        finally:
            del self  # as `_unwrapped` says

    def _is_in_loop_thread(self) -> bool:
        thread_id = threading.get_ident()
        return any(loop is not None and loop.thread_id == thread_id for loop in (self._loop, running_loop()))

    def __await__(self) -> Generator[Any, Any, T]:
        return self._result().__await__()

    async def _result(self) -> T:
        try:
            await self._until_resolved()
            self._retrieved = True
            return _unwrapped(self._end._outcome)
        finally:
            del self  # as `_unwrapped` says; and so that a nursery that keeps a Cancelled does not keep the future

    async def _until_resolved(self) -> None:
        suspension = suspension_here()

        def wake(_: object) -> None:
            suspension.resume(outcome.Value(None))

        try:
            if self._add_unless_resolved(wake):
                await suspension.sleep(on_cancel=lambda: self._remove(wake))  # noqa: F821  # deleted only below
            else:
                await checkpoint()
        finally:
            if isinstance(self._end._outcome, outcome.Error):
                self._retrieved = True  # also by who was cancelled in this very moment
            del self

    def _queue_when_resolved(
        self,
        callback: Callable[..., object],
        arguments: Callable[[outcome.Outcome[T]], tuple[Any, ...] | None],
    ) -> None:
        loop = self._loop or running_loop()
        owner = self._owner or CallbackOwner(copy_context() if loop is None else context_in(loop))

        def queue(result: outcome.Outcome[T]) -> None:
            args = arguments(result)
            if args is not None:
                _call_soon(loop, owner, callback, args)

        self._add(queue)

    def _add(self, on_resolved: OnResolved) -> None:
        """Call ``on_resolved(outcome)`` at once if there is one, else when there is, in whatever thread brings it."""
        if not self._add_unless_resolved(on_resolved):
            result = self._end._outcome
            assert result is not None
            _tell([on_resolved], result)

    def _add_unless_resolved(self, on_resolved: OnResolved) -> bool:
        end = self
        while True:
            with end._lock:
                if end._joined_to is None:
                    if end._outcome is None:
                        end._on_resolved.append(on_resolved)
                    return end._outcome is None
            end = self._end

    def _remove(self, on_resolved: OnResolved) -> None:
        """Forget one that waits no more, so that they do not pile up on a future that stays open for long."""
        end = self
        while True:
            with end._lock:
                if end._joined_to is None:
                    if on_resolved in end._on_resolved:
                        end._on_resolved.remove(on_resolved)
                    return
            end = self._end

    def _resolve(self, result: outcome.Outcome[T]) -> None:
        waiting = self._settle(result)
        if waiting:
            _tell(waiting, result)

    def _settle(self, result: outcome.Outcome[T]) -> list[OnResolved]:
        """Take an outcome, unless there is one, and return those who are to be told of it."""
        with self._lock:
            if self._joined_to is not None:
                return [self._joined_to._settle]
            if self._outcome is not None:
                return []
            self._outcome = result
            if self._loop is not None and self._loop.is_ending:
                self._retrieved = True  # nobody need ask why what the end has cut short did not succeed
            waiting, self._on_resolved = self._on_resolved, []
            return waiting

    def _join(self, other: Future[T]) -> bool:
        """Leave the outcome and the waiters to ``other``, which is to be resolved as this future and by nothing else.

        So the futures of a loop of `flat_map`, each resolved as the next, are one: whoever holds the first waits for
        the last, and those between them are let go.

        Returns:
            Whether that was possible: not if there is an outcome, or if this one is joined already.

        Raises:
            LocalProtocolError: Both are one already, which would wait for itself.
        """
        self._retrieved = True
        if type(self) is not Future:  # its subclasses know whether anybody holds them
            return False
        with _joining:
            end = other._end
            if self._end is end:
                raise LocalProtocolError("the callback has returned the very future that waits for what it returns")
            with self._lock, end._lock:
                if self._outcome is not None or self._joined_to is not None:
                    return False
                self._joined_to = end
                end._on_resolved[:0] = self._on_resolved
                self._on_resolved = []
                return True

    @property
    def _end(self) -> Future[T]:
        """The future that has the outcome: this one, unless it is joined to another."""
        joined_to = self._joined_to
        if joined_to is None:
            return self
        while (further := joined_to._joined_to) is not None:
            joined_to = further
        self._joined_to = joined_to  # those between are let go
        return joined_to

    def __del__(self) -> None:
        if isinstance(self._outcome, outcome.Error) and not self._retrieved:
            logger.error("A future failed and nobody asked for its result", exc_info=self._outcome.error)


class Promise(Generic[T]):
    """The end of a `Future` that is fulfilled: once, as what comes second is ignored.

    Args:
        loop: The loop in which the future's callbacks run; ``None`` for the one that runs here.
        owner: What the callbacks belong to; perfectws's own.
        future: The future to resolve, one of `Future`'s subclasses; perfectws's own.

    Attributes:
        future_result: The future that this promise resolves.

    Source: SwiftNIO's ``EventLoopPromise``.
    """

    __slots__ = ("future_result",)

    def __init__(
        self,
        loop: CallbackLoop | None = None,
        owner: CallbackOwner | None = None,
        future: Future[T] | None = None,
    ) -> None:
        self.future_result: Future[T] = Future(loop, owner) if future is None else future

    def succeed(self, value: T = _NOTHING) -> None:
        """Resolve the future with ``value``. Does nothing if it is resolved already."""
        self.resolve(outcome.Value(value))

    def fail(self, error: Exception) -> None:
        """Resolve the future with ``error``. Does nothing if it is resolved already.

        Raises:
            TypeError: ``error`` is no exception.
        """
        if not isinstance(error, BaseException):
            advice = "an instance of it" if isinstance(error, type) else "an exception, such as ValueError('…')"
            raise TypeError(f"fail takes an exception, not {error!r:.60}: give {advice}")
        self.resolve(outcome.Error(error))

    def resolve(self, result: outcome.Outcome[T]) -> None:
        """Resolve the future with ``result``, an outcome. Does nothing if it is resolved already."""
        self.future_result._resolve(result)


#: Held while futures are joined, so that they never are in a circle. Reentrant, as the garbage collector may call.
_joining = threading.RLock()


def _tell(waiting: list[OnResolved], result: outcome.Outcome[Any]) -> None:
    """Tell those who wait of an outcome, and then those of whom they tell, in order.

    One after the other, not from inside each other: a chain of futures does not deepen the stack.
    """
    waiting.reverse()
    while waiting:
        more = waiting.pop()(result)
        if more:
            more.reverse()
            waiting += more


def _bounded(seconds: float | None) -> float | None:
    """Return how long the system can wait: three hundred years are for ever."""
    return None if seconds is None else min(seconds, threading.TIMEOUT_MAX)


def _unwrapped(result: outcome.Outcome[T] | None) -> T:
    """Return the value, or raise the error.

    The error's traceback comes to refer to this frame, and to those that call it. None of them may refer to the error,
    nor to the future that keeps it: that would be a cycle, in which all that the future's user holds would hang.
    """
    if isinstance(result, outcome.Value):
        value: T = result.value
        return value
    assert isinstance(result, outcome.Error)
    error = result.error
    del result
    try:
        raise error
    finally:
        del error


def _call_soon(
    loop: CallbackLoop | None, owner: CallbackOwner, callback: Callable[..., object], args: tuple[Any, ...]
) -> None:
    """Queue a callback in the loop of its future, else in the one that runs here, else call it, one after the other."""
    if loop is None:
        loop = running_loop()
        if loop is None:
            _loopless.call(owner, callback, args)
            return
        owner.run(set_running_loop, loop)
    loop.call_soon(owner, callback, *args)


class _Loopless(threading.local):
    """The callbacks of futures that belong to no loop and are resolved outside of any: called in the thread that does.

    One after the other, never nested, so that a chain of them does not deepen the stack.
    """

    def __init__(self) -> None:
        self._ready: deque[tuple[CallbackOwner, Callable[..., object], tuple[Any, ...]]] = deque()
        self._is_running = False

    def call(self, owner: CallbackOwner, callback: Callable[..., object], args: tuple[Any, ...]) -> None:
        self._ready.append((owner, callback, args))
        if self._is_running:
            return
        self._is_running = True
        try:
            while self._ready:
                self._call(*self._ready.popleft())
        finally:
            self._is_running = False

    def _call(self, owner: CallbackOwner, callback: Callable[..., object], args: tuple[Any, ...]) -> None:
        try:
            result = owner.run(callback, *args)
            if isinstance(result, Coroutine):
                result.close()
                raise LocalProtocolError("an async callback needs an event loop: make the Promise inside one")
        except Exception as error:
            report_failure(owner, error)


_loopless = _Loopless()


def _resolve_as(promise: Promise[Any], future: object) -> None:
    """Resolve a promise as the future that a callback of `Future.flat_map` has returned."""
    if not isinstance(future, Future):
        promise.fail(TypeError(f"the callback of flat_map returns a Future, not {future!r}: use map for a value"))
        return
    try:
        if not future._join(promise.future_result):
            future.cascade(promise)
    except LocalProtocolError as error:
        promise.fail(error)


async def _resolve_later(
    promise: Promise[Any], coroutine: Coroutine[Any, Any, object], resolve: Callable[[Promise[Any], Any], object]
) -> None:
    try:
        resolve(promise, await coroutine)
    except Exception as error:
        promise.fail(error)
    except BaseException:
        promise.fail(PerfectWSError("the event loop ended before the callback returned"))
        raise
    finally:
        del promise  # as `_unwrapped` says


def _value_of(result: outcome.Outcome[Any]) -> tuple[Any] | None:
    return (result.value,) if isinstance(result, outcome.Value) else None


def _error_of(result: outcome.Outcome[Any]) -> tuple[BaseException] | None:
    return (result.error,) if isinstance(result, outcome.Error) else None


def _copy(result: outcome.Outcome[T]) -> outcome.Outcome[T]:
    if isinstance(result, outcome.Value):
        return outcome.Value(result.value)
    assert isinstance(result, outcome.Error)
    return outcome.Error(result.error)
