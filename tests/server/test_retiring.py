"""A server that retires: WebSockets are told one after the other, evenly; requests are answered."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from queue import SimpleQueue
from time import monotonic
from typing import Any

import pytest
import trio
from trio.testing import MockClock
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from perfectws import HTTPResponse, HTTPServer, Route, Routes, WebSocketHandler
from perfectws.http.http11 import HTTPConnection
from perfectws.http.service import HTTPService
from perfectws.net.loop import Connections, Loop, open_loop
from perfectws.net.stream_transport import StreamTransport
from perfectws.server.retiring import retire
from perfectws.server.stopping import StopRequest
from perfectws.testing.pipes import stream_pair
from tests.conftest import Handler
from tests.peer import Peer
from tests.server.conftest import PATIENCE, raw, url


class Scene:
    """Connections over memory, and when each of them was closed."""

    def __init__(self, loop: Loop, nursery: trio.Nursery) -> None:
        self.connections = Connections(loop)
        self.closed: list[tuple[float, int]] = []
        self.ended: list[float] = []
        self.under_way: list[Any] = []
        self._loop = loop
        self._nursery = nursery
        routes = Routes()
        routes.add("GET", "/ws", WebSocketHandler(lambda *_: Handler(lambda request, socket: None)))
        routes.add("GET", "/slow", lambda request, response: self.under_way.append(response))
        routes.add("GET", "/", lambda request, response: response.set_body("hello").completed())
        self._service = HTTPService(routes.navigator)

    def connect(self) -> Peer:
        ours, theirs = stream_pair()
        transport = StreamTransport(self._loop, theirs, ("memory", 1), ("memory", 2))
        transport.set_protocol(HTTPConnection(transport, self._loop, self._service))
        self._loop.tasks.start_soon(self._run, transport)
        return Peer(ours)

    async def _run(self, transport: StreamTransport) -> None:
        self.connections.add(transport)
        await transport.run()
        self.connections.discard(transport)

    async def open(self) -> Peer:
        peer = self.connect()
        await peer.handshake("/ws")
        self._nursery.start_soon(self.watch, peer)
        return peer

    async def watch(self, peer: Peer) -> None:
        frame = await peer.receive_close()
        self.closed.append((trio.current_time(), frame.close_code or 0))
        await peer.send_close(frame.close_code)
        await peer.receive_eof()
        await peer.vanish()


async def test_websockets_are_closed_evenly_over_the_time(autojump_clock: MockClock) -> None:
    async with open_loop(with_reactor=False) as loop, trio.open_nursery() as nursery:
        scene = Scene(loop, nursery)
        for _ in range(20):
            await scene.open()
        began = trio.current_time()
        await retire(scene.connections, 10, has_successor=True)
        await trio.sleep(1)
        assert [code for _, code in scene.closed] == [1012] * 20
        for number, (when, _) in enumerate(scene.closed, 1):
            assert abs(when - began - number / 2) < 0.1
        assert trio.current_time() < began + 12


async def test_it_is_over_as_soon_as_nobody_is_left(autojump_clock: MockClock) -> None:
    async with open_loop(with_reactor=False) as loop:
        began = trio.current_time()
        await retire(Connections(loop), 1000, has_successor=True)
        assert trio.current_time() == began


async def test_requests_under_way_and_on_their_way_are_answered_and_are_the_last(autojump_clock: MockClock) -> None:
    async with open_loop(with_reactor=False) as loop, trio.open_nursery() as nursery:
        scene = Scene(loop, nursery)
        slow, late, silent = scene.connect(), scene.connect(), scene.connect()
        await slow.stream.send_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        await trio.sleep(1)
        nursery.start_soon(partial(retire, scene.connections, 10, has_successor=True))
        await trio.sleep(1)
        await late.stream.send_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        scene.under_way[0].set_body("done").completed()
        for peer in (slow, late):
            await peer.read_head()
            assert (peer.status, peer.headers["connection"]) == (200, "close")
            await peer.read_body()
            await peer.receive_eof()
            await peer.vanish()
        await silent.vanish()


async def test_a_websocket_that_is_opened_meanwhile_is_closed_with_1012_too(autojump_clock: MockClock) -> None:
    async with open_loop(with_reactor=False) as loop, trio.open_nursery() as nursery:
        scene = Scene(loop, nursery)
        late = scene.connect()
        await trio.sleep(1)
        nursery.start_soon(partial(retire, scene.connections, 10, has_successor=True))
        await trio.sleep(1)
        await late.handshake("/ws")
        assert (await late.receive_close()).close_code == 1012
        await late.vanish()


async def test_without_a_successor_they_are_closed_with_1001_as_evenly(autojump_clock: MockClock) -> None:
    async with open_loop(with_reactor=False) as loop, trio.open_nursery() as nursery:
        scene = Scene(loop, nursery)
        for _ in range(10):
            await scene.open()
        began = trio.current_time()
        await retire(scene.connections, 10, has_successor=False)
        await trio.sleep(1)
        assert [code for _, code in scene.closed] == [1001] * 10
        assert all(abs(when - began - number) < 0.1 for number, (when, _) in enumerate(scene.closed, 1))


async def test_a_second_stop_hurries_only_where_there_is_a_successor(autojump_clock: MockClock) -> None:
    for stop, hurries in [(StopRequest(5), False), (StopRequest(), True)]:
        if hurries:
            stop.make_way(5)
        stop.make()
        stop.make()
        assert stop.is_made
        with trio.move_on_after(1) as patience:
            await stop.wait_until_urgent()
        assert patience.cancelled_caught is not hurries


class TestServer:
    @pytest.mark.parametrize("is_told_at_launch", [True, False])
    def test_it_closes_one_after_the_other_answers_what_is_under_way_and_accepts_nobody(
        self, is_told_at_launch: bool
    ) -> None:
        responses: SimpleQueue[HTTPResponse] = SimpleQueue()
        server = HTTPServer.server(name="test", address="127.0.0.1", port=0, close_timeout=5, routes=Routes())
        server.drain = None if is_told_at_launch else 0.4
        server.add_routes([Route("GET", "/", lambda request, response: responses.put(response))])
        server.add_upgraders([HTTPServer.web_socket_upgrader(on_upgrade=lambda socket, request: None)])
        (context,) = HTTPServer.launch(server, wait=False, drain=0.4 if is_told_at_launch else None)
        place = url(context, "/ws", "ws")
        with (
            raw(context) as asking,
            connect(place) as one,
            connect(place) as two,
        ):
            asking.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            response = responses.get(timeout=PATIENCE)
            began = monotonic()
            context.terminate()
            closed = sorted(all_closed_at([one, two]))
            assert [code for _, code in closed] == [1001, 1001]
            assert closed[1][0] - closed[0][0] > 0.1
            assert closed[0][0] - began > 0.1
            with pytest.raises(ConnectionRefusedError):
                raw(context)
            assert not context.terminated
            response.set_body("late").completed()
            assert asking.read_all().endswith(b"late")
        assert context.wait(PATIENCE)


def closed_at(client: ClientConnection) -> tuple[float, int]:
    """Return when a server has closed a client's connection, and with which code."""
    with pytest.raises(ConnectionClosed) as raised:
        client.recv(PATIENCE)
    assert raised.value.rcvd is not None
    return monotonic(), raised.value.rcvd.code


def all_closed_at(clients: list[ClientConnection]) -> list[tuple[float, int]]:
    with ThreadPoolExecutor() as executor:
        return list(executor.map(closed_at, clients))
