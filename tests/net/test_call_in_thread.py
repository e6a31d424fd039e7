"""What blocks is called in a thread: once, whatever becomes of the loop meanwhile."""

from __future__ import annotations

import threading
from typing import Any

import outcome
import trio

from perfectws.callbacks import CallbackOwner
from perfectws.net.loop import Loop, open_loop
from tests.conftest import PATIENCE


class Calls:
    """What was called, and in which thread."""

    def __init__(self) -> None:
        self.threads: list[int] = []
        self.results: list[outcome.Outcome[Any]] = []
        self.done_in: list[int] = []
        self.done = trio.Event()

    def function(self) -> str:
        self.threads.append(threading.get_ident())
        return "value"

    def take(self, result: outcome.Outcome[Any]) -> None:
        self.results.append(result)
        self.done_in.append(threading.get_ident())
        self.done.set()


async def test_it_runs_in_another_thread_and_the_result_comes_to_the_loop() -> None:
    calls = Calls()
    with trio.fail_after(PATIENCE):
        async with open_loop() as loop:
            loop.call_in_thread(loop.owner, calls.function, calls.take)
            assert calls.threads == []
            await calls.done.wait()
    here = threading.get_ident()
    assert calls.threads != [here]
    assert calls.done_in == [here]
    assert calls.results == [outcome.Value("value")]


async def test_an_error_is_a_result_and_the_owner_is_not_troubled() -> None:
    calls = Calls()
    failures: list[Exception] = []

    class Owner(CallbackOwner):
        def callback_failed(self, error: Exception) -> None:
            failures.append(error)

    def fail() -> None:
        raise OSError("no")

    with trio.fail_after(PATIENCE):
        async with open_loop() as loop:
            loop.call_in_thread(Owner(), fail, calls.take)
            await calls.done.wait()
    assert isinstance(calls.results[0], outcome.Error)
    assert isinstance(calls.results[0].error, OSError)
    assert failures == []


async def test_the_end_of_the_loop_waits_for_it() -> None:
    calls = Calls()
    begun, go_on = threading.Event(), threading.Event()

    def late() -> str:
        begun.set()
        assert go_on.wait(PATIENCE)
        return calls.function()

    with trio.fail_after(PATIENCE):
        async with open_loop() as loop:
            loop.call_in_thread(loop.owner, late, calls.take)
            loop.call_in_thread(loop.owner, calls.function)
            await trio.to_thread.run_sync(begun.wait)
            loop.call_later(loop.owner, 0.05, go_on.set)
            # Asked for as the loop ends, and not begun yet.
            loop.call_in_thread(loop.owner, calls.function)
            loop.tasks.cancel_scope.cancel()
            loop.call_in_thread(loop.owner, calls.function)
    assert len(calls.threads) == 4
    assert threading.get_ident() not in calls.threads
    assert calls.results == [outcome.Value("value")]


async def test_once_the_loop_has_ended_it_is_called_here() -> None:
    calls = Calls()
    loop: Loop
    async with open_loop() as loop:
        pass
    loop.call_in_thread(loop.owner, calls.function, calls.take)
    assert calls.threads == [threading.get_ident()]
    with trio.fail_after(PATIENCE):
        await calls.done.wait()
