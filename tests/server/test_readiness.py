"""`HTTPHandler.health`: whether a server lives, and whether it is ready."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest
import trio

from perfectws import HTTPHandler, HTTPRequest, HTTPResponse, HTTPServer, Routes
from perfectws.rooms import broker
from perfectws.rooms.figures import BrokerFigures
from perfectws.testing import TestServer
from tests.server.conftest import PATIENCE, Launch, Raw

LIVE, READY, WITH_BROKERS = b"GET /live ", b"GET /ready ", b"GET /brokers "
REST = b"HTTP/1.1\r\nHost: a\r\n\r\n"


def routes() -> Routes:
    routes = Routes()
    routes.add("GET", "/live", HTTPHandler.health())
    routes.add("GET", "/ready", HTTPHandler.health({"ready": True}))
    routes.add("GET", "/brokers", HTTPHandler.health({"brokers": True}))
    return routes


def asked(raw: Raw, path: bytes) -> tuple[int, object]:
    head, body = raw.ask(path + REST)
    assert b"Cache-Control: no-store" in head
    return int(head.split()[1]), json.loads(body)


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_a_server_that_serves_is_ready() -> None:
    with TestServer(routes()) as server:
        answer = server.get("/ready")
    assert (answer.status, answer.json()) == (200, {"ready": True})
    assert answer.header("Content-Type") == "application/json"


def test_one_that_stops_is_not_ready_but_lives(launch: Launch) -> None:
    context = launch(routes=routes())
    with Raw(("127.0.0.1", context.port)) as ready, Raw(("127.0.0.1", context.port)) as live:
        for raw, path in [(ready, READY), (live, LIVE)]:
            assert raw.ask(path + REST)[0].startswith(b"HTTP/1.1 200")
            raw.send(path)  # a request under way is still answered
        until(lambda: context.figures.bytes_received == len(2 * (READY + LIVE) + 2 * REST))
        context.terminate()
        request = context.server.stop_request
        until(lambda: request is not None and request.is_made)
        ready.send(REST)
        head, _, body = ready.read_all().partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503")
        assert json.loads(body) == {"ready": False, "because": ["stopping"]}
        live.send(REST)
        assert live.read_all().endswith(b"OK\n")


def test_one_that_has_no_room_for_another_connection_is_not_ready(launch: Launch) -> None:
    context = launch(routes=routes(), max_connections=2)
    with Raw(("127.0.0.1", context.port)) as raw:
        assert asked(raw, READY) == (200, {"ready": True})
        with Raw(("127.0.0.1", context.port)) as other:
            other.ask(LIVE + REST)
            assert asked(raw, READY) == (503, {"ready": False, "because": ["full"]})
        until(lambda: context.figures.connections == 1)
        assert asked(raw, READY) == (200, {"ready": True})


def test_brokers_count_only_if_they_are_asked_for(launch: Launch, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broker:
        figures = BrokerFigures(0, 0, 0, 0, 0, 0, 0, 0, is_connected=False)

    monkeypatch.setattr(broker, "brokers", lambda: [Broker])
    context = launch(routes=routes())
    with Raw(("127.0.0.1", context.port)) as raw:
        assert asked(raw, READY) == (200, {"ready": True})
        assert asked(raw, WITH_BROKERS) == (503, {"ready": False, "because": ["broker"]})
        Broker.figures = Broker.figures._replace(is_connected=True)
        assert asked(raw, WITH_BROKERS) == (200, {"ready": True})


async def test_one_that_makes_way_for_another_process_is_not_ready() -> None:
    server = HTTPServer.server(port=0, address="127.0.0.1", routes=routes(), close_timeout=5)
    async with trio.open_nursery() as nursery:
        port = await nursery.start(server.serve)
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        await stream.send_all(READY)
        assert server.stop_request is not None
        while not server.figures.bytes_received:
            await trio.sleep(0)
        server.stop_request.make_way(0.1)
        await stream.send_all(REST)
        assert b"503" in bytes(await stream.receive_some())
        await stream.aclose()


def test_in_a_test_there_is_no_server_and_nothing_is_wrong() -> None:
    request = HTTPRequest(method="GET", uri="/ready")
    response = HTTPResponse(request)
    HTTPHandler.health({"ready": True})(request, response)
    assert json.loads(response.body_bytes) == {"ready": True}
