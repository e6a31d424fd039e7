"""`call_later`, `call_every`, `run_in_thread`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextvars import ContextVar

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import perfectws
from perfectws import EventLoop, LocalProtocolError, Timer, WebSocket, call_every, call_later, run_in_thread

from .conftest import PATIENCE


@pytest.mark.parametrize(
    "call",
    [lambda: call_later(1, print), lambda: call_every(1, print), lambda: run_in_thread(time.time)],
    ids=["call_later", "call_every", "run_in_thread"],
)
def test_without_a_loop_they_say_what_to_do(call: Callable[[], object]) -> None:
    with pytest.raises(LocalProtocolError, match="pass on="):
        call()


async def test_a_wrong_argument_raises_at_once() -> None:
    async with trio.open_nursery() as nursery:
        with pytest.raises(ValueError, match="seconds"):
            call_later(-1, print, on=nursery)
        with pytest.raises(ValueError, match="seconds"):
            call_every(0, print, on=nursery)
        with pytest.raises(TypeError, match="callback"):
            call_later(1, "print", on=nursery)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="function"):
            run_in_thread("print", on=nursery)  # type: ignore[arg-type]


async def test_call_later_calls_once_at_its_time(mock_clock: MockClock) -> None:
    calls: list[float] = []
    async with trio.open_nursery() as nursery:
        timer = call_later(5, lambda: calls.append(trio.current_time()), on=nursery)
        await wait_all_tasks_blocked(0.01)
        assert calls == []
        assert timer.when == 5
        mock_clock.jump(5)
    assert calls == [5]


async def test_a_cancelled_call_is_not_made_and_holds_nothing(mock_clock: MockClock) -> None:
    calls: list[int] = []
    async with trio.open_nursery() as nursery:
        timer = call_later(5, lambda: calls.append(1), on=nursery)
        await wait_all_tasks_blocked(0.01)
        timer.cancel()
        timer.cancel()
    assert calls == []


async def test_call_every_does_not_drift_and_leaves_out_what_it_missed(mock_clock: MockClock) -> None:
    calls: list[float] = []
    async with trio.open_nursery() as nursery:
        timer = call_every(10, lambda: calls.append(trio.current_time()), on=nursery)
        for seconds in (10, 13, 7, 35, 5):
            await wait_all_tasks_blocked(0.01)
            mock_clock.jump(seconds)
        await wait_all_tasks_blocked(0.01)
        timer.cancel()
    assert calls == [10, 23, 30, 65, 70]


async def test_an_async_call_that_is_not_done_is_not_made_twice(mock_clock: MockClock) -> None:
    running: list[int] = []
    go_on = trio.Event()

    async def call() -> None:
        running.append(1)
        await go_on.wait()

    async with trio.open_nursery() as nursery:
        timer = call_every(1, call, on=nursery)
        for _ in range(3):
            await wait_all_tasks_blocked(0.01)
            mock_clock.jump(1)
        await wait_all_tasks_blocked(0.01)
        assert len(running) == 1
        go_on.set()
        await wait_all_tasks_blocked(0.01)
        mock_clock.jump(1)
        await wait_all_tasks_blocked(0.01)
        assert len(running) == 2
        timer.cancel()


async def test_an_error_in_a_call_is_logged_and_the_next_one_made(
    mock_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[int] = []

    def call() -> None:
        calls.append(1)
        raise KeyError("mine")

    async with trio.open_nursery() as nursery:
        timer = call_every(1, call, on=nursery)
        for _ in range(2):
            await wait_all_tasks_blocked(0.01)
            mock_clock.jump(1)
        await wait_all_tasks_blocked(0.01)
        timer.cancel()
    assert len(calls) == 2
    assert caplog.text.count("KeyError: 'mine'") == 2


def test_timers_can_be_set_and_cancelled_from_any_thread() -> None:
    ticks: list[str] = []
    with EventLoop() as event_loop:
        ticked = event_loop.make_promise()

        def tick() -> None:
            ticks.append(threading.current_thread().name)
            ticked.succeed()

        timer: Timer = call_every(0.001, tick, on=event_loop)
        ticked.future_result.wait(PATIENCE)
        timer.cancel()
        settled = event_loop.make_promise()
        call_later(0, settled.succeed, on=event_loop)
        settled.future_result.wait(PATIENCE)
        count = len(ticks)
        time.sleep(0.02)
        assert len(ticks) == count
    assert set(ticks) == {"perfectws event loop"}


def test_a_timer_may_cancel_itself_and_set_another() -> None:
    calls: list[str] = []

    def setup(nursery: trio.Nursery) -> None:
        def tick() -> None:
            calls.append("tick")
            if len(calls) == 3:
                timer.cancel()
                call_later(0.001, lambda: calls.append("last"))

        timer = call_every(0.001, tick)

    perfectws.run(setup)
    assert calls == ["tick", "tick", "tick", "last"]


def test_context_variables_are_those_of_the_caller() -> None:
    variable = ContextVar("variable", default="unset")
    seen: list[str] = []

    def setup(nursery: trio.Nursery) -> None:
        variable.set("set")
        call_later(0, lambda: seen.append(variable.get()))
        run_in_thread(variable.get, seen.append)

    perfectws.run(setup)
    assert seen == ["set", "set"]


def test_a_sockets_timers_hold_a_script_no_longer_than_their_socket(server_port: int) -> None:
    def connected(socket: WebSocket) -> None:
        socket.call_every(3600, print)
        socket.call_later(0.01, socket.close)

    perfectws.run(
        lambda nursery: WebSocket.connect(f"ws://127.0.0.1:{server_port}/echo", on_upgrade=connected) and None
    )
