"""The queue of ready callbacks: order, budgets, and what an error costs."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVarTuple

import pytest

from perfectws import callbacks
from perfectws.callbacks import ROUNDS_PER_TURN, TURN_SECONDS, CallbackLoop, CallbackOwner, Timer

Ts = TypeVarTuple("Ts")


class QueueOnly(CallbackLoop):
    """A loop that has nothing but the queue."""

    def __init__(self) -> None:
        super().__init__()
        self.wakes = 0
        self.tasks: list[Coroutine[Any, Any, object]] = []

    def wake(self) -> None:
        self.wakes += 1
        self.idle = False

    def start_task(self, owner: CallbackOwner, coroutine: Coroutine[Any, Any, object], done: Any = None) -> None:
        self.tasks.append(coroutine)

    def time(self) -> float:
        raise NotImplementedError

    def call_later(self, owner: CallbackOwner, seconds: float, function: Callable[[*Ts], object], *args: *Ts) -> Timer:
        raise NotImplementedError

    def call_from_thread(self, owner: CallbackOwner, function: Callable[[*Ts], object], *args: *Ts) -> None:
        raise NotImplementedError


@pytest.fixture
def loop() -> QueueOnly:
    return QueueOnly()


class Clock:
    """A `perf_counter` that each callback may move."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(callbacks, "perf_counter", clock)
    return clock


def test_callbacks_run_first_in_first_out_whoever_owns_them(loop: QueueOnly) -> None:
    owners = [CallbackOwner(), CallbackOwner()]
    log: list[int] = []
    for number in range(10):
        loop.call(owners[number % 2], log.append, number)
    assert not log
    loop.run_ready()
    assert log == list(range(10))
    assert not loop.has_ready


def test_what_a_callback_makes_ready_comes_behind_what_is_ready(loop: QueueOnly) -> None:
    log: list[str] = []

    def first() -> None:
        log.append("first")
        loop.call(loop.owner, log.append, "third")

    loop.call(loop.owner, first)
    loop.call(loop.owner, log.append, "second")
    loop.run_ready()
    assert log == ["first", "second", "third"]


def test_a_chain_takes_as_many_steps_in_a_turn_as_there_are_rounds(loop: QueueOnly, clock: Clock) -> None:
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1
        loop.call(loop.owner, step)

    loop.call(loop.owner, step)
    loop.run_ready()
    assert steps == ROUNDS_PER_TURN
    assert loop.has_ready
    loop.run_ready()
    assert steps == 2 * ROUNDS_PER_TURN


def test_many_callbacks_that_are_ready_at_once_are_one_round(loop: QueueOnly, clock: Clock) -> None:
    log: list[int] = []
    for number in range(10_000):
        loop.call(loop.owner, log.append, number)
    loop.run_ready()
    assert len(log) == 10_000
    assert not loop.has_ready


def test_a_turn_ends_when_its_time_is_over_and_the_next_goes_on(loop: QueueOnly, clock: Clock) -> None:
    log: list[int] = []

    def slow(number: int) -> None:
        log.append(number)
        clock.now += TURN_SECONDS / 32

    for number in range(1000):
        loop.call(loop.owner, slow, number)
    loop.run_ready()
    assert 32 <= len(log) <= 100
    turns = 1
    while loop.has_ready:
        loop.run_ready()
        turns += 1
    assert log == list(range(1000))
    assert turns >= 10


def test_what_waits_for_the_next_turn_comes_behind_what_this_one_left(loop: QueueOnly, clock: Clock) -> None:
    log: list[str] = []

    def slow() -> None:
        loop.call_next_turn(loop.owner, log.append, "next turn")
        clock.now += 2 * TURN_SECONDS

    loop.call(loop.owner, slow)
    for _ in range(1000):
        loop.call(loop.owner, log.append, "left over")
    loop.run_ready()
    assert len(log) < 1000
    loop.run_ready()
    assert log == ["left over"] * 1000 + ["next turn"]


def test_a_callback_of_the_next_turn_does_not_run_in_this_one(loop: QueueOnly) -> None:
    log: list[str] = []

    def again() -> None:
        log.append("x")
        if len(log) < 3:
            loop.call_next_turn(loop.owner, again)

    loop.call_next_turn(loop.owner, again)
    for turn in range(1, 4):
        loop.run_ready()
        assert len(log) == turn
    assert not loop.has_ready


def test_an_idle_loop_is_woken_once(loop: QueueOnly) -> None:
    loop.call(loop.owner, print)
    assert loop.wakes == 0
    loop.idle = True
    loop.call(loop.owner, print)
    loop.call_next_turn(loop.owner, print)
    assert loop.wakes == 1


def test_an_error_goes_to_the_owner_and_stops_nobody(loop: QueueOnly) -> None:
    errors: list[Exception] = []
    log: list[str] = []

    class Owner(CallbackOwner):
        def callback_failed(self, error: Exception) -> None:
            errors.append(error)

    def divide() -> float:
        return 1 / 0

    loop.call(Owner(), divide)
    loop.call(loop.owner, log.append, "undisturbed")
    loop.run_ready()
    assert [type(error) for error in errors] == [ZeroDivisionError]
    assert log == ["undisturbed"]


def test_an_owner_that_fails_to_take_an_error_stops_nobody_either(
    loop: QueueOnly, caplog: pytest.LogCaptureFixture
) -> None:
    class Owner(CallbackOwner):
        def callback_failed(self, error: Exception) -> None:
            raise RuntimeError

    log: list[str] = []
    loop.call(Owner(), int, "x")
    loop.call(loop.owner, log.append, "undisturbed")
    loop.run_ready()
    assert log == ["undisturbed"]
    assert len(caplog.records) == 1
    caplog.clear()


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_is_no_exception_is_not_caught_and_the_rest_stays_queued(
    loop: QueueOnly, error: type[BaseException]
) -> None:
    def raises() -> None:
        raise error

    loop.call(loop.owner, raises)
    loop.call(loop.owner, print)
    with pytest.raises(error):
        loop.run_ready()
    assert loop.has_ready


def test_a_coroutine_that_comes_back_becomes_a_task(loop: QueueOnly) -> None:
    async def callback() -> None:
        """Do nothing."""

    loop.call(loop.owner, callback)
    loop.call(loop.owner, lambda: None)
    loop.call(loop.owner, lambda: "neither")
    loop.run_ready()
    (coroutine,) = loop.tasks
    coroutine.close()
