"""What is in a flight, and when it leaves: at once, and not too many in a short time; in virtual time."""

from __future__ import annotations

from itertools import count
from typing import Any, cast

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from perfectws import OpcodeType
from perfectws.log_limit import LogLimit
from perfectws.rooms.broker import LogMessage, Subscriber
from perfectws.rooms.redis.connection import RedisConnection
from perfectws.rooms.redis.counts import Counts
from perfectws.rooms.redis.entry import Entry
from perfectws.rooms.redis.keys import Keys
from perfectws.rooms.redis.publishing import AHEAD, PACE, Publishing
from perfectws.rooms.redis.room import RedisRoom
from perfectws.rooms.redis.wire import Answer

from .listener import LIMITS


class Nobody:
    """A room that is told nothing."""

    name, limits = "lobby", LIMITS

    def confirmed(self, *_: object) -> None:
        pass


class Redis:
    """A connection that answers each flight at once.

    Attributes:
        flights: How many went out.
    """

    run = b"000000"

    def __init__(self) -> None:
        self.flights = 0
        self._asked: list[Answer] = []

    def queue_script(self, *_: object) -> Answer:
        self._asked.append(Answer())
        return self._asked[-1]

    def send(self) -> None:
        self.flights += 1

    def rest(self, seconds: float) -> None:
        pass

    def receive(self) -> None:
        asked, self._asked = self._asked, []
        for answer in asked:
            answer.give(b"1000000-%d" % self.flights)


class Speaker:
    """A room that says something, a flight for each."""

    def __init__(self) -> None:
        self.counts = Counts()
        self.publishing = Publishing(1 << 20, self.counts, LogLimit())
        self._subscriber = Nobody()
        self.room = RedisRoom(cast(Subscriber, cast(Any, self._subscriber)), Keys("pws", 0))
        self._numbers = count(1)

    async def say(self, times: int, redis: Redis) -> None:
        """Say something, so many times, as long as no time passes."""
        for _ in range(times):
            self.publishing.publish(self.room, LogMessage(b"i" * 16, next(self._numbers), OpcodeType.TEXT, b""))
            self.publishing.signal.set()
            await wait_all_tasks_blocked()
            redis.receive()


async def test_some_flights_may_run_ahead_of_the_pace_and_the_next_waits_for_it(mock_clock: MockClock) -> None:
    ahead = int(AHEAD / PACE)
    redis, speaker = Redis(), Speaker()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(speaker.publishing.run, cast(RedisConnection, redis))
        await speaker.say(ahead + 3, redis)
        assert ahead <= redis.flights < ahead + 3
        before = redis.flights
        mock_clock.jump(2 * PACE)
        await wait_all_tasks_blocked()
        assert redis.flights == before + 1
        nursery.cancel_scope.cancel()


def test_the_pace_is_that_of_this_run_of_trios_whatever_the_clock_of_the_one_before_has_shown() -> None:
    speaker = Speaker()
    for beginning in (1000.0, 0.0):
        clock, redis = MockClock(), Redis()
        clock.jump(beginning)

        async def say(redis: Redis = redis) -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(speaker.publishing.run, cast(RedisConnection, redis))
                await speaker.say(1, redis)
                nursery.cancel_scope.cancel()

        trio.run(say, clock=clock)
        assert redis.flights == 1
    assert speaker.counts.published == 2


def test_messages_that_waited_as_the_process_was_forked_are_an_entry_of_their_own_with_the_name_of_who_said_them() -> (
    None
):
    speaker = Speaker()
    for number, instance in enumerate((b"p" * 16, b"p" * 16, b"c" * 16), 1):
        speaker.publishing.publish(speaker.room, LogMessage(instance, number, OpcodeType.TEXT, b"%d" % number))
    entries = []
    while parcels := speaker.publishing.queue.load():
        entries += [Entry.decode(parcel.entry) for parcel in parcels]
    assert [(entry.instance[:1], entry.sequence, len(entry.messages), entry.missing) for entry in entries if entry] == [
        (b"p", 1, 2, 0),
        (b"c", 3, 1, 0),
    ]
