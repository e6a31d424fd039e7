"""Who is taken for dead, and when: by the answers of Redis alone, in virtual time."""

from __future__ import annotations

from collections.abc import Awaitable, Generator, Iterable
from typing import Any, cast

import pytest
import trio
from trio.testing import MockClock

from perfectws.log_limit import LogLimit
from perfectws.rooms.redis.connection import RedisConnection
from perfectws.rooms.redis.keys import Keys
from perfectws.rooms.redis.lease import SILENCE, Lease, Neighbours
from perfectws.rooms.redis.scripts import BEAT, Script
from perfectws.rooms.redis.wire import RedisFailure

OTHER = b"f" * 32
KEYS = Keys("pws", 0)


class Told(Neighbours):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.events: list[tuple[str, float]] = []

    def _note(self, what: str) -> None:
        self.events.append((what, trio.current_time()))

    def arrived(self, instances: Iterable[bytes]) -> None:
        self._note(f"arrived {len(list(instances))}")

    def gone(self, instances: Iterable[bytes], *, for_good: bool) -> None:
        self._note("gone for good" if for_good else "gone")

    def forgotten(self) -> None:
        self._note("forgotten")

    def sound(self) -> None:
        self._note("sound")

    @property
    def words(self) -> list[str]:
        return [what for what, _ in self.events]


class Redis:
    """What a connection answers.

    Attributes:
        answer: The answer to each beat; ``None`` for none at all.
        echoes: Whether the process hears itself.
    """

    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self.nursery: trio.Nursery
        self.answer: list[Any] | None = [1]
        self.echoes = True
        self.beats: list[float] = []

    def begin(self, *answer: Any) -> None:
        """Let the process connect; this is the answer to its beats."""
        self.answer = list(answer)
        self.nursery.start_soon(self.lease.run, cast(RedisConnection, self))

    def run_script(self, script: Script, keys: list[bytes], *arguments: bytes | int) -> Awaitable[Any]:
        assert script is BEAT
        self.beats.append(trio.current_time())
        if self.echoes and self.answer is not None:
            assert self.lease.hear(self.lease.channels[0], b"")
        return Answer(self)


class Answer:
    """The answer to a beat, which may be awaited again."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def __await__(self) -> Generator[Any, None, list[Any]]:
        return self._answered().__await__()

    async def _answered(self) -> list[Any]:
        while self._redis.answer is None:
            await trio.sleep(0.1)
        return self._redis.answer


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def lease(told: Told) -> Lease:
    return Lease(4, KEYS, told, LogLimit())


@pytest.fixture
def redis(lease: Lease, nursery: trio.Nursery) -> Redis:
    redis = Redis(lease)
    redis.nursery = nursery
    return redis


async def test_a_process_says_each_second_that_it_lives(redis: Redis, autojump_clock: MockClock) -> None:
    redis.begin(1)
    await trio.sleep(4.5)
    assert redis.beats == [0, 1, 2, 3, 4]


async def test_one_that_lives_no_longer_is_found_out_as_soon_as_its_lease_has_passed(
    redis: Redis, told: Told, autojump_clock: MockClock
) -> None:
    redis.begin(1, OTHER, 3500)
    await trio.sleep(5.5)
    assert told.words == ["arrived 1", "sound"]
    redis.answer = [1, OTHER, 300]
    await trio.sleep(0.6)
    redis.answer = [1]
    await trio.sleep(0.3)
    assert told.words == ["arrived 1", "sound", "gone"]
    assert told.events[-1][1] == pytest.approx(6.32)


async def test_nobody_is_taken_for_dead_before_a_whole_lease_has_passed(
    redis: Redis, told: Told, autojump_clock: MockClock
) -> None:
    redis.begin(1, OTHER, 4000)
    await trio.sleep(0.5)
    redis.answer = [1]
    await trio.sleep(3)
    assert told.words == ["arrived 1"]
    await trio.sleep(1)
    assert told.words == ["arrived 1", "gone", "sound"]


async def test_nobody_is_taken_for_dead_while_redis_refuses_and_for_a_lease_after(
    redis: Redis, told: Told, autojump_clock: MockClock
) -> None:
    redis.begin(1, OTHER, 4000)
    await trio.sleep(5.5)
    redis.answer = [b"OOM command not allowed"]
    await trio.sleep(60)
    redis.answer = [0]
    await trio.sleep(3)
    redis.answer = [1, OTHER, 4000]
    await trio.sleep(60)
    assert told.words == ["arrived 1", "sound", "forgotten", "forgotten", "forgotten", "sound"]


async def test_a_process_that_was_taken_for_dead_says_all_again(
    redis: Redis, told: Told, autojump_clock: MockClock
) -> None:
    redis.begin(0)
    await trio.sleep(0.5)
    redis.answer = [1]
    await trio.sleep(2)
    assert told.words == ["forgotten"]


async def test_others_say_themselves_that_they_are_there_and_that_they_go(
    redis: Redis, lease: Lease, told: Told, autojump_clock: MockClock
) -> None:
    redis.begin(1)
    await trio.sleep(0.5)
    assert lease.hear(KEYS.instances_channel, b"+" + OTHER)
    assert lease.hear(KEYS.instances_channel, b"+" + OTHER)
    assert lease.living == {OTHER}
    assert lease.hear(KEYS.instances_channel, b"-" + OTHER)
    assert lease.hear(KEYS.instances_channel, b"+" + lease.own_name())
    assert lease.hear(KEYS.instances_channel, b"+short")
    assert not lease.hear(b"another", b"+" + OTHER)
    assert not lease.living
    assert told.words == ["arrived 1", "gone for good"]


@pytest.mark.parametrize("answers", [False, True])
async def test_who_hears_nothing_for_three_seconds_connects_anew(
    lease: Lease, answers: bool, autojump_clock: MockClock
) -> None:
    redis = Redis(lease)
    redis.answer, redis.echoes = [1] if answers else None, False
    with pytest.raises(RedisFailure, match="nothing was heard"):
        await lease.run(cast(RedisConnection, redis))
    assert trio.current_time() == SILENCE
