"""Messages between processes, with a Redis that does as it should."""

from __future__ import annotations

import gc
import sys
import weakref

import pytest
import trio

from perfectws import Room
from perfectws.client.loop import make_loop, run_client_loop
from perfectws.net.loop import Loop, open_loop
from perfectws.rooms.broker import LogLimits, brokers
from perfectws.rooms.redis import link
from perfectws.rooms.redis.broker import RedisBroker

from .conftest import Processes
from .listener import Listener
from .server import RedisServer


async def test_what_one_process_says_all_hear_in_its_order(processes: Processes) -> None:
    first, second = await processes.two()
    said = [str(number) for number in range(500)]
    for text in said:
        first.say(text)
        await trio.lowlevel.checkpoint()
    assert await second.until_heard(500) == said
    assert await first.until_heard(500) == said
    assert first.position == second.position


async def test_a_turns_messages_are_one_entry(processes: Processes, redis: RedisServer) -> None:
    first, second = await processes.two()
    first.say("a", "b", "c")
    await second.until_heard(3)
    assert redis.ask("XLEN", "pws:{lobby}") == "1"


async def test_rooms_and_prefixes_do_not_hear_each_other(processes: Processes) -> None:
    broker = processes.broker()
    rooms = [processes.room(broker), processes.room(broker, name="other"), processes.room(processes.broker(prefix="b"))]
    for room in rooms:
        room.open()
        await room.until_open()
    for room in rooms:
        room.say(room.name)
    for room in rooms:
        assert await room.until_heard(1) == [room.name]


async def test_databases_of_one_server_do_not_hear_each_other(processes: Processes, redis: RedisServer) -> None:
    first = processes.room()
    second = processes.room(processes.broker(url=f"{redis.url}?db=1"))
    for room in (first, second):
        room.open()
        await room.until_open()
        room.say(room.instance.decode())
    for room in (first, second):
        assert await room.until_heard(1) == [room.instance.decode()]


@pytest.mark.parametrize("name", ["", "a}b", "a:who", "é\n☃", "\ud800", "x" * 10_000])
async def test_a_room_may_have_any_name(processes: Processes, name: str) -> None:
    first, second = processes.room(name=name), processes.room(name=name)
    for room in (first, second):
        room.open()
        await room.until_open()
    first.say("here")
    assert await second.until_heard(1) == ["here"]


async def test_who_joins_later_knows_where_the_log_is_and_can_read_it(processes: Processes) -> None:
    first = processes.room()
    first.open()
    await first.until_open()
    first.say("a", "b")
    await first.until_heard(2)
    second = processes.room()
    second.open()
    await second.until_open()
    assert second.position == first.position
    log = await second.log()
    assert log is not None
    assert [message.data for message in log.messages] == [b"a", b"b"]
    assert [message.is_last for message in log.messages] == [False, True]
    assert log.end == second.position
    assert (log.start.epoch, log.start.number) == (log.end.epoch, log.end.number - 1)


async def test_a_log_is_read_as_far_as_its_limits_want_it(processes: Processes) -> None:
    room = processes.room(limits=LogLimits(2, None))
    room.open()
    for number in range(4):
        room.say(str(number))
        await room.until_heard(number + 1)
    log = await room.log()
    assert log is not None
    assert [message.data for message in log.messages][-2:] == [b"2", b"3"]
    assert log.messages[0].position.number == log.start.number + 1


async def test_a_room_without_members_can_be_spoken_to(processes: Processes) -> None:
    first, second = processes.room(), processes.room()
    second.open()
    await second.until_open()
    first.say("from outside")
    assert await second.until_heard(1) == ["from outside"]
    assert not first.openings
    await first.until(lambda: first.confirmations)
    assert first.confirmations == [(1, 1, second.position)]


async def test_what_waited_at_a_fork_is_said_in_its_old_name_and_the_rest_in_the_new_one(
    processes: Processes, redis: RedisServer
) -> None:
    first, second = processes.room(), processes.room()
    second.open()
    await second.until_open()
    first.say("before")
    before, first.instance = first.instance, b"forked".ljust(16)
    first.say("after", "again")
    assert await second.until_heard(3) == ["before", "after", "again"]
    assert second.heard == {before: 1, first.instance: 3}
    assert not second.tears
    assert redis.ask("XLEN", "pws:{lobby}") == "2"


async def test_an_empty_room_gives_its_subscription_back(processes: Processes, redis: RedisServer) -> None:
    broker = processes.broker()
    kept, left = processes.room(broker), processes.room(broker, name="left")
    for room in (kept, left):
        room.open()
        await room.until_open()
    assert redis.ask("PUBSUB", "NUMSUB", "pws:{left}").split() == ["pws:{left}", "1"]
    left.channel.close()
    kept.say("on")
    await kept.until_heard(1)
    while redis.ask("PUBSUB", "NUMSUB", "pws:{left}").split()[1] != "0":
        await trio.sleep(0.01)
    left.open()
    await left.until(lambda: left.openings == 2)
    left.say("again")
    assert await left.until_heard(1) == ["again"]


async def test_a_broker_that_has_nothing_to_do_lets_go_of_redis(processes: Processes) -> None:
    broker = processes.broker()
    room = processes.room(broker)
    room.open()
    await room.until_open()
    assert broker.figures.is_connected
    room.channel.close()
    while broker.figures.is_connected:
        await trio.sleep(0.01)
    room.say("back")
    room.open()
    await room.until(lambda: room.openings == 2)
    assert broker.figures.is_connected


async def test_a_room_that_nobody_has_is_freed(processes: Processes) -> None:
    broker = processes.broker()
    room = processes.room(broker)
    room.open()
    await room.until_open()
    room.say("last")
    room.channel.close()
    gone = weakref.ref(room)
    del room
    while gone() is not None:
        await trio.sleep(0.01)
    processes.room(broker)


async def test_two_rooms_of_one_name_on_one_broker_are_refused(processes: Processes) -> None:
    broker = processes.broker()
    room = processes.room(broker)
    with pytest.raises(ValueError, match="there is a room 'lobby' on this broker already"):
        processes.room(broker)
    del room
    gc.collect()


async def test_what_is_said_as_the_loop_ends_is_still_sent(processes: Processes, redis: RedisServer) -> None:
    second = processes.room()
    second.open()
    await second.until_open()
    async with open_loop() as ending:
        first = Listener("lobby", processes.broker(), ending, b"1" * 16)
        first.open()
        await first.until_open()
        first.say(*map(str, range(100)))
    assert len(await second.until_heard(100)) == 100


async def test_a_broker_goes_on_in_another_loop_when_its_own_ends(processes: Processes, loop: Loop) -> None:
    broker = processes.broker()
    room, other = processes.room(broker), processes.room()
    async with open_loop() as ending:
        room.channel.open(ending)
        await room.until_open()
    other.open()
    await other.until_open()
    other.say("still there?")
    assert await room.until_heard(1) == ["still there?"]


async def test_close_sends_what_waits_and_lets_go(processes: Processes) -> None:
    broker = processes.broker()
    first, second = processes.room(broker), processes.room()
    for room in (first, second):
        room.open()
        await room.until_open()
    first.say("bye")
    broker.close()
    assert await second.until_heard(1) == ["bye"]
    while broker.figures.is_connected:
        await trio.sleep(0.01)


async def test_it_says_where_it_is_but_not_the_password(redis: RedisServer) -> None:
    assert repr(RedisBroker("redis://ada:secret@host")) == "<RedisBroker at redis://ada:***@host>"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"max_queue": 0}, "max_queue is a whole number of at least 1, not 0"),
        ({"lease": 0}, "lease is a number of seconds of at least 0.1, not 0"),
        ({"prefix": ""}, "prefix is a str that is not empty"),
        ({"prefix": None}, "prefix is a str that is not empty"),
    ],
)
def test_what_cannot_be_is_refused_where_it_is_given(options: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        RedisBroker("redis://host", **options)  # type: ignore[arg-type]


def test_an_ssl_context_that_is_none_is_refused_where_it_is_given() -> None:
    with pytest.raises(TypeError, match=r"ssl_context is an ssl.SSLContext, not bool"):
        RedisBroker("rediss://host", ssl_context=True)  # type: ignore[arg-type]


@pytest.mark.parametrize("broker", ["redis://user:secret@host", RedisBroker, 5])
def test_what_is_no_broker_is_refused_by_a_room_and_no_password_is_shown(broker: object) -> None:
    with pytest.raises(TypeError, match=r'give a RedisBroker\("redis://…"\), not (the class RedisBroker|str|int)$'):
        Room("lobby", broker=broker)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [5, b"lobby", ("lobby",), object()])
def test_what_is_no_name_is_refused_by_a_room_and_the_broker_does_not_know_it(name: object) -> None:
    broker = RedisBroker("redis://host")
    with pytest.raises(TypeError, match="name is a str, not "):
        Room(name, broker=broker)  # type: ignore[arg-type]
    assert not broker._subscribers


def test_without_hiredis_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hiredis", None)
    with pytest.raises(ImportError, match=r"pip install 'perfectws\[redis\]'"):
        RedisBroker("redis://host")


async def test_a_script_that_has_nothing_left_to_do_ends(processes: Processes, redis: RedisServer) -> None:
    script = make_loop()
    broker = processes.broker()
    room = Listener("lobby", broker, script, b"1" * 16)
    async with run_client_loop(script, close_timeout=0):
        room.say("done")
        await script.until_idle()
        assert broker.figures.published == 1


async def test_a_script_ends_though_redis_is_gone(
    processes: Processes, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "MAX_TRYING", 0.1)
    redis.kill()
    script = make_loop()
    broker = processes.broker()
    room = Listener("lobby", broker, script, b"1" * 16)
    async with run_client_loop(script, close_timeout=0):
        room.say("first")
        await script.until_idle()
        assert broker.figures.queued == 1
        redis.start()
        room.say("second")
        await script.until_idle()
        assert broker.figures.published == 2


def test_one_that_cannot_be_made_is_none_of_those_that_servers_ask() -> None:
    before = set(brokers())
    with pytest.raises(ValueError, match="is no URL of Redis") as kept:  # by whom the broker is kept, half made
        RedisBroker("http://host")
    assert set(brokers()) == before
    assert kept.value.__traceback__ is not None
