"""A server in operation: limits, proxies, the access log."""

from __future__ import annotations

import logging
import re
import time

import httpx
import pytest
import trio

from perfectws import HTTPRequest, HTTPResponse, LaunchContext, Routes, WebSocket
from tests.server.conftest import PATIENCE, Launch, Raw, raw, url

HELLO = b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"


class TestMaxConnections:
    def test_the_next_one_gets_503_at_once_and_one_that_leaves_makes_room(self, launch: Launch, routes: Routes) -> None:
        context = launch(routes=routes, max_connections=2)
        with raw(context) as first, raw(context) as second:
            for kept in (first, second):
                assert kept.ask(HELLO)[0].startswith(b"HTTP/1.1 200")
            for _ in range(3):
                with raw(context) as third:
                    answer = third.read_all()
                assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
                assert b"no room" in answer
            assert first.ask(HELLO)[0].startswith(b"HTTP/1.1 200")
        assert until_served(context).startswith(b"HTTP/1.1 200")

    def test_those_that_are_refused_take_no_room(self, launch: Launch, routes: Routes) -> None:
        context = launch(routes=routes, max_connections=1)
        with raw(context) as first:
            first.ask(HELLO)
            lingering = [raw(context) for _ in range(5)]
            for each in lingering:
                each.socket.recv(10)
        assert until_served(context).startswith(b"HTTP/1.1 200")
        for each in lingering:
            each.socket.close()

    async def test_a_websocket_counts_until_it_is_gone(self, launch: Launch, routes: Routes) -> None:
        routes.web_socket("/ws", lambda request, ws: ws.on_text(lambda ws, text: ws.send(text)))
        context = launch(routes=routes, max_connections=1)
        with trio.fail_after(PATIENCE):
            async with trio.open_nursery() as nursery:
                ws = await WebSocket.connect(to=url(context, "/ws", "ws"), on=nursery)
                with raw(context) as second:
                    assert second.read_all().startswith(b"HTTP/1.1 503")
                await ws.close()
                await ws.on_close
        assert (await trio.to_thread.run_sync(until_served, context)).startswith(b"HTTP/1.1 200")


def until_served(context: LaunchContext) -> bytes:
    """Connect until there is room: the kernel tells the server in its own time that a peer is gone."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with raw(context) as connection:
            try:
                head, _ = connection.ask(HELLO)
            except (OSError, AssertionError):
                continue
            if not head.startswith(b"HTTP/1.1 503"):
                return head
    raise TimeoutError


class TestLimits:
    def test_each_is_a_keyword(self, launch: Launch, routes: Routes) -> None:
        context = launch(
            routes=routes,
            max_header_size=500,
            max_headers=5,
            max_body_size=100,
            header_timeout=0.05,
            keep_alive_timeout=0.05,
        )
        line = b"HTTP/1.1 %d "
        for sent, status in [
            (b"GET /" + b"x" * 500, 414),
            (b"GET / HTTP/1.1\r\nA: " + b"x" * 500, 431),
            (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 6 + b"\r\n", 431),
            (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n", 413),
            (b"GET / HTTP/1.1\r\nHost", 408),
        ]:
            with raw(context) as connection:
                connection.send(sent)
                assert connection.read_all().startswith(line % status), (sent, connection.buffer)
        with raw(context) as idle:
            idle.ask(HELLO)
            assert idle.read_all() == b""


class TestProxies:
    def test_a_trusted_one_is_believed_and_a_websocket_has_the_clients_address(
        self, launch: Launch, routes: Routes
    ) -> None:
        seen: list[object] = []

        @routes.web_socket("/ws")
        def on_upgrade(request: HTTPRequest, ws: WebSocket) -> None:
            seen.append((ws.remote_address, request.remote_address, request.is_secure))
            ws.close()

        context = launch(routes=routes, trusted_proxies=["127.0.0.0/8"])
        forwarded = {"X-Forwarded-For": "203.0.113.9, 192.0.2.7", "X-Forwarded-Proto": "https"}
        assert httpx.get(url(context, "/hello"), headers=forwarded, trust_env=False).text == "192.0.2.7 secure test"

        async def connect() -> None:
            async with trio.open_nursery() as nursery:
                ws = await WebSocket.connect(to=url(context, "/ws", "ws"), headers=forwarded, on=nursery)
                await ws.on_close

        trio.run(connect)
        assert seen == [(("192.0.2.7", 0), ("192.0.2.7", 0), True)]

    def test_anybody_else_is_not(self, launch: Launch, routes: Routes) -> None:
        context = launch(routes=routes, trusted_proxies=["10.0.0.0/8"])
        forwarded = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}
        assert httpx.get(url(context, "/hello"), headers=forwarded, trust_env=False).text == "127.0.0.1 plain test"


def test_the_access_log_has_a_line_for_each_request_and_each_session(
    launch: Launch, routes: Routes, caplog: pytest.LogCaptureFixture
) -> None:
    @routes.web_socket("/ws")
    def on_upgrade(request: HTTPRequest, ws: WebSocket) -> None:
        ws.on_text(lambda ws, text: ws.send(text))

    def lines() -> list[str]:
        found = [re.sub(r" 0\.\d{3} ", " ", message.partition('"')[2]) for message in caplog.messages if '"' in message]
        plain = [re.sub(r"(httpx|perfectws)/[\d.]+", r"\1", each) for each in found]
        return [re.sub(r"\b[0-9a-f]{16}\b", "ID", each) for each in plain]

    async def chat() -> None:
        async with trio.open_nursery() as nursery:
            ws = await WebSocket.connect(to=url(context, "/ws", "ws"), on=nursery)
            ws.send("x" * 50)
            await ws.read_string_message()
            await ws.close(4000)

    with caplog.at_level(logging.INFO, "perfectws.access"):
        context = launch(routes=routes)
        httpx.get(url(context, "/hello?a=b"), trust_env=False)
        httpx.get(url(context, "/none"), trust_env=False)
        with Raw(("127.0.0.1", context.port)) as strange:
            strange.send(b"nonsense\x1b[2J\r\n\r\n")
            strange.read_all()
        trio.run(chat)
        context.terminate().wait()
    assert lines() == [
        'GET /hello?*** HTTP/1.1" 200 20 "python-httpx" ID',
        'GET /none HTTP/1.1" 404 42 "python-httpx" ID',
        '-" 400 107 "-" -',
        'GET /ws HTTP/1.1" 101 0 "perfectws" ID',
        'GET /ws HTTP/1.1" 4000 56 "perfectws" ID 1 1',
    ]


async def test_what_a_session_has_opened_elsewhere_is_closed_with_the_server(launch: Launch, routes: Routes) -> None:
    closed: list[int | None] = []

    @routes.web_socket("/far")
    def far(request: HTTPRequest, ws: WebSocket) -> None:
        ws.on_close.when_complete(lambda result: closed.append(ws.close_code))

    @routes.add("GET", "/near")
    async def near(request: HTTPRequest, response: HTTPResponse) -> None:
        await WebSocket.connect(to=url(other, "/far", "ws"))
        response.completed()

    other, context = launch(routes=routes), launch(routes=routes)
    assert (await trio.to_thread.run_sync(lambda: httpx.get(url(context, "/near"), trust_env=False))).status_code == 200
    await trio.to_thread.run_sync(context.terminate().wait, PATIENCE)
    await trio.to_thread.run_sync(other.terminate().wait, PATIENCE)
    assert closed == [1001]
