"""websocket-kit's own scenarios, ported.

Source: vapor/websocket-kit, ``Tests/WebSocketKitTests/WebSocketKitTests.swift``; each test names its original. Proxies
are not supported yet, so that testProxy and testProxyTLS are missing.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import trio

from perfectws import EventLoop, HandshakeError, HTTPClient, HTTPRequest, InvalidURL, OpcodeType, Routes, WebSocket
from perfectws.http.http11 import HTTPConnection
from perfectws.http.service import HTTPService
from perfectws.net.acceptors import serve_listener
from perfectws.net.listeners import bound_port, open_listeners
from perfectws.net.loop import open_loop

from ..certificates import server_context
from .vapor_servers import PATIENCE, running


@contextmanager
def web_socket(on_upgrade: Callable[[HTTPRequest, WebSocket], object]) -> Iterator[str]:
    """Serve: ``ServerBootstrap.webSocket(on: self.elg) { req, ws in … }.bind(host: "localhost", port: 0)``."""
    routes = Routes()
    routes.web_socket("/", on_upgrade)
    with running(routes) as port:
        yield f"ws://localhost:{port}"


def test_echo(event_loop: EventLoop) -> None:  # testWebSocketEcho
    def server(req: HTTPRequest, ws: WebSocket) -> None:
        ws.on_text(lambda ws, text: ws.send(text))

    promise, close_promise = event_loop.make_promise(), event_loop.make_promise()

    def client(ws: WebSocket) -> None:
        @ws.on_text
        def received(ws: WebSocket, string: str) -> None:
            ws.close(promise=close_promise)
            promise.succeed(string)

        ws.send("hello")

    with web_socket(server) as url:
        WebSocket.connect(to=url, on=event_loop, on_upgrade=client).when_failure(promise.fail)
        assert promise.future_result.wait(PATIENCE) == "hello"
        close_promise.future_result.wait(PATIENCE)


def test_bad_host(event_loop: EventLoop) -> None:  # testBadHost
    with pytest.raises(HandshakeError):
        HTTPClient.web_socket("asdf.invalid", on=event_loop, on_upgrade=lambda ws: None).wait(PATIENCE)


def test_bad_url(event_loop: EventLoop) -> None:  # testBadURLSchemeInWebsocketConnect
    with pytest.raises(InvalidURL):
        WebSocket.connect(to="w`:", on=event_loop, on_upgrade=lambda ws: None).wait(PATIENCE)


def test_server_close(event_loop: EventLoop) -> None:  # testServerClose
    send, server_close, client_close = (event_loop.make_promise() for _ in range(3))

    def server(req: HTTPRequest, ws: WebSocket) -> None:
        @ws.on_text
        def received(ws: WebSocket, text: str) -> None:
            if text == "close":
                ws.close(promise=server_close)

    def client(ws: WebSocket) -> None:
        ws.on_close.when_success(client_close.succeed)
        ws.send("close", promise=send)

    with web_socket(server) as url:
        WebSocket.connect(to=url, on=event_loop, on_upgrade=client).when_failure(send.fail)
        for promise in (send, server_close, client_close):
            promise.future_result.wait(PATIENCE)


def test_client_close(event_loop: EventLoop) -> None:  # testClientClose
    send, server_close, client_close = (event_loop.make_promise() for _ in range(3))

    def server(req: HTTPRequest, ws: WebSocket) -> None:
        ws.on_text(lambda ws, text: ws.send(text))
        ws.on_close.when_success(server_close.succeed)

    def client(ws: WebSocket) -> None:
        @ws.on_text
        def received(ws: WebSocket, text: str) -> None:
            if text == "close":
                ws.close(promise=client_close)

        ws.send("close", promise=send)

    with web_socket(server) as url:
        WebSocket.connect(to=url, on=event_loop, on_upgrade=client).when_failure(send.fail)
        for promise in (send, server_close, client_close):
            promise.future_result.wait(PATIENCE)


def test_immediate_send(event_loop: EventLoop) -> None:  # testImmediateSend
    promise = event_loop.make_promise()

    def server(req: HTTPRequest, ws: WebSocket) -> None:
        @ws.on_text
        def received(ws: WebSocket, string: str) -> None:
            promise.succeed(string)
            ws.close(promise=None)

        ws.send("hello")

    def client(ws: WebSocket) -> None:
        @ws.on_text
        def received(ws: WebSocket, string: str) -> None:
            ws.send("goodbye")
            ws.close(promise=None)

    with web_socket(server) as url:
        WebSocket.connect(to=url, on=event_loop, on_upgrade=client).when_failure(promise.fail)
        assert promise.future_result.wait(PATIENCE) == "goodbye"


def test_ping_pong(event_loop: EventLoop) -> None:  # testWebSocketPingPong
    ping, pong = event_loop.make_promise(), event_loop.make_promise()
    payload = b"Vapor rules"

    def server(req: HTTPRequest, ws: WebSocket) -> None:
        ws.on_ping(lambda ws, data: ping.succeed(data))

    def client(ws: WebSocket) -> None:
        ws.send_ping(payload)

        @ws.on_pong
        def ponged(ws: WebSocket, data: bytes) -> None:
            pong.succeed(data)  # twice, as there are two pings: the second time nothing happens
            ws.close(promise=None)

        ws.send_raw(payload, opcode=OpcodeType.PING)

    with web_socket(server) as url:
        WebSocket.connect(to=url, on=event_loop, on_upgrade=client).when_failure(pong.fail)
        assert ping.future_result.wait(PATIENCE) == payload
        assert pong.future_result.wait(PATIENCE) == payload


def test_aggregate_frames(event_loop: EventLoop) -> None:  # testWebSocketAggregateFrames
    def server(req: HTTPRequest, ws: WebSocket) -> None:
        @ws.on_text
        def received(ws: WebSocket, text: str) -> None:
            ws.send_raw(text.encode(), opcode=OpcodeType.TEXT, fin=False)
            ws.send_raw(b" th", opcode=OpcodeType.CONTINUATION, fin=False)
            ws.send_raw(b"e mo", opcode=OpcodeType.CONTINUATION, fin=False)
            ws.send_raw(b"st", opcode=OpcodeType.CONTINUATION, fin=True)

    promise, close_promise = event_loop.make_promise(), event_loop.make_promise()

    def client(ws: WebSocket) -> None:
        @ws.on_text
        def received(ws: WebSocket, string: str) -> None:
            ws.close(promise=close_promise)
            promise.succeed(string)

        ws.send_raw(b"Hel", opcode=OpcodeType.TEXT, fin=False)
        ws.send_raw(b"lo! Vapor r", opcode=OpcodeType.CONTINUATION, fin=False)
        ws.send_raw(b"ules", opcode=OpcodeType.CONTINUATION, fin=True)

    with web_socket(server) as url:
        WebSocket.connect(to=url, on=event_loop, on_upgrade=client).when_failure(promise.fail)
        assert promise.future_result.wait(PATIENCE) == "Hello! Vapor rules the most"
        close_promise.future_result.wait(PATIENCE)


def test_error_code(event_loop: EventLoop) -> None:  # testErrorCode
    promise = event_loop.make_promise()

    def server(req: HTTPRequest, ws: WebSocket) -> None:
        ws.close(code=1000, promise=None)

    def client(ws: WebSocket) -> None:
        ws.on_text(lambda ws, string: ws.send("goodbye"))
        ws.on_close.when_success(lambda _: promise.succeed(ws.close_code))

    with web_socket(server) as url:
        WebSocket.connect(to=url, on=event_loop, on_upgrade=client).when_failure(promise.fail)
        assert promise.future_result.wait(PATIENCE) == 1000


def test_headers_are_sent(event_loop: EventLoop) -> None:  # testHeadersAreSent
    auth, has_unwanted_headers = event_loop.make_promise(), event_loop.make_promise()

    def server(req: HTTPRequest, ws: WebSocket) -> None:
        auth.succeed(req.header("Auth"))
        ws.close(promise=None)
        has_unwanted_headers.succeed("Content-Length" in req.headers or "Content-Type" in req.headers)

    with web_socket(server) as url:
        WebSocket.connect(
            to=url, headers={"Auth": "supersecretsauce"}, on=event_loop, on_upgrade=lambda ws: ws.close() and None
        ).when_failure(auth.fail)
        assert auth.future_result.wait(PATIENCE) == "supersecretsauce"
        assert has_unwanted_headers.future_result.wait(PATIENCE) is False


def test_query_params_are_sent(event_loop: EventLoop) -> None:  # testQueryParamsAreSent
    promise = event_loop.make_promise()

    def server(req: HTTPRequest, ws: WebSocket) -> None:
        ws.close(promise=None)
        promise.succeed(req.uri)

    def client(ws: WebSocket) -> None:
        ws.close()

    with web_socket(server) as url:
        WebSocket.connect(to=f"{url}?foo=bar&bar=baz", on=event_loop, on_upgrade=client).when_failure(promise.fail)
        assert promise.future_result.wait(PATIENCE) == "/?foo=bar&bar=baz"


def test_locally(event_loop: EventLoop) -> None:  # testLocally
    printed: list[Any] = []
    shut_down = event_loop.make_promise()

    def server(req: HTTPRequest, ws: WebSocket) -> None:
        ws.on_close.when_complete(lambda result: printed.append("ws.onClose done"))

        @ws.on_text
        def received(ws: WebSocket, text: str) -> None:
            match text:
                case "shutdown":
                    shut_down.succeed()
                case "close":
                    ws.close().when_complete(lambda result: printed.append("ws.close() done"))
                case _:
                    ws.send(text[::-1])

        ws.send("welcome!")

    with web_socket(server) as url:
        ws = WebSocket.connect(to=url, on=event_loop).wait(PATIENCE)
        texts: list[str] = []
        ws.on_text(lambda ws, text: texts.append(text))
        for text in ("abc", "shutdown", "close"):
            ws.send(text)
        shut_down.future_result.wait(PATIENCE)
        ws.on_close.wait(PATIENCE)
        assert texts == ["welcome!", "cba"]
    assert printed == ["ws.onClose done", "ws.close() done"]


@contextmanager
def tls_server(on_upgrade: Callable[[HTTPRequest, WebSocket], object]) -> Iterator[int]:
    """Serve WebSockets inside TLS, on an address, in a thread."""
    context = server_context("127.0.0.1")
    routes = Routes()
    routes.web_socket("/", on_upgrade)
    ports: list[int] = []
    stop: list[Callable[[], object]] = []
    is_up = threading.Event()

    async def serve() -> None:
        stopping, token = trio.Event(), trio.lowlevel.current_trio_token()
        stop.append(lambda: token.run_sync_soon(stopping.set))
        async with open_loop() as loop, trio.open_nursery() as nursery:
            service = HTTPService(routes.navigator)
            (listener,) = await open_listeners("127.0.0.1", 0)
            ports.append(bound_port([listener]))
            nursery.start_soon(
                serve_listener,
                loop,
                listener,
                lambda transport: HTTPConnection(transport, loop, service),
                lambda: context,
            )
            is_up.set()
            await stopping.wait()
            nursery.cancel_scope.cancel()
            await loop.end_connections(1)

    thread = threading.Thread(target=trio.run, args=(serve,))
    thread.start()
    assert is_up.wait(PATIENCE)
    try:
        yield ports[0]
    finally:
        stop[0]()
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_ip_with_tls(event_loop: EventLoop) -> None:  # testIPWithTLS
    tls_configuration = ssl.create_default_context()
    tls_configuration.check_hostname = False
    tls_configuration.verify_mode = ssl.CERT_NONE  # tlsConfiguration.certificateVerification = .none

    def client(ws: WebSocket) -> None:
        ws.close(promise=None)

    with tls_server(lambda req, ws: ws.close() and None) as port:
        ws = WebSocket.connect(
            to=f"wss://127.0.0.1:{port}", on=event_loop, ssl_context=tls_configuration, on_upgrade=client
        ).wait(PATIENCE)
        ws.on_close.wait(PATIENCE)
        assert ws.close_code == 1000


def test_alternate_connect_methods(event_loop: EventLoop) -> None:  # testAlternateWebsocketConnectMethods
    def server(req: HTTPRequest, ws: WebSocket) -> None:
        ws.on_text(lambda ws, text: ws.send(text))

    def client_of(promise: Any) -> Callable[[WebSocket], object]:
        def client(ws: WebSocket) -> None:
            ws.send("hello")
            ws.on_text(lambda ws, _: ws.close(promise=promise) and None)

        return client

    close_1, close_2 = event_loop.make_promise(), event_loop.make_promise()
    with web_socket(server) as url:
        port = int(url.rpartition(":")[2])
        HTTPClient.web_socket(
            scheme="ws", hostname="localhost", port=port, on=event_loop, on_upgrade=client_of(close_1)
        )
        WebSocket.connect(to=url, proxy=None, on=event_loop, on_upgrade=client_of(close_2))
        close_1.future_result.wait(PATIENCE)
        close_2.future_result.wait(PATIENCE)


def test_on_binary(event_loop: EventLoop) -> None:  # testOnBinary
    promise, close_promise = event_loop.make_promise(), event_loop.make_promise()

    def server(req: HTTPRequest, ws: WebSocket) -> None:
        ws.on_binary(lambda ws, data: ws.send(data))

    def client(ws: WebSocket) -> None:
        @ws.on_binary
        def received(ws: WebSocket, buf: bytes) -> None:
            ws.close(promise=close_promise)
            promise.succeed(list(buf))

        ws.send(bytes([0x01]))

    with web_socket(server) as url:
        WebSocket.connect(to=url, on=event_loop, on_upgrade=client).when_failure(promise.fail)
        assert promise.future_result.wait(PATIENCE) == [0x01]
        close_promise.future_result.wait(PATIENCE)


def test_send_ping(event_loop: EventLoop) -> None:  # testSendPing
    promise, close_promise = event_loop.make_promise(), event_loop.make_promise()

    def client(ws: WebSocket) -> None:
        @ws.on_pong
        def ponged(ws: WebSocket, data: bytes) -> None:
            ws.close(promise=close_promise)
            promise.succeed(data)

        ws.send_ping()

    with web_socket(lambda req, ws: None) as url:
        WebSocket.connect(to=url, on=event_loop, on_upgrade=client).when_failure(close_promise.fail)
        assert promise.future_result.wait(PATIENCE) == b""
        close_promise.future_result.wait(PATIENCE)


def test_set_ping_interval(event_loop: EventLoop) -> None:  # testSetPingInterval
    promise, close_promise = event_loop.make_promise(), event_loop.make_promise()

    def client(ws: WebSocket) -> None:
        ws.ping_interval = 0.1

        @ws.on_pong
        def ponged(ws: WebSocket, data: bytes) -> None:
            ws.close(promise=close_promise)
            promise.succeed()

    with web_socket(lambda req, ws: None) as url:
        WebSocket.connect(to=url, on=event_loop, on_upgrade=client).when_failure(close_promise.fail)
        promise.future_result.wait(PATIENCE)
        close_promise.future_result.wait(PATIENCE)


def test_create_an_event_loop_and_shut_it_down() -> None:  # testCreateNewELGAndShutdown
    with EventLoop():
        pass
