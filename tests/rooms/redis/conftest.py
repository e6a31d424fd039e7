"""A real Redis for each test, and rooms of several processes that use it, as far as the broker can tell."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from perfectws.net.loop import Loop, open_loop
from perfectws.rooms.broker import LogLimits, brokers
from perfectws.rooms.redis import lease, link
from perfectws.rooms.redis.broker import RedisBroker

from .listener import LIMITS, Listener
from .server import RedisServer


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """A Redis of the test's own, on a Unix socket."""
    server = RedisServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
async def loop() -> AsyncIterator[Loop]:
    """A loop, as a server has one."""
    async with open_loop() as loop:
        yield loop


@pytest.fixture(autouse=True)
def close_brokers() -> Iterator[None]:
    """Let no broker of this test say something in the loop of another."""
    before = set(brokers())
    yield
    for broker in set(brokers()) - before:
        broker.close()


class Processes:
    """Brokers and rooms, each like those of another process.

    Args:
        url: Where their Redis is.
        loop: Their loop.
    """

    def __init__(self, url: str, loop: Loop) -> None:
        self._url = url
        self._loop = loop
        self.count = 0

    def broker(self, **options: Any) -> RedisBroker:
        """Make a broker, which is to all others as one of another process."""
        return RedisBroker(options.pop("url", self._url), **options)

    def room(self, broker: RedisBroker | None = None, *, name: str = "lobby", limits: LogLimits = LIMITS) -> Listener:
        """Make a room, on a broker of its own unless there is one."""
        self.count += 1
        return Listener(name, broker or self.broker(), self._loop, b"%016d" % self.count, limits)

    async def two(self, **options: Any) -> tuple[Listener, Listener]:
        """Make two rooms of one name, on two brokers, which hear each other."""
        first, second = self.room(self.broker(**options)), self.room(self.broker(**options))
        for room in (first, second):
            room.open()
            await room.until_open()
        return first, second


@pytest.fixture
def processes(redis: RedisServer, loop: Loop) -> Processes:
    """Several processes on one Redis."""
    return Processes(redis.url, loop)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Find out sooner that nothing is heard, and try again sooner."""
    monkeypatch.setattr(lease, "SILENCE", 0.4)
    monkeypatch.setattr(lease, "MAX_INTERVAL", 0.1)
    monkeypatch.setattr(link, "MAX_PAUSE", 0.1)
