"""How late a loop is, and for how long that is remembered."""

from __future__ import annotations

import time

import trio
import trio.testing

from perfectws.net.delay import BEAT_SECONDS, LATELY_SECONDS, LoopDelay
from perfectws.net.loop import open_loop


async def test_a_loop_that_is_in_time_has_no_delay(autojump_clock: trio.testing.MockClock) -> None:
    delay = LoopDelay(trio.current_time)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(delay.beat)
        await trio.sleep(10 * BEAT_SECONDS)
        nursery.cancel_scope.cancel()
    assert (delay.mean, delay.worst) == (0.0, 0.0)


async def test_what_holds_the_thread_is_seen_by_the_next_beat(mock_clock: trio.testing.MockClock) -> None:
    delay = LoopDelay(trio.current_time)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(delay.beat)
        await trio.testing.wait_all_tasks_blocked()
        mock_clock.jump(BEAT_SECONDS)
        await trio.testing.wait_all_tasks_blocked()
        mock_clock.jump(BEAT_SECONDS + 3.0)  # all of which a task has taken
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert delay.worst == 3.0
    assert delay.mean == 1.5


async def test_a_delay_is_forgotten_after_a_minute_at_most(autojump_clock: trio.testing.MockClock) -> None:
    delay = LoopDelay(trio.current_time)
    delay.note(7.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(delay.beat)
        await trio.sleep(LATELY_SECONDS)
        assert delay.worst == 7.0
        await trio.sleep(LATELY_SECONDS + 2 * BEAT_SECONDS)
        assert delay.worst == 0.0
        nursery.cancel_scope.cancel()


async def test_two_servers_on_one_loop_measure_once(autojump_clock: trio.testing.MockClock) -> None:
    delay = LoopDelay(trio.current_time)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(delay.beat)
        await trio.testing.wait_all_tasks_blocked()
        await delay.beat()  # returns
        nursery.cancel_scope.cancel()


async def test_a_callback_that_blocks_is_seen_without_a_beat() -> None:
    async with open_loop() as loop:
        done = trio.Event()

        def block() -> None:
            time.sleep(0.05)
            loop.call(loop.owner, done.set)

        for _ in range(2):
            loop.call(loop.owner, block)
        await done.wait()
        await trio.testing.wait_all_tasks_blocked()
        assert loop.delay.worst > 0.02
