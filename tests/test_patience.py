"""`Patience` and `Watch`: what bounds a peer is progress, not time."""

from __future__ import annotations

import pytest

from perfectws.callbacks import CallbackOwner
from perfectws.patience import Patience, Watch

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


def test_one_that_begins_anew_has_its_time_again_and_what_was_taken_before_counts_no_more() -> None:
    bench = Bench(1000)
    bench.loop.advance(5)
    bench.sent.take(1000)
    anew: list[float] = []
    bench.patience.begin_anew(lambda: anew.append(bench.loop.now - bench.began))
    bench.loop.advance(100)
    assert bench.given_up_at == []
    assert anew == [pytest.approx(5 + 8, abs=1e-4)]
    assert bench.patience.is_over


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


class WatchBench:
    """A `Watch` of 8 seconds, which looks every 2, with a clock."""

    def __init__(self, seconds: float = 8) -> None:
        self.loop = FakeLoop()
        self.sent = Sent()
        self.given_up_at: list[float] = []
        self.began = self.loop.now
        self.watch = Watch(self.loop, CallbackOwner(), self.sent, seconds, self._give_up)

    def _give_up(self) -> None:
        self.given_up_at.append(self.loop.now - self.began)


class TestWatch:
    def test_while_nothing_is_sent_nobody_is_given_up_and_one_timer_runs(self) -> None:
        bench = WatchBench()
        bench.loop.advance(1000)
        assert bench.given_up_at == []
        assert bench.loop.live_timers == 1

    @pytest.mark.parametrize("at", [0, 7, 99.5, 100])
    def test_a_peer_that_takes_nothing_is_given_up_once_that_has_lasted(self, at: float) -> None:
        bench = WatchBench()
        bench.loop.advance(at)
        bench.sent.unsent = 1
        bench.loop.advance(1000)
        (given_up_at,) = bench.given_up_at
        assert 8 <= given_up_at - at <= 10
        assert bench.loop.live_timers == 0

    def test_so_is_one_that_has_taken_much_before(self) -> None:
        bench = WatchBench()
        for _ in range(50):
            bench.sent.unsent += 100
            bench.loop.advance(1)
            bench.sent.take(100)
            bench.loop.advance(3)
        bench.sent.unsent += 100
        bench.loop.advance(1000)
        assert bench.given_up_at == [pytest.approx(200 + 9, abs=1)]

    def test_one_that_gets_on_is_not_however_much_waits(self) -> None:
        bench = WatchBench()
        bench.sent.unsent = 10**6
        for _ in range(200):
            bench.loop.advance(5)
            bench.sent.take(1)
        assert bench.given_up_at == []

    def test_nor_is_one_to_whom_the_same_amount_is_always_on_its_way(self) -> None:
        """As where the kernel tells no more than that, and each message is as long as the one before."""
        bench = WatchBench()
        bench.sent.progress = lambda: -bench.sent.unsent  # type: ignore[method-assign]
        for _ in range(10_000):
            bench.sent.unsent = 64
            bench.loop.advance(0.05)
            bench.sent.unsent = 0
            bench.loop.advance(0.05)
        assert bench.given_up_at == []

    @pytest.mark.parametrize("unsent", [0, 1])
    @pytest.mark.parametrize("at", [0, 1, 5])
    def test_cancelled_it_calls_nothing_and_leaves_no_timer(self, unsent: int, at: float) -> None:
        bench = WatchBench()
        bench.sent.unsent = unsent
        bench.loop.advance(at)
        bench.watch.cancel()
        bench.watch.cancel()
        bench.loop.advance(100)
        assert bench.given_up_at == []
        assert bench.loop.live_timers == 0

    @pytest.mark.parametrize("seconds", [1e-3, 1e9, float("inf")])
    def test_it_takes_any_number_of_seconds(self, seconds: float) -> None:
        bench = WatchBench(seconds)
        bench.sent.unsent = 1
        bench.loop.advance(10)
        assert len(bench.given_up_at) == (seconds < 10)
