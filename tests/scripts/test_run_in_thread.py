"""`run_in_thread` and `SerialQueue`: what blocks, in order."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import pytest
import trio

import perfectws
from perfectws import (
    EventLoop,
    Future,
    LocalProtocolError,
    PerfectWSError,
    Promise,
    SerialQueue,
    call_later,
    run_in_thread,
)

from .conftest import PATIENCE


def test_run_in_thread_gives_the_value_to_its_completion_and_to_its_future() -> None:
    values: list[object] = []

    def setup(nursery: trio.Nursery) -> None:
        loop_thread = threading.get_ident()
        future = run_in_thread(threading.get_ident, lambda ident: values.append(ident != loop_thread))
        future.when_success(lambda ident: values.append(threading.get_ident() == loop_thread))

    perfectws.run(setup)
    assert values == [True, True]


def test_an_error_in_a_thread_fails_the_future_and_calls_no_completion() -> None:
    values: list[object] = []

    def fail() -> None:
        raise KeyError("mine")

    def setup(nursery: trio.Nursery) -> None:
        run_in_thread(fail, values.append).when_failure(lambda error: values.append(repr(error)))

    perfectws.run(setup)
    assert values == ["KeyError('mine')"]


def test_functions_start_in_the_order_of_the_calls() -> None:
    started: list[int] = []
    mixed: list[str] = []

    def setup(nursery: trio.Nursery) -> None:
        for number in range(500):
            run_in_thread(lambda number=number: started.append(number))  # type: ignore[misc]
        threading.Thread(target=lambda: run_in_thread(lambda: mixed.append("thread"), on=None)).run()
        run_in_thread(lambda: mixed.append("callback"))

    perfectws.run(setup)
    assert started == list(range(500))
    assert mixed == ["thread", "callback"]


def test_many_functions_run_at_once() -> None:
    together = threading.Barrier(5)

    def setup(nursery: trio.Nursery) -> None:
        for _ in range(5):
            run_in_thread(lambda: together.wait(PATIENCE))

    perfectws.run(setup)


def test_each_function_runs_in_the_context_of_its_call() -> None:
    variable: ContextVar[int] = ContextVar("variable")
    seen: list[tuple[int, int]] = []

    def call(number: int) -> None:
        variable.set(number)
        run_in_thread(lambda: seen.append((number, variable.get())))

    def setup(nursery: trio.Nursery) -> None:
        for number in range(50):
            call(number)

    perfectws.run(setup)
    assert seen == [(number, number) for number in range(50)]


def test_what_waits_for_a_thread_as_the_loop_ends_is_told_so() -> None:
    begun, release, ran = threading.Semaphore(0), threading.Event(), []

    def block() -> None:
        begun.release()
        release.wait(PATIENCE)

    limit = 40  # trio's threads
    try:
        with EventLoop() as event_loop:
            futures = [run_in_thread(block, on=event_loop) for _ in range(limit)]
            for _ in range(limit):
                assert begun.acquire(timeout=PATIENCE)
            futures += [run_in_thread(lambda: ran.append(1), on=event_loop) for _ in range(5)]
        for future in futures:
            with pytest.raises(PerfectWSError, match="ended before"):
                future.wait(PATIENCE)
        assert ran == []
    finally:
        release.set()


class TestSerialQueue:
    def test_one_at_a_time_in_order_whatever_threads_they_are_dispatched_from(self) -> None:
        events: list[Any] = []
        queue = SerialQueue("writes")

        def job(number: int) -> int:
            events.append(("begin", number))
            threading.Event().wait(0.001)
            events.append(("end", number))
            return number

        values: list[int] = []

        def setup(nursery: trio.Nursery) -> None:
            for number in range(20):
                queue.dispatch(lambda number=number: job(number), values.append)  # type: ignore[misc]

        perfectws.run(setup)
        assert events == [(what, number) for number in range(20) for what in ("begin", "end")]
        assert values == list(range(20))

    def test_a_function_that_raises_fails_its_future_and_the_next_one_runs(self) -> None:
        queue = SerialQueue()
        with EventLoop() as event_loop:
            queue = SerialQueue("calculations", on=event_loop)
            failed = queue.dispatch(lambda: 1 // 0)
            assert queue.dispatch(lambda: "next").wait(PATIENCE) == "next"
            with pytest.raises(ZeroDivisionError):
                failed.wait(PATIENCE)

    def test_a_function_may_dispatch_more(self) -> None:
        order: list[str] = []
        queue = SerialQueue()

        def first() -> None:
            queue.dispatch(lambda: order.append("third"))
            order.append("first")

        def setup(nursery: trio.Nursery) -> None:
            queue.dispatch(first)
            queue.dispatch(lambda: order.append("second"))

        perfectws.run(setup)
        assert order == ["first", "second", "third"]

    def test_two_of_one_name_are_two(self) -> None:
        together = threading.Barrier(2)

        def setup(nursery: trio.Nursery) -> None:
            for _ in range(2):
                SerialQueue("same").dispatch(lambda: together.wait(PATIENCE))

        perfectws.run(setup)

    def test_it_goes_on_in_another_loop_when_one_has_ended(self) -> None:
        queue, release, begun = SerialQueue("shared"), threading.Event(), threading.Event()

        def block() -> str:
            begun.set()
            release.wait(PATIENCE)
            return "blocked"

        with EventLoop() as second:
            with EventLoop() as first:
                blocked = dispatch_in(first, queue, block)
                assert begun.wait(PATIENCE)
                never = dispatch_in(first, queue, lambda: "never")
                other = dispatch_in(second, queue, lambda: "other")
            release.set()
            assert other.wait(PATIENCE) == "other"
            for future in (blocked, never):
                with pytest.raises(PerfectWSError, match="ended"):
                    future.wait(PATIENCE)

    def test_without_a_loop_it_says_what_to_do(self) -> None:
        with pytest.raises(LocalProtocolError, match="pass on="):
            SerialQueue().dispatch(print)

    @pytest.mark.parametrize("wrong", [5, lambda a: None])
    def test_what_cannot_be_called_is_refused(self, wrong: Callable[[], object]) -> None:
        with pytest.raises(TypeError, match="the function of dispatch is a callable without arguments"):
            SerialQueue().dispatch(wrong)


def dispatch_in(event_loop: EventLoop, queue: SerialQueue, function: Callable[[], Any]) -> Future[Any]:
    """Dispatch in a callback of an event loop."""
    dispatched = Promise[Future[Any]]()
    call_later(0, lambda: dispatched.succeed(queue.dispatch(function)), on=event_loop)
    return dispatched.future_result.wait(PATIENCE)
