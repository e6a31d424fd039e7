"""A `connect` that nobody can get the result of is given up; what has opened is closed. Without the collector."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trio

from perfectws import ConnectionClosed, EventLoop, HTTPClient, Promise, WebSocket

from ..calls import Calls
from ..conftest import PATIENCE
from .raw_server import RawServer


@pytest.fixture(autouse=True)
def without_the_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


def by_connect(server: RawServer, nursery: trio.Nursery) -> Any:
    return WebSocket.connect(to=server.url, on=nursery)


def by_http_client(server: RawServer, nursery: trio.Nursery) -> Any:
    return HTTPClient.web_socket("127.0.0.1", server.port, on=nursery)


@pytest.mark.parametrize("connect", [by_connect, by_http_client])
async def test_a_cancelled_await_gives_the_attempt_up(
    connect: Callable[[RawServer, trio.Nursery], Any], transport: str, raw_server: RawServer
) -> None:
    async def give_up_when_asked() -> None:
        connection = await raw_server.accept()
        await connection.read_request()
        scope.cancel()
        await connection.receive_eof()
        ended.set()

    ended = trio.Event()
    async with trio.open_nursery() as server, trio.open_nursery() as nursery:
        with trio.CancelScope() as scope:
            server.start_soon(give_up_when_asked)
            await connect(raw_server, nursery)
        assert scope.cancelled_caught
    # The nursery has ended: nothing is left in it.
    assert ended.is_set()


async def test_it_does_so_though_other_tasks_of_the_nursery_take_their_time(
    transport: str, raw_server: RawServer
) -> None:
    """A nursery keeps each task's `Cancelled`, with its traceback, until all of its tasks have ended."""

    async def connect() -> None:
        await WebSocket.connect(to=raw_server.url, on=clients, open_timeout=3600)

    async def wait_for_the_end() -> None:
        connection = await raw_server.accept()
        await connection.read_request()
        tasks.cancel_scope.cancel()
        with trio.CancelScope(shield=True), trio.fail_after(PATIENCE):
            await connection.receive_eof()

    async with trio.open_nursery() as clients, trio.open_nursery() as tasks:
        tasks.start_soon(connect)
        tasks.start_soon(wait_for_the_end)


async def test_a_cancelled_await_closes_what_has_opened_meanwhile(transport: str, raw_server: RawServer) -> None:
    async def open_it() -> None:
        connection = await raw_server.accept()
        await connection.upgrade()
        frames.append(await connection.receive_close())
        await connection.stream.aclose()

    frames: list[Any] = []
    async with trio.open_nursery() as server, trio.open_nursery() as nursery:
        server.start_soon(open_it)
        future = WebSocket.connect(to=raw_server.url, on=nursery)
        while not future.is_done:
            await trio.sleep(0.001)
        with trio.CancelScope() as scope:
            scope.cancel()
            await future
        assert scope.cancelled_caught
        assert frames == []
        del future
    assert [frame.close_code for frame in frames] == [1000]


async def test_a_future_that_is_held_outlives_a_cancelled_await(transport: str, raw_server: RawServer) -> None:
    async with trio.open_nursery() as nursery:
        future = WebSocket.connect(to=raw_server.url, on=nursery)
        connection = await raw_server.accept()
        with trio.move_on_after(0):
            await future
        await connection.upgrade()
        socket = await future
        del future
        await connection.send(1, "for you")
        assert (await socket.read_string_message()).data == "for you"
        await connection.close_handshake()
        with pytest.raises(ConnectionClosed):
            await socket.read_string_message()


async def test_a_future_that_was_never_held_is_given_up(transport: str, raw_server: RawServer) -> None:
    async with trio.open_nursery() as nursery:
        WebSocket.connect(to=raw_server.url, on=nursery)


@pytest.mark.parametrize("register", ["when_complete", "when_success", "map", "cascade", "on_upgrade"])
async def test_who_has_given_a_callback_need_not_hold_the_future(
    register: str, transport: str, raw_server: RawServer
) -> None:
    called = Calls()
    async with trio.open_nursery() as nursery:
        promise: Promise[WebSocket] = Promise()
        if register == "on_upgrade":
            WebSocket.connect(to=raw_server.url, on=nursery, on_upgrade=called)
        elif register == "cascade":
            promise.future_result.when_complete(called)
            WebSocket.connect(to=raw_server.url, on=nursery).cascade(promise)
        else:
            getattr(WebSocket.connect(to=raw_server.url, on=nursery), register)(called)
        connection = await raw_server.accept()
        await connection.upgrade()
        await called.until(1)
        assert (await connection.close_handshake()).close_code == 1000  # the answer: it was open until now
    assert len(called.got) == 1


async def test_a_wait_that_has_timed_out_gives_the_attempt_up(raw_server: RawServer) -> None:
    with EventLoop() as event_loop:

        def wait() -> None:
            with pytest.raises(TimeoutError):
                WebSocket.connect(to=raw_server.url, on=event_loop).wait(0.1)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, wait)
            connection = await raw_server.accept()
            await connection.read_request()
            await connection.receive_eof()
        while event_loop.loop.transports:
            await trio.sleep(0.001)


async def test_what_has_opened_before_anybody_asked_is_closed(raw_server: RawServer) -> None:
    with EventLoop() as event_loop:
        future = WebSocket.connect(to=raw_server.url, on=event_loop)
        connection = await raw_server.accept()
        await connection.upgrade()
        while not future.is_done:
            await trio.sleep(0.001)
        del future
        assert (await connection.receive_close()).close_code == 1000
        await connection.stream.aclose()


async def test_a_future_that_goes_after_its_loop_asks_for_nothing(raw_server: RawServer) -> None:
    with EventLoop() as event_loop:
        future = WebSocket.connect(to=raw_server.url, on=event_loop)
        await raw_server.accept()
    assert future.is_done
    future.when_failure(lambda error: None)
    del future
