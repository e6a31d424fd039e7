"""`Budget`: what all write buffers of a server may hold together."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, cast

import pytest

from perfectws.counts import Counts
from perfectws.net.budget import Budget
from perfectws.net.loop import Connections, Loop
from perfectws.transport import NO_PROTOCOL


class FakeLoop:
    """Makes the calls for the end of the turn when it is told to."""

    def __init__(self) -> None:
        self.note_backlog: Callable[[int], object] | None = None
        self.counts = Counts()
        self.owner = object()
        self._due: list[Callable[[], object]] = []

    def call_before_writing(self, function: Callable[[], object]) -> None:
        self._due.append(function)

    def call_next_turn(self, owner: object, function: Callable[[], object]) -> None:
        assert owner is self.owner
        self._due.append(function)

    def turn(self) -> None:
        while self._due:
            self._due.pop(0)()


class FakeTransport:
    """Has something to send, of which some may have begun to go out; counts how often it is asked."""

    def __init__(self, amount: int, begun: int = 0) -> None:
        self.amount = amount
        self.begun = begun
        self.remote_address = ("192.0.2.1", 1)
        self.was_aborted = self.was_shed = False
        self.looks = 0
        self.protocol = self

    @property
    def buffered_amount(self) -> int:
        self.looks += 1
        return self.amount

    def shed(self) -> None:
        self.was_shed = True
        self.amount = self.begun

    def abort(self, error: Exception) -> None:
        self.was_aborted = True
        self.amount = 0


class Scene:
    """A budget of 1,000 bytes, and connections."""

    def __init__(self, *transports: FakeTransport) -> None:
        self.loop = FakeLoop()
        self.transports = list(transports)
        self.budget = Budget(cast(Loop, self.loop), cast(Connections, self.transports), 1000)

    def note(self, size: int) -> None:
        assert self.loop.note_backlog is not None
        self.loop.note_backlog(size)
        self.loop.turn()

    @property
    def closed(self) -> list[int]:
        """Which of them are closed."""
        return [number for number, each in enumerate(self.transports) if each.was_shed or each.was_aborted]


def test_the_largest_are_closed_until_the_rest_is_no_more_than_may_be() -> None:
    scene = Scene(*(FakeTransport(amount) for amount in (100, 600, 300, 500, 200)))
    scene.note(1001)
    assert scene.closed == [1, 3]
    assert scene.loop.counts.sheds == 2


def test_nobody_is_closed_if_it_is_less_than_was_told() -> None:
    scene = Scene(FakeTransport(600), FakeTransport(400))
    scene.note(5000)
    assert scene.closed == []


def test_nobody_is_asked_until_the_limit_may_be_passed_and_then_only_now_and_then() -> None:
    scene = Scene(FakeTransport(990))
    for _ in range(100):
        scene.note(10)
    assert scene.transports[0].looks == 0
    for _ in range(100):
        scene.note(10)
    assert 1 <= scene.transports[0].looks <= 1000 / (1000 // 16) + 1


def test_what_is_told_within_a_turn_is_looked_at_once_behind_its_writes() -> None:
    scene = Scene(FakeTransport(600))
    for _ in range(10):
        scene.budget.note(500)
    assert scene.transports[0].looks == 0
    scene.loop.turn()
    assert scene.transports[0].looks == 1


def test_one_that_goes_on_with_a_large_message_is_broken_off() -> None:
    scene = Scene(FakeTransport(2000, begun=1500), FakeTransport(900, begun=100))
    scene.note(3000)
    assert scene.closed == [0]
    assert scene.transports[0].was_aborted
    scene.transports[1].amount = 1100
    scene.note(3000)
    assert scene.closed == [0, 1]
    assert not scene.transports[1].was_aborted


def test_one_that_fails_costs_nobody_else_anything(caplog: pytest.LogCaptureFixture) -> None:
    first, second = FakeTransport(2000), FakeTransport(1500)
    first.shed = lambda: 1 // 0  # type: ignore[method-assign, assignment]
    first.callback_failed = lambda error: None  # type: ignore[attr-defined]
    scene = Scene(first, second)
    scene.note(5000)
    assert first.was_aborted
    assert second.was_shed


def test_it_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene(*(FakeTransport(2000) for _ in range(50)))
    scene.note(5000)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith("max_buffered=1000 is passed: the connection of 192.0.2.1 is closed")


def test_each_server_of_a_loop_has_a_budget_of_its_own() -> None:
    scene = Scene(FakeTransport(900))
    other = [FakeTransport(60)]
    Budget(cast(Loop, scene.loop), cast(Connections, other), 50)
    scene.note(5000)
    assert scene.closed == []
    assert other[0].was_shed


def test_a_protocol_that_knows_nothing_of_it_is_broken_off() -> None:
    transport = FakeTransport(2000)
    transport.protocol = cast(Any, NO_PROTOCOL)
    scene = Scene(transport)
    scene.note(5000)
    assert scene.closed == [0]
