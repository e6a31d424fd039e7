"""A broadcast as Perfect's chats write it: the completion of each send begins the session's next read."""

from __future__ import annotations

from typing import ClassVar

from perfectws import HTTPRequest, OpcodeType, Routes, WebSocket, WebSocketHandler, WebSocketSessionHandler


class BroadcastHandler(WebSocketSessionHandler):
    """Sends on what one says to all, and reads again as soon as any of them was sent it."""

    socket_protocol = "chat"
    sockets: ClassVar[list[WebSocket]] = []

    def handle_session(self, request: HTTPRequest, socket: WebSocket) -> None:
        """Read one message; what it leads to reads the next."""
        if socket not in self.sockets:
            self.sockets.append(socket)

        @socket.read_string_message
        def received(string: str | None, op: OpcodeType, fin: bool) -> None:
            if string is None:
                self.sockets.remove(socket)
                socket.close()
                return
            for each in self.sockets:
                each.send_string_message(string, True, lambda: self.handle_session(request, socket))


def make_routes() -> Routes:
    """Return the chat's routes."""
    routes = Routes()
    routes.add("GET", "/chat", WebSocketHandler(lambda request, protocols: BroadcastHandler()))
    return routes
