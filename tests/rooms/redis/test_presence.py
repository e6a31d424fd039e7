"""Who is where: told to all processes, by leases of those that live, and frozen while nobody can be believed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio

from perfectws.rooms.broker import Person
from perfectws.rooms.redis import people

from .conftest import Processes
from .listener import Listener
from .server import RedisServer


def names(room: Listener) -> list[str]:
    """Return who is there elsewhere."""
    return sorted(person.who for person in room.people.values())


async def test_who_enters_and_leaves_is_known_elsewhere_with_what_is_said_of_them(processes: Processes) -> None:
    first, second = await processes.two()
    assert await first.enter(1, "Ada", '{"age":36}')
    await second.until(lambda: second.people)
    assert list(second.people.values()) == [Person("Ada", '{"age":36}')]
    assert await first.enter(1, "Ada Lovelace")
    await second.until(lambda: names(second) == ["Ada Lovelace"])
    first.channel.exit(1)
    await second.until(lambda: not second.people)
    assert not first.people


async def test_who_comes_later_finds_who_is_there(processes: Processes) -> None:
    first = processes.room()
    first.open()
    await first.until_open()
    for number in range(300):
        first.channel.enter(number, Person(f"{number:03}", "null"), False, lambda _: None)
    assert await first.enter(300, "300")
    second = processes.room()
    second.open()
    await second.until(lambda: len(second.people) == 301)


async def test_a_room_that_opens_again_finds_who_is_there(processes: Processes) -> None:
    first, second = await processes.two()
    assert await first.enter(1, "Ada")
    await second.until(lambda: second.people)
    second.channel.close()
    second.people.clear()
    assert await first.enter(2, "Bob")
    second.open()
    await second.until(lambda: names(second) == ["Ada", "Bob"])


async def test_a_unique_name_is_refused_while_a_living_one_has_it(processes: Processes) -> None:
    first, second = await processes.two()
    assert await first.enter(1, "Ada", unique=True)
    assert not await second.enter(1, "Ada", unique=True)
    assert await second.enter(1, "Bob", unique=True)
    assert not await second.enter(1, "Ada", unique=True)  # a refusal leaves it as it was
    await first.until(lambda: names(first) == ["Bob"])
    assert await second.enter(2, "Ada")  # who does not want it alone may share it
    first.channel.exit(1)
    assert not await first.enter(3, "Ada", unique=True)
    second.channel.exit(2)
    await first.until(lambda: names(first) == ["Bob"])
    assert await first.enter(3, "Ada", unique=True)


async def test_many_who_want_one_name_at_once_one_gets(processes: Processes) -> None:
    answers: list[bool] = []

    async def enter(room: Listener) -> None:
        answers.append(await room.enter(1, "Ada", unique=True))

    async with trio.open_nursery() as nursery:
        for room in await processes.two():
            nursery.start_soon(enter, room)
    assert sorted(answers) == [False, True]


@asynccontextmanager
async def person(redis: RedisServer, who: str, lease: float) -> AsyncIterator[trio.Process]:
    """Run a process in which somebody is in the room."""
    async with trio.open_nursery() as nursery:
        command = [sys.executable, "-m", "tests.rooms.redis.person", redis.url, who, str(lease)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        process = await nursery.start(partial(trio.run_process, command, **pipes, check=False))
        try:
            assert await process.stdout.receive_some() == b"in\n"
            yield process
        finally:
            process.kill()


async def test_the_people_of_a_process_that_is_stopped_are_gone_and_back_when_it_goes_on(
    processes: Processes, redis: RedisServer
) -> None:
    room = processes.room(processes.broker(lease=2))
    room.open()
    await room.until_open()
    async with person(redis, "Ada", 2) as process:
        await room.until(lambda: names(room) == ["Ada"])
        assert not await room.enter(1, "Ada", unique=True)
        process.send_signal(signal.SIGSTOP)
        await room.until(lambda: not room.people)
        assert await room.enter(1, "Ada", unique=True)
        late = processes.room()
        late.open()
        await late.until_open()
        await late.until(lambda: names(late) == ["Ada"])
        assert len(late.people) == 1
        process.send_signal(signal.SIGCONT)
        await room.until(lambda: names(room) == ["Ada"])
        await late.until(lambda: names(late) == ["Ada", "Ada"])


async def test_the_people_of_a_process_that_is_killed_are_gone(processes: Processes, redis: RedisServer) -> None:
    room = processes.room(processes.broker(lease=2))
    room.open()
    await room.until_open()
    async with person(redis, "Ada", 2) as process:
        await room.until(lambda: names(room) == ["Ada"])
        process.kill()
        await room.until(lambda: not room.people)
        assert await room.enter(1, "Ada", unique=True)


async def test_the_people_of_a_process_that_ends_in_order_are_gone_at_once(
    processes: Processes, redis: RedisServer
) -> None:
    room = processes.room(processes.broker(lease=1000))
    room.open()
    await room.until_open()
    async with person(redis, "Ada", 1000) as process:
        await room.until(lambda: names(room) == ["Ada"])
        assert process.stdin is not None
        await process.stdin.aclose()
        await room.until(lambda: not room.people)


async def test_a_process_that_ends_in_order_is_gone_at_once(processes: Processes, redis: RedisServer) -> None:
    first, second = await processes.two()
    assert redis.ask("ZCARD", "pws:instances") == "2"
    first.channel.close()
    while redis.ask("ZCARD", "pws:instances") != "1":
        await trio.sleep(0.01)
    assert not second.people


async def test_a_full_redis_freezes_who_is_there(processes: Processes, redis: RedisServer) -> None:
    first, second = processes.room(processes.broker(lease=1)), processes.room(processes.broker(lease=1))
    for room in (first, second):
        room.open()
        await room.until_open()
    assert await first.enter(1, "Ada")
    await second.until(lambda: names(second) == ["Ada"])
    redis.ask("CONFIG", "SET", "maxmemory", "1")
    assert await first.enter(2, "Bob")  # but nobody hears it
    while redis.ask("ZRANGEBYSCORE", "pws:instances", f"{time.time() * 1000:.0f}", "+inf"):
        await trio.sleep(0.05)
    assert names(second) == ["Ada"]
    redis.ask("CONFIG", "SET", "maxmemory", "0")
    await second.until(lambda: names(second) == ["Ada", "Bob"])


async def test_people_are_there_again_and_were_never_gone_when_redis_comes_back_empty(
    processes: Processes, redis: RedisServer
) -> None:
    lease = 1.5
    broker = processes.broker(lease=lease)
    first, second = processes.room(processes.broker(lease=lease)), processes.room(broker)
    for room in (first, second):
        room.open()
        await room.until_open()
    assert await first.enter(1, "Ada")
    await second.until(lambda: names(second) == ["Ada"])
    redis.kill()
    await trio.sleep(lease)
    redis.start()
    while not (broker.figures.is_connected and broker._presence.lease.is_sound):
        await trio.sleep(0.05)
    third = processes.room()
    third.open()
    await third.until(lambda: names(third) == ["Ada"])
    assert names(second) == ["Ada"]
    assert second.vanished == 0


async def test_people_that_redis_has_evicted_are_there_again(processes: Processes, redis: RedisServer) -> None:
    broker = processes.broker()
    first = processes.room(broker)
    first.open()
    await first.until_open()
    assert await first.enter(1, "Ada")
    redis.ask("DEL", "pws:{lobby}:who", "pws:{lobby}:names")
    broker._listening.refresh()  # as it does again and again
    while redis.ask("HVALS", "pws:{lobby}:who") != '["Ada", "null"]':
        await trio.sleep(0.01)


async def test_who_left_while_redis_was_away_is_gone(processes: Processes, redis: RedisServer) -> None:
    first, second = processes.room(processes.broker(lease=1)), processes.room(processes.broker(lease=1))
    for room in (first, second):
        room.open()
        await room.until_open()
    for number, who in enumerate(("Ada", "Bob")):
        assert await first.enter(number, who)
    await second.until(lambda: len(second.people) == 2)
    redis.kill()
    first.channel.exit(0)
    redis.start()
    await second.until(lambda: names(second) == ["Bob"])


async def test_who_died_long_ago_is_swept_away(processes: Processes, redis: RedisServer) -> None:
    dead = b"f" * 32 + b":1"
    redis.ask("HSET", "pws:{lobby}:who", dead, '["Eve", "null"]')
    redis.ask("HSET", "pws:{lobby}:names", "Eve", dead)
    room = processes.room(processes.broker(lease=0.2))
    room.open()
    await room.until_open()
    assert await room.enter(1, "Ada")
    while redis.ask("HLEN", "pws:{lobby}:who") != "1":
        await trio.sleep(0.01)
    assert redis.ask("HKEYS", "pws:{lobby}:names") == "Ada"
    assert not room.people


async def test_a_peer_that_invents_people_fills_no_memory(
    processes: Processes, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "MAX_PEOPLE", 10)
    first, second = await processes.two()
    for number in range(20):
        redis.publish("pws:{lobby}", b"p" + b"e" * 32 + b':%d ["Eve", "null"]' % number)
    first.say("on")
    await second.until_heard(1)
    assert len(second.people) == 10
