"""What a room was sent last, whoever asks: in a loop, in a thread, before anybody joins, and with Redis away."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import count
from queue import SimpleQueue
from typing import Any

import pytest
import trio

from perfectws import RedisBroker, Room, RoomEntry, callbacks
from perfectws.callbacks import context_in
from perfectws.client.loop import make_loop, run_client_loop
from perfectws.net.loop import Loop
from perfectws.rooms.broker import LogLimits
from perfectws.rooms.redis import connection, link, reading
from perfectws.rooms.redis.connection import RedisConnection
from perfectws.rooms.redis.reading import Reading
from perfectws.rooms.redis.wire import RedisFailure

from ...calls import Calls
from ...conftest import Connect
from .conftest import Processes
from .listener import PATIENCE
from .server import RedisServer


class Asker:
    """A room of a process, which is asked for its last messages.

    Args:
        broker: The process's.
        **options: Those of `Room`.

    Attributes:
        broker: Its broker.
        room: The room.
        answers: What was answered, a list of texts for each time.
    """

    def __init__(self, broker: RedisBroker, **options: Any) -> None:
        self.broker = broker
        self.room = Room("lobby", broker=broker, **options)
        self.answers: list[list[str | bytes]] = []

    def ask(self, count: int = 10) -> None:
        self.room.last_messages(count, self._answer)

    def _answer(self, entries: list[RoomEntry]) -> None:
        self.answers.append([entry.data for entry in entries])

    async def until(self, condition: Callable[[], object]) -> None:
        with trio.fail_after(PATIENCE):
            while not condition():
                await trio.sleep(0.005)

    async def answer(self, loop: Loop, count: int = 10) -> list[str | bytes]:
        """Ask in a loop, and return what is answered."""
        told = len(self.answers)
        context_in(loop).run(self.ask, count)
        await self.until(lambda: len(self.answers) > told)
        return self.answers[-1]

    async def until_let_go(self) -> None:
        """Wait until nothing more is wanted of Redis."""
        await self.until(lambda: self.broker._link._loop is None and not self.broker.figures.is_connected)


@pytest.fixture
async def asker(processes: Processes) -> Asker:
    """A room of a fresh process, to which another has said something."""
    other = processes.room()
    other.say("one", "two")
    await other.until(lambda: other.confirmations)
    return Asker(processes.broker())


async def test_who_asks_before_anybody_has_joined_is_told_and_the_connection_is_given_back(
    asker: Asker, loop: Loop
) -> None:
    assert await asker.answer(loop) == ["one", "two"]
    await asker.until_let_go()
    assert await asker.answer(loop) == ["one", "two"]
    assert len(asker.answers) == 2


async def test_who_asks_again_and_again_keeps_the_connection(
    asker: Asker, loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "LOOK_INTERVAL", 0.05)
    for _ in range(40):
        await asker.answer(loop)
        await trio.sleep(0.005)
    assert asker.broker.figures.reconnects == 0
    await asker.until_let_go()


async def test_a_plain_thread_is_told(asker: Asker) -> None:
    threading.Thread(target=asker.ask).start()
    await asker.until(lambda: asker.answers)
    assert asker.answers == [["one", "two"]]


async def test_where_no_loop_runs_the_answer_is_that_nothing_is_known_and_comes_at_once(
    asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callbacks, "_loops", {})
    found: SimpleQueue[object] = SimpleQueue()

    def ask() -> None:
        asker.ask()
        found.put([*asker.answers])

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert found.get() == [[]]


async def test_who_asks_and_joins_at_once_is_told_as_are_members_and_who_asks_when_all_have_left(
    asker: Asker, memory_connect: Connect
) -> None:
    loop = memory_connect.loop
    _, socket = await memory_connect.socket()
    joined = Calls()
    context_in(loop).run(asker.ask)
    asker.room.join(socket, completion=joined)
    await joined.until(1)
    await asker.until(lambda: asker.answers)
    assert await asker.answer(loop) == ["one", "two"]
    asker.room.leave(socket)
    await asker.until_let_go()
    assert await asker.answer(loop) == ["one", "two"]
    assert asker.answers == [["one", "two"]] * 3


async def test_while_redis_is_away_nothing_is_known_which_is_told_once_and_nothing_is_tried_any_more(
    asker: Asker, loop: Loop, redis: RedisServer
) -> None:
    redis.kill()
    assert await asker.answer(loop) == []
    await asker.until_let_go()
    redis.start()
    assert await asker.answer(loop) == []
    assert asker.answers == [[], []]


async def test_a_script_that_has_asked_in_vain_ends(
    asker: Asker, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "MAX_TRYING", 1e9)
    redis.kill()
    script = make_loop()
    async with run_client_loop(script, close_timeout=0):
        assert await asker.answer(script) == []
        with trio.fail_after(PATIENCE):
            await script.until_idle()


async def test_a_redis_that_says_nothing_when_it_is_connected_to_is_given_up(
    asker: Asker, loop: Loop, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis.stop()
    with monkeypatch.context() as patch:
        patch.setattr(connection, "CONNECT_SECONDS", 0.1)
        assert await asker.answer(loop) == []
    redis.go_on()
    await asker.until_let_go()
    assert await asker.answer(loop) == ["one", "two"]
    assert len(asker.answers) == 2


async def test_a_redis_that_says_nothing_any_more_is_given_up_and_what_it_says_later_is_not_told(
    asker: Asker, memory_connect: Connect, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asker.room.send_string_message("three")
    await asker.until(lambda: asker.broker.figures.published and asker.broker.figures.is_connected)
    redis.stop()
    with monkeypatch.context() as patch:
        patch.setattr(reading, "PATIENCE", 0.1)
        assert await asker.answer(memory_connect.loop) == []
    redis.go_on()
    await asker.until_let_go()
    assert await asker.answer(memory_connect.loop) == ["one", "two", "three"]
    assert len(asker.answers) == 2


async def test_one_whose_connections_are_lost_again_and_again_as_it_is_asked_is_given_up(
    asker: Asker, loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = count(1)

    async def lose(reading: Reading, connection: RedisConnection) -> None:
        if next(tries) > 2:
            monkeypatch.setattr(link, "PATIENCE", 0.0)
        raise RedisFailure("it hangs up")

    monkeypatch.setattr(Reading, "run", lose)
    assert await asker.answer(loop) == []
    assert next(tries) > 3
    await asker.until_let_go()
    assert len(asker.answers) == 1


#: Appends the last entry of a log three times more.
SENT_AGAIN = """
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local epoch, number = string.match(last[1], '(%d+)-(%d+)')
for more = 1, 3 do
    redis.call('XADD', KEYS[1], string.format('%s-%d', epoch, number + more), 'e', last[2][2])
end
"""


async def test_what_the_log_has_several_times_counts_once(processes: Processes, redis: RedisServer, loop: Loop) -> None:
    """Where nobody answered it is sent again, and where it waited in a process that is forked, by each child."""
    room = processes.room()
    for number, text in enumerate("abcd"):
        room.say(text)
        await room.until(lambda: len(room.confirmations) > number)  # noqa: B023  # it is called before the next
    (log,) = [key for key in redis.ask("KEYS", "*").split() if redis.ask("TYPE", key).strip() == "stream"]
    redis.ask("EVAL", SENT_AGAIN, "1", log)
    asker = Asker(processes.broker(), history=4)
    assert await asker.answer(loop, 4) == ["a", "b", "c", "d"]


# A log that is longer than what is read of it


async def test_of_a_long_log_its_end_is_read_and_the_log_says_so_once(
    processes: Processes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(reading, "MAX_BYTES", 1000)
    texts = [f"{number:0100}" for number in range(50)]
    room = processes.room()
    room.open()
    for number, text in enumerate(texts):
        room.say(text)
        await room.until_heard(number + 1)
    for _ in range(2):
        log = await room.log()
        assert log is not None
        read = [message.data.decode() for message in log.messages]
        assert 0 < len(read) < 50
        assert read == texts[-len(read) :]
        assert log.start.number == log.messages[0].position.number - 1
        assert log.end == room.position
    assert caplog.text.count("The history of room 'lobby' takes more than the last 4 MiB") == 1


@pytest.mark.parametrize(("size", "wanted"), [(100, 100), (1000, 4)])
async def test_a_log_of_which_all_that_is_wanted_is_read_is_not_long(
    processes: Processes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, size: int, wanted: int
) -> None:
    monkeypatch.setattr(reading, "MAX_BYTES", 3000)
    room = processes.room(limits=LogLimits(wanted, None))
    room.open()
    for number in range(4):
        room.say("x" * size)
        await room.until_heard(number + 1)
    log = await room.log()
    assert log is not None
    assert len(log.messages) == 4
    assert "takes more than" not in caplog.text


async def test_who_comes_back_from_before_the_last_4_mib_is_told_of_a_gap_by_a_process_that_heard_nothing_of_it(
    processes: Processes, memory_connect: Connect
) -> None:
    assert reading.MAX_BYTES == reading.MAX_MIB << 20 == 4 << 20
    other = processes.room(processes.broker(max_queue=1 << 26), limits=LogLimits(1000, None))
    other.open()
    await other.until_open()
    positions = []
    texts = [f"{number:020000}" for number in range(250)]
    for number, text in enumerate(texts):
        positions.append(str(other.position))
        other.say(text)
        await other.until_heard(number + 1)
    asker = Asker(processes.broker(), history=1000)
    read = await asker.answer(memory_connect.loop, 1000)
    assert 200 < len(read) < 220
    assert read == texts[-len(read) :]
    for index, has_recovered in ((-1, True), (-len(read) - 1, False), (0, False)):
        _, socket = await memory_connect.socket()
        joined = Calls()
        asker.room.join(socket, after=positions[index], completion=joined)
        ((told,),) = await joined.until(1)
        assert told.recovered == has_recovered
