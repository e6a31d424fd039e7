"""The clock of a test: it stands still, moves as it is told, and what is due comes in its order."""

from __future__ import annotations

import itertools
import math
import threading
import time

import pytest
import trio

from perfectws import (
    ConnectionRejected,
    HTTPRequest,
    HTTPResponse,
    LocalProtocolError,
    Routes,
    WebSocket,
    call_every,
    call_later,
    run_in_thread,
)
from perfectws.testing import TestServer, open_test_server


def test_time_stands_still_until_it_is_moved() -> None:
    with TestServer(Routes()) as server:
        began = server.time
        time.sleep(0.01)
        assert server.time == began
        server.advance(20)
        assert server.time == began + 20
        server.advance(0.1)
        server.advance(0)
        assert server.time == pytest.approx(began + 20.1)
        for seconds in (-1, math.inf, math.nan, "1"):
            with pytest.raises(ValueError, match=f"seconds is a number of seconds, not {seconds!r}"):
                server.advance(seconds)  # type: ignore[arg-type]


def test_what_is_due_at_the_end_of_many_small_steps_is_due() -> None:
    called: list[float] = []
    with TestServer(Routes()) as server:
        call_later(1, lambda: called.append(server.time), on=server.http_server)
        server.settle()
        for _ in range(10):
            server.advance(0.1)  # which is no whole second, as floats are added
        assert len(called) == 1


def test_time_that_keeps_a_server_busy_for_too_long_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perfectws.testing.async_server.ADVANCE_TIMEOUT", 0.05)
    monkeypatch.setattr("perfectws.testing.server.ADVANCE_TIMEOUT", 0.05)
    with TestServer(Routes()) as server:
        call_every(0.001, lambda: None, on=server.http_server)
        with pytest.raises(TimeoutError, match=r"1e\+06 seconds of the server did not pass within 0\.05 seconds"):
            server.advance(1_000_000)


def test_what_is_due_comes_in_its_order_at_its_own_time() -> None:
    called: list[tuple[str, float]] = []
    routes = Routes()

    @routes.get("/")
    def start(request: HTTPRequest, response: HTTPResponse) -> None:
        call_later(7, lambda: called.append(("later", server.time)))
        timer = call_every(2, lambda: called.append(("every", server.time)))
        call_later(5, timer.cancel)
        call_later(3, lambda: call_later(1.5, lambda: called.append(("nested", server.time))))
        response.completed()

    with TestServer(routes) as server:
        server.get("/")
        began = server.time
        server.advance(6.999)
        passed = [(name, round(when - began, 6)) for name, when in called]
        assert passed == [("every", 2), ("every", 4), ("nested", 4.5)]
        server.advance(0.001)
        assert [name for name, _ in called[3:]] == ["later"]


def test_a_session_that_waits_for_its_frame_times_out() -> None:
    routes = Routes()

    @routes.web_socket("/")
    async def opened(request: HTTPRequest, socket: WebSocket) -> None:
        socket.read_timeout_seconds = 10
        try:
            await socket.receive()
        except TimeoutError:
            socket.send("too late")

    with TestServer(routes) as server:
        ws = server.connect()
        server.advance(9)
        assert ws.receive_nothing()
        server.advance(1)
        assert ws.receive() == "too late"


def test_tasks_sleep_on_the_same_clock() -> None:
    routes = Routes()

    @routes.get("/")
    async def sleepy(request: HTTPRequest, response: HTTPResponse) -> None:
        call_later(1, lambda: order.append("timer"))
        await trio.sleep(3600)
        order.append("task")
        response.set_body("good morning").completed()

    order: list[str] = []
    with TestServer(routes) as server:
        answers: list[str] = []
        asking = threading.Thread(target=lambda: answers.append(server.get("/").text))
        asking.start()
        while server.http_server.figures.requests == 0:
            time.sleep(0.001)
        server.settle()
        server.advance(3600)
        asking.join(10)
    assert (answers, order) == (["good morning"], ["timer", "task"])


def test_keepalive_pings_as_time_passes() -> None:
    pings: list[float] = []
    routes = Routes()
    routes.web_socket("/", lambda request, socket: None, ping_interval=5)
    with TestServer(routes) as server:
        ws = server.connect()
        ws.socket.on_ping(lambda socket, data: pings.append(server.time))
        server.advance(16)
    assert [round(when) % 5 for when in pings] == [0, 0, 0]


def test_what_an_hour_has_pushed_is_received_after_it() -> None:
    routes = Routes()

    @routes.web_socket("/clock")
    def clock(request: HTTPRequest, socket: WebSocket) -> None:
        numbers = itertools.count(1)
        socket.call_every(1, lambda: socket.send(str(next(numbers))))

    with TestServer(routes) as server:
        ws, other = server.connect("/clock"), server.connect("/clock")
        server.advance(3600)
        assert not ws.receive_nothing()
        assert [ws.receive() for _ in range(3600)] == [str(number) for number in range(1, 3601)]
        assert ws.receive_nothing()
        server.advance(1)
        assert ws.receive() == "3601"
        server.stop()
        assert [other.receive() for _ in range(3601)][-1] == "3601"
        assert other.receive_close() == 1001


def test_a_client_that_hangs_is_given_up_whatever_it_is_sent() -> None:
    routes = Routes()

    @routes.web_socket("/clock")
    def clock(request: HTTPRequest, socket: WebSocket) -> None:
        socket.call_every(1, lambda: socket.send("x"))

    with TestServer(routes) as server:
        server.connect("/clock").go_silent()
        server.advance(120)
        assert server.http_server.figures.web_sockets == 0


def test_handlers_that_a_test_has_set_are_left_what_is_theirs() -> None:
    routes = Routes()

    @routes.web_socket("/clock")
    def clock(request: HTTPRequest, socket: WebSocket) -> None:
        socket.call_every(1, lambda: socket.send("x"))

    with TestServer(routes) as server:
        heard: list[str] = []
        server.connect("/clock").socket.on_text(lambda socket, text: heard.append(text))
        server.advance(100)
        assert len(heard) == 100


def test_threads_are_waited_for() -> None:
    done: list[str] = []
    routes = Routes()

    @routes.get("/")
    def start(request: HTTPRequest, response: HTTPResponse) -> None:
        run_in_thread(lambda: time.sleep(0.05), lambda _: done.append("thread"))
        response.completed()

    with TestServer(routes) as server:
        server.get("/")
        server.settle()
        assert done == ["thread"]


def test_a_thread_that_waits_for_ever_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perfectws.testing.virtual_time.THREAD_PATIENCE", 0.02)
    released = threading.Event()
    routes = Routes()

    @routes.get("/")
    def start(request: HTTPRequest, response: HTTPResponse) -> None:
        run_in_thread(lambda: released.wait(30))
        response.completed()

    with TestServer(routes) as server:
        server.get("/")
        server.settle()
        assert not released.is_set()
        released.set()


def test_callbacks_without_an_end_are_told() -> None:
    routes = Routes()

    @routes.get("/")
    def start(request: HTTPRequest, response: HTTPResponse) -> None:
        def again() -> None:
            if not is_over.is_set():
                call_later(0, again)

        is_over = over
        again()
        response.completed()

    over = threading.Event()
    with TestServer(routes, timeout=0.1) as server:
        server.get("/")
        with pytest.raises(TimeoutError, match=r"the server did not come to rest within 0\.1 seconds"):
            server.settle()
        over.set()


def test_a_callback_that_blocks_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perfectws.testing.loop_thread.BLOCKED_TIMEOUT", 0.02)
    released = threading.Event()
    routes = Routes()

    @routes.get("/")
    def block(request: HTTPRequest, response: HTTPResponse) -> None:
        released.wait(30)
        response.completed()

    with TestServer(routes, timeout=0.02) as server:
        with pytest.raises(TimeoutError, match="the server's thread does not answer: a callback blocks it"):
            server.get("/")
        released.set()
        monkeypatch.undo()


def test_a_hint_says_when_the_next_timer_is_due(routes: Routes) -> None:
    with TestServer(routes) as server, server.connect("/echo", ping_interval=None) as ws:
        ws.send("hush")
        with pytest.raises(TimeoutError, match=r"server\.advance\((\d+)\) lets its next timer be due"):
            ws.receive(timeout=0.01)


def test_an_opening_that_is_never_answered_is_given_up_in_real_time() -> None:
    never = trio.Event()
    routes = Routes()

    async def should_upgrade(request: HTTPRequest) -> None:
        await never.wait()

    routes.web_socket("/", lambda request, socket: None, should_upgrade=should_upgrade)
    told = r"/ was not opened: the server did not answer within 0\.02 seconds"
    with TestServer(routes) as server, pytest.raises(TimeoutError, match=told):
        server.connect("/", timeout=0.02)


async def test_a_task_moves_its_own_clock(mock_clock: trio.testing.MockClock, routes: Routes) -> None:
    async with open_test_server(routes) as server:
        ws = await server.connect("/echo")
        await ws.send("later")
        assert await ws.receive_nothing()
        await server.advance(30)
        assert await ws.receive() == "at last"
        assert server.time == trio.current_time()


async def test_a_clock_that_jumps_lets_time_pass_by_itself(
    autojump_clock: trio.testing.MockClock, routes: Routes
) -> None:
    async with open_test_server(routes, timeout=31) as server:
        ws = await server.connect("/echo")
        await ws.send("later")
        began = trio.current_time()
        assert await ws.receive() == "at last"
        assert trio.current_time() - began == pytest.approx(30)
        with pytest.raises(TimeoutError, match=r"nothing was received within 31 seconds$"):
            await ws.receive()


async def test_a_real_clock_cannot_be_moved(routes: Routes) -> None:
    async with open_test_server(routes) as server:
        with pytest.raises(LocalProtocolError, match="mock_clock and autojump_clock"):
            await server.advance(1)
        with pytest.raises(ConnectionRejected):
            await server.connect("/refuse")


def test_a_task_that_takes_its_time_at_the_end_has_it() -> None:
    told: list[str] = []
    routes = Routes()

    @routes.web_socket("/")
    async def opened(request: HTTPRequest, socket: WebSocket) -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(60)
            told.append("goodbye")

    with TestServer(routes) as server:
        server.connect()
        server.settle()
    assert told == ["goodbye"]


async def test_clients_that_hang_do_not_hold_up_the_end_on_a_real_clock(routes: Routes) -> None:
    routes.get("/never", lambda request, response: kept.append(response))
    kept: list[HTTPResponse] = []
    with trio.fail_after(5):
        async with open_test_server(routes) as server:
            ws = await server.connect("/echo")
            await ws.go_silent()
            with pytest.raises(TimeoutError):
                await server.get("/never", timeout=0.01)
    assert not ws.is_connected


def test_a_client_pings_only_if_it_is_asked_to() -> None:
    pings: list[float] = []
    routes = Routes()

    @routes.web_socket("/")
    def opened(request: HTTPRequest, socket: WebSocket) -> None:
        socket.on_ping(lambda socket, data: pings.append(server.time))

    with TestServer(routes) as server:
        server.connect()
        server.advance(100)
        assert pings == []
        server.connect(ping_interval=30)
        server.advance(100)
        assert len(pings) == 3
