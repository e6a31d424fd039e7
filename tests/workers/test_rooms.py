"""Rooms of several workers, on a real Redis."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from queue import SimpleQueue
from urllib.request import urlopen

import pytest

assert sys.platform != "win32"  # where this is not imported

from benchmarks.brokers.redis_server import RedisServer
from perfectws import EventLoop, RedisBroker, Room, RoomEntry

from .programs import PATIENCE, Start, until

SPEAKER = """
room = Room("lobby", broker=RedisBroker(sys.argv[1]))

@routes.add("GET", "/say")
def say(request, response):
    room.send_string_message("from a worker")
    response.set_body("").completed()

room.send_string_message("before there were workers")
HTTPServer.launch(name="x", address="127.0.0.1", port=0, routes=routes, workers=2)
"""


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    server = RedisServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


def test_what_was_said_before_the_workers_were_forked_is_heard_once(run: Start, redis: RedisServer) -> None:
    port = run(SPEAKER, redis.url).port()
    with EventLoop():
        room = Room("lobby", broker=RedisBroker(redis.url))

        def last() -> list[str | bytes]:
            answers: SimpleQueue[list[RoomEntry]] = SimpleQueue()
            room.last_messages(100, answers.put)
            return [entry.data for entry in answers.get(timeout=PATIENCE)]

        until(last)
        for _ in range(10):
            urlopen(f"http://127.0.0.1:{port}/say", timeout=PATIENCE).close()
        until(lambda: len(last()) >= 11)
        assert last() == ["before there were workers"] + 10 * ["from a worker"]
