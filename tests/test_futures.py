"""`Future` and `Promise`: for callbacks, for await, and for other threads."""

from __future__ import annotations

import gc
import threading
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from typing import Any

import outcome
import pytest
import trio

from perfectws import Future, LocalProtocolError, PerfectWSError, Promise
from perfectws.callbacks import CallbackLoop, running_loop
from perfectws.net.loop import Loop, open_loop

from .calls import Calls, quiet, stack_depth


class Failure(Exception):
    """What the promises here fail with."""


@pytest.fixture
async def loop() -> AsyncIterator[Loop]:
    async with open_loop() as loop:
        yield loop


async def test_a_future_may_be_awaited_before_and_after_and_more_than_once(loop: Loop) -> None:
    promise = Promise[int]()
    results = Calls()

    async def wait() -> None:
        results(await promise.future_result)

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(wait)
        await quiet()
        assert not promise.future_result.is_done
        promise.succeed(5)
        assert promise.future_result.is_done
    assert results.got == [(5,)] * 3
    assert await promise.future_result == 5
    assert await promise.future_result == 5


async def test_a_failure_is_raised_at_each_await(loop: Loop) -> None:
    promise = Promise[int]()
    promise.fail(Failure("why"))
    for _ in range(2):
        with pytest.raises(Failure, match="why"):
            await promise.future_result


async def test_to_succeed_without_a_value_gives_none(loop: Loop) -> None:
    promise = Promise[None]()
    promise.succeed()
    assert await promise.future_result is None  # type: ignore[func-returns-value]


async def test_a_cancelled_await_leaves_the_future_as_it_is_and_nothing_behind(loop: Loop) -> None:
    promise = Promise[int]()
    for _ in range(3):
        with trio.CancelScope() as scope:
            scope.cancel()
            await promise.future_result
        assert scope.cancelled_caught
    assert not promise.future_result._on_resolved
    promise.succeed(5)
    assert await promise.future_result == 5


async def test_a_future_that_is_done_is_a_checkpoint_too(loop: Loop) -> None:
    promise = Promise[int]()
    promise.succeed(5)
    with trio.CancelScope() as scope:
        scope.cancel()
        await promise.future_result
    assert scope.cancelled_caught


async def test_callbacks_are_queued_in_order_and_each_is_called_once(loop: Loop) -> None:
    promise = Promise[int]()
    future = promise.future_result
    log = Calls()
    assert future.when_complete(log) is log
    future.when_success(lambda value: log("first", value))
    future.when_failure(lambda error: log("never"))
    future.when_success(lambda value: log("second", value))
    promise.succeed(5)
    assert not log.got
    future.when_success(lambda value: log("third", value))
    await log.until(4)
    await quiet()
    assert log.got == [(outcome.Value(5),), ("first", 5), ("second", 5), ("third", 5)]


async def test_failures_go_to_when_failure_and_when_complete(loop: Loop) -> None:
    promise = Promise[int]()
    future, error, log = promise.future_result, Failure(), Calls()
    future.when_complete(lambda result: log("complete", result))
    future.when_success(lambda value: log("never"))
    future.when_failure(lambda error: log("failure", error))
    promise.fail(error)
    await log.until(2)
    await quiet()
    assert log.got == [("complete", outcome.Error(error)), ("failure", error)]


async def test_every_callback_may_unwrap_the_outcome_it_gets(loop: Loop) -> None:
    promise = Promise[int]()
    log = Calls()
    for _ in range(2):
        promise.future_result.when_complete(lambda result: log(result.unwrap()))
    promise.succeed(5)
    assert await log.until(2) == [(5,), (5,)]
    assert await promise.future_result == 5


async def test_a_promise_is_kept_once_and_what_comes_second_is_ignored(loop: Loop) -> None:
    promise = Promise[int]()
    log = Calls()
    promise.future_result.when_complete(log)
    promise.succeed(1)
    promise.succeed(2)
    promise.fail(Failure())
    assert await promise.future_result == 1
    await quiet()
    assert log.got == [(outcome.Value(1),)]


@pytest.mark.parametrize(
    ("error", "advice"),
    [("x", "not 'x': give an exception, such as"), (None, "None"), (ValueError, "an instance of it")],
)
def test_a_promise_fails_with_an_exception_or_not_at_all(error: Any, advice: str) -> None:
    promise = Promise[int]()
    with pytest.raises(TypeError, match=f"fail takes an exception, .*{advice}"):
        promise.fail(error)
    promise.succeed(1)
    assert promise.future_result.wait() == 1


async def test_a_future_is_resolved_from_another_thread(loop: Loop) -> None:
    promise = Promise[int]()
    threads = Calls()
    promise.future_result.when_success(lambda value: threads(threading.get_ident()))
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def wait() -> None:
            assert await promise.future_result == 5

        await quiet()
        await trio.to_thread.run_sync(promise.succeed, 5)
    assert await threads.until(1) == [(threading.get_ident(),)]


async def test_a_future_that_is_awaited_while_another_thread_resolves_it_is_never_missed(loop: Loop) -> None:
    for _ in range(300):
        promise = Promise[int]()
        thread = threading.Thread(target=promise.succeed, args=(5,))
        thread.start()
        assert await promise.future_result == 5
        thread.join()


async def test_wait_blocks_another_thread_until_it_is_done(loop: Loop) -> None:
    promise = Promise[int]()
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def wait() -> None:
            assert await trio.to_thread.run_sync(promise.future_result.wait) == 5

        await quiet()
        promise.succeed(5)
    failed = Promise[int]()
    failed.fail(Failure())
    with pytest.raises(Failure):
        await trio.to_thread.run_sync(failed.future_result.wait, 5)


async def test_wait_raises_timeout_error_and_leaves_nothing_behind(loop: Loop) -> None:
    promise = Promise[int]()
    with pytest.raises(TimeoutError, match=r"0\.01"):
        await trio.to_thread.run_sync(promise.future_result.wait, 0.01)
    assert not promise.future_result._on_resolved


async def test_wait_raises_in_the_thread_of_the_loop_unless_it_is_done(loop: Loop) -> None:
    promise = Promise[int]()
    with pytest.raises(LocalProtocolError, match="await"):
        promise.future_result.wait()
    promise.succeed(5)
    assert promise.future_result.wait() == 5


async def test_wait_raises_also_in_a_task_that_the_loop_does_not_know() -> None:
    loops: list[Loop] = []

    async def serve(task_status: trio.TaskStatus[None]) -> None:
        async with open_loop() as loop:
            loops.append(loop)
            task_status.started()
            await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        await nursery.start(serve)
        with pytest.raises(LocalProtocolError, match="await"):
            Promise[int](loops[0]).future_result.wait()
        nursery.cancel_scope.cancel()


class TestWithoutALoop:
    """A promise that is made outside of any."""

    def test_its_future_may_be_waited_for(self) -> None:
        promise = Promise[int]()
        promise.succeed(1)
        assert promise.future_result.wait() == 1

    def test_callbacks_run_in_the_thread_that_resolves_it_or_that_asks_later(self) -> None:
        promise, called = Promise[int](), list[tuple[int, int]]()
        promise.future_result.when_success(lambda value: called.append((value, threading.get_ident())))
        thread = threading.Thread(target=promise.succeed, args=(1,))
        thread.start()
        resolver = thread.ident
        thread.join()
        promise.future_result.when_success(lambda value: called.append((value + 1, threading.get_ident())))
        assert called == [(1, resolver), (2, threading.get_ident())]

    def test_they_are_called_one_after_the_other_and_not_nested(self) -> None:
        promises = [Promise[int]() for _ in range(5000)]
        depths: list[int] = []
        for promise, following in pairwise(promises):
            promise.future_result.when_success(following.succeed)
            promise.future_result.when_success(lambda _: depths.append(stack_depth()))
        promises[0].succeed(1)
        assert promises[-1].future_result.wait(0) == 1
        assert len(depths) == 4999
        assert len(set(depths)) == 1

    def test_a_cascade_however_long_does_not_deepen_the_stack_and_tells_everybody(self) -> None:
        promises = [Promise[int]() for _ in range(5000)]
        depths: list[int] = []
        for promise, following in pairwise(promises):
            promise.future_result.cascade(following)
            promise.future_result.when_success(lambda _: depths.append(stack_depth()))
        promises[0].succeed(1)
        assert promises[-1].future_result.wait(0) == 1
        assert len(depths) == 4999
        assert len(set(depths)) == 1

    def test_who_waits_behind_a_cascade_is_told_before_who_has_asked_later(self) -> None:
        first, second, told = Promise[int](), Promise[int](), list[str]()
        second.future_result.when_success(lambda _: told.append("behind"))
        first.future_result.when_success(lambda _: told.append("first"))
        first.future_result.cascade(second)
        first.future_result.when_success(lambda _: told.append("last"))
        first.succeed(1)
        assert told == ["first", "behind", "last"]

    def test_one_that_raises_is_logged_and_the_others_are_called(self, caplog: pytest.LogCaptureFixture) -> None:
        promise, called = Promise[int](), list[int]()
        promise.future_result.when_success(lambda value: [][value])
        promise.future_result.when_success(called.append)
        promise.succeed(1)
        assert called == [1]
        assert "IndexError" in caplog.text

    def test_an_async_one_is_refused_in_the_log(self, caplog: pytest.LogCaptureFixture) -> None:
        async def wait(value: int) -> None:
            await trio.sleep(value)

        promise = Promise[int]()
        promise.future_result.when_success(wait)
        promise.succeed(1)
        assert "needs an event loop" in caplog.text

    async def test_they_run_in_the_queue_of_the_loop_that_resolves_it(self) -> None:
        promise, called = Promise[int](), list[CallbackLoop | None]()
        promise.future_result.when_success(lambda _: called.append(running_loop()))
        async with open_loop() as loop:
            loop.call(loop.owner, promise.succeed, 1)
            await quiet()
            assert called == [loop]


@pytest.mark.parametrize(
    ("ask", "is_logged"),
    [
        (lambda future: None, True),
        (lambda future: future.when_success(print), True),
        (lambda future: future.when_failure(lambda error: None), False),
        (lambda future: future.when_complete(lambda result: None), False),
    ],
)
async def test_an_error_that_nobody_asked_for_is_logged_once(
    loop: Loop, caplog: pytest.LogCaptureFixture, ask: Callable[[Future[int]], object], is_logged: bool
) -> None:
    promise = Promise[int]()
    ask(promise.future_result)
    promise.fail(Failure())
    await quiet()
    del promise
    gc.collect()
    assert [record.exc_info is not None for record in caplog.records] == [True] * is_logged
    caplog.clear()


async def test_an_error_that_was_awaited_and_a_value_that_was_not_are_not_logged(
    loop: Loop, caplog: pytest.LogCaptureFixture
) -> None:
    failed, succeeded, never = Promise[int](), Promise[int](), Promise[int]()
    failed.fail(Failure())
    succeeded.succeed(5)
    with pytest.raises(Failure):
        await failed.future_result
    del failed, succeeded, never
    gc.collect()
    assert not caplog.records


async def test_a_callback_that_raises_costs_the_other_callbacks_nothing(
    loop: Loop, caplog: pytest.LogCaptureFixture
) -> None:
    promise = Promise[int]()
    log = Calls()

    def raises(value: int) -> None:
        raise Failure

    promise.future_result.when_success(raises)
    promise.future_result.when_success(log)
    promise.succeed(5)
    assert await log.until(1) == [(5,)]
    assert len(caplog.records) == 1
    caplog.clear()


async def test_a_callback_may_be_async(loop: Loop) -> None:
    promise = Promise[int]()
    log = Calls()

    async def callback(value: int) -> None:
        await trio.lowlevel.checkpoint()
        log(value)

    promise.future_result.when_success(callback)
    promise.succeed(5)
    assert await log.until(1) == [(5,)]


class TestMapping:
    """SwiftNIO's ``map``, ``flatMap`` and ``flatMapError``."""

    async def test_map_gives_the_future_of_what_the_callback_returns(self, loop: Loop) -> None:
        promise = Promise[int]()
        doubled = promise.future_result.map(lambda value: value * 2)
        text = doubled.map(str)
        promise.succeed(21)
        assert (await doubled, await text) == (42, "42")

    async def test_the_callback_may_be_async(self, loop: Loop) -> None:
        async def later(value: int) -> int:
            await trio.lowlevel.checkpoint()
            return value + 1

        async def fails(value: int) -> int:
            await trio.lowlevel.checkpoint()
            raise Failure(value)

        promise = Promise[int]()
        mapped, failed = promise.future_result.map(later), promise.future_result.map(fails)
        promise.succeed(1)
        assert await mapped == 2
        with pytest.raises(Failure):
            await failed

    async def test_an_error_is_passed_on_and_the_callback_not_called(self, loop: Loop) -> None:
        promise = Promise[int]()
        calls: Any = Calls()
        mapped = promise.future_result.map(calls)
        flat: Future[int] = promise.future_result.flat_map(calls)
        promise.fail(Failure("why"))
        for future in (mapped, flat):
            with pytest.raises(Failure, match="why"):
                await future
        assert calls.got == []

    async def test_what_the_callback_raises_is_the_error_and_nothing_is_logged(
        self, loop: Loop, caplog: pytest.LogCaptureFixture
    ) -> None:
        promise = Promise[int]()
        mapped = promise.future_result.map(lambda value: 1 // value)
        promise.succeed(0)
        with pytest.raises(ZeroDivisionError):
            await mapped
        assert caplog.messages == []

    async def test_who_is_cancelled_as_he_asks_has_asked(self, loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
        promise = Promise[int]()
        promise.fail(Failure("why"))
        with trio.CancelScope() as scope:
            scope.cancel()
            await promise.future_result
        assert scope.cancelled_caught
        del promise
        gc.collect()
        assert caplog.messages == []

    async def test_an_error_that_nobody_asks_for_is_logged_by_the_last_of_a_chain(
        self, loop: Loop, caplog: pytest.LogCaptureFixture
    ) -> None:
        promise = Promise[int]()
        promise.future_result.map(str).map(str)
        promise.fail(Failure("why"))
        await quiet()
        del promise
        gc.collect()
        assert caplog.messages == ["A future failed and nobody asked for its result"]

    async def test_flat_map_goes_on_with_another_future(self, loop: Loop) -> None:
        first, second = Promise[int](), Promise[str]()
        asked = Calls()

        def go_on(value: int) -> Future[str]:
            asked(value)
            return second.future_result

        flat = first.future_result.flat_map(go_on)
        first.succeed(5)
        assert await asked.until(1) == [(5,)]
        assert not flat.is_done
        second.succeed("done")
        assert await flat == "done"

    async def test_a_loop_of_flat_map_deepens_no_stack_and_keeps_no_future_that_is_done_with(self, loop: Loop) -> None:
        rounds, alive, depths = 3000, list[int](), list[int]()

        def go_round(left: int) -> Future[str]:
            promise = Promise[Any]()
            promise.succeed("the end")
            depths.append(stack_depth())
            if left % 1000 == 0:
                alive.append(sum(type(each) is Future for each in gc.get_objects()))
            return promise.future_result.flat_map(lambda _: go_round(left - 1)) if left else promise.future_result

        begin = Promise[int]()
        end = begin.future_result.flat_map(go_round)
        begin.succeed(rounds)
        assert await end == "the end"
        assert len(depths) == rounds + 1
        assert max(depths) - min(depths) < 10
        assert max(alive) - min(alive) < 100

    async def test_a_loop_of_flat_map_error_fails_once_nobody_tries_again(self, loop: Loop) -> None:
        def attempt(left: int) -> Future[None]:
            promise = Promise[None]()
            promise.fail(Failure(left))
            return promise.future_result.flat_map_error(lambda _: attempt(left - 1)) if left else promise.future_result

        with pytest.raises(Failure, match=r"^0$"):
            await attempt(2000)

    async def test_futures_that_were_joined_come_to_the_same_whoever_holds_which(self, loop: Loop) -> None:
        begin, middle, results = Promise[None](), Promise[int](), Calls()
        awaited = middle.future_result.map(lambda value: value + 1)  # what waits from before it is joined
        flat = begin.future_result.flat_map(lambda _: middle.future_result)
        begin.succeed()
        await quiet()
        again = Promise[None]()
        second = again.future_result.flat_map(lambda _: middle.future_result)  # joined already
        again.succeed()
        await quiet()
        for future in (middle.future_result, flat, second):
            assert not future.is_done
            future.when_success(results)
        with pytest.raises(TimeoutError):
            await trio.to_thread.run_sync(middle.future_result.wait, 0.001)
        async with trio.open_nursery() as nursery:

            async def give_up() -> None:
                await middle.future_result

            nursery.start_soon(give_up)
            await quiet()
            nursery.cancel_scope.cancel()
        assert len(flat._on_resolved) == 4  # none for those who have given up
        middle.succeed(5)
        assert [await each for each in (middle.future_result, flat, second, awaited)] == [5, 5, 5, 6]
        assert await results.until(3) == [(5,)] * 3
        assert middle.future_result.wait() == 5

    async def test_an_error_of_joined_futures_is_logged_once_unless_somebody_asks(
        self, loop: Loop, caplog: pytest.LogCaptureFixture
    ) -> None:
        for asked in (True, False):
            begin, middle = Promise[None](), Promise[None]()
            flat = begin.future_result.flat_map(lambda _, middle=middle: middle.future_result)  # type: ignore[misc]
            begin.succeed()
            await quiet()
            middle.fail(Failure("why"))
            if asked:
                with pytest.raises(Failure):
                    await flat
            del begin, middle, flat
            gc.collect()
            assert caplog.messages == ([] if asked else ["A future failed and nobody asked for its result"])

    async def test_flat_map_cannot_return_the_future_that_it_gives(self, loop: Loop) -> None:
        begin = Promise[None]()
        flat: Future[None] = begin.future_result.flat_map(lambda _: flat)
        begin.succeed()
        with pytest.raises(LocalProtocolError, match="the very future that waits"):
            await flat
        first, second = Promise[None](), Promise[None]()
        one: Future[None] = first.future_result.flat_map(lambda _: other)
        other: Future[None] = second.future_result.flat_map(lambda _: one)
        first.succeed()
        second.succeed()
        with pytest.raises(LocalProtocolError, match="the very future that waits"):
            await one

    async def test_a_future_that_is_joined_while_another_thread_resolves_it_is_never_missed(self, loop: Loop) -> None:
        for _ in range(300):
            begin, middle, told = Promise[None](), Promise[int](), Calls()
            middle.future_result.when_success(told)
            flat = begin.future_result.flat_map(lambda _, middle=middle: middle.future_result)  # type: ignore[misc]
            thread = threading.Thread(target=middle.succeed, args=(1,))
            begin.succeed()
            thread.start()
            assert await flat == 1
            assert await told.until(1) == [(1,)]
            thread.join()

    async def test_flat_map_wants_a_future(self, loop: Loop) -> None:
        promise = Promise[int]()
        returns_no_future: Any = lambda value: value  # noqa: E731
        flat: Future[int] = promise.future_result.flat_map(returns_no_future)
        promise.succeed(5)
        with pytest.raises(TypeError, match=r"returns a Future, not 5: use map for a value"):
            await flat

    async def test_flat_map_error_recovers_and_leaves_a_value_alone(self, loop: Loop) -> None:
        failing, fine, other = Promise[int](), Promise[int](), Promise[int]()
        recovered = failing.future_result.flat_map_error(lambda error: other.future_result)
        untouched = fine.future_result.flat_map_error(lambda error: other.future_result)
        failing.fail(Failure())
        fine.succeed(1)
        other.succeed(2)
        assert (await recovered, await untouched) == (2, 1)

    def test_without_a_loop_the_callbacks_run_where_it_is_resolved(self) -> None:
        promise = Promise[int]()
        chained = promise.future_result.map(lambda value: value + 1).map(lambda value: value * 2)
        promise.succeed(1)
        assert chained.wait(0) == 4

    async def test_the_end_of_the_loop_fails_what_an_async_callback_has_not_returned(self) -> None:
        async with open_loop() as loop:
            promise = Promise[int](loop)
            mapped = promise.future_result.map(_forever)
            promise.succeed(1)
            await quiet()
        with pytest.raises(PerfectWSError, match="ended before"):
            mapped.wait(0)


async def _forever(value: int) -> None:
    await trio.sleep_forever()
