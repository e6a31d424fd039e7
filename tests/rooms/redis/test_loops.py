"""Brokers whose loops come and go: one trio run after the other, and none at all."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic, perf_counter, sleep

import pytest
import trio

from perfectws import EventLoop, RedisBroker, Room, callbacks
from perfectws.client.loop import make_loop, run_client_loop
from perfectws.net.loop import open_loop
from perfectws.rooms.redis import link

from .conftest import Processes
from .listener import PATIENCE, Listener
from .server import RedisServer


class OwnClock(trio.abc.Clock):
    """A clock that runs as all do, from a beginning of its own: each run of trio's has one, at random.

    Args:
        beginning: What it shows at first, in seconds.
    """

    def __init__(self, beginning: float) -> None:
        self._offset = beginning - perf_counter()

    def start_clock(self) -> None:
        pass

    def current_time(self) -> float:
        return perf_counter() + self._offset

    def deadline_to_sleep_time(self, deadline: float) -> float:
        return deadline - self.current_time()


def test_what_is_said_in_one_run_of_trios_after_another_is_published(redis: RedisServer) -> None:
    broker = RedisBroker(redis.url)
    room = Room("lobby", broker=broker)
    for published, beginning in enumerate((1000.0, 500.0, 0.0), 1):

        async def say() -> None:
            async with open_loop():
                room.send_string_message("hello")
                with trio.fail_after(PATIENCE):
                    while broker.figures.queued:
                        await trio.sleep(0.01)

        trio.run(say, clock=OwnClock(beginning))
        assert broker.figures.published == published


def in_plain_thread(function: Callable[[], object]) -> None:
    """Call a function in a thread that no loop knows of."""
    thread = threading.Thread(target=function)
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until something holds that depends on other threads."""
    deadline = monotonic() + PATIENCE
    while not condition():
        assert monotonic() < deadline
        sleep(0.01)


async def test_what_a_plain_thread_says_to_a_room_that_had_no_member_is_heard_elsewhere(processes: Processes) -> None:
    broker = processes.broker()
    room, other = Room("lobby", broker=broker), processes.room()
    other.open()
    await other.until_open()
    in_plain_thread(lambda: room.send_string_message("from a thread"))
    assert await other.until_heard(1) == ["from a thread"]


@pytest.fixture
def no_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take it that none runs, though another test may have left one that does."""
    monkeypatch.setattr(callbacks, "_loops", {})


@pytest.mark.usefixtures("no_loops")
def test_what_is_said_while_no_loop_runs_waits_and_leaves_as_soon_as_one_does(redis: RedisServer) -> None:
    broker = RedisBroker(redis.url)
    room = Room("lobby", broker=broker)
    room.send_string_message("early")
    room.send_string_message("early, too")
    assert (broker.figures.queued, broker.figures.is_connected) == (2, False)
    with EventLoop():
        wait_for(lambda: broker.figures.published == 2)
    assert broker.figures.queued == 0
    room.send_string_message("late")
    assert broker.figures.queued == 1
    with EventLoop():
        wait_for(lambda: broker.figures.published == 3)


async def test_what_waits_as_the_loop_ends_leaves_in_another_though_no_room_has_members_there(
    processes: Processes, redis: RedisServer
) -> None:
    broker = processes.broker()
    redis.kill()
    async with open_loop() as ending:
        Listener("lobby", broker, ending, b"1" * 16).say("in time")
    assert broker.figures.queued == 1
    redis.start()
    with trio.fail_after(PATIENCE):
        while not broker.figures.published:
            await trio.sleep(0.01)


async def test_a_script_that_has_said_something_ends_though_rooms_have_members_in_another_loop(
    processes: Processes,
) -> None:
    broker = processes.broker()
    room, other = processes.room(broker), processes.room()
    script = make_loop()
    async with run_client_loop(script, close_timeout=0):
        Listener("from the script", broker, script, b"1" * 16).say("hello")
        room.open()
        await room.until_open()
        with trio.fail_after(PATIENCE):
            await script.until_idle()
    other.say("still there?")
    assert await room.until_heard(1) == ["still there?"]
    assert broker.figures.published == 1


async def test_a_script_with_members_of_its_own_is_held(processes: Processes) -> None:
    broker = processes.broker()
    room = processes.room(broker)
    script = make_loop()
    async with run_client_loop(script, close_timeout=0):
        own = Listener("from the script", broker, script, b"1" * 16)
        for each in (own, room):
            each.open()
            await each.until_open()
        with trio.move_on_after(3 * link.LOOK_INTERVAL) as waiting:
            await script.until_idle()
        assert waiting.cancelled_caught
        own.channel.close()
        with trio.fail_after(PATIENCE):
            await script.until_idle()
