"""A Redis that is killed, stopped, cut off, paused, full or wrong: the failures of SCALING's table, in short."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import trio

from perfectws.net.loop import Loop
from perfectws.rooms.broker import LogLimits
from perfectws.rooms.redis import connection, publishing
from perfectws.rooms.redis.broker import RedisBroker
from perfectws.rooms.redis.entry import MESSAGE_SIZE

from .conftest import Processes
from .listener import PATIENCE, Listener
from .server import RedisServer


async def talk(first: Listener, second: Listener, count: int, start: int = 0) -> None:
    """Let both say something, again and again."""
    for number in range(start, start + count):
        first.say(f"a{number}")
        second.say(f"b{number}")
        await trio.sleep(0.001)


def said_by(speaker: str, count: int) -> list[str]:
    return [f"{speaker}{number}" for number in range(count)]


async def expect_all(first: Listener, second: Listener, count: int) -> None:
    """Both hear all that both have said, each process's in its order and once."""
    for room in (first, second):
        heard = await room.until_heard(2 * count)
        for speaker in "ab":
            assert [text for text in heard if text[0] == speaker] == said_by(speaker, count)


async def until_answered(*brokers: RedisBroker) -> None:
    """Redis has answered all that was sent."""
    while any(broker.figures.queued for broker in brokers):
        await trio.sleep(0.005)


async def test_nothing_is_lost_as_redis_is_killed_and_comes_back_empty(
    processes: Processes, redis: RedisServer
) -> None:
    brokers = processes.broker(), processes.broker()
    first, second = processes.room(brokers[0]), processes.room(brokers[1])
    for room in (first, second):
        room.open()
        await room.until_open()
    await talk(first, second, 50)
    await expect_all(first, second, 50)
    await until_answered(*brokers)
    redis.kill()
    await talk(first, second, 100, 50)
    assert brokers[0].figures.queued == 100
    redis.start()
    await expect_all(first, second, 150)
    await until_answered(*brokers)
    for broker, room in zip(brokers, (first, second), strict=True):
        figures = broker.figures
        assert (figures.lost, figures.queued, figures.gaps, len(room.gaps)) == (0, 0, 1, 1)
        assert figures.reconnects >= 1
        assert figures.published == 150


@pytest.mark.usefixtures("impatient")
async def test_nothing_is_lost_or_heard_twice_as_redis_stops_and_goes_on(
    processes: Processes, redis: RedisServer
) -> None:
    broker = processes.broker()
    first, second = processes.room(broker), processes.room()
    for room in (first, second):
        room.open()
        await room.until_open()
    redis.stop()
    await talk(first, second, 50)
    while broker.figures.is_connected:
        await trio.sleep(0.01)
    await talk(first, second, 50, 50)
    redis.go_on()
    await expect_all(first, second, 100)
    assert broker.figures.resent > 0
    assert broker.figures.lost == 0
    assert not first.gaps


async def test_nothing_is_lost_as_the_connections_are_cut_again_and_again(
    processes: Processes, redis: RedisServer
) -> None:
    first, second = await processes.two()
    for round_ in range(3):
        await talk(first, second, 30, 30 * round_)
        redis.ask("CLIENT", "KILL", "TYPE", "pubsub")
    await talk(first, second, 10, 90)
    await expect_all(first, second, 100)
    assert not first.gaps + second.gaps


async def test_a_pause_of_redis_is_waited_for(processes: Processes, redis: RedisServer) -> None:
    first, second = await processes.two()
    redis.ask("CLIENT", "PAUSE", "300", "ALL")
    await talk(first, second, 50)
    await expect_all(first, second, 50)


async def test_what_a_full_redis_does_not_keep_is_heard_and_counted_and_is_a_gap_for_who_comes_back(
    processes: Processes, redis: RedisServer
) -> None:
    brokers = processes.broker(), processes.broker()
    first, second = processes.room(brokers[0]), processes.room(brokers[1])
    for room in (first, second):
        room.open()
        await room.until_open()
    first.say("a0")
    await second.until_heard(1)
    before = second.position
    redis.ask("CONFIG", "SET", "maxmemory", "1")
    for number in range(1, 21):
        first.say(f"a{number}")
        await trio.sleep(0.001)
    await second.until_heard(21)
    await first.until(lambda: sum(count for _, count in first.losses) == 20)
    await until_answered(brokers[0])
    assert first.losses[0][0] == 2
    figures = brokers[0].figures
    assert (figures.lost, figures.refused, figures.published, figures.queued) == (20, 20, 1, 0)
    assert second.position == before
    redis.ask("CONFIG", "SET", "maxmemory", "0")
    first.say("a21")
    assert await second.until_heard(22) == said_by("a", 22)
    assert await first.until_heard(2) == ["a0", "a21"]  # one's own that are lost do not come back
    assert set(second.tears) == {before}
    assert not second.gaps
    assert brokers[1].figures.gaps == 0
    log = await second.log()
    assert log is not None
    assert log.start == log.end  # from nowhere before the last everything can be had
    assert [message.data for message in log.messages] == [b"a0", b"a21"]


async def test_that_something_was_refused_the_log_says_though_nothing_follows(
    processes: Processes, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "RETRY_SECONDS", 0.05)
    first, second = await processes.two()
    first.say("a0")
    await second.until_heard(1)
    before = second.position
    assert before is not None
    redis.ask("CONFIG", "SET", "maxmemory", "1")
    first.say("a1", "a2")
    await second.until(lambda: len(second.tears) > 3)  # it is said again and again
    assert second.position == before
    redis.ask("CONFIG", "SET", "maxmemory", "0")
    await second.until(lambda: second.position == before.next)
    await first.until(lambda: (4, 0, before.next) in first.confirmations)
    assert first.losses == [(2, 2)]
    first.say("a3")
    assert await second.until_heard(4) == said_by("a", 4)
    assert second.position == before.next.next
    log = await processes.room().log()
    assert log is None or log.start == before.next


async def test_what_finds_no_room_in_the_queue_is_lost_exactly_as_counted(
    processes: Processes, redis: RedisServer
) -> None:
    size = MESSAGE_SIZE + 10
    broker = processes.broker(max_queue=20 * size)
    first, second = processes.room(broker), processes.room()
    for room in (first, second):
        room.open()
        await room.until_open()
    redis.kill()
    texts = [f"{number:010}" for number in range(100)]
    first.say(*texts)
    assert broker.figures.queued == 20
    assert broker.figures.lost == 80
    redis.start()
    assert await second.until_heard(20) == texts[:20]
    await first.until(lambda: first.losses)
    assert first.losses == [(21, 80)]
    await until_answered(broker)
    first.say("later")
    assert (await second.until_heard(21))[-1] == "later"
    assert broker.figures.lost == 80
    assert len(second.gaps) == 1  # Redis has lost its memory
    assert len(second.tears) == 1


async def test_that_something_found_no_room_the_log_says_though_nothing_follows(
    processes: Processes, redis: RedisServer
) -> None:
    broker = processes.broker(max_queue=2 * MESSAGE_SIZE + 2)
    first, second = processes.room(broker), processes.room()
    for room in (first, second):
        room.open()
        await room.until_open()
    redis.kill()
    first.say("a", "b", "lost", "lost too")
    redis.start()
    assert await second.until_heard(2) == ["a", "b"]
    await second.until(lambda: second.tears)
    behind = second.tears[0]
    assert behind is not None
    await second.until(lambda: second.position == behind.next)
    await first.until(lambda: (5, 0, behind.next) in first.confirmations)
    assert broker.figures.lost == 2
    assert broker.figures.queued == 0


async def test_a_message_larger_than_the_queue_is_taken_alone(processes: Processes) -> None:
    broker = processes.broker(max_queue=10)
    first, second = processes.room(broker), processes.room()
    second.open()
    await second.until_open()
    first.say("x" * 1000, "y")
    assert await second.until_heard(1) == ["x" * 1000]
    assert broker.figures.lost == 1


async def test_a_hole_is_repaired_from_the_log(processes: Processes, redis: RedisServer) -> None:
    first, second = await processes.two()
    first.say("a0")
    await second.until_heard(1)
    assert second.position is not None
    epoch, number = second.position
    last = "redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1][2][2]"
    copy = f"return redis.call('XADD', KEYS[1], ARGV[1], 'e', {last})"
    for next_number in range(number + 1, number + 4):
        redis.ask("EVAL", copy, "1", "pws:{lobby}", f"{epoch}-{next_number}")  # appended, but not announced
    first.say("a1")
    assert await second.until_heard(2) == ["a0", "a1"]
    assert second.position.number == number + 4
    assert not second.gaps


async def test_entries_that_were_trimmed_before_they_were_heard_are_a_gap(
    processes: Processes, redis: RedisServer
) -> None:
    first, second = await processes.two()
    first.say("a0")
    await second.until_heard(1)
    assert second.position is not None
    epoch, number = second.position
    redis.ask("XADD", "pws:{lobby}", f"{epoch}-{number + 5}", "e", "what is no entry")
    redis.ask("XDEL", "pws:{lobby}", f"{epoch}-{number + 5}")
    first.say("a1")
    assert await second.until_heard(2) == ["a0", "a1"]
    assert second.gaps == [(epoch, number + 5)]
    assert second.position.number == number + 6


async def test_a_log_that_an_old_snapshot_brings_back_has_a_new_epoch(processes: Processes, redis: RedisServer) -> None:
    first, second = await processes.two()
    first.say("a0")
    await second.until_heard(1)
    redis.ask("SAVE")
    first.say("a1")
    await second.until_heard(2)
    await first.until_heard(2)
    redis.kill()
    redis.start()
    first.say("a2")
    assert await second.until_heard(3) == ["a0", "a1", "a2"]
    assert len(second.gaps) == 1
    log = await second.log()
    assert log is not None
    assert [message.data for message in log.messages] == [b"a0", b"a2"]
    assert log.messages[0].position < log.start < log.messages[1].position


@pytest.mark.parametrize("command", [["FLUSHALL"], ["SCRIPT", "FLUSH"], ["DEL", "pws:{lobby}"]])
async def test_whatever_is_deleted_in_redis_is_made_anew(
    processes: Processes, redis: RedisServer, command: list[str]
) -> None:
    first, second = await processes.two()
    first.say("a0")
    await second.until_heard(1)
    redis.ask(*command)
    first.say("a1")
    assert await second.until_heard(2) == ["a0", "a1"]
    second.say("b0")
    assert (await first.until_heard(3))[-1] == "b0"


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"e",
        b"e1-1",
        b"e1-1 ",
        b"e99999999999999999999-1 x",
        b"e" + b"9" * 100 + b"-1 x",
        b"e\xff-\xff x",
        b"u",
        b"uXYZ",
        b"p",
        b"pa:1 ",
        b"p" + b"0" * 32 + b":1 [[[",
        b"p" + b"0" * 32 + b":1 " + b"[" * 100_000,
        b"p" + b"0" * 32 + b':1 ["a"]',
        b"p" + b"0" * 32 + b":1 [1, 2]",
        b"x",
        b"x\xff",
        b"?",
        b"+",
        b"-" + b"0" * 32,
    ],
)
async def test_a_confused_peer_that_announces_anything_harms_nobody(
    processes: Processes, redis: RedisServer, said: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = await processes.two()
    for channel in ("pws:{lobby}", "pws:instances"):
        redis.publish(channel, said)
    first.say("on")
    assert await second.until_heard(1) == ["on"]
    assert not second.people
    assert not second.gaps
    assert "failed" not in caplog.text


async def test_what_is_no_entry_in_the_log_is_passed_over(
    processes: Processes, redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = await processes.two()
    assert second.position is not None
    epoch = second.position.epoch
    for number in range(2, 5):
        redis.ask("XADD", "pws:{lobby}", f"{epoch}-{number}", "e", "garbage")
    first.say("on")
    assert await second.until_heard(1) == ["on"]
    assert second.position.number == 5
    with trio.fail_after(PATIENCE):
        while caplog.text.count("holds what is no entry") < 2:  # by each process once
            await trio.sleep(0.01)
    assert first.position == second.position


@pytest.mark.parametrize("key", ["pws:{lobby}", "pws:{lobby}:who", "pws:{lobby}:names", "pws:instances"])
async def test_a_key_of_another_kind_takes_only_what_it_is_for(
    processes: Processes, redis: RedisServer, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    redis.ask("SET", key, "something else")
    first, second = await processes.two()
    first.say("on")
    assert await second.until_heard(1) == ["on"]
    assert await second.enter(1, "Ada")
    assert await first.log() is not None
    while "WRONGTYPE" not in caplog.text:
        await trio.sleep(0.01)


async def test_without_redis_all_is_answered_and_it_is_said_once(
    processes: Processes, redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    redis.kill()
    broker = processes.broker()
    first = processes.room(broker)
    first.open()
    first.say("early")
    assert await first.log() is None
    assert await first.enter(1, "Ada", unique=True)
    assert not broker.figures.is_connected
    assert broker.figures.queued == 1
    redis.start()
    second = processes.room()
    second.open()
    await second.until_open()
    await first.until_heard(1)
    log = await second.log()
    assert log is not None
    assert [message.data for message in log.messages] == [b"early"]
    await second.until(lambda: [person.who for person in second.people.values()] == ["Ada"])
    assert caplog.text.count("There is no connection to Redis") == 1


@contextmanager
def listening_socket(answer: bytes) -> Iterator[str]:
    """Listen on a port, and answer everybody with something that is not Redis's, or nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepted: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    accepted.append(listener.accept()[0])
                    accepted[-1].sendall(answer)
                except OSError:
                    return

        thread = threading.Thread(target=accept)
        thread.start()
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        for each in accepted:
            each.close()


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad\r\n\r\n", b"\xff" * 1000, b"+OK\r\n" * 100, b"*9\r\n"])
async def test_what_is_no_redis_never_raises_and_is_given_up_in_time(
    processes: Processes, answer: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connection, "CONNECT_SECONDS", 0.1)
    with listening_socket(answer) as url:
        broker = processes.broker(url=url)
        room = processes.room(broker)
        room.open()
        room.say("on")
        assert await room.log() is None
        assert broker.figures.queued == 1
        room.channel.close()
        broker.close()
    assert caplog.text.count("There is no connection to Redis") == 1


async def test_a_wrong_password_is_said_in_the_log(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    server = RedisServer("--requirepass", "right")
    try:
        server.start()
        wrong = Processes(f"unix://:wrong@{server.path}", loop).room()
        wrong.open()
        assert await wrong.log() is None
        wrong.channel.close()
        right = Processes(f"unix://:right@{server.path}", loop).room()
        right.open()
        await right.until_open()
    finally:
        server.remove()
    assert "WRONGPASS" in caplog.text or "invalid" in caplog.text.lower()
    assert "wrong@" not in caplog.text


async def test_thousands_of_rooms_listen_again_at_once(processes: Processes, redis: RedisServer) -> None:
    broker = processes.broker()
    rooms = [processes.room(broker, name=str(number), limits=LogLimits(0, None)) for number in range(3_000)]
    for room in rooms:
        room.open()
    for room in rooms:
        await room.until_open()
    redis.ask("CLIENT", "KILL", "TYPE", "pubsub")
    other = processes.broker()
    for room in rooms[::100]:
        processes.room(other, name=room.name).say("again")
    for room in rooms[::100]:
        assert await room.until_heard(1) == ["again"]


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
