"""Rooms on a real Redis: members are served whatever it does, and who comes back at another process misses nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio

from benchmarks.brokers import recovery
from benchmarks.brokers.running import room_servers
from perfectws import Recovery, RedisBroker, Room, WebSocket
from perfectws.rooms.redis import publishing

from ...calls import Calls
from ...conftest import Connect
from ...peer import Peer
from .listener import PATIENCE
from .server import RedisServer


class Member:
    """Somebody in one of several rooms of one name, each on a broker of its own."""

    def __init__(self, room: Room, peer: Peer, socket: WebSocket) -> None:
        self.room = room
        self.peer = peer
        self.socket = socket
        self.joined = Calls()

    @classmethod
    async def of(cls, room: Room, connect: Connect) -> Member:
        """Return one who is not in yet."""
        return cls(room, *await connect.socket())

    async def join(self, **arguments: Any) -> Recovery:
        """Join the room, and return what came of it."""
        told = len(self.joined.got)
        self.room.join(self.socket, completion=self.joined, **arguments)
        recovery = (await self.joined.until(told + 1))[told][0]
        assert isinstance(recovery, Recovery)
        return recovery

    async def hear(self, count: int) -> list[str]:
        """Return the next messages."""
        return [await self.peer.receive_text() for _ in range(count)]


async def until_people(room: Room, *names: str) -> None:
    """Wait until these are in a room, and nobody else."""
    with trio.fail_after(PATIENCE):
        while sorted(room.people) != list(names):
            await trio.sleep(0.01)


async def test_two_brokers_in_one_process_are_two_peers(memory_connect: Connect, redis: RedisServer) -> None:
    brokers = [RedisBroker(redis.url) for _ in range(2)]
    rooms = [Room("lobby", broker=broker) for broker in brokers]
    first, second = members = [await Member.of(room, memory_connect) for room in rooms]
    assert (await first.join(who="a", unique=True)).has_joined
    start = await second.join(who="b", unique=True)
    for room in rooms:
        await until_people(room, "a", "b")
    assert not (await (await Member.of(rooms[0], memory_connect)).join(who="b", unique=True)).has_joined
    for number in range(6):
        rooms[number % 2].send_string_message(str(number))
        assert [await member.hear(1) for member in members] == [[str(number)]] * 2
    for room in rooms:
        late = await Member.of(room, memory_connect)
        assert (await late.join(after=start.position)).recovered
        assert await late.hear(6) == [str(number) for number in range(6)]
    rooms[0].send_string_message("to others", exclude=first.socket)
    rooms[1].send_string_message("to all")
    assert await first.hear(1) == ["to all"]
    assert sorted(await second.hear(2)) == ["to all", "to others"]
    assert [broker.figures.duplicates for broker in brokers] == [0, 0]
    rooms[0].leave(first.socket)
    await until_people(rooms[1], "b")


def make_full(redis: RedisServer) -> Callable[[], object]:
    """Let Redis refuse what it would have to keep; return what ends that."""
    redis.ask("CONFIG", "SET", "maxmemory", "1")
    return lambda: redis.ask("CONFIG", "SET", "maxmemory", "0")


def stop(redis: RedisServer) -> Callable[[], object]:
    """Let Redis answer nothing, so that the queue is full; return what ends that."""
    redis.stop()
    return redis.go_on


@pytest.mark.parametrize("begin", [make_full, stop])
async def test_who_comes_from_before_what_was_lost_is_told_of_a_gap_and_who_comes_from_behind_it_is_not(
    memory_connect: Connect,
    redis: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
    begin: Callable[[RedisServer], Callable[[], object]],
) -> None:
    monkeypatch.setattr(publishing, "RETRY_SECONDS", 0.05)
    brokers = [RedisBroker(redis.url, max_queue=50) for _ in range(2)]
    here, there = rooms = [Room("lobby", broker=broker) for broker in brokers]
    stays, elsewhere = [await Member.of(room, memory_connect) for room in rooms]
    for member in (stays, elsewhere):
        await member.join()
    here.send_string_message("kept")
    assert await elsewhere.hear(1) == ["kept"]

    async def come(room: Room, position: str | None = None) -> Recovery:
        return await (await Member.of(room, memory_connect)).join(after=position)

    async def have_all(position: str) -> list[bool]:
        return [(await come(room, position)).recovered for room in rooms]

    before = (await come(there)).position
    end = begin(redis)
    said = [f"{number:20}" for number in range(6)]
    for text in said:
        here.send_string_message(text)
    with trio.fail_after(PATIENCE):
        while not brokers[0].figures.lost or (await come(here, before)).recovered:
            await trio.sleep(0.01)
        end()
        behind = before
        while await have_all(behind) != [True, True]:
            behind = (await come(here)).position
    assert await have_all(before) == [False, False]
    here.send_string_message("later")
    with trio.fail_after(PATIENCE):
        while await elsewhere.hear(1) != ["later"]:
            pass
    for room in (*rooms, Room("lobby", broker=RedisBroker(redis.url))):
        assert not (await come(room, before)).recovered
        assert (await come(room, behind))[:2] == (True, 1)
    assert await stays.hear(8) == ["kept", *said, "later"]


async def test_members_hear_each_other_though_redis_is_stopped(memory_connect: Connect, redis: RedisServer) -> None:
    room = Room("lobby", broker=RedisBroker(redis.url))
    peer, socket = await memory_connect.socket()
    joined = Calls()
    room.join(socket, completion=joined)
    await joined.until(1)
    redis.stop()
    for number in range(100):
        room.send_string_message(str(number))
    for number in range(100):
        assert (await peer.receive()).payload == str(number).encode()
    redis.go_on()


async def test_a_wrong_exclude_goes_nowhere_and_what_is_sent_around_it_to_all(
    memory_connect: Connect, redis: RedisServer
) -> None:
    here, there = (Room("lobby", broker=RedisBroker(redis.url)) for _ in range(2))
    pairs = [await memory_connect.socket() for _ in range(2)]
    for room, (_, socket) in zip((here, there), pairs, strict=True):
        joined = Calls()
        room.join(socket, completion=joined)
        await joined.until(1)
    here.send_string_message("before")
    for wrong in ([pairs[0][1]], "me"):
        with pytest.raises(TypeError, match="exclude is a WebSocket or None"):
            here.send_string_message("wrong", exclude=wrong)  # type: ignore[arg-type]
    here.send_string_message("behind")
    for peer, _ in pairs:
        assert [(await peer.receive()).payload for _ in range(2)] == [b"before", b"behind"]


async def test_who_joins_while_redis_is_gone_is_let_in_and_told_of_a_gap(
    memory_connect: Connect, redis: RedisServer
) -> None:
    redis.kill()
    room = Room("lobby", broker=RedisBroker(redis.url))
    peer, socket = await memory_connect.socket()
    joined = Calls()
    room.join(socket, after="1-1", who="Ada", unique=True, completion=joined)
    ((told,),) = await joined.until(1)
    assert isinstance(told, Recovery)
    assert not told.recovered
    assert socket in room
    assert list(room.people) == ["Ada"]
    room.send_string_message("on")
    assert (await peer.receive()).payload == b"on"


async def test_who_comes_back_at_another_process_again_and_again_misses_nothing(redis: RedisServer) -> None:
    travellers = [recovery.Traveller() for _ in range(4)]
    with room_servers(redis, 2) as servers:
        await recovery.travel_all([server.port for server in servers], travellers, reconnects=4, rate=190)
    for traveller in travellers:
        assert traveller.known
        assert traveller.judged() == (0, 0)
        assert traveller.gaps == 0
