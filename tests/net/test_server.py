"""`HTTPServer` inside a trio program: how it starts, how it stops, and what becomes of what is pending."""

from __future__ import annotations

import socket as sockets
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio

from perfectws import (
    ConnectionClosed,
    HTTPRequest,
    HTTPServer,
    LaunchFailure,
    LocalProtocolError,
    Promise,
    Routes,
    WebSocket,
)
from perfectws import WebSocketHandler as Upgrade
from perfectws.transport import HIGH_WATER

from ..calls import NOTHING, Calls, quiet
from ..conftest import PATIENCE, Handler, Session
from ..peer import Peer


def serving(session: Session) -> HTTPServer:
    """Make a server that gives every WebSocket to ``session``."""
    routes = Routes()
    routes.add("GET", "/", Upgrade(lambda *_: Handler(session)))
    server = HTTPServer()
    server.server_name = "test"
    server.server_address = "127.0.0.1"
    server.close_timeout = 5
    server.add_routes(routes)
    return server


async def connected(port: int) -> Peer:
    peer = Peer(await trio.open_tcp_stream("127.0.0.1", port))
    await peer.handshake()
    return peer


@pytest.fixture
async def nursery() -> AsyncIterator[trio.Nursery]:
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            yield nursery


async def test_start_gives_the_port_and_connections_are_accepted(nursery: trio.Nursery) -> None:
    server = serving(Calls())
    port = await nursery.start(server.serve)
    assert port == server.server_port > 0
    peer = await connected(port)
    assert peer.status == 101
    await peer.close_handshake()
    server.stop()


async def test_a_bound_server_lets_clients_connect_before_it_serves(nursery: trio.Nursery) -> None:
    server = serving(Calls())
    server.bind()
    server.bind()
    stream = await trio.open_tcp_stream("127.0.0.1", server.server_port)
    assert await nursery.start(server.serve) == server.server_port
    peer = Peer(stream)
    await peer.handshake()
    assert peer.status == 101
    await peer.vanish()
    server.stop()


async def test_a_port_in_use_is_a_launch_failure_that_names_it_and_the_server_may_try_again() -> None:
    with sockets.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = serving(Calls())
        server.server_port = port
        for _ in range(2):
            with pytest.raises(LaunchFailure, match=rf"'test'.*{port}"):
                await server.serve()
    server.server_port = 0
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve)
        server.stop()


async def test_an_address_that_is_none_is_a_launch_failure() -> None:
    server = serving(Calls())
    server.server_address = "256.256.256.256"
    with pytest.raises(LaunchFailure, match=r"256\.256"):
        await server.serve()


async def test_to_serve_twice_at_once_raises_and_the_first_goes_on(nursery: trio.Nursery) -> None:
    server = serving(Calls())
    port = await nursery.start(server.serve)
    with pytest.raises(LocalProtocolError, match="running"):
        await server.serve()
    peer = await connected(port)
    await peer.close_handshake()
    server.stop()


async def test_a_server_that_has_stopped_may_serve_again() -> None:
    server = serving(Calls())
    for _ in range(2):
        async with trio.open_nursery() as nursery:
            peer = await connected(await nursery.start(server.serve))
            await peer.close_handshake()
            server.stop()
            server.stop()
    server.stop()


async def test_stop_closes_listeners_first_sends_1001_and_ends_when_the_peers_have_answered(
    nursery: trio.Nursery,
) -> None:
    opened = Calls()
    server = serving(opened)
    port = await nursery.start(server.serve)
    peers = [await connected(port) for _ in range(5)]
    await opened.until(5)
    server.stop()
    for peer in peers:
        close = await peer.receive_close()
        assert (close.close_code, close.close_reason) == (1001, "")
        with pytest.raises(OSError, match="onnect"):
            await trio.open_tcp_stream("127.0.0.1", port)
        await peer.send_close(1001)
        await peer.receive_eof()
        await peer.vanish()


async def test_stop_ends_after_close_timeout_though_a_peer_never_answers() -> None:
    opened = Calls()
    server = serving(opened)
    server.close_timeout = 0.1
    async with trio.open_nursery() as nursery:
        peer = await connected(await nursery.start(server.serve))
        ((_, socket),) = await opened.until(1)
        read, closed = Calls(), Calls()
        socket.read_string_message(read)
        socket.on_close.when_complete(closed)
        server.stop()
    assert read.got == [NOTHING]
    assert len(closed.got) == 1
    assert socket.close_code == 1001
    assert (await peer.receive_close()).close_code == 1001
    await peer.vanish()


async def test_stop_may_be_called_from_a_callback_and_from_a_thread() -> None:
    servers: list[HTTPServer] = []

    def stop(*_: object) -> None:
        servers[-1].stop()

    async def stop_in_thread(*_: object) -> None:
        await trio.to_thread.run_sync(servers[-1].stop)

    for continuation in (stop, stop_in_thread):
        server = serving(lambda request, socket: socket.read_string_message(continuation))  # noqa: B023
        servers.append(server)
        async with trio.open_nursery() as nursery:
            peer = await connected(await nursery.start(server.serve))
            await peer.send_text("stop!")
            assert (await peer.receive_close()).close_code == 1001
            await peer.send_close(1001)
            await peer.receive_eof()
            await peer.vanish()


class Pending:
    """A connection with everything pending that can be."""

    def __init__(self) -> None:
        self.reads, self.completions, self.closed = Calls(), Calls(), Calls()
        self.promise = Promise[None]()

    async def begin(self, socket: WebSocket) -> None:
        socket.read_string_message(self.reads)
        socket.on_close.when_complete(self.closed)
        while socket.buffered_amount < HIGH_WATER:
            socket.send_binary_message(bytes(500_000))
            await quiet()
        for _ in range(3):
            socket.send_string_message("x", completion=self.completions)
        socket.send("x", self.promise)

    async def assert_settled_once(self) -> None:
        assert self.reads.got == [NOTHING]
        assert len(self.completions.got) == 3
        assert len(self.closed.got) == 1
        with pytest.raises(ConnectionClosed):
            await self.promise.future_result


@pytest.mark.parametrize("how", ["cancelled", "stopped", "failed"])
async def test_however_a_server_ends_everything_pending_is_settled_exactly_once(how: str) -> None:
    opened = Calls()
    server = serving(opened)
    server.close_timeout = 0.1
    pending: list[Pending] = []
    try:
        async with trio.open_nursery() as nursery:
            port = await nursery.start(server.serve)
            peers = [await connected(port) for _ in range(3)]
            for _, socket in await opened.until(3):
                pending.append(Pending())
                await pending[-1].begin(socket)
            match how:
                case "cancelled":
                    nursery.cancel_scope.cancel()
                case "stopped":
                    server.stop()
                case "failed":
                    raise ZeroDivisionError
    except* ZeroDivisionError:
        assert how == "failed"
    for each in pending:
        await each.assert_settled_once()
    for peer in peers:
        await peer.vanish()


async def test_on_close_is_told_at_the_end_though_frames_wait_that_nobody_reads() -> None:
    opened = Calls()
    server = serving(opened)
    server.close_timeout = 0.1
    closed = Calls()
    async with trio.open_nursery() as nursery:
        port = await nursery.start(server.serve)
        peer, gone = await connected(port), await connected(port)
        for _, socket in await opened.until(2):
            socket.on_close.when_complete(closed)
        await peer.send_text("nobody reads this")
        await gone.send_text("nobody reads this")
        await quiet()
        await gone.vanish()
        await quiet()
        server.stop()
    await peer.vanish()
    assert len(closed.got) == 2


async def test_an_async_callback_under_way_is_cancelled_and_one_that_begins_at_the_end_has_begun(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cancelled, begun = Calls(), Calls()

    async def session(request: HTTPRequest, socket: WebSocket) -> None:
        socket.read_string_message(at_the_end)
        try:
            await trio.sleep_forever()
        finally:
            cancelled()

    async def at_the_end(*args: Any) -> None:
        begun(*args)
        await trio.sleep_forever()

    server = serving(session)
    server.close_timeout = 0.1
    async with trio.open_nursery() as nursery:
        peer = await connected(await nursery.start(server.serve))
        await quiet()
        server.stop()
    assert len(cancelled.got) == 1
    assert begun.got == [NOTHING]
    assert not caplog.records
    await peer.vanish()


async def test_a_request_under_way_is_answered_before_the_server_ends(nursery: trio.Nursery) -> None:
    go_on, asked = trio.Event(), trio.Event()

    async def slow(request: HTTPRequest, response: Any) -> None:
        asked.set()
        await go_on.wait()
        response.set_body("done").completed()

    server = serving(Calls())
    routes = Routes()
    routes.add("GET", "/slow", slow)
    server.add_routes(routes)
    peer = Peer(await trio.open_tcp_stream("127.0.0.1", await nursery.start(server.serve)))
    await peer.stream.send_all(b"GET /slow HTTP/1.1\r\nHost: test\r\n\r\n")
    await asked.wait()
    server.stop()
    await quiet()
    go_on.set()
    await peer.read_head()
    assert (peer.status, await peer.read_body()) == (200, b"done")
    await peer.receive_eof()
    await peer.vanish()


@pytest.mark.parametrize(("address", "reached"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.2")])
async def test_a_request_knows_the_address_that_the_client_has_reached(
    nursery: trio.Nursery, address: str, reached: str
) -> None:
    session = Calls()
    server = serving(session)
    server.server_address = address
    port = await nursery.start(server.serve)
    peer = Peer(await trio.open_tcp_stream(reached, port))
    await peer.handshake()
    [(request, _)] = await session.until(1)
    assert request.server_address == (reached, port)
    await peer.stream.aclose()
    server.stop()
