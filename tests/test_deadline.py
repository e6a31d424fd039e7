"""`Deadline`: moved often, at the price of few timers."""

import pytest

from perfectws.callbacks import CallbackOwner
from perfectws.deadline import Deadline

from .http.fakes import FakeLoop


@pytest.fixture
def loop() -> FakeLoop:
    return FakeLoop()


@pytest.fixture
def passed() -> list[float]:
    return []


@pytest.fixture
def deadline(loop: FakeLoop, passed: list[float]) -> Deadline:
    return Deadline(loop, CallbackOwner(), lambda: passed.append(loop.now - 1000))


def test_it_passes_once(loop: FakeLoop, deadline: Deadline, passed: list[float]) -> None:
    deadline.set(5)
    loop.advance(100)
    assert passed == [5]


def test_it_can_be_put_off_a_thousand_times_with_one_timer(
    loop: FakeLoop, deadline: Deadline, passed: list[float]
) -> None:
    for _ in range(1000):
        deadline.set(5)
        loop.advance(0.001)
    assert loop.timers_started == 1
    loop.advance(100)
    assert passed == [pytest.approx(5.999)]
    assert loop.timers_started == 2


def test_it_can_be_brought_forward(loop: FakeLoop, deadline: Deadline, passed: list[float]) -> None:
    deadline.set(75)
    deadline.set(10)
    assert loop.live_timers == 1
    loop.advance(100)
    assert passed == [10]


def test_cleared_it_does_not_pass_and_can_be_set_again(loop: FakeLoop, deadline: Deadline, passed: list[float]) -> None:
    deadline.set(5)
    deadline.clear()
    loop.advance(10)
    assert passed == []
    deadline.set(5)
    deadline.set(None)
    loop.advance(10)
    deadline.set(5)
    loop.advance(10)
    assert passed == [25]


def test_cancelled_it_leaves_no_timer(loop: FakeLoop, deadline: Deadline, passed: list[float]) -> None:
    deadline.set(5)
    deadline.cancel()
    assert loop.live_timers == 0
    loop.advance(10)
    assert passed == []
