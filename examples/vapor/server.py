"""The echo of Vapor 4's guide and the reversed echo of Vapor 3's, in the shape that they have in Swift.

A WebSocket to ``/echo`` gets back what it sends. One to any other path gets it reversed, but ``/deny`` is refused::

    python -m examples.vapor.server [--address ADDRESS] [--port PORT]
"""

from __future__ import annotations

import argparse
import logging

from perfectws import HTTPRequest, HTTPServer, LaunchFailure, Routes, WebSocket

routes = Routes()


@routes.web_socket("echo")
def echo(req: HTTPRequest, ws: WebSocket) -> None:
    # Echoes received messages.
    @ws.on_text
    def received(ws: WebSocket, text: str) -> None:
        ws.send(text)


def should_upgrade(req: HTTPRequest) -> dict[str, str] | None:
    # Returning None here rejects the upgrade.
    if req.path == "/deny":
        return None
    # Return any additional headers you like, or just an empty dict.
    return {}


def on_upgrade(ws: WebSocket, req: HTTPRequest) -> None:
    # Called with each new WebSocket client.
    ws.send("Connected")

    @ws.on_text
    def received(ws: WebSocket, text: str) -> None:
        ws.send(text[::-1])


reversing = HTTPServer.web_socket_upgrader(should_upgrade=should_upgrade, on_upgrade=on_upgrade)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.vapor.server", description="Serve both echoes.")
    parser.add_argument("--address", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8080, help="the port; 0 takes any free one (default: %(default)s)")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        HTTPServer.launch(
            name="vapor", address=arguments.address, port=arguments.port, routes=routes, upgraders=[reversing]
        )
    except LaunchFailure as failure:
        parser.exit(1, f"{failure}\n")


if __name__ == "__main__":
    main()
