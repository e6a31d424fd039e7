"""What callbacks raise: a test of a handler that fails does not pass."""

from __future__ import annotations

import pytest
import trio

from perfectws import ConnectionClosed, ConnectionRejected, HTTPRequest, HTTPResponse, Routes, WebSocket, call_later
from perfectws.testing import TestServer, open_test_server


def let_a_callback_fail(server: TestServer) -> None:
    ws = server.connect("/echo")
    ws.send("boom")
    assert ws.receive_close() == 1011


def test_an_error_of_a_callback_is_raised_at_the_end(routes: Routes) -> None:
    with pytest.raises(ValueError, match="boom"), TestServer(routes) as server:
        let_a_callback_fail(server)


def test_the_end_of_its_connection_names_it(routes: Routes) -> None:
    with TestServer(routes) as server:
        ws = server.connect("/echo")
        ws.send("boom")
        with pytest.raises(ConnectionClosed) as closed:
            ws.receive()
        assert closed.value.code == 1011
        assert str(closed.value.__cause__) == "boom"
        server.errors.clear()


def test_a_test_that_fails_of_it_already_is_told_once(routes: Routes) -> None:
    def expect_a_message(server: TestServer) -> None:
        ws = server.connect("/echo")
        ws.send("boom")
        ws.receive()

    with pytest.raises(ConnectionClosed) as closed, TestServer(routes) as server:
        expect_a_message(server)
    assert not hasattr(closed.value, "__notes__")


def test_a_test_that_fails_of_something_else_is_told_too(routes: Routes) -> None:
    def fail(server: TestServer) -> None:
        let_a_callback_fail(server)
        raise AssertionError("something else")

    with pytest.raises(AssertionError) as failed, TestServer(routes) as server:
        fail(server)
    (note,) = failed.value.__notes__
    assert note.startswith("A callback of the server had raised:\nTraceback")
    assert note.endswith("ValueError: boom\n")


def test_several_errors_are_a_group(routes: Routes) -> None:
    def fail_twice(server: TestServer) -> None:
        let_a_callback_fail(server)
        let_a_callback_fail(server)

    with pytest.raises(ExceptionGroup, match="callbacks of the server raised") as group, TestServer(routes) as server:
        fail_twice(server)
    assert [str(error) for error in group.value.exceptions] == ["boom", "boom"]


def test_errors_may_be_let_pass(routes: Routes) -> None:
    with TestServer(routes, raise_errors=False) as server:
        ws = server.connect("/echo")
        ws.send("boom")
        assert ws.receive_close() == 1011
    assert [str(error) for error in server.errors] == ["boom"]


def test_errors_of_requests_timers_and_tasks_count_too() -> None:
    routes = Routes()

    @routes.get("/")
    def request(request: HTTPRequest, response: HTTPResponse) -> None:
        raise ValueError("request")

    @routes.get("/timer")
    def timer(request: HTTPRequest, response: HTTPResponse) -> None:
        def fail() -> None:
            raise ValueError("timer")

        call_later(60, fail)
        response.completed()

    @routes.get("/task")
    async def task(request: HTTPRequest, response: HTTPResponse) -> None:
        raise ValueError("task")

    with TestServer(routes, raise_errors=False) as server:
        assert server.get("/").status == 500
        assert server.get("/task").status == 500
        assert server.get("/timer").status == 200
        server.advance(60)
        assert [str(error) for error in server.errors] == ["request", "task", "timer"]


def test_an_error_while_the_server_stops_is_raised() -> None:
    routes = Routes()

    @routes.web_socket("/")
    def opened(request: HTTPRequest, socket: WebSocket) -> None:
        def closed(_: object) -> None:
            raise ValueError("at the end")

        socket.on_close.when_complete(closed)

    with pytest.raises(ValueError, match="at the end"), TestServer(routes) as server:
        server.connect()


def test_a_session_that_ends_with_its_connection_has_not_failed() -> None:
    routes = Routes()

    @routes.web_socket("/")
    async def opened(request: HTTPRequest, socket: WebSocket) -> None:
        await socket.receive()

    with TestServer(routes) as server:
        server.connect().close(4000)


async def test_a_task_is_told_as_a_thread_is(routes: Routes) -> None:
    async def fail() -> None:
        async with open_test_server(routes) as server:
            ws = await server.connect("/echo")
            await ws.send("boom")
            assert await ws.receive_close() == 1011

    with pytest.raises(ValueError, match="boom"):
        await fail()
    async with open_test_server(routes, raise_errors=False) as server:
        ws = await server.connect("/echo")
        await ws.send("boom")
        await server.settle()
    assert [str(error) for error in server.errors] == ["boom"]


async def test_what_fails_in_the_block_of_a_task_is_no_group(routes: Routes) -> None:
    async def fail() -> None:
        async with open_test_server(routes) as server:
            ws = await server.connect("/echo")
            await ws.send("boom")
            await server.settle()
            raise KeyError("mine")

    with pytest.raises(KeyError) as failed:
        await fail()
    assert "ValueError: boom" in failed.value.__notes__[0]


def test_a_refusal_and_a_broken_answer_name_it_too() -> None:
    routes = Routes()

    def should_upgrade(request: HTTPRequest) -> None:
        raise ValueError("undecided")

    routes.web_socket("/", lambda request, socket: None, should_upgrade=should_upgrade)
    with TestServer(routes, raise_errors=False) as server:
        with pytest.raises(ConnectionRejected) as refused:
            server.connect("/")
        assert str(refused.value.__cause__) == "undecided"
        with pytest.raises(ConnectionRejected) as unknown:
            server.connect("/nowhere")
        assert unknown.value.__cause__ is None


async def test_a_group_of_the_tests_own_stays_one(routes: Routes) -> None:
    async def fail() -> None:
        async with open_test_server(routes):
            raise ExceptionGroup("mine", [KeyError("a")])

    with pytest.raises(ExceptionGroup, match="mine"):
        await fail()


async def test_a_test_that_is_cancelled_ends(autojump_clock: trio.testing.MockClock, routes: Routes) -> None:
    with trio.move_on_after(1) as scope:
        async with open_test_server(routes) as server:
            await server.connect("/echo")
            await trio.sleep(10)
    assert scope.cancelled_caught
    assert server.http_server.stop_request is None
