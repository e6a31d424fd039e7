"""The servers of a measurement, each in a process of its own."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from ..processes import Failure, process_clock, running_process
from .redis_server import RedisServer


def show(text: str) -> None:
    """Print a line of the results."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


class RoomServer:
    """A server with the room.

    Attributes:
        port: Where it listens, on loopback.
    """

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.port = port
        self._process = process

    def ask(self, path: str) -> dict[str, Any]:
        """Ask it for something."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path, headers={"Connection": "close"})
            found: dict[str, Any] = json.loads(connection.getresponse().read())
            return found
        finally:
            connection.close()

    def signal(self, number: signal.Signals) -> None:
        """Send its process a signal."""
        self._process.send_signal(number)

    @property
    def clock(self) -> int:
        """The clock of its CPU time."""
        return process_clock(self._process.pid)


@contextmanager
def room_servers(redis: RedisServer | None, count: int, **options: float) -> Iterator[list[RoomServer]]:
    """Run servers around a block."""
    command = [sys.executable, "-m", "benchmarks.brokers.server"]
    if redis is not None:
        command += ["--redis", redis.url]
    for name, value in options.items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    with ExitStack() as stack:
        processes = [stack.enter_context(running_process(command, stdout=subprocess.PIPE)) for _ in range(count)]
        yield [RoomServer(process, _port_of(process)) for process in processes]


def _port_of(process: subprocess.Popen[bytes]) -> int:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise Failure("a server did not start")
    return int(line)


@contextmanager
def running_redis(*options: str) -> Iterator[RedisServer]:
    """Run a Redis around a block."""
    redis = RedisServer(*options)
    try:
        redis.start()
        yield redis
    finally:
        redis.remove()
