"""Every snippet of Vapor 3's WebSocket pages, ported line by line and driven.

Source: vapor/docs, ``3.0/docs/websocket/overview.md`` and ``3.0/docs/vapor/websocket.md``. The Swift stands beside.
"""

from __future__ import annotations

import pytest

from perfectws import (
    ConnectionRejected,
    EventLoop,
    Future,
    HTTPClient,
    HTTPRequest,
    HTTPServer,
    Routes,
    WebSocket,
    WebSocketUpgrader,
)

from .vapor_servers import PATIENCE, running

# websocket/overview.md


def reversing_upgrader() -> WebSocketUpgrader:
    # First, create an HTTPProtocolUpgrader
    def should_upgrade(req: HTTPRequest) -> dict[str, str] | None:  # shouldUpgrade: { req in
        # Returning nil in this closure will reject upgrade
        if req.path == "/deny":  # if req.url.path == "/deny" { return nil }
            return None
        # Return any additional headers you like, or just empty
        return {}  # return [:]

    def on_upgrade(ws: WebSocket, req: HTTPRequest) -> None:  # }, onUpgrade: { ws, req in
        # This closure will be called with each new WebSocket client
        ws.send("Connected")  # ws.send("Connected")

        @ws.on_text  # ws.onText { ws, string in
        def received(ws: WebSocket, string: str) -> None:
            ws.send(string[::-1])  # ws.send(string.reversed())

    # let ws = HTTPServer.webSocketUpgrader(shouldUpgrade: …, onUpgrade: …)
    return HTTPServer.web_socket_upgrader(should_upgrade=should_upgrade, on_upgrade=on_upgrade)


def test_the_upgrader_accepts_any_path_and_reverses(event_loop: EventLoop) -> None:
    with running(None, reversing_upgrader()) as port:
        ws = HTTPClient.web_socket(hostname="127.0.0.1", port=port, path="/any/path", on=event_loop).wait(PATIENCE)
        texts: list[str] = []
        both = event_loop.make_promise()

        @ws.on_text
        def received(ws: WebSocket, text: str) -> None:
            texts.append(text)
            if len(texts) == 2:
                both.succeed()

        ws.send("Hello, world!")
        both.future_result.wait(PATIENCE)
        assert texts == ["Connected", "!dlrow ,olleH"]


def test_the_upgrader_rejects_deny(event_loop: EventLoop) -> None:
    with running(None, reversing_upgrader()) as port:
        future = HTTPClient.web_socket(hostname="127.0.0.1", port=port, path="/deny", on=event_loop)
        with pytest.raises(ConnectionRejected) as rejected:
            future.wait(PATIENCE)
        assert rejected.value.status == 404  # the request goes on, and nothing else is there


def echo_server() -> Routes:
    routes = Routes()

    @routes.web_socket("/")
    def echo(request: HTTPRequest, ws: WebSocket) -> None:
        @ws.on_text
        def received(ws: WebSocket, text: str) -> None:
            ws.send(text)
            if text == "close":
                ws.close()

    return routes


def test_the_client_script(event_loop: EventLoop) -> None:
    with running(echo_server()) as port:
        printed: list[str] = []
        # Create a new WebSocket connected to echo.websocket.org
        # let ws = try HTTPClient.webSocket(hostname: "echo.websocket.org", on: ...).wait()
        ws = HTTPClient.web_socket(hostname="127.0.0.1", port=port, on=event_loop).wait(PATIENCE)

        # Set a new callback for receiving text formatted data.
        @ws.on_text  # ws.onText { ws, text in
        def received(ws: WebSocket, text: str) -> None:
            printed.append(f"Server echo: {text}")  # print("Server echo: \(text)")

        # Send a message.
        ws.send("Hello, world!")  # ws.send("Hello, world!")
        ws.send("close")

        # Wait for the Websocket to close.
        ws.on_close.wait(PATIENCE)  # try ws.onClose.wait()
        assert printed == ["Server echo: Hello, world!", "Server echo: close"]


# vapor/websocket.md


def chat_server() -> Routes:
    # Create a new NIO websocket server
    wss = Routes()  # let wss = NIOWebSocketServer.default()

    # Add WebSocket upgrade support to GET /echo
    @wss.web_socket("echo")  # wss.get("echo") { ws, req in
    def echo(req: HTTPRequest, ws: WebSocket) -> None:
        # Add a new on text callback
        @ws.on_text  # ws.onText { ws, text in
        def received(ws: WebSocket, text: str) -> None:
            # Simply echo any received text
            ws.send(text)  # ws.send(text)

    # Add WebSocket upgrade support to GET /chat/:name
    @wss.web_socket("chat/:name")  # wss.get("chat", String.parameter) { ws, req in
    def chat(req: HTTPRequest, ws: WebSocket) -> None:
        name = req.url_variables["name"]  # let name = try req.parameters.next(String.self)
        ws.send(f"Welcome, {name}!")  # ws.send("Welcome, \(name)!")

    # Register our server
    return wss  # services.register(wss, as: WebSocketServer.self)


def test_the_parameter_of_a_route_is_welcomed(event_loop: EventLoop) -> None:
    with running(chat_server()) as port:
        welcome = event_loop.make_promise()
        ws = HTTPClient.web_socket("127.0.0.1", port, "/chat/Vapor", on=event_loop).wait(PATIENCE)
        ws.on_text(lambda ws, text: welcome.succeed(text))
        assert welcome.future_result.wait(PATIENCE) == "Welcome, Vapor!"


def test_the_client_of_an_application(event_loop: EventLoop) -> None:
    with running(chat_server()) as port:
        printed: list[str] = []

        # connect to echo.websocket.org
        # let done = try app.client().webSocket("ws://echo.websocket.org").flatMap { ws -> Future<Void> in
        def connected(ws: WebSocket) -> Future[None]:
            # setup an on text callback that will print the echo
            @ws.on_text  # ws.onText { ws, text in
            def received(ws: WebSocket, text: str) -> None:
                printed.append(f"rec: {text}")  # print("rec: \(text)")
                # close the websocket connection after we recv the echo
                ws.close()  # ws.close()

            # when the websocket first connects, send message
            ws.send("hello, world!")  # ws.send("hello, world!")

            # return a future that will complete when the websocket closes
            return ws.on_close  # return ws.onClose

        done = WebSocket.connect(to=f"ws://127.0.0.1:{port}/echo", on=event_loop).flat_map(connected)

        # wait for the websocket to close
        done.wait(PATIENCE)  # try done.wait()
        assert printed == ["rec: hello, world!"]


# websocket-kit 1, Tests/WebSocketTests


def test_websocket_kit_1_s_server(event_loop: EventLoop) -> None:
    closed: list[object] = []

    def on_upgrade(ws: WebSocket, req: HTTPRequest) -> None:
        ws.send(req.path)  # ws.send(req.url.path)

        @ws.on_text  # ws.onText { ws, string in
        def received(ws: WebSocket, string: str) -> None:
            ws.send(string[::-1])  # ws.send(string.reversed())
            if string == "close":  # if string == "close" {
                ws.close()  # ws.close()

        ws.on_close.when_complete(closed.append)  # ws.onClose.always {

    with running(None, HTTPServer.web_socket_upgrader(on_upgrade=on_upgrade)) as port:
        ws = HTTPClient.web_socket("127.0.0.1", port, "/here?there", on=event_loop).wait(PATIENCE)
        texts: list[str] = []
        ws.on_text(lambda ws, text: texts.append(text))
        ws.send("close")
        ws.on_close.wait(PATIENCE)
        assert texts == ["/here", "esolc"]
    assert len(closed) == 1
