"""The server: an echo that works for each message, and tells each client which process it has.

``python -m benchmarks.workers.server --port PORT --workers N [--work µs] [--drain SECONDS]``. It ends with whoever
started it.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import time

from perfectws import HTTPRequest, HTTPResponse, HTTPServer, Routes, WebSocket

from ..servers import SUBPROTOCOL
from ..servers.__main__ import die_with_parent
from ..servers.perfectws_server import EchoHandler


class WorkingEcho(EchoHandler):
    """The echo of the other benchmarks, which is busy for a while before it answers.

    Args:
        seconds: For how long, in CPU time.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def handle_session(self, request: HTTPRequest, socket: WebSocket) -> None:
        """Read a message, work, and echo it."""

        @socket.read_string_message
        def received(string: str | None, *_: object) -> None:
            if string is None:
                socket.close()
                return
            end = time.thread_time() + self.seconds
            while time.thread_time() < end:
                pass
            socket.send_string_message(string, final=True, completion=lambda: self.handle_session(request, socket))


def make_routes(work: float) -> Routes:
    """Return the routes ``/echo``, ``/who`` and ``/pid``."""
    from perfectws import WebSocketHandler, WebSocketSessionHandler

    routes = Routes()

    def echo(request: HTTPRequest, protocols: list[str]) -> WebSocketSessionHandler | None:
        if SUBPROTOCOL not in protocols:
            return None
        return WorkingEcho(work) if work else EchoHandler()

    def who(request: HTTPRequest, socket: WebSocket) -> None:
        socket.on_text(lambda socket, text: socket.send(text))
        socket.send(str(os.getpid()))

    def pid(request: HTTPRequest, response: HTTPResponse) -> None:
        response.set_body(json.dumps(os.getpid())).completed()

    routes.add("GET", "/echo", WebSocketHandler(echo))
    routes.web_socket("/who", who)
    routes.add("GET", "/pid", pid)
    return routes


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.workers.server")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--work", type=float, default=0.0)
    parser.add_argument("--drain", type=float, default=5.0)
    parser.add_argument("--parent", type=int)
    arguments = parser.parse_args()
    # A program that is run again has another parent: the one before it.
    if arguments.parent is not None and "PERFECTWS_SUCCESSION" not in os.environ:
        die_with_parent(arguments.parent)
    logging.basicConfig(level=logging.INFO, format="%(relativeCreated)d %(process)d %(message)s")
    HTTPServer.launch(
        name="benchmark",
        address="127.0.0.1",
        port=arguments.port,
        routes=make_routes(arguments.work / 1e6),
        workers=arguments.workers,
        drain=arguments.drain,
    )


if __name__ == "__main__":
    main()
