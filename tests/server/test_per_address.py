"""``max_connections_per_address``: from outside, directly and through a proxy, on each transport."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from queue import SimpleQueue

import pytest
from websockets.sync.client import connect

from perfectws import HTTPResponse, LaunchContext, Routes, TLSConfiguration
from perfectws.net.loop import open_loop
from perfectws.server import launch as launching
from tests.server.conftest import PATIENCE, Launch, Raw, raw, url

HELLO = b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def is_served(context: LaunchContext, tls: ssl.SSLContext | None) -> bool:
    try:
        with raw(context, tls) as connection:
            return connection.ask(HELLO)[0].startswith(b"HTTP/1.1 200")
    except (OSError, AssertionError):  # AssertionError: it was closed
        return False


@pytest.mark.parametrize("with_tls", [False, True])
@pytest.mark.parametrize("with_reactor", [False, True])
def test_one_too_many_is_closed_at_once_and_one_that_goes_makes_room(
    launch: Launch,
    routes: Routes,
    with_reactor: bool,
    with_tls: bool,
    certificate: tuple[Path, Path],
    trusting: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if not with_reactor:
        monkeypatch.setattr(launching, "open_loop", partial(open_loop, with_reactor=False))
    tls = trusting if with_tls else None
    more = {"tls_config": TLSConfiguration(cert_path=certificate[0], key_path=certificate[1])} if with_tls else {}
    context = launch(routes=routes, max_connections_per_address=2, **more)
    with raw(context, tls) as first, raw(context, tls) as second:
        for _ in range(3):
            with Raw(("127.0.0.1", context.port)) as third:
                assert third.read_all() == b""
        for kept in (first, second):
            assert kept.ask(HELLO)[0].startswith(b"HTTP/1.1 200")
        figures = context.figures
        assert (figures.connections, figures.accepted, figures.refused) == (2, 5, 3)
    until(partial(is_served, context, tls))
    assert sum("max_connections_per_address=2" in record.getMessage() for record in caplog.records) == 1


def through_proxy(client: str, path: str = "/hello") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {client}\r\n\r\n".encode()


class TestBehindAProxy:
    def test_requests_under_way_count_for_their_client_and_idle_connections_for_nobody(
        self, launch: Launch, routes: Routes
    ) -> None:
        held: SimpleQueue[HTTPResponse] = SimpleQueue()
        routes.add("GET", "/slow", lambda request, response: held.put(response))
        context = launch(routes=routes, max_connections_per_address=1, trusted_proxies=["127.0.0.1"])
        with raw(context) as slow, raw(context) as other, raw(context) as third:
            for idle in (other, third, slow):
                assert idle.ask(through_proxy("192.0.2.1"))[0].startswith(b"HTTP/1.1 200")
            slow.send(through_proxy("192.0.2.1", "/slow"))
            response = held.get(timeout=PATIENCE)
            assert other.ask(through_proxy("192.0.2.2"))[0].startswith(b"HTTP/1.1 200")
            assert third.ask(through_proxy("192.0.2.1"))[0].startswith(b"HTTP/1.1 429 ")
            response.set_body("late").completed()
            until(partial(is_client_served, context))

    def test_a_websocket_counts_until_it_is_gone(self, launch: Launch, routes: Routes) -> None:
        routes.web_socket("/ws", lambda request, socket: None)
        context = launch(routes=routes, max_connections_per_address=1, trusted_proxies=["127.0.0.1"])
        forwarded = {"X-Forwarded-For": "192.0.2.1"}
        with raw(context) as idle:
            with connect(url(context, "/ws", "ws"), additional_headers=forwarded):
                with raw(context) as refused:
                    assert refused.ask(through_proxy("192.0.2.1"))[0].startswith(b"HTTP/1.1 429 ")
                assert idle.ask(through_proxy("192.0.2.2"))[0].startswith(b"HTTP/1.1 200")
            until(partial(is_client_served, context))


def is_client_served(context: LaunchContext) -> bool:
    with raw(context) as connection:
        return connection.ask(through_proxy("192.0.2.1"))[0].startswith(b"HTTP/1.1 200")
