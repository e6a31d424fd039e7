"""A peer that takes nothing of what waits for it is dropped after ``write_timeout``, where no keepalive judges it.

Time is moved by hand: between two jumps the kernel has all the real time it needs.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from perfectws import Room, Routes, WebSocket
from perfectws.http.http11 import HTTPConnection
from perfectws.http.service import HTTPService
from perfectws.net.acceptors import serve_listener
from perfectws.net.loop import open_loop
from perfectws.net.unix_sockets import listen_unix

from ..client.conftest import transport  # noqa: F401  # a fixture
from ..client.raw_server import RawConnection, RawServer
from ..client.tls_server import tls_server
from ..conftest import Connect
from ..peer import Peer

pytestmark = pytest.mark.slow

#: What is sent: more than the kernel keeps between two sockets.
SIZE = 13 * 1024 * 1024
PIECE = 512 * 1024
STEP = 5.0
#: It is looked four times in a ``write_timeout`` whether anything waits.
LEAST, MOST = 60.0, 75.0 + 2 * STEP

#: No pong is waited for.
UNJUDGED = pytest.mark.parametrize("options", [{"ping_interval": None}, {"ping_timeout": None}], ids=str)


async def pass_time(clock: MockClock, seconds: float) -> None:
    """Let time pass, in steps."""
    for _ in range(round(seconds / STEP)):
        clock.jump(STEP)
        await wait_all_tasks_blocked(0.005)


async def settle(socket: WebSocket) -> None:
    """Wait, in real time, until the kernel gets on no more: it tries again to send a last bit into a small window."""
    steady, progress = 0, -1
    while steady < 15:
        await trio.to_thread.run_sync(time.sleep, 0.05)
        before, progress = progress, socket._transport.progress()
        steady = steady + 1 if progress == before else 0


async def seconds_until_dropped(clock: MockClock, socket: WebSocket) -> float:
    """Let time pass until the socket is dropped, but not for ever."""
    await settle(socket)
    began = trio.current_time()
    while socket.is_connected and trio.current_time() < began + 1000:
        await pass_time(clock, STEP)
    return trio.current_time() - began


async def read_piece(peer: Peer, socket: WebSocket) -> None:
    """Read a piece, or more: until our kernel knows of it, which takes real time, and a window that opens again."""
    before = socket._transport.progress()
    while socket._transport.progress() == before:
        left = PIECE
        while left:
            data = await peer.stream.receive_some(left)
            assert data, "the connection was cut off"
            left -= len(data)
        await trio.to_thread.run_sync(time.sleep, 0.02)


def assert_dropped(socket: WebSocket, seconds: float) -> None:
    assert LEAST <= seconds <= MOST
    assert socket.close_code == 1006
    assert socket.close_reason == "the peer took nothing for 60 seconds"


@UNJUDGED
async def test_a_servers_peer_that_takes_nothing_is_dropped(
    network_connect: Connect, mock_clock: MockClock, options: dict[str, Any]
) -> None:
    _, socket = await network_connect.socket(**options)
    await pass_time(mock_clock, 200)  # nothing waits for it
    assert socket.is_connected
    socket.send(bytes(SIZE))
    assert_dropped(socket, await seconds_until_dropped(mock_clock, socket))


@pytest.fixture
async def unix_connect(tmp_path: Path) -> AsyncIterator[Connect]:
    """Connect over a Unix socket, of which the kernel tells less."""
    path = str(tmp_path / "socket")
    async with open_loop() as loop, trio.open_nursery() as accepting:

        async def open_stream(routes: Routes) -> trio.abc.Stream:
            make = partial(HTTPConnection, loop=loop, service=HTTPService(routes.navigator))
            accepting.start_soon(serve_listener, loop, listen_unix(path, 1), make)
            return await trio.open_unix_socket(path)

        connect = Connect(loop, open_stream)
        yield connect
        await connect.close()
        accepting.cancel_scope.cancel()
        await loop.end_connections(0)


@pytest.mark.parametrize("options", [{"ping_interval": None}, {"ping_interval": 20, "ping_timeout": 60}], ids=str)
async def test_what_is_sent_to_it_meanwhile_is_no_sign_of_life(
    unix_connect: Connect, mock_clock: MockClock, options: dict[str, Any]
) -> None:
    peer, socket = await unix_connect.socket(**options)
    socket.send(bytes(SIZE))
    await settle(socket)
    for _ in range(20):
        socket.send(bytes(1000))
        await pass_time(mock_clock, 10)
        await read_piece(peer, socket)
    assert socket.is_connected
    began = trio.current_time()
    while socket.is_connected and trio.current_time() < began + 1000:
        socket.send(bytes(1000))
        await pass_time(mock_clock, STEP)
    assert 50 <= trio.current_time() - began <= 130
    assert socket.close_code == 1006


async def test_nor_is_a_ping_of_ours_while_nothing_waits(unix_connect: Connect, mock_clock: MockClock) -> None:
    _, socket = await unix_connect.socket(ping_interval=20, ping_timeout=30)
    assert 30 <= await seconds_until_dropped(mock_clock, socket) <= 90
    assert (socket.close_code, socket.close_reason) == (1006, "no pong came in time")


async def test_but_that_it_takes_what_was_sent_before_the_ping_is(unix_connect: Connect, mock_clock: MockClock) -> None:
    peer, socket = await unix_connect.socket(ping_interval=20, ping_timeout=30)
    for _ in range(12):
        socket.send(bytes(5000))
        await wait_all_tasks_blocked(0.005)
    for _ in range(10):
        await pass_time(mock_clock, 20)
        assert await peer.stream.receive_some(5000)
    assert socket.is_connected
    assert await seconds_until_dropped(mock_clock, socket) <= 90
    assert socket.close_code == 1006


@UNJUDGED
async def test_one_that_takes_a_little_now_and_then_is_not_until_it_takes_no_more(
    network_connect: Connect, mock_clock: MockClock, options: dict[str, Any]
) -> None:
    peer, socket = await network_connect.socket(**options)
    socket.send(bytes(SIZE))
    await wait_all_tasks_blocked(0.05)
    for _ in range(8):
        await pass_time(mock_clock, 45)
        await read_piece(peer, socket)
    assert socket.is_connected
    assert (await seconds_until_dropped(mock_clock, socket)) <= MOST
    assert socket.close_code == 1006


async def test_what_a_room_says_to_one_that_takes_nothing_is_waited_for_no_longer(
    network_connect: Connect, mock_clock: MockClock
) -> None:
    room = Room()
    _, socket = await network_connect.socket(ping_interval=None)
    room.join(socket)
    for _ in range(120):
        room.send_binary_message(bytes(100_000))
    assert_dropped(socket, await seconds_until_dropped(mock_clock, socket))
    assert socket not in room


async def test_it_is_dropped_after_the_time_that_was_set(network_connect: Connect, mock_clock: MockClock) -> None:
    _, socket = await network_connect.socket(ping_interval=None, write_timeout=200)
    socket.send(bytes(SIZE))
    assert 200 <= await seconds_until_dropped(mock_clock, socket) <= 250 + 2 * STEP
    assert socket.close_reason == "the peer took nothing for 200 seconds"


async def test_or_never_where_none_is_set(network_connect: Connect, mock_clock: MockClock) -> None:
    _, socket = await network_connect.socket(ping_interval=None, write_timeout=None)
    socket.send(bytes(SIZE))
    assert await seconds_until_dropped(mock_clock, socket) >= 1000


async def test_where_a_keepalive_judges_it_does(network_connect: Connect, mock_clock: MockClock) -> None:
    _, socket = await network_connect.socket(ping_interval=20, ping_timeout=300, write_timeout=30)
    socket.send(bytes(SIZE))
    assert await seconds_until_dropped(mock_clock, socket) >= 300
    assert socket.close_reason == "no pong came in time"


async def test_it_judges_as_soon_as_the_keepalive_is_unset_and_no_longer_once_that_is_set(
    network_connect: Connect, mock_clock: MockClock
) -> None:
    _, socket = await network_connect.socket(ping_interval=1000, ping_timeout=2000)
    socket.send(bytes(SIZE))
    await settle(socket)
    await pass_time(mock_clock, 200)
    socket.ping_interval = None
    await pass_time(mock_clock, 50)
    assert socket.is_connected
    socket.ping_interval = 1000
    await pass_time(mock_clock, 200)
    assert socket.is_connected
    socket.ping_interval = None
    assert_dropped(socket, await seconds_until_dropped(mock_clock, socket))


async def test_a_peer_that_takes_nothing_is_dropped_by_a_client_too(
    transport: str,  # noqa: F811
    mock_clock: MockClock,
) -> None:
    async with RawServer.listen() as server, trio.open_nursery() as nursery:
        future = WebSocket.connect(to=server.url, on=nursery, ping_interval=None)
        connection = await server.accept()
        await connection.upgrade()
        socket = await future
        socket.send(bytes(SIZE))
        assert_dropped(socket, await seconds_until_dropped(mock_clock, socket))
        await connection.stream.aclose()


async def test_and_by_a_client_over_tls(trusting: ssl.SSLContext, mock_clock: MockClock) -> None:
    opened: list[RawConnection] = []

    async with tls_server("localhost") as server, trio.open_nursery() as nursery:

        async def accept() -> None:
            connection = await server.accept()
            await connection.upgrade()
            opened.append(connection)

        nursery.start_soon(accept)
        url = f"wss://localhost:{server.port}/"
        socket = await WebSocket.connect(to=url, on=nursery, ssl_context=trusting, ping_timeout=None)
        socket.send(bytes(SIZE))
        assert_dropped(socket, await seconds_until_dropped(mock_clock, socket))
        await trio.aclose_forcefully(opened[0].stream)


@pytest.mark.parametrize("end", ["close", "vanish"])
async def test_nothing_is_left_of_it_when_the_connection_is_gone(
    network_connect: Connect, mock_clock: MockClock, end: str
) -> None:
    peer: Peer
    peer, socket = await network_connect.socket(ping_interval=None)
    timers = len(network_connect.loop.timers)
    assert timers
    socket.send(bytes(SIZE))
    await wait_all_tasks_blocked(0.05)
    await pass_time(mock_clock, 20)  # it watches now
    if end == "close":
        socket.close()
    await peer.vanish()
    await socket.on_close
    assert len(network_connect.loop.timers) == 0
