"""`perfectws.run`: a script with no ``async`` in it."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest
import trio

import perfectws
from perfectws import Backoff, LocalProtocolError, Timer, WebSocket, call_every, call_later, run_in_thread


def test_nothing_to_do_returns_at_once() -> None:
    perfectws.run(lambda nursery: None)


def test_it_returns_when_the_connections_are_closed(server_port: int) -> None:
    got: list[str] = []

    def setup(nursery: trio.Nursery) -> None:
        def upgraded(ws: WebSocket) -> None:
            ws.on_text(received)
            ws.send("hello")

        WebSocket.connect(to=f"ws://127.0.0.1:{server_port}/echo", on_upgrade=upgraded)
        WebSocket.connect(to=f"ws://127.0.0.1:{server_port}/echo", on=nursery, on_upgrade=upgraded)

    def received(ws: WebSocket, text: str) -> None:
        got.append(text)
        ws.close()

    perfectws.run(setup)
    assert got == ["hello", "hello"]


def test_it_returns_when_timers_threads_tasks_and_async_callbacks_are_done() -> None:
    done: list[str] = []

    async def task() -> None:
        await trio.sleep(0.02)
        done.append("task")
        call_later(0.01, lambda: done.append("timer of the task"))

    async def callback() -> None:
        await trio.sleep(0.02)
        done.append("async callback")

    def setup(nursery: trio.Nursery) -> None:
        nursery.start_soon(task)
        call_later(0.01, callback)
        call_later(0.03, lambda: nursery.start_soon(last))
        run_in_thread(lambda: time.sleep(0.01), lambda _: done.append("thread"))

    async def last() -> None:
        await trio.sleep(0.02)
        done.append("last task")

    perfectws.run(setup)
    assert sorted(done) == sorted(["task", "timer of the task", "async callback", "thread", "last task"])


def test_setup_may_be_async(server_port: int) -> None:
    got: list[Any] = []

    async def setup(nursery: trio.Nursery) -> None:
        ws = await WebSocket.connect(to=f"ws://127.0.0.1:{server_port}/echo")
        await ws.send("hello")
        got.append((await ws.read_string_message()).data)
        await ws.close()

    perfectws.run(setup)
    assert got == ["hello"]


def test_an_error_in_setup_comes_out_alone_and_ends_everything(server_port: int) -> None:
    sockets: list[WebSocket] = []

    async def setup(nursery: trio.Nursery) -> None:
        sockets.append(await WebSocket.connect(to=f"ws://127.0.0.1:{server_port}/silent"))
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        perfectws.run(setup)
    assert (sockets[0].is_closed, sockets[0].close_code) == (True, 1001)


def test_an_error_in_a_task_comes_out_alone() -> None:
    async def task() -> None:
        raise KeyError("mine")

    def setup(nursery: trio.Nursery) -> None:
        call_every(1000, lambda: None)
        nursery.start_soon(task)

    with pytest.raises(KeyError, match="mine"):
        perfectws.run(setup)


def test_wait_inside_raises_instead_of_hanging(server_port: int) -> None:
    def setup(nursery: trio.Nursery) -> None:
        WebSocket.connect(to=f"ws://127.0.0.1:{server_port}/echo").wait()

    with pytest.raises(LocalProtocolError, match="would hang"):
        perfectws.run(setup)


def test_a_reconnecting_client_in_one_line(server_port: int) -> None:
    sockets: list[WebSocket] = []

    def upgraded(ws: WebSocket) -> None:
        sockets.append(ws)
        if len(sockets) == 4:
            ws.close()

    def setup(nursery: trio.Nursery) -> None:
        url = f"ws://127.0.0.1:{server_port}/drop"
        WebSocket.connect(to=url, reconnect=Backoff(first=0.001), on_upgrade=upgraded)

    perfectws.run(setup)
    assert len(sockets) == 4


def test_a_timer_cancelled_by_a_callback_lets_it_return() -> None:
    def setup(nursery: trio.Nursery) -> None:
        timer: Timer = call_every(1000, lambda: None)
        call_later(0.01, timer.cancel)

    perfectws.run(setup)


def test_a_hundred_runs_leave_nothing_behind() -> None:
    perfectws.run(lambda nursery: None)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(100):
        perfectws.run(lambda nursery: None)
    assert len(os.listdir("/proc/self/fd")) == before


async def test_inside_a_trio_program_it_raises() -> None:
    with pytest.raises(LocalProtocolError, match="begin the same here, with on= a nursery"):
        perfectws.run(lambda nursery: None)


def test_inside_a_callback_it_raises() -> None:
    raised: list[LocalProtocolError] = []

    def run_again() -> None:
        try:
            perfectws.run(lambda nursery: None)
        except LocalProtocolError as error:
            raised.append(error)

    perfectws.run(lambda nursery: call_later(0, run_again))
    assert len(raised) == 1


@pytest.mark.parametrize("setup", [5, lambda: None, lambda nursery, more: None])
def test_a_setup_that_cannot_be_called_is_refused(setup: Any) -> None:
    with pytest.raises(TypeError, match=r"the setup of run is a callable that takes \(nursery\)"):
        perfectws.run(setup)
