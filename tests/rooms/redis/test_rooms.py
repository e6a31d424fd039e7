"""Rooms on a real Redis: members are served whatever it does, and who comes back at another process misses nothing."""

from __future__ import annotations

from typing import Any

import trio

from benchmarks.brokers import recovery
from benchmarks.brokers.running import room_servers
from perfectws import Recovery, RedisBroker, Room, WebSocket

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
