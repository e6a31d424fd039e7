"""A server and clients of perfectws over a bad network: ``python -m tests.chaos.over_bad_network SECONDS``.

It prints, as JSON, what came of it. It ends with `FORBIDDEN`, and says why, where there can be no such network.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections import Counter
from random import Random
from typing import Any

from perfectws import Backoff, EventLoop, HTTPServer, LaunchContext, Routes, WebSocket

from .bad_network import HERE, THERE, BadNetwork

FORBIDDEN = 77
#: How long all have to come to their ends, in seconds.
PATIENCE = 60.0
CLIENTS = 8
SIZES = (0, 5, 130, 3_000, 40_000)
#: The keepalive of both sides. It outlasts a packet that is lost four times: the kernel sends one again after 0.2, 0.6,
#: 1.4 and 3 seconds.
KEEPALIVE: Any = {"ping_interval": 0.5, "ping_timeout": 3.2, "close_timeout": 2.0}


class Client:
    """A client that talks for a while: each message is sent when the one before has come back.

    Args:
        number: Which one.
        port: The server's port.
        loop: Where it runs.
        counts: What all have done.
    """

    def __init__(self, number: int, port: int, loop: EventLoop, counts: Counter[str]) -> None:
        self._random = Random(number)
        self._counts = counts
        self._waiting = ""
        self._sent = 0
        self.is_talking = True
        WebSocket.connect(
            to=f"ws://{THERE}:{port}/echo",
            on=loop,
            open_timeout=PATIENCE,
            reconnect=Backoff(first=0.1, longest=0.3),
            on_upgrade=self._opened,
            on_drop=self._dropped,
            **KEEPALIVE,
        )

    def _opened(self, socket: WebSocket) -> None:
        self._counts["opened"] += 1
        socket.on_text(self._received)
        self._say(socket)

    def _dropped(self, code: int, reason: str) -> None:
        self._counts["dropped"] += 1
        self._counts["answers missed, and told"] += bool(self._waiting)
        self._waiting = ""

    def _say(self, socket: WebSocket) -> None:
        self._sent += 1
        self._waiting = f"{self._sent}:" + "é" * self._random.choice(SIZES)
        self._counts["sent"] += 1
        socket.send(self._waiting)

    def _received(self, socket: WebSocket, text: str) -> None:
        self._counts["answered" if text == self._waiting else "wrong"] += 1
        self._waiting = ""
        if self.is_talking:
            self._say(socket)
        else:
            socket.close().when_complete(lambda _: self._counts.update(closed=1))


def serve() -> LaunchContext:
    """Launch the server."""
    routes = Routes()
    routes.web_socket("/echo", lambda request, ws: ws.on_text(lambda ws, text: ws.send(text)), **KEEPALIVE)
    return HTTPServer.launch(name="chaos", address=HERE, port=0, routes=routes, wait=False)


def wait_for(counts: Counter[str], name: str, number: int) -> None:
    """Wait until something has happened so many times."""
    end = time.monotonic() + PATIENCE
    while counts[name] < number and time.monotonic() < end:
        time.sleep(0.02)


def main() -> None:
    """Talk over a bad network, then over none, then over a good one."""
    seconds = float(sys.argv[1])
    logging.basicConfig(level=logging.INFO, format="%(levelname)s: %(message)s")
    try:
        network = BadNetwork(seed=20)
    except OSError as error:
        sys.stderr.write(f"there can be no network of one's own here: {error}")
        sys.exit(FORBIDDEN)
    counts = Counter[str]()
    context = serve()
    with EventLoop() as loop:
        network.loss, network.delay, network.halving = 0.02, 0.02, 0.3
        clients = [Client(number, context.port, loop, counts) for number in range(CLIENTS)]
        wait_for(counts, "opened", CLIENTS)
        wait_for(counts, "answered", CLIENTS)
        time.sleep(seconds)
        bad, packets = Counter(counts), Counter(network.counts)

        network.loss = 1.0
        wait_for(counts, "dropped", bad["dropped"] + CLIENTS)
        gone = Counter(counts)
        network.loss = network.delay = network.halving = 0.0
        wait_for(counts, "opened", gone["opened"] + CLIENTS)
        wait_for(counts, "answered", gone["answered"] + 2 * CLIENTS)
        for client in clients:
            client.is_talking = False
        wait_for(counts, "closed", CLIENTS)
        end = time.monotonic() + PATIENCE
        while (left := context.figures.connections) and time.monotonic() < end:
            time.sleep(0.02)
    context.terminate().wait(PATIENCE)
    sys.stdout.write(json.dumps({"bad": bad, "gone": gone, "end": counts, "packets": packets, "left": left}))


if __name__ == "__main__":
    main()
