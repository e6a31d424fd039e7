"""Rooms on a real Redis: members are served whatever it does, and who comes back at another process misses nothing."""

from __future__ import annotations

import pytest

from benchmarks.brokers import recovery
from benchmarks.brokers.running import room_servers
from perfectws import Recovery, RedisBroker, Room

from ...calls import Calls
from ...conftest import Connect
from .server import RedisServer


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
