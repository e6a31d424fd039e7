"""A clock on the wall that jumps, while the one that only counts goes on: that is what setting a machine's clock does.

The clock is a patched one: `server` puts its own `time.time` in place before anything is imported that asks for it.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime

import httpx
import pytest

from ..examples.running import RunningServer
from .serving import STRICT, opened, serving, talk, url

DAY = 86_400
#: How long a connection without a request is kept, in seconds.
KEEP_ALIVE = 1.0
JUMPS = (DAY, -DAY, 30 * 365 * DAY, 0)


@pytest.fixture
def server() -> Iterator[RunningServer]:
    with serving(STRICT, keep_alive_timeout=KEEP_ALIVE) as server:
        yield server
        assert server.stop() == 0
        assert server.complaints() == []


def shown(response: httpx.Response) -> float:
    """Return how far the server's clock is from ours, by the date of a response."""
    return parsedate_to_datetime(response.headers["Date"]).timestamp() - time.time()


def test_who_is_connected_stays_and_what_was_to_come_comes_in_time(server: RunningServer, http: httpx.Client) -> None:
    with opened(server.port) as connection, ThreadPoolExecutor(1) as threads:
        for by in JUMPS:
            late = threads.submit(httpx.get, url(server, "/late?seconds=0.3"), trust_env=False, timeout=30)
            time.sleep(0.1)  # it waits by now
            # The same connection: what it was kept alive for is measured by the other clock.
            http.get(url(server, f"/clock?by={by}"))
            assert shown(http.get(url(server, "/pid"))) == pytest.approx(by, abs=5)
            assert 0.3 <= late.result().json() < 10
            time.sleep(2 * sum(STRICT.values()) / len(JUMPS))
            talk(connection, "still here", f"by {by}")


def test_what_has_waited_long_enough_is_dropped_though_the_clock_goes_back(
    server: RunningServer, http: httpx.Client
) -> None:
    with socket.create_connection(("127.0.0.1", server.port), 30) as idle:
        idle.sendall(b"GET /pid HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle.recv(4096).startswith(b"HTTP/1.1 200")
        began = time.monotonic()
        http.get(url(server, f"/clock?by={-DAY}"))
        assert idle.recv(4096) == b""
        assert KEEP_ALIVE <= time.monotonic() - began + 0.1 < 30
