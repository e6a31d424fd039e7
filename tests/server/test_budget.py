"""``max_buffered`` from outside: the connections with the largest write buffers are closed."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from perfectws import HTTPRequest, LaunchContext, Room, Routes, TLSConfiguration, WebSocket
from perfectws.net.loop import open_loop
from perfectws.server import launch as launching
from tests.server.conftest import PATIENCE, Launch, raw

UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
PIECE = bytes(100_000)
#: More than the kernel takes for a peer that does not read, and how much may wait for all.
MUCH, MOST = 8_000_000, 20_000_000


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.mark.parametrize("by_room", [False, True])
@pytest.mark.parametrize("how", ["reactor", "tls", "streams"])
def test_the_largest_of_a_server_is_closed_and_the_others_live_on(
    launch: Launch,
    how: str,
    by_room: bool,
    certificate: tuple[Path, Path],
    trusting: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if how == "streams":
        monkeypatch.setattr(launching, "open_loop", partial(open_loop, with_reactor=False))
    tls = trusting if how == "tls" else None
    more = {"tls_config": TLSConfiguration(cert_path=certificate[0], key_path=certificate[1])} if tls else {}
    sockets: list[WebSocket] = []
    rooms: list[Room] = []
    routes = Routes()

    @routes.web_socket("/ws", max_write_buffer=10**9)
    def opened(request: HTTPRequest, socket: WebSocket) -> None:
        rooms.append(Room())
        rooms[-1].join(socket)
        sockets.append(socket)

    context = launch(routes=routes, max_buffered=MOST, close_timeout=0.1, **more)

    def send(number: int) -> None:
        if by_room:
            rooms[number].send_binary_message(PIECE)
        else:
            sockets[number].send(PIECE)

    with raw(context, tls) as small, raw(context, tls) as large:
        for number, peer in enumerate((small, large)):
            peer.send(UPGRADE)
            until(partial(has_opened, sockets, number))
        for _ in range(MUCH // len(PIECE)):
            send(0)
        sent = 0
        while context.figures.sheds == 0:
            assert (sent := sent + len(PIECE)) < 20 * MOST
            send(1)
            until(partial(is_written, context))
        until(lambda: not sockets[1].is_connected)
        assert sockets[1].close_code == 1013
        assert sockets[0].is_connected
        assert sockets[0].buffered_amount > 0
        assert context.figures.sheds == 1


def has_opened(sockets: list[WebSocket], number: int) -> bool:
    return len(sockets) > number


def is_written(context: LaunchContext) -> bool:
    """Let the loop take turns until what was sent is with the kernel, as far as it takes it."""
    done: list[bool] = []
    loop = context.loop
    loop.call_soon(loop.owner, loop.call_next_turn, loop.owner, done.append, True)
    until(lambda: bool(done))
    return True


def test_a_response_that_nobody_takes_is_broken_off(launch: Launch) -> None:
    routes = Routes()
    routes.add("GET", "/", lambda request, response: response.set_body(bytes(MUCH)).completed())
    context = launch(routes=routes, max_buffered=1_000_000, close_timeout=0.1)
    with raw(context) as peer:
        peer.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        until(lambda: context.figures.sheds == 1)
        assert len(peer.read_all()) < MUCH


def test_many_that_have_little_each_are_much_together(launch: Launch) -> None:
    sockets: list[WebSocket] = []
    routes = Routes()
    routes.web_socket("/ws", lambda request, socket: sockets.append(socket))
    context = launch(routes=routes, max_buffered=100_000, close_timeout=0.1)
    peers = [raw(context) for _ in range(20)]
    for number, peer in enumerate(peers):
        peer.send(UPGRADE)
        until(partial(has_opened, sockets, number))

    def fill(socket: WebSocket) -> None:
        """Send small messages, until some of them wait."""
        if socket.buffered_amount < 20_000 and socket.is_connected:
            for _ in range(100):
                socket.send(bytes(200))
            context.loop.call_next_turn(context.loop.owner, fill, socket)

    for socket in sockets:
        context.loop.call_soon(context.loop.owner, fill, socket)
    until(lambda: context.figures.sheds > 0)
    for peer in peers:
        peer.socket.close()


def test_without_a_limit_nothing_is_told(launch: Launch) -> None:
    context = launch(routes=Routes())
    assert context.loop.note_backlog is None
