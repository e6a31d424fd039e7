"""Redis's protocol on a pipe: what is answered to what, what is pushed between, and what goes out when."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from perfectws.rooms.redis.pipes import Pipe
from perfectws.rooms.redis.wire import Answer, RedisFailure, Wire


class FakePipe(Pipe):
    """What a test says comes, and what was sent is written down.

    Args:
        takes: How much goes out at once.
    """

    def __init__(self, takes: int = 1_000_000) -> None:
        self.takes = takes
        self.at_once = b""
        self.later = b""
        self.reads = 0
        self.say, self._said = trio.open_memory_channel[bytes](100)

    async def receive(self) -> bytes:
        data = await self._said.receive()
        self.reads += 1
        return data

    def receive_now(self) -> bytes | None:
        try:
            return self._said.receive_nowait()
        except trio.WouldBlock:
            return None

    def send_now(self, data: bytes) -> int:
        self.at_once += data[: self.takes]
        return min(len(data), self.takes)

    async def send(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint()
        self.later += data

    async def close(self) -> None:
        await trio.lowlevel.checkpoint()


class Fixture:
    """A wire on a fake pipe, and what it heard."""

    def __init__(self) -> None:
        self.pipe = FakePipe()
        self.pushed: list[Any] = []
        self.wire = Wire(self.pipe, self.pushed.append)

    def come(self, data: bytes) -> None:
        self.pipe.say.send_nowait(data)


@pytest.fixture
async def on() -> AsyncIterator[Fixture]:
    """A wire that runs."""
    fixture = Fixture()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(fixture.wire.run)
        await trio.testing.wait_all_tasks_blocked()
        yield fixture
        nursery.cancel_scope.cancel()


async def test_answers_come_in_order_and_what_is_pushed_between_them_is_heard(on: Fixture) -> None:
    first, second = on.wire.ask((b"GET", b"a")), on.wire.ask((b"GET", 7))
    on.wire.send()
    assert on.pipe.at_once == b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n*2\r\n$3\r\nGET\r\n$1\r\n7\r\n"
    on.come(b"$3\r\none\r\n>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nh")
    on.come(b"i\r\n#f\r\n")
    assert await first == b"one"
    assert await second is False
    assert on.pushed == [[b"message", b"c", b"hi"]]


async def test_what_does_not_go_out_at_once_follows_in_order(on: Fixture) -> None:
    on.pipe.takes = 5
    on.wire.tell((b"PING",))
    on.wire.send()
    on.wire.tell((b"LATER",))
    on.wire.send()
    await trio.testing.wait_all_tasks_blocked()
    assert on.pipe.at_once + on.pipe.later == b"*1\r\n$4\r\nPING\r\n*1\r\n$5\r\nLATER\r\n"
    assert len(on.pipe.at_once) == 5


async def test_an_error_is_raised_where_it_is_awaited_and_nowhere_else(on: Fixture) -> None:
    wrong, right = on.wire.ask((b"NONE",)), on.wire.ask((b"PING",))
    on.come(b"-ERR unknown command\r\n+PONG\r\n")
    with pytest.raises(RedisFailure, match="ERR unknown command"):
        await wrong
    assert await right == b"PONG"


async def test_a_script_that_redis_has_forgotten_is_sent_whole(on: Fixture) -> None:
    answer = on.wire.ask((b"EVALSHA", b"0"), instead=(b"EVAL", b"return 1"))
    next_ = on.wire.ask((b"PING",))
    on.wire.send()
    on.come(b"-NOSCRIPT No matching script.\r\n+PONG\r\n")
    assert await next_ == b"PONG"
    assert not answer.is_here
    await trio.testing.wait_all_tasks_blocked()
    assert on.pipe.later == b"*2\r\n$4\r\nEVAL\r\n$8\r\nreturn 1\r\n"
    on.come(b":1\r\n")
    assert await answer == 1


@pytest.mark.parametrize("said", [b"", b"\xff", b"+unasked\r\n+again\r\n", b"*9999999999999\r\n"])
async def test_whoever_waits_is_told_when_the_connection_is_lost(on: Fixture, said: bytes) -> None:
    answer = on.wire.ask((b"PING",))
    on.come(said)
    with pytest.raises(RedisFailure, match="the connection is lost"):
        await on.wire.until_lost()
    if said[:1] != b"+":
        with pytest.raises(RedisFailure, match="the connection is lost"):
            await answer
    with pytest.raises(RedisFailure, match="the connection is lost"):
        await on.wire.ask((b"PING",))


async def test_an_answer_that_cannot_be_taken_ends_the_connection_and_goes_to_who_waits(on: Fixture) -> None:
    def fail() -> None:
        raise ValueError("no")

    answer = on.wire.ask((b"PING",))
    answer.then = fail
    on.come(b"+PONG\r\n")
    for waiting in (answer, answer):
        with pytest.raises(RedisFailure):
            await waiting
    with pytest.raises(RedisFailure):
        await on.wire.until_lost()


async def test_an_answer_may_be_awaited_again_after_that_was_cancelled(on: Fixture) -> None:
    answer: Answer = on.wire.ask((b"PING",))
    with trio.CancelScope() as scope:
        scope.cancel()
        await answer
    assert scope.cancelled_caught
    on.come(b"+PONG\r\n")
    assert await answer == b"PONG"


async def test_while_it_rests_no_task_is_woken_for_what_comes(autojump_clock: MockClock) -> None:
    fixture = Fixture()
    wire, pipe = fixture.wire, fixture.pipe
    async with trio.open_nursery() as nursery:
        nursery.start_soon(wire.run)
        wire.rest(10)
        fixture.come(b">1\r\n+a\r\n")  # the one that it waits for
        await trio.sleep(1)
        fixture.come(b">1\r\n+b\r\n")
        await trio.sleep(1)
        assert (len(fixture.pushed), pipe.reads) == (1, 1)
        wire.receive()
        assert (len(fixture.pushed), pipe.reads) == (2, 1)
        fixture.come(b">1\r\n+c\r\n")
        await trio.sleep(9)
        assert len(fixture.pushed) == 3
        wire.rest(10)
        fixture.come(b">1\r\n+d\r\n")
        await trio.sleep(1)
        fixture.come(b">1\r\n+e\r\n")
        wire.rest(0)
        await trio.sleep(1)
        assert len(fixture.pushed) == 5
        nursery.cancel_scope.cancel()
