"""What a server does from its first moment, and what is begun on it before it runs."""

from __future__ import annotations

import gc
import socket
import threading
from collections.abc import Callable

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from perfectws import (
    EventLoop,
    HTTPServer,
    LaunchContext,
    LaunchFailure,
    LocalProtocolError,
    PerfectWSError,
    Room,
    Routes,
    SerialQueue,
    WebSocket,
    call_every,
    call_later,
    run_in_thread,
)
from perfectws.callbacks import CallbackLoop
from perfectws.net.loop import open_loop
from perfectws.server.starting import Starting

PATIENCE = 30


def make_server(routes: Routes | None = None) -> HTTPServer:
    server = HTTPServer()
    server.server_address = "127.0.0.1"
    server.add_routes(routes or Routes())
    return server


def launch(server: HTTPServer) -> LaunchContext:
    (context,) = HTTPServer.launch(server, wait=False)
    return context


def end(context: LaunchContext) -> None:
    assert context.terminate().wait(PATIENCE)


def test_a_ticker_begins_with_the_server() -> None:
    room, routes = Room(), Routes()
    routes.web_socket("/ticks", lambda request, ws: room.join(ws))
    server = make_server(routes)

    @server.on_start
    def started() -> None:
        call_every(0.01, lambda: room.send_string_message("tick"))

    context = launch(server)
    with EventLoop() as event_loop:
        heard = event_loop.make_promise()
        url = f"ws://127.0.0.1:{context.port}/ticks"
        WebSocket.connect(url, on=event_loop, on_upgrade=lambda ws: ws.on_text(lambda ws, text: heard.succeed(text)))
        assert heard.future_result.wait(PATIENCE) == "tick"
    end(context)


def test_on_start_runs_each_callback_in_order_at_each_start(caplog: pytest.LogCaptureFixture) -> None:
    calls: list[str] = []
    server = make_server()
    server.on_start(lambda: calls.append(f"first on {server.server_port > 0}"))
    server.on_start(lambda: 1 // 0)

    @server.on_start
    async def last() -> None:
        await trio.lowlevel.checkpoint()
        calls.append("last")
        done.set()

    for _ in range(2):
        done = threading.Event()
        context = launch(server)
        assert done.wait(PATIENCE)
        end(context)
    assert calls == ["first on True", "last"] * 2
    assert caplog.text.count("ZeroDivisionError: ") == 2


def test_timers_and_threads_that_are_begun_on_a_server_wait_for_it() -> None:
    server = make_server()
    calls: list[str] = []
    ticked = threading.Event()
    timer = call_every(0.001, ticked.set, on=server)
    cancelled = call_later(0, lambda: calls.append("cancelled"), on=server)
    cancelled.cancel()
    queue = SerialQueue("jobs", on=server)
    futures = [
        run_in_thread(lambda: calls.append("1"), on=server),
        queue.dispatch(lambda: calls.append("2")),
        queue.dispatch(lambda: calls.append("3")),
    ]
    assert not ticked.wait(0.05)
    assert not any(future.is_done for future in futures)
    context = launch(server)
    for future in futures:
        future.wait(PATIENCE)
    assert ticked.wait(PATIENCE)
    timer.cancel()
    later = threading.Event()
    call_later(0, later.set, on=context)
    assert later.wait(PATIENCE)
    assert run_in_thread(lambda: "beside", on=context).wait(PATIENCE) == "beside"
    assert sorted(calls) == ["1", "2", "3"]
    assert calls.index("2") < calls.index("3")
    end(context)


def test_a_server_that_has_stopped_refuses_what_it_might_never_do_until_it_runs_again() -> None:
    server = make_server()
    end(launch(server))
    for begin in begins(server):
        with pytest.raises(LocalProtocolError, match=r"this server has stopped.*on_start"):
            begin()
    again = launch(server)
    assert run_in_thread(lambda: "again", on=server).wait(PATIENCE) == "again"
    end(again)


def test_a_context_is_over_with_its_run_and_has_no_part_in_the_next() -> None:
    server = make_server()
    context = launch(server)
    end(context)
    again = launch(server)
    for begin in begins(context):
        with pytest.raises(LocalProtocolError, match="this launch of server '' is over"):
            begin()
    assert run_in_thread(lambda: "again", on=again).wait(PATIENCE) == "again"
    end(again)


def begins(on: HTTPServer | LaunchContext) -> list[Callable[[], object]]:
    """Return what begins something on a server or its context."""
    return [
        lambda: run_in_thread(print, on=on),
        lambda: SerialQueue(on=on).dispatch(print),
        lambda: call_later(0, print, on=on),
        lambda: call_every(1, print, on=on),
        lambda: WebSocket.connect("ws://127.0.0.1:1/", on=on),
    ]


def test_what_a_queue_was_given_is_answered_though_the_server_stops_before_its_turn() -> None:
    server = make_server()
    context = launch(server)
    queue, begun, release, ran = SerialQueue("jobs", on=context), threading.Event(), threading.Event(), []

    def block() -> None:
        begun.set()
        release.wait(PATIENCE)

    blocked = queue.dispatch(block)
    assert begun.wait(PATIENCE)
    waiting = [queue.dispatch(lambda: ran.append(1)) for _ in range(1000)]
    end(context)
    release.set()
    for future in [blocked, *waiting]:
        with pytest.raises(PerfectWSError, match="ended before"):
            future.wait(PATIENCE)
    assert ran == []
    assert repr(queue) == "<SerialQueue 'jobs', 0 waiting>"


def test_what_a_queue_was_given_before_the_start_is_answered_though_the_server_stops_before_its_turn() -> None:
    server = make_server()
    queue, begun, release = SerialQueue("jobs", on=server), threading.Event(), threading.Event()

    def block() -> None:
        begun.set()
        release.wait(PATIENCE)

    blocked, waiting = queue.dispatch(block), queue.dispatch(lambda: "waiting")
    context = launch(server)
    assert begun.wait(PATIENCE)
    end(context)
    release.set()
    for future in (blocked, waiting):
        with pytest.raises(PerfectWSError, match=r"ended before|has stopped"):
            future.wait(PATIENCE)


def test_an_error_in_a_queue_that_nobody_asks_for_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with EventLoop() as event_loop:
        queue = SerialQueue("jobs", on=event_loop)
        queue.dispatch(lambda: 1 // 0)
        queue.dispatch(lambda: None).wait(PATIENCE)
    gc.collect()
    assert "nobody asked for its result" in caplog.text


def test_what_waits_for_a_server_that_cannot_listen_waits_on() -> None:
    server = make_server()
    future = run_in_thread(lambda: "at last", on=server)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server.server_port = taken.getsockname()[1]
        with pytest.raises(LaunchFailure):
            launch(server)
    assert not future.is_done
    context = launch(server)
    assert future.wait(PATIENCE) == "at last"
    end(context)


class TestStarting:
    """What has the three states."""

    def test_what_waits_is_given_up_by_an_end_without_a_beginning(self) -> None:
        starting, given_up = Starting(), list[Exception]()
        starting.call_when_running(lambda loop: pytest.fail("it never ran"), given_up.append)
        assert starting.known_loop is None
        starting.end()
        assert [type(error) for error in given_up] == [LocalProtocolError]
        starting.end()
        assert len(given_up) == 1

    async def test_between_two_runs_nothing_waits(self) -> None:
        starting, begun = Starting(), list[CallbackLoop]()
        async with open_loop() as loop:
            for _ in range(2):
                starting.begin(loop)
                starting.call_when_running(begun.append, lambda error: pytest.fail("it runs"))
                assert starting.loop is starting.known_loop is loop
                starting.end()
                with pytest.raises(LocalProtocolError, match="has stopped"):
                    starting.call_when_running(begun.append, lambda error: None)
                for name in ("loop", "known_loop"):
                    with pytest.raises(LocalProtocolError, match="has stopped"):
                        getattr(starting, name)
        assert begun == [loop, loop]


def test_a_client_can_be_opened_on_a_server_that_runs() -> None:
    routes = Routes()
    routes.web_socket("/echo", lambda request, ws: ws.on_text(lambda ws, text: ws.send(text)))
    server = make_server(routes)
    with pytest.raises(LocalProtocolError, match="on_start"):
        WebSocket.connect("ws://127.0.0.1:1/echo", on=server)
    context = launch(server)
    socket = WebSocket.connect(f"ws://127.0.0.1:{context.port}/echo", on=context).wait(PATIENCE)
    socket.close().wait(PATIENCE)
    end(context)


async def test_serve_starts_too(nursery: trio.Nursery) -> None:
    server, calls = make_server(), []
    server.on_start(lambda: calls.append(1))
    await nursery.start(server.serve)
    await wait_all_tasks_blocked(0.01)
    assert calls == [1]
    server.stop()


def test_what_takes_arguments_is_refused() -> None:
    with pytest.raises(TypeError, match="on_start is a callable without arguments"):
        make_server().on_start(lambda server: None)  # type: ignore[type-var]  # on purpose


def test_a_context_is_a_context_manager_that_stops_its_server() -> None:
    routes = Routes()
    routes.get("/", lambda request, response: response.completed())
    with HTTPServer.launch(name="test", address="127.0.0.1", port=0, routes=routes, wait=False) as context:
        assert not context.terminated
        port = context.port
    assert context.terminated
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 1)
    with pytest.raises(ZeroDivisionError), launch(make_server()) as failing:
        raise ZeroDivisionError
    assert failing.terminated
