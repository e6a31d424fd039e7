"""`ServerFigures`: what a server has done, by itself and together with other processes."""

from __future__ import annotations

from queue import Queue
from typing import cast

import httpx
import pytest

from perfectws import HTTPHandler, HTTPServer, LaunchContext, Room, Routes, ServerFigures, WebSocketHandler
from perfectws.rooms.figures import BrokerFigures
from perfectws.server.figures import FIGURES_SIZE, NO_FIGURES, total_of_brokers
from tests.conftest import Handler
from tests.peer import HANDSHAKE_KEY
from tests.server.conftest import PATIENCE, Launch, Raw, url

UPGRADE = (
    "GET /echo HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Key: {HANDSHAKE_KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
).encode()

BROKER = BrokerFigures(1, 2, 3, 4, 5, 6, 7, 8, is_connected=True)
SOME = ServerFigures(1, 9.5, 10, 11, 12, 13, 14, 15, 16, 1 << 40, 18, 19, 20, 21, 22, 23, 24, 0.25, 0.5, BROKER)


def figures_of(context: LaunchContext) -> ServerFigures:
    """Return the figures between two turns of the server, whose thread is another."""
    seen: Queue[ServerFigures] = Queue()
    loop = context.loop
    loop.call_from_thread(loop.owner, lambda: seen.put(context.figures))
    return seen.get(timeout=PATIENCE)


def routes() -> Routes:
    routes = Routes()
    routes.web_socket("/echo", lambda request, socket: socket.on_text(lambda socket, text: socket.send(text)))
    routes.add("GET", "/health", HTTPHandler.health())
    return routes


def test_a_server_that_never_ran_has_done_nothing() -> None:
    server = HTTPServer.server(port=0, routes=routes())
    assert server.figures == NO_FIGURES
    assert server.figures.workers == server.figures.uptime == 0


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_the_figures_are_those_of_what_was_done(launch: Launch, kind: str, tmp_path: object) -> None:
    address = "127.0.0.1" if kind == "tcp" else f"unix:{tmp_path}/socket"
    context = launch(routes=routes(), address=address)
    with Raw(("127.0.0.1", context.port) if kind == "tcp" else f"{tmp_path}/socket") as raw:
        raw.send(UPGRADE)
        while b"\r\n\r\n" not in raw.buffer:
            raw.buffer += raw.socket.recv(1000)
        head = len(raw.buffer)
        raw.send(b"\x81\x83\0\0\0\0abc")
        assert raw.socket.recv(1000) == b"\x81\x03abc"
        figures = figures_of(context)
        assert (figures.workers, figures.connections, figures.accepted, figures.refused) == (1, 1, 1, 0)
        assert (figures.requests, figures.web_sockets) == (1, 1)
        assert (figures.messages_received, figures.messages_sent) == (1, 1)
        assert (figures.bytes_received, figures.bytes_sent) == (len(UPGRADE) + 9, head + 5)
        assert figures.uptime > 0
        assert figures.broker is None


def test_what_was_done_is_known_when_the_server_has_stopped_and_nothing_is_open_then(launch: Launch) -> None:
    context = launch(routes=routes())
    assert httpx.get(url(context, "/health"), trust_env=False).status_code == 200
    context.terminate().wait()
    figures = context.figures
    assert (figures.workers, figures.connections, figures.uptime) == (0, 0, 0)
    assert (figures.accepted, figures.requests) == (1, 1)


def test_connections_past_the_limit_are_counted_as_refused(launch: Launch) -> None:
    context = launch(routes=routes(), max_connections=1)
    with Raw(("127.0.0.1", context.port)) as first:
        first.send(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
        assert first.socket.recv(1000).startswith(b"HTTP/1.1 200")
        with Raw(("127.0.0.1", context.port)) as second:
            assert second.read_all().startswith(b"HTTP/1.1 503")
        figures = figures_of(context)
        assert (figures.connections, figures.accepted, figures.refused) == (1, 2, 1)


def test_what_other_workers_have_done_is_added(launch: Launch) -> None:
    context = launch(routes=routes())
    server = cast(HTTPServer, context.server)
    server.add_figures(lambda: [SOME, SOME])
    assert httpx.get(url(context, "/health"), trust_env=False).status_code == 200
    figures = context.figures
    assert (figures.workers, figures.accepted, figures.requests) == (3, 23, 27)
    assert server.own_figures.requests == 1


def test_figures_travel_as_integers_one_for_each() -> None:
    assert FIGURES_SIZE % 8 == 0
    for figures in (SOME, SOME._replace(broker=None), SOME._replace(broker=BROKER._replace(is_connected=False))):
        data = figures.packed()
        assert len(data) == FIGURES_SIZE
        assert ServerFigures.unpacked(data) == figures
    assert ServerFigures.unpacked(bytes(FIGURES_SIZE)) == NO_FIGURES


def test_of_a_process_that_has_ended_its_counts_are_left() -> None:
    left = SOME.retired()
    assert (left.workers, left.uptime, left.connections, left.web_sockets, left.rooms, left.members) == (0,) * 6
    assert (left.loop_delay, left.max_loop_delay) == (0, 0)
    assert left.accepted == SOME.accepted
    assert left.bytes_received == SOME.bytes_received
    assert left.broker == BROKER._replace(queued=0)


def test_the_total_adds_all_but_seconds() -> None:
    slow = SOME._replace(uptime=100.0, loop_delay=0.75, max_loop_delay=3.0, broker=None)
    total = ServerFigures.total([SOME, slow, SOME.retired()])
    assert (total.workers, total.connections, total.accepted) == (2, 20, 33)
    assert (total.uptime, total.loop_delay, total.max_loop_delay) == (100.0, 0.5, 3.0)
    assert total.broker == BrokerFigures(2, 2, 6, 8, 10, 12, 14, 16, is_connected=True)
    assert ServerFigures.total([SOME]) == SOME


def test_brokers_are_connected_if_all_are() -> None:
    assert total_of_brokers([]) is None
    total = total_of_brokers([BROKER, BROKER._replace(is_connected=False)])
    assert total == BrokerFigures(2, 4, 6, 8, 10, 12, 14, 16, is_connected=False)


def test_rooms_and_their_members_are_counted(launch: Launch) -> None:
    room = Room()
    routes = Routes()
    routes.add("GET", "/echo", WebSocketHandler(lambda *_: Handler(lambda request, socket: room.join(socket))))
    context = launch(routes=routes)
    with Raw(("127.0.0.1", context.port)) as raw:
        raw.send(UPGRADE)
        while b"\r\n\r\n" not in raw.buffer:
            raw.buffer += raw.socket.recv(1000)
        room.send_string_message("abc")
        assert raw.socket.recv(1000) == b"\x81\x03abc"
        figures = figures_of(context)
        assert (figures.rooms, figures.members, figures.deliveries, figures.messages_sent) == (1, 1, 1, 1)
