"""The echo server of Perfect's WebSocket guide, in the shape that it has in Swift.

A browser that asks for the subprotocol ``echo`` at ``/echo`` gets back every message it sends. Every other path is a
file of ``webroot``, whose page does just that. Run it from the root of the repository and open http://localhost:8181/::

    python -m examples.echo
"""

from __future__ import annotations

from pathlib import Path

from perfectws import (
    HTTPRequest,
    HTTPResponse,
    OpcodeType,
    Routes,
    StaticFileHandler,
    WebSocket,
    WebSocketHandler,
    WebSocketSessionHandler,
)

WEBROOT = Path(__file__).parent / "webroot"


class EchoHandler(WebSocketSessionHandler):
    # The name of the subprotocol that we speak: what the page gives to its WebSocket.
    socket_protocol = "echo"

    # Called once the connection has been established.
    def handle_session(self, request: HTTPRequest, socket: WebSocket) -> None:
        # Read a message from the client as a string.
        @socket.read_string_message
        def received(string: str | None, op: OpcodeType, fin: bool) -> None:
            # None is what comes when the connection has ended: when the browser's window was closed, for example.
            if string is None:
                socket.close()
                return
            # Echo it. Once it has been sent, recurse to read and echo the next message.
            socket.send_string_message(string, final=True, completion=lambda: self.handle_session(request, socket))


def make_routes() -> Routes:
    routes = Routes()

    @routes.add("GET", "/echo")
    def echo(request: HTTPRequest, response: HTTPResponse) -> None:
        # The function given here returns the handler of the session.
        def producer(request: HTTPRequest, protocols: list[str]) -> WebSocketSessionHandler | None:
            # Make sure that the client asks for our "echo" service.
            if "echo" not in protocols:
                return None
            return EchoHandler()

        WebSocketHandler(handler_producer=producer).handle_request(request, response)

    # Everything else is a file of the page.
    @routes.add("GET", "/**")
    def page(request: HTTPRequest, response: HTTPResponse) -> None:
        StaticFileHandler(document_root=WEBROOT).handle_request(request, response)

    return routes
