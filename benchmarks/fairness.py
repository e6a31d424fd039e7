"""How fair perfectws is: to other trio tasks of its program, while sockets flood it.

As a program it is a server that runs inside a trio program, ``server.serve``, beside a task that wakes each millisecond
and notes how long it had to wait: ``python -m benchmarks.fairness perfectws --port PORT``. ``GET /gaps`` tells the
longest wait since it was last asked. The other half of fairness, how long a polite socket waits beside a flooding one,
is the scenario ``fairness-polite``, which needs no server of its own.
"""

from __future__ import annotations

import argparse
import http.client
import json
import logging
import os
import time
from typing import Any

import trio

from .servers import Settings
from .servers.__main__ import die_with_parent

#: How often the other task wants to run, in seconds.
PERIOD = 0.001


class Watch:
    """Measures the longest gap between two turns of a task, by the wall clock and by the process's CPU clock.

    The second one leaves out what other processes of the machine took.
    """

    def __init__(self) -> None:
        self.longest = 0.0
        self.longest_cpu = 0.0

    async def run(self) -> None:
        """Watch until cancelled."""
        then, cpu_then = time.perf_counter(), time.process_time()
        while True:
            await trio.sleep(PERIOD)
            now, cpu_now = time.perf_counter(), time.process_time()
            self.longest = max(self.longest, now - then)
            self.longest_cpu = max(self.longest_cpu, cpu_now - cpu_then)
            then, cpu_then = now, cpu_now

    def take(self) -> dict[str, float]:
        """Return the longest gaps, in milliseconds, and begin anew."""
        gaps = {"longest_ms": self.longest * 1e3, "longest_cpu_ms": self.longest_cpu * 1e3}
        self.longest = self.longest_cpu = 0.0
        return gaps


async def serve(port: int) -> None:
    """Serve the echo beside a watch, until cancelled."""
    from perfectws import HTTPRequest, HTTPResponse, HTTPServer

    from .servers.perfectws_server import make_routes

    watch = Watch()
    routes = make_routes(Settings(port))

    def gaps(request: HTTPRequest, response: HTTPResponse) -> None:
        response.set_body(json.dumps(watch.take())).completed()

    routes.add("GET", "/gaps", gaps)
    server = HTTPServer()
    server.server_address, server.server_port = "127.0.0.1", port
    server.add_routes(routes)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch.run)
        await nursery.start(server.serve)


def read_gaps(port: int) -> dict[str, Any]:
    """Ask such a server for the longest gaps since the last time."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/gaps")
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
        return answer
    finally:
        connection.close()


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fairness")
    parser.add_argument("name", choices=["perfectws"])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--cpu", type=int)
    parser.add_argument("--parent", type=int)
    arguments = parser.parse_args()
    if arguments.parent is not None:
        die_with_parent(arguments.parent)
    if arguments.cpu is not None:
        os.sched_setaffinity(0, {arguments.cpu})
    logging.basicConfig(level=logging.WARNING)
    trio.run(serve, arguments.port)


if __name__ == "__main__":
    main()
