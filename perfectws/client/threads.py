"""Functions that block, for scripts without ``async``: `run_in_thread`, and `SerialQueue` for one at a time."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from weakref import WeakKeyDictionary

import outcome
import trio

from ..callbacks import set_running_loop
from ..checks.signatures import check_callable
from ..errors import PerfectWSError
from ..futures import Future, Promise
from ..net.loop import Loop
from .event_loop import begin_on, known_loop

if TYPE_CHECKING:
    from ..websocket.connecting import EventLoopHandle

T = TypeVar("T")


def run_in_thread(
    function: Callable[[], T],
    completion: Callable[[T], object] | None = None,
    *,
    on: trio.Nursery | EventLoopHandle | None = None,
) -> Future[T]:
    """Run ``function()``, which may block, in a thread of trio's. Functions start in the order of the calls.

    Args:
        function: What to run.
        completion: Gets its value.
        on: An `EventLoop`, a trio nursery, or an `HTTPServer` or its `LaunchContext`, which need not run yet: the
            function starts when it does. Not needed inside a callback or `perfectws.run`.

    Returns:
        The future of the value; it fails with what ``function`` raises, or because the loop ends before.

    Calls back:
        ``completion(value)`` in the loop, once, unless the future fails.

    Raises:
        LocalProtocolError: There is no event loop here, or it has ended.
        TypeError: ``function`` or ``completion`` cannot be called so.

    Source: Perfect-Thread's ``Threading.dispatch``; GCD's ``DispatchQueue.global().async``.
    """
    _check(function, completion, "run_in_thread")
    promise = _promise(known_loop(on), completion)
    job = _Job(function, promise)
    begin_on(on, job.begin, promise.fail)
    return promise.future_result


class SerialQueue:
    """Runs functions in threads, one at a time, in the order in which they were dispatched.

    From any thread. Two queues of one name are two queues.

    Args:
        name: What it is for, for people.
        on: As for `run_in_thread`; without it each function belongs to the event loop that it is dispatched in.

    Source: Perfect-Thread's ``Threading.getQueue(name:type: .serial)``, GCD's ``DispatchQueue(label:)``.
    """

    def __init__(self, name: str = "", on: trio.Nursery | EventLoopHandle | None = None) -> None:
        self.name = name
        self._on = on
        self._lock = threading.Lock()
        self._waiting: deque[Callable[[], object]] = deque()
        self._is_busy = False

    def __repr__(self) -> str:
        return f"<SerialQueue {self.name!r}, {len(self._waiting)} waiting>"

    def dispatch(self, function: Callable[[], T], completion: Callable[[T], object] | None = None) -> Future[T]:
        """Run ``function()`` in a thread, once all that was dispatched before has returned.

        Args:
            function: What to run. It may dispatch too.
            completion: Gets its value.

        Returns:
            The future of the value; it fails with what ``function`` raises, or because the loop ends before. The next
            function runs all the same.

        Calls back:
            ``completion(value)`` in the event loop, once, unless the future fails.

        Raises:
            LocalProtocolError: There is no event loop here, and the queue was given none; or it has ended.
            TypeError: ``function`` or ``completion`` cannot be called so.

        Source: Perfect-Thread's ``queue.dispatch { }``.
        """
        _check(function, completion, "dispatch")
        loop = known_loop(self._on)
        promise = _promise(loop, completion)
        if loop is not None:  # which goes on while its function waits for its turn
            loop.call_soon(loop.owner, loop.hold)
        self._add(lambda: self._start(function, promise, loop))
        return promise.future_result

    def _add(self, start: Callable[[], object]) -> None:
        with self._lock:
            self._waiting.append(start)
            if self._is_busy:
                return
            self._is_busy = True
        self._start_next()

    def _start(self, function: Callable[[], T], promise: Promise[T], loop: Loop | None) -> None:
        try:
            future = run_in_thread(function, on=loop or self._on)  # type: ignore[arg-type]  # a loop too
        except PerfectWSError as error:  # the server, which did not run yet as this was dispatched, has stopped
            failed = Promise[T]()
            failed.fail(error)
            future = failed.future_result
        future.cascade(promise)
        future.when_complete(lambda _: self._go_on(loop))

    def _go_on(self, loop: Loop | None) -> None:
        if loop is not None:
            loop.release()
        self._start_next()

    def _start_next(self) -> None:
        with self._lock:
            if not self._waiting:
                self._is_busy = False
                return
            start = self._waiting.popleft()
        start()


def _check(function: object, completion: object, what: str) -> None:
    check_callable(function, f"the function of {what}")
    if completion is not None:
        check_callable(completion, f"the completion of {what}", "value")


def _promise(loop: Loop | None, completion: Callable[[T], object] | None) -> Promise[T]:
    promise = Promise[T](loop)
    if completion is not None:
        promise.future_result.when_success(completion)
    return promise


class _Job(Generic[T]):
    """A function that waits for a thread, or runs in one."""

    __slots__ = ("_context", "_function", "_promise", "_result")

    def __init__(self, function: Callable[[], T], promise: Promise[T]) -> None:
        self._function = function
        self._promise = promise
        self._context = copy_context()
        self._result: outcome.Outcome[T] | None = None

    def begin(self, loop: Loop) -> None:
        """Wait for a thread, from any thread: behind the jobs that wait already."""
        self._context.run(set_running_loop, loop)
        jobs = _jobs_of(loop)
        jobs.append(self)

        def start() -> None:
            try:
                loop.tasks.start_soon(_run_first, loop, jobs)
            except RuntimeError:
                jobs.remove(self)
                self.settle()
            else:
                loop.hold()

        loop.call_soon(loop.owner, start)

    def run(self) -> None:
        """Call the function, in this thread."""
        try:
            self._result = outcome.Value(self._context.run(self._function))
        except Exception as error:
            self._result = outcome.Error(error)

    def fail(self, error: Exception) -> None:
        """Take it that the function cannot be called."""
        self._result = outcome.Error(error)

    def settle(self) -> None:
        """Resolve the promise with what the function came to, in the loop's thread."""
        ended = PerfectWSError("the event loop ended before the function returned")
        promise, result = self._promise, self._result
        del self._promise, self._result  # an error's traceback refers to `run`, and so to this job
        promise.resolve(outcome.Error(ended) if result is None else result)


_Jobs = deque[_Job[Any]]

#: The jobs of each loop that wait for a thread.
_jobs: WeakKeyDictionary[Loop, _Jobs] = WeakKeyDictionary()
_jobs_lock = threading.Lock()


def _jobs_of(loop: Loop) -> _Jobs:
    with _jobs_lock:
        return _jobs.setdefault(loop, deque())


async def _run_first(loop: Loop, jobs: _Jobs) -> None:
    """Run the job that has waited the longest.

    There is a task for each job, but trio starts tasks in no order: so the threads take the jobs in theirs.
    """
    taken: list[_Job[Any]] = []

    def take() -> None:
        with suppress(IndexError):  # as the loop ends, a thread may begin too late
            taken.append(jobs.popleft())

    def take_and_run() -> None:
        take()
        for job in taken:
            job.run()

    try:
        # The loop's end must not wait for a thread that blocks.
        await trio.to_thread.run_sync(take_and_run, abandon_on_cancel=True)
    except RuntimeError as error:  # the system gives us no thread: that is this job's failure, and not the loop's
        take()
        for job in taken:
            job.fail(error)
    finally:
        if not taken:
            take()
        for job in taken:
            job.settle()
        loop.release()
