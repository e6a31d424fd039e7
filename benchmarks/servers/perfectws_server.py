"""perfectws, by its public names: the echo of Perfect's guide, and a `Room`. Limits and keepalive are the defaults."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from perfectws import (
    HTTPRequest,
    HTTPServer,
    OpcodeType,
    Room,
    Routes,
    WebSocket,
    WebSocketHandler,
    WebSocketSessionHandler,
)

from . import SUBPROTOCOL, Settings


class EchoHandler(WebSocketSessionHandler):
    """Sends back what comes, and reads again once that is sent: the guide's recursion."""

    socket_protocol = SUBPROTOCOL

    def handle_session(self, request: HTTPRequest, socket: WebSocket) -> None:
        """Read a message and echo it."""

        @socket.read_string_message
        def received(string: str | None, op: OpcodeType, fin: bool) -> None:
            if string is None:
                socket.close()
                return
            socket.send_string_message(string, final=True, completion=lambda: self.handle_session(request, socket))


class PartsHandler(WebSocketSessionHandler):
    """Reads frame by frame, and sends a message back once it has all of its parts."""

    socket_protocol = SUBPROTOCOL

    def handle_session(self, request: HTTPRequest, socket: WebSocket) -> None:
        """Read messages and echo them."""
        parts: list[str] = []

        def received(string: str | None, op: OpcodeType, fin: bool) -> None:
            if string is None:
                socket.close()
                return
            parts.append(string)
            if not fin:
                read()
                return
            whole = "".join(parts)
            parts.clear()
            socket.send_string_message(whole, final=True, completion=read)

        def read() -> None:
            socket.read_string_message(received)

        read()


class MessageHandler(WebSocketSessionHandler):
    """Sends back what comes, as whole messages."""

    socket_protocol = SUBPROTOCOL

    def handle_session(self, request: HTTPRequest, socket: WebSocket) -> None:
        """Echo each message."""

        @socket.on_text
        def received(socket: WebSocket, text: str) -> None:
            socket.send(text)


class RoomHandler(WebSocketSessionHandler):
    """Sends what comes to everyone in the room."""

    socket_protocol = SUBPROTOCOL

    def __init__(self, room: Room) -> None:
        self.room = room

    def handle_session(self, request: HTTPRequest, socket: WebSocket) -> None:
        """Let the socket in, and pass on what it says."""
        self.room.join(socket)

        def received(string: str | None, op: OpcodeType, fin: bool) -> None:
            if string is None:
                socket.close()
                return
            self.room.send_string_message(string)
            socket.read_string_message(received)

        socket.read_string_message(received)


def make_routes(settings: Settings) -> Routes:
    """Return the routes ``/echo`` and ``/room``, and one with a variable beside them."""
    room = Room()
    options: dict[str, Any] = {}
    if settings.ping_interval is not None:
        options["ping_interval"] = settings.ping_interval
    if settings.deflate:
        options["compression"] = True
    routes = Routes()

    def serving(handler: type[WebSocketSessionHandler]) -> WebSocketHandler:
        echoing = MessageHandler if settings.whole_messages else handler
        return WebSocketHandler(lambda _, protocols: echoing() if SUBPROTOCOL in protocols else None, **options)

    def join(request: HTTPRequest, protocols: list[str]) -> WebSocketSessionHandler | None:
        return RoomHandler(room) if SUBPROTOCOL in protocols else None

    routes.add("GET", "/echo", serving(EchoHandler))
    routes.add("GET", "/parts", serving(PartsHandler))
    routes.add("GET", "/room", WebSocketHandler(join, **options))
    return routes


def serve(settings: Settings) -> None:
    """Serve until killed."""
    launch: dict[str, Any] = {"name": "benchmark", "address": "127.0.0.1", "port": settings.port}
    if settings.certificate is not None:
        configuration = import_module("perfectws").TLSConfiguration  # not in every version that is compared
        launch["tls_config"] = configuration(cert_path=settings.certificate)
    HTTPServer.launch(routes=make_routes(settings), **launch)
