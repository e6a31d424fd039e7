"""Scripts run in threads that know nothing of trio; the servers that they talk to run in threads too."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import trio

from perfectws import HTTPRequest, HTTPServer, Routes, WebSocket

#: No test waits longer for anything, in seconds.
PATIENCE = 30


@pytest.fixture
def server_port() -> Iterator[int]:
    """Serve, in a thread: ``/echo`` echoes, ``/silent`` never says anything, ``/drop`` closes with 1012."""
    routes = Routes()

    @routes.web_socket("/echo")
    def echo(request: HTTPRequest, ws: WebSocket) -> None:
        ws.on_text(lambda ws, text: ws.send(text))
        ws.on_binary(lambda ws, data: ws.send(data))

    @routes.web_socket("/silent")
    def silent(request: HTTPRequest, ws: WebSocket) -> None:
        pass

    @routes.web_socket("/drop")
    def drop(request: HTTPRequest, ws: WebSocket) -> None:
        ws.close(1012)

    server = HTTPServer()
    server.server_address = "127.0.0.1"
    server.close_timeout = 1
    server.add_routes(routes)
    ports: list[int] = []
    is_up = threading.Event()

    async def serve() -> None:
        async with trio.open_nursery() as nursery:
            ports.append(await nursery.start(server.serve))
            is_up.set()

    thread = threading.Thread(target=trio.run, args=(serve,))
    thread.start()
    assert is_up.wait(PATIENCE)
    yield ports[0]
    server.stop()
    thread.join(PATIENCE)
    assert not thread.is_alive()
