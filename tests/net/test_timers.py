"""The timers of a loop: when they fire, in which order, and that nothing is left of those that are cancelled."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from perfectws.callbacks import Timer
from perfectws.net.loop import Loop, open_loop

from ..calls import quiet


@pytest.fixture
async def loop() -> AsyncIterator[Loop]:
    async with open_loop(with_reactor=False) as loop:
        yield loop


class Log(list[Any]):
    """What was called, and when."""

    def note(self, what: object) -> None:
        self.append((what, round(trio.current_time(), 3)))


async def test_timers_fire_at_their_time_whatever_the_order_they_were_added_in(
    loop: Loop, autojump_clock: MockClock
) -> None:
    log = Log()
    for seconds in (5, 1, 3, 0.5, 4):
        loop.call_later(loop.owner, seconds, log.note, seconds)
    await trio.sleep(10)
    assert log == [(seconds, seconds) for seconds in (0.5, 1, 3, 4, 5)]


async def test_timers_of_one_time_fire_in_the_order_they_were_added_in(loop: Loop, autojump_clock: MockClock) -> None:
    log = Log()
    for number in range(20):
        loop.call_later(loop.owner, 1, log.note, number)
    await trio.sleep(2)
    assert [number for number, _ in log] == list(range(20))


async def test_an_earlier_timer_that_is_added_later_is_in_time(loop: Loop, autojump_clock: MockClock) -> None:
    log = Log()
    loop.call_later(loop.owner, 100, log.note, "late")
    await trio.sleep(10)
    loop.call_later(loop.owner, 5, log.note, "early")
    await trio.sleep(200)
    assert log == [("early", 15), ("late", 100)]


async def test_a_timer_tells_when_it_is_due(loop: Loop, autojump_clock: MockClock) -> None:
    await trio.sleep(3)
    assert loop.call_later(loop.owner, 4, print).when == pytest.approx(7)


@pytest.mark.parametrize("seconds", [0, -1])
async def test_a_time_that_is_past_is_now_and_still_queued(
    loop: Loop, autojump_clock: MockClock, seconds: float
) -> None:
    log = Log()
    loop.call_later(loop.owner, seconds, log.note, "now")
    assert not log
    await quiet()
    assert log == [("now", 0)]


async def test_a_cancelled_timer_does_not_fire_and_may_be_cancelled_again(
    loop: Loop, autojump_clock: MockClock
) -> None:
    log = Log()
    timer = loop.call_later(loop.owner, 1, log.note, "never")
    loop.call_later(loop.owner, 2, log.note, "later")
    timer.cancel()
    timer.cancel()
    assert len(loop.timers) == 1
    await trio.sleep(3)
    assert log == [("later", 2)]
    assert len(loop.timers) == 0
    timer.cancel()
    assert len(loop.timers) == 0


async def test_a_timer_cancelled_by_a_callback_that_is_due_together_with_it_does_not_fire(
    loop: Loop, autojump_clock: MockClock
) -> None:
    log = Log()
    timers: list[Timer] = []
    loop.call_later(loop.owner, 1, lambda: timers[0].cancel())
    timers.append(loop.call_later(loop.owner, 1, log.note, "never"))
    await trio.sleep(2)
    assert not log


async def test_a_timer_that_fired_holds_nothing(loop: Loop, autojump_clock: MockClock) -> None:
    timer = loop.call_later(loop.owner, 1, print)
    await trio.sleep(2)
    assert len(loop.timers) == 0
    timer.cancel()
    assert len(loop.timers) == 0


async def test_cancelled_timers_are_swept_out_when_they_are_many(loop: Loop, autojump_clock: MockClock) -> None:
    log = Log()
    kept = [loop.call_later(loop.owner, 1000 + number, log.note, number) for number in range(10)]
    for _ in range(100):
        for timer in [loop.call_later(loop.owner, 500, log.note, "never") for _ in range(100)]:
            timer.cancel()
    assert len(loop.timers) == len(kept)
    assert len(loop.timers._heap) < 300
    await trio.sleep(2000)
    assert [number for number, _ in log] == list(range(10))
    assert len(loop.timers) == 0


async def test_a_timer_may_be_cancelled_and_added_inside_a_timers_callback(
    loop: Loop, autojump_clock: MockClock
) -> None:
    log = Log()
    victim = loop.call_later(loop.owner, 5, log.note, "never")

    def first() -> None:
        victim.cancel()
        loop.call_later(loop.owner, 1, log.note, "second")

    loop.call_later(loop.owner, 2, first)
    await trio.sleep(10)
    assert log == [("second", 3)]


async def test_an_async_callback_of_a_timer_is_awaited(loop: Loop, autojump_clock: MockClock) -> None:
    log = Log()

    async def callback() -> None:
        await trio.sleep(1)
        log.note("done")

    loop.call_later(loop.owner, 1, callback)
    await trio.sleep(5)
    assert log == [("done", 2)]


async def test_an_error_in_a_timer_costs_the_others_nothing(
    loop: Loop, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    log = Log()
    loop.call_later(loop.owner, 1, lambda: 1 / 0)
    loop.call_later(loop.owner, 1, log.note, "undisturbed")
    await trio.sleep(2)
    assert log == [("undisturbed", 1)]
    assert len(caplog.records) == 1
    caplog.clear()
