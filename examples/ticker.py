"""A ticker: a server that pushes prices to those who subscribe to them, and a subscriber that shows them.

A client sends ``{"subscribe": ["ACME"]}`` or ``{"unsubscribe": ["ACME"]}`` at any time. There is a `Room` for each
price, so each push is written once, however many subscribe. While nobody does, nothing ticks. In two terminals::

    python -m examples.ticker
    python -m examples.ticker --watch ws://127.0.0.1:8282/ticker ACME INITECH
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import sys
from time import time
from typing import Any

from perfectws import (
    HTTPRequest,
    HTTPServer,
    LaunchFailure,
    OpcodeType,
    Room,
    Routes,
    Timer,
    WebSocket,
    WebSocketHandler,
    WebSocketSessionHandler,
    call_every,
    run,
)

PRICES = {"ACME": 100.0, "GLOBEX": 250.0, "INITECH": 40.0, "UMBRELLA": 75.0}


class Ticker:
    """The prices, and who wants to know them.

    Args:
        interval: Seconds from one price to the next.

    Raises:
        ValueError: No timer goes so fast.
    """

    def __init__(self, interval: float) -> None:
        if not 0 < interval < float("inf"):
            raise ValueError(f"from one price to the next it is some seconds, not {interval}")
        self.interval = interval
        self.prices = dict(PRICES)
        self.subscribers = {symbol: Room(symbol) for symbol in PRICES}
        self.timer: Timer | None = None

    def subscribe(self, symbol: str, socket: WebSocket) -> None:
        self.subscribers[symbol].join(socket)
        self.push(symbol, socket.send_string_message)
        if self.timer is None:
            self.timer = call_every(self.interval, self.tick)

    def unsubscribe(self, symbol: str, socket: WebSocket) -> None:
        # Who closes the connection leaves by itself.
        self.subscribers[symbol].leave(socket)

    def tick(self) -> None:
        for symbol, room in self.subscribers.items():
            if len(room):
                self.prices[symbol] *= random.uniform(0.99, 1.01)
                self.push(symbol, room.send_string_message)
        if self.timer is not None and not any(map(len, self.subscribers.values())):
            self.timer.cancel()
            self.timer = None

    def push(self, symbol: str, send: Any) -> None:
        send(json.dumps({"symbol": symbol, "price": round(self.prices[symbol], 2), "time": time()}))


class TickerHandler(WebSocketSessionHandler):
    """The session of one subscriber."""

    socket_protocol = "ticker"

    def __init__(self, ticker: Ticker) -> None:
        self.ticker = ticker

    def handle_session(self, request: HTTPRequest, socket: WebSocket) -> None:
        @socket.on_text
        def received(socket: WebSocket, text: str) -> None:
            try:
                order = json.loads(text)
                subscribe, unsubscribe = order.get("subscribe", []), order.get("unsubscribe", [])
                for symbol in dict.fromkeys(unsubscribe):
                    self.ticker.unsubscribe(symbol, socket)
                # Once each, however often it is named: each is answered with its price.
                for symbol in dict.fromkeys(subscribe):
                    self.ticker.subscribe(symbol, socket)
            except (ValueError, AttributeError, TypeError, KeyError, RecursionError):
                answer = {"error": f'Send {{"subscribe": [SYMBOL, …]}}, with symbols of {", ".join(PRICES)}.'}
                socket.send_string_message(json.dumps(answer, ensure_ascii=False))


def ticker_routes(ticker: Ticker) -> Routes:
    routes = Routes()
    routes.add("GET", "/ticker", WebSocketHandler(lambda request, protocols: TickerHandler(ticker)))
    return routes


def watch(url: str, symbols: list[str]) -> None:
    """Show prices until the connection ends."""

    def connected(socket: WebSocket) -> None:
        socket.send_string_message(json.dumps({"subscribe": symbols}))
        read_next(socket)

    def read_next(socket: WebSocket) -> None:
        @socket.read_string_message
        def received(string: str | None, op: OpcodeType, fin: bool) -> None:
            if string is None:
                show(f"The ticker has stopped: {socket.close_reason or socket.close_code}")
                return
            match json.loads(string):
                case {"symbol": symbol, "price": price}:
                    show(f"{symbol:<10}{price:>10.2f}")
                case {"error": text}:
                    show(text)
                    socket.close()
            read_next(socket)

    def begin(nursery: object) -> None:
        connecting = WebSocket.connect(to=url, subprotocols=["ticker"], on_upgrade=connected)
        connecting.when_failure(lambda error: show(f"{error}"))

    try:
        run(begin)
    except KeyboardInterrupt:
        pass  # Ctrl-C is how one ends it


def show(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.ticker", description="Push prices, or watch them.")
    parser.add_argument("--address", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8282, help="the port; 0 takes any free one (default: %(default)s)")
    parser.add_argument("--every", type=float, default=1.0, metavar="SECONDS", help="how often (default: %(default)s)")
    parser.add_argument("--watch", metavar="URL", help="watch the ticker there instead of being one")
    parser.add_argument("symbols", nargs="*", default=list(PRICES), help="what to watch (default: everything)")
    arguments = parser.parse_args()
    if arguments.watch:
        watch(arguments.watch, arguments.symbols)
        return
    # perfectws logs where it listens.
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        routes = ticker_routes(Ticker(arguments.every))
    except ValueError as error:
        parser.error(f"{error}")
    try:
        HTTPServer.launch(name="localhost", address=arguments.address, port=arguments.port, routes=routes)
    except LaunchFailure as failure:
        parser.exit(1, f"{failure}\n")


if __name__ == "__main__":
    main()
