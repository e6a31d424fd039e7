"""Brokers whose loops come and go: one trio run after the other, and none at all."""

from __future__ import annotations

from time import perf_counter

import trio

from perfectws import RedisBroker, Room
from perfectws.net.loop import open_loop

from .listener import PATIENCE
from .server import RedisServer


class OwnClock(trio.abc.Clock):
    """A clock that runs as all do, from a beginning of its own: each run of trio's has one, at random.

    Args:
        beginning: What it shows at first, in seconds.
    """

    def __init__(self, beginning: float) -> None:
        self._offset = beginning - perf_counter()

    def start_clock(self) -> None:
        pass

    def current_time(self) -> float:
        return perf_counter() + self._offset

    def deadline_to_sleep_time(self, deadline: float) -> float:
        return deadline - self.current_time()


def test_what_is_said_in_one_run_of_trios_after_another_is_published(redis: RedisServer) -> None:
    broker = RedisBroker(redis.url)
    room = Room("lobby", broker=broker)
    for published, beginning in enumerate((1000.0, 500.0, 0.0), 1):

        async def say() -> None:
            async with open_loop():
                room.send_string_message("hello")
                with trio.fail_after(PATIENCE):
                    while broker.figures.queued:
                        await trio.sleep(0.01)

        trio.run(say, clock=OwnClock(beginning))
        assert broker.figures.published == published
