"""A server to look at: ``python -m examples.monitor`` prints the address of a page that shows it at work.

It is the ticker of `examples.ticker`, with clients of its own, so that there is something to see. Its page stands at
``/monitor/``.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import secrets

from perfectws import HTTPServer, LaunchFailure, WebSocket

from ..ticker import PRICES, Ticker, ticker_routes
from .monitor import Monitor, monitor_routes


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.monitor", description="Show a server at work.")
    parser.add_argument("--address", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8383, help="the port; 0 takes any free one (default: %(default)s)")
    parser.add_argument(
        "--token",
        default=os.environ.get("MONITOR_TOKEN") or secrets.token_urlsafe(),
        help="what whoever looks has to say (default: the environment's MONITOR_TOKEN, or one that is made now)",
    )
    parser.add_argument("--clients", type=int, default=20, help="how many subscribers it has (default: %(default)s)")
    parser.add_argument("--every", type=float, default=0.05, help="seconds from price to price (default: %(default)s)")
    arguments = parser.parse_args()

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    server = HTTPServer()
    server.server_name = "localhost"
    server.server_address, server.server_port = arguments.address, arguments.port
    try:
        ticker = Ticker(arguments.every)
        monitor = Monitor(lambda: server.figures, ticker.subscribers.values, arguments.token)
    except ValueError as error:
        parser.error(f"{error}")
    server.add_routes(ticker_routes(ticker))
    server.add_routes(monitor_routes(monitor, "/monitor"))

    @server.on_start
    def started() -> None:
        place = f"{arguments.address}:{server.server_port}"
        logging.info("Look at http://%s/monitor/#token=%s", place, arguments.token)
        for number in range(arguments.clients):
            subscribe(f"ws://{place}/ticker", list(PRICES)[: 1 + number % len(PRICES)])

    try:
        server.start()
    except LaunchFailure as failure:
        parser.exit(1, f"{failure}\n")


def subscribe(url: str, symbols: list[str]) -> None:
    """Be a client that wants some prices."""

    def connected(socket: WebSocket) -> None:
        socket.on_text(lambda socket, text: None)
        socket.send_string_message(json.dumps({"subscribe": symbols}))

    WebSocket.connect(to=url, subprotocols=["ticker"], on_upgrade=connected)


if __name__ == "__main__":
    main()
