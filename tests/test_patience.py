"""`Patience`: what bounds a peer is progress, not time."""

from __future__ import annotations

import pytest

from perfectws.callbacks import CallbackOwner
from perfectws.patience import Patience

from .http.fakes import FakeLoop


class Sent:
    """Something on its way to a peer: ``unsent`` bytes, of which the test says what the peer takes."""

    def __init__(self, unsent: int = 0) -> None:
        self.unsent = unsent
        self.taken = 0

    def unsent_amount(self) -> int:
        return self.unsent

    def progress(self) -> int:
        return self.taken

    def take(self, count: int) -> None:
        self.unsent -= count
        self.taken += count


class Bench:
    """A `Patience` of 8 seconds, with a clock."""

    def __init__(self, unsent: int = 0, *, ends_when_sent: bool = False) -> None:
        self.loop = FakeLoop()
        self.sent = Sent(unsent)
        self.given_up_at: list[float] = []
        self.began = self.loop.now
        self.patience = Patience(self.loop, CallbackOwner(), self.sent, 8, self._give_up, ends_when_sent=ends_when_sent)
        self.loop.run()

    def _give_up(self) -> None:
        self.given_up_at.append(self.loop.now - self.began)


def test_a_peer_that_has_everything_has_its_time_to_the_second() -> None:
    bench = Bench()
    bench.loop.advance(100)
    assert bench.given_up_at == [8]
    assert bench.patience.is_over


def test_so_has_one_that_takes_nothing() -> None:
    bench = Bench(1000)
    bench.loop.advance(100)
    assert bench.given_up_at == [pytest.approx(8)]


def test_one_that_takes_all_at_once_has_hardly_more() -> None:
    bench = Bench(1000)
    bench.sent.take(1000)
    bench.loop.advance(100)
    assert bench.given_up_at == [pytest.approx(8, abs=1e-4)]


def test_one_that_gets_on_is_waited_for_however_long_that_takes() -> None:
    bench = Bench(1000)
    for _ in range(200):
        bench.loop.advance(5)
        bench.sent.take(5)
    assert bench.given_up_at == []
    bench.loop.advance(100)
    assert bench.given_up_at == [pytest.approx(1000 + 8, abs=2.1)]


def test_what_is_written_meanwhile_is_no_progress() -> None:
    bench = Bench(1000)
    for _ in range(20):
        bench.loop.advance(1)
        bench.sent.unsent += 1000
    assert bench.given_up_at == [pytest.approx(8)]


def test_it_may_end_when_all_is_sent() -> None:
    bench = Bench(1000, ends_when_sent=True)
    bench.sent.take(1000)
    bench.loop.advance(3)
    assert bench.patience.is_over
    bench.loop.advance(100)
    assert bench.given_up_at == []
    assert bench.loop.live_timers == 0


@pytest.mark.parametrize("at", [0, 5])
def test_cancelled_it_calls_nothing_and_leaves_no_timer(at: int) -> None:
    bench = Bench(1000)
    bench.loop.advance(at)
    bench.patience.cancel()
    bench.patience.cancel()
    bench.loop.advance(100)
    assert bench.given_up_at == []
    assert bench.loop.live_timers == 0


def test_cancelled_in_the_same_turn_it_never_begins() -> None:
    loop, called = FakeLoop(), list[None]()
    Patience(loop, CallbackOwner(), Sent(), 8, lambda: called.append(None)).cancel()
    loop.advance(100)
    assert called == []
