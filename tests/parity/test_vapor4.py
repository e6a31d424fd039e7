"""Every snippet of Vapor 4's WebSocket page, ported line by line and driven.

Source: vapor/docs, ``4.0/docs/advanced/websockets.md``. The Swift stands beside.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import trio

from perfectws import (
    ConnectionClosed,
    ConnectionRejected,
    EventLoop,
    HTTPRequest,
    HTTPResponse,
    Routes,
    WebSocket,
)

from .vapor_servers import PATIENCE, running


class App:
    """An application that keeps the sockets it was given."""

    def __init__(self) -> None:
        self.sockets: list[WebSocket] = []
        self.printed: list[Any] = []
        self.port = 0

    def url(self, path: str) -> str:
        return f"ws://127.0.0.1:{self.port}/{path}"


@pytest.fixture
def app(event_loop: EventLoop) -> Iterator[App]:
    app = App()
    routes = Routes()

    @routes.web_socket("echo")  # app.webSocket("echo") { req, ws in
    def connected(req: HTTPRequest, ws: WebSocket) -> None:
        # Connected WebSocket.
        app.sockets.append(ws)  # print(ws)

        # Echoes received messages.
        @ws.on_text  # ws.onText { ws, text in
        def on_text(ws: WebSocket, text: str) -> None:
            ws.send(text)  # ws.send(text)

        @ws.on_binary
        def on_binary(ws: WebSocket, binary: bytes) -> None:
            ws.send(binary)

    with running(routes) as app.port:
        yield app


def connected(app: App, event_loop: EventLoop) -> WebSocket:
    sockets: list[WebSocket] = []

    # WebSocket.connect(to: "ws://echo.websocket.org", on: eventLoop) { ws in
    def on_upgrade(ws: WebSocket) -> None:
        # Connected WebSocket.
        sockets.append(ws)  # print(ws)

    future = WebSocket.connect(to=app.url("echo"), on=event_loop, on_upgrade=on_upgrade)
    # "The connect method returns a future that completes when the connection is established."
    assert [future.wait(PATIENCE)] == sockets
    return sockets[0]


def test_connect_calls_the_closure_with_the_new_web_socket_on_both_ends(app: App, event_loop: EventLoop) -> None:
    ws = connected(app, event_loop)
    assert len(app.sockets) == 1
    assert ws.is_connected
    assert not ws.is_closed


def test_send_text_and_binary_and_receive_them(app: App, event_loop: EventLoop) -> None:
    ws = connected(app, event_loop)
    printed: list[Any] = []
    both = event_loop.make_promise()

    @ws.on_text  # ws.onText { ws, text in
    def on_text(ws: WebSocket, text: str) -> None:
        # String received by this WebSocket.
        printed.append(text)  # print(text)

    @ws.on_binary  # ws.onBinary { ws, binary in
    def on_binary(ws: WebSocket, binary: bytes) -> None:
        # [UInt8] received by this WebSocket.
        printed.append(binary)  # print(binary)
        both.succeed()

    ws.send("Hello, world")  # ws.send("Hello, world")
    ws.send([1, 2, 3])
    both.future_result.wait(PATIENCE)
    assert printed == ["Hello, world", b"\x01\x02\x03"]


def test_a_promise_tells_that_a_message_was_sent_or_not(app: App, event_loop: EventLoop) -> None:
    ws = connected(app, event_loop)
    results: list[Any] = []
    promise = event_loop.make_promise()  # let promise = eventLoop.makePromise(of: Void.self)
    ws.send("...", promise=promise)  # ws.send(..., promise: promise)

    @promise.future_result.when_complete  # promise.futureResult.whenComplete { result in
    def completed(result: Any) -> None:
        # Succeeded or failed to send.
        results.append(result.unwrap())

    promise.future_result.wait(PATIENCE)
    ws.close().wait(PATIENCE)
    assert results == [None]
    failed = event_loop.make_promise()
    ws.send("too late", promise=failed)
    with pytest.raises(ConnectionClosed):
        failed.future_result.wait(PATIENCE)


async def test_send_can_be_awaited(transport: str) -> None:
    routes = Routes()
    routes.web_socket("echo", lambda req, ws: ws.on_text(lambda ws, text: ws.send(text)))
    sent: list[str] = []

    async def on_upgrade(ws: WebSocket) -> None:
        await ws.send("...")  # try await ws.send(...)
        sent.append("...")
        await ws.close()  # try await ws.close()

    with running(routes) as port, trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            url = f"ws://127.0.0.1:{port}/echo"
            # Where the echo came and is not read, the close waits for its timeout.
            WebSocket.connect(to=url, on=nursery, on_upgrade=on_upgrade, close_timeout=0.1)
    assert sent == ["..."]


def test_close_returns_a_future_and_takes_a_promise(app: App, event_loop: EventLoop) -> None:
    ws = connected(app, event_loop)
    code_before = ws.close_code
    assert code_before is None
    future = ws.close()  # ws.close()
    assert future.wait(PATIENCE) is None
    # "The closeCode property is set when the WebSocket closes."
    assert (ws.is_closed, ws.close_code) == (True, 1000)
    other = connected(app, event_loop)
    other.close(promise=None)  # ws.close(promise: nil)
    other.on_close.wait(PATIENCE)
    third = connected(app, event_loop)
    promise = event_loop.make_promise()
    third.close(code=4000, promise=promise)
    promise.future_result.wait(PATIENCE)
    assert third.close_code == 4000


def test_on_close_tells_that_the_peer_has_closed(app: App, event_loop: EventLoop) -> None:
    ws = connected(app, event_loop)
    results: list[Any] = []

    @ws.on_close.when_complete  # ws.onClose.whenComplete { result in
    def completed(result: Any) -> None:
        # Succeeded or failed to close.
        results.append((result.unwrap(), ws.close_code))

    app.sockets[0].close(code=4001).wait(PATIENCE)
    ws.on_close.wait(PATIENCE)
    settled = event_loop.make_promise()
    settled.future_result.when_complete(lambda _: None)
    settled.succeed()
    settled.future_result.wait(PATIENCE)
    assert results == [(None, 4001)]


def test_pings_and_pongs_are_told(app: App, event_loop: EventLoop) -> None:
    ws = connected(app, event_loop)
    pinged, ponged = event_loop.make_promise(), event_loop.make_promise()

    @app.sockets[0].on_ping  # ws.onPing { ws in
    def on_ping(ws: WebSocket) -> None:
        # Ping was received.
        pinged.succeed(ws)

    @ws.on_pong  # ws.onPong { ws in
    def on_pong(ws: WebSocket) -> None:
        # Pong was received.
        ponged.succeed(ws)

    ws.send_ping(data=b"are you there?")
    assert pinged.future_result.wait(PATIENCE) is app.sockets[0]
    assert ponged.future_result.wait(PATIENCE) is ws


def test_pings_and_pongs_are_sent_automatically(app: App, event_loop: EventLoop) -> None:
    # "Ping and pong messages are sent automatically by the client and server to keep WebSocket connections alive."
    ws = connected(app, event_loop)
    pinged, ponged = event_loop.make_promise(), event_loop.make_promise()
    app.sockets[0].on_ping(lambda ws, data: pinged.succeed())
    ws.on_pong(lambda ws, data: ponged.succeed())
    ws.ping_interval = 0.01  # ws.pingInterval = .milliseconds(10)
    pinged.future_result.wait(PATIENCE)
    ponged.future_result.wait(PATIENCE)


# "WebSocket routes can be grouped and protected by middleware like normal routes."


def guarded_routes() -> Routes:
    def guard(request: HTTPRequest, response: HTTPResponse) -> None:
        if request.header("Authorization") == "Bearer open sesame":
            response.next()
        else:
            response.completed(401)

    routes = Routes(base_uri="/api/v1", handler=guard)

    @routes.web_socket("/hello")
    def hello(req: HTTPRequest, ws: WebSocket) -> None:
        ws.send("hello")

    outer = Routes()
    outer.add(routes)
    return outer


def test_a_group_s_middleware_lets_through_and_keeps_out(event_loop: EventLoop) -> None:
    with running(guarded_routes()) as port:
        url = f"ws://127.0.0.1:{port}/api/v1/hello"
        ws = WebSocket.connect(to=url, on=event_loop, headers={"Authorization": "Bearer open sesame"}).wait(PATIENCE)
        hello = event_loop.make_promise()
        ws.on_text(lambda ws, text: hello.succeed(text))
        assert hello.future_result.wait(PATIENCE) == "hello"
        with pytest.raises(ConnectionRejected) as rejected:
            WebSocket.connect(to=url, on=event_loop).wait(PATIENCE)
        assert rejected.value.status == 401
