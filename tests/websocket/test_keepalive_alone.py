"""`Keepalive` alone, against its contract: which pong answers what, and when a peer is given up.

What it does for a whole connection is in `test_keepalive`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfectws.websocket.keepalive import MAX_UNANSWERED_PINGS, Keepalive, PingOrigin
from perfectws.websocket.opcodes import OpcodeType

from .fakes import FakeConnection, TaskLoop

OURS, ITS_OWN = PingOrigin


class Bench:
    """A keepalive that has been started, and the peer's answers."""

    def __init__(self, interval: float | None = 20, timeout: float | None = 30) -> None:
        self.loop = TaskLoop()
        self.connection = FakeConnection()
        self.keepalive = Keepalive(self.connection, self.loop, interval, timeout)
        self.keepalive.start()
        self.began = self.loop.now

    def advance(self, seconds: float) -> None:
        self.loop.advance(seconds)

    def pings(self) -> list[bytes]:
        """Return the payloads of the pings that were sent."""
        sent = [asked[1:] for asked in self.connection.asked if asked[0] == "send_control"]
        assert all(opcode is OpcodeType.PING for opcode, _ in sent)
        return [payload for _, payload in sent]

    def answer(self) -> PingOrigin | None:
        """Answer the last ping."""
        return self.keepalive.pong_received(self.pings()[-1])

    @property
    def is_dropped(self) -> bool:
        return ("drop", "no pong came in time") in self.connection.asked


class TestPings:
    def test_one_is_sent_at_every_interval_with_a_payload_of_its_own(self) -> None:
        bench = Bench(interval=20)
        for number in range(1, 6):
            bench.advance(19)
            assert len(bench.pings()) == number - 1
            bench.advance(1)
            assert len(bench.pings()) == number
            assert bench.answer() is OURS
        assert len({*bench.pings()}) == 5
        assert not bench.is_dropped

    def test_none_is_sent_without_an_interval(self) -> None:
        bench = Bench(interval=None)
        assert bench.loop.timers_started == 0
        bench.keepalive.stop()
        bench.advance(1e6)
        assert bench.connection.asked == []

    def test_one_timer_serves_the_pings_and_the_verdict(self) -> None:
        bench = Bench(interval=20, timeout=5)
        for _ in range(4):
            bench.advance(20)
            assert bench.loop.live_timers == 1
            bench.answer()

    def test_none_is_sent_once_it_is_stopped(self) -> None:
        bench = Bench()
        bench.advance(20)
        bench.keepalive.stop()
        assert bench.loop.live_timers == 0
        bench.advance(1000)
        assert (len(bench.pings()), bench.is_dropped) == (1, False)

    def test_none_is_sent_on_a_connection_that_is_closing(self) -> None:
        bench = Bench()
        bench.connection.is_connected = False
        bench.advance(1000)
        assert bench.connection.asked == []
        assert bench.loop.live_timers == 0

    @pytest.mark.parametrize("send", [lambda bench: bench.advance(20), lambda bench: bench.keepalive.probe()])
    def test_one_that_ends_the_connection_leaves_no_timer(self, send: Callable[[Bench], object]) -> None:
        bench = Bench()

        def overflow(*_: object) -> None:
            bench.connection.is_connected = False
            bench.keepalive.stop()

        bench.connection.reactions["send_control"] = overflow
        send(bench)
        assert len(bench.pings()) == 1
        assert bench.loop.live_timers == 0

    def test_none_is_sent_where_all_is_over(self) -> None:
        bench = Bench()
        bench.keepalive.stop()
        ended = FakeConnection()
        ended.is_connected = False
        bench.keepalive.outlive(ended)
        bench.keepalive.start()
        bench.advance(20)
        assert bench.connection.asked == ended.asked == []
        assert bench.loop.live_timers == 0

    def test_none_is_sent_where_the_interval_was_taken_away_as_the_timer_rang(self) -> None:
        bench = Bench()
        bench.loop.ring(20)
        bench.keepalive.interval = None
        bench.keepalive.start()
        bench.loop.run()
        assert bench.connection.asked == []
        assert bench.connection.failures == []
        assert bench.loop.live_timers == 0

    @pytest.mark.parametrize("former", [20, 1000])
    def test_a_new_interval_begins_anew(self, former: float) -> None:
        bench = Bench(interval=former)
        bench.advance(15)
        bench.keepalive.interval = 10
        bench.keepalive.start()
        bench.advance(9)
        assert bench.pings() == []
        bench.advance(1)
        assert len(bench.pings()) == 1
        assert bench.loop.live_timers == 1

    def test_a_shorter_interval_begins_anew_after_a_ping(self) -> None:
        bench = Bench(interval=1000)
        bench.advance(1000)
        bench.answer()
        bench.keepalive.interval = 10
        bench.keepalive.start()
        bench.advance(10)
        assert len(bench.pings()) == 2

    def test_a_new_interval_gives_an_unanswered_ping_no_verdict(self) -> None:
        bench = Bench(interval=20, timeout=5)
        bench.advance(20)
        bench.keepalive.interval = 100
        bench.keepalive.start()
        bench.advance(104)
        assert (len(bench.pings()), bench.is_dropped) == (2, False)

    def test_a_ping_after_a_late_tick_is_followed_by_one_an_interval_later(self) -> None:
        bench = Bench(interval=20)
        bench.loop.ring(35)
        bench.loop.run()
        bench.answer()
        bench.advance(19)
        assert len(bench.pings()) == 1
        bench.advance(1)
        assert len(bench.pings()) == 2


class TestTheVerdict:
    @pytest.mark.parametrize(("interval", "timeout"), [(20, 7), (20, 20), (5, 12), (20, 0.5)])
    def test_a_peer_that_does_not_answer_is_dropped_when_the_timeout_has_passed(
        self, interval: float, timeout: float
    ) -> None:
        bench = Bench(interval, timeout)
        bench.connection.reactions["drop"] = lambda reason: dropped_at.append(bench.loop.now - bench.began)
        dropped_at: list[float] = []
        bench.advance(1000)
        assert bench.is_dropped
        assert dropped_at == [interval + timeout]
        assert bench.loop.live_timers == 0

    def test_pings_go_on_until_then(self) -> None:
        bench = Bench(interval=5, timeout=12)
        bench.advance(16.9)
        assert (len(bench.pings()), bench.is_dropped) == (3, False)
        bench.advance(0.1)
        assert bench.is_dropped

    def test_a_later_ping_does_not_put_it_off(self) -> None:
        bench = Bench(interval=5, timeout=12)
        bench.advance(5)
        first = bench.pings()[0]
        bench.advance(11)
        bench.keepalive.pong_received(first)
        bench.advance(4)
        assert not bench.is_dropped

    def test_a_peer_that_answers_is_not_dropped_and_its_next_silence_is_judged_anew(self) -> None:
        bench = Bench(interval=20, timeout=7)
        bench.advance(26)
        bench.answer()
        bench.advance(20)
        assert not bench.is_dropped
        bench.advance(0.9)
        assert not bench.is_dropped
        bench.advance(0.1)
        assert bench.is_dropped

    def test_nobody_is_dropped_without_a_timeout(self) -> None:
        bench = Bench(interval=20, timeout=None)
        bench.advance(1000)
        assert len(bench.pings()) == 50
        assert not bench.is_dropped

    def test_a_peer_is_spared_while_we_do_not_read(self) -> None:
        bench = Bench(interval=100, timeout=5)
        bench.advance(100)
        bench.connection.is_reading_paused = True
        bench.advance(90)
        assert not bench.is_dropped

    def test_a_peer_is_spared_once_more_when_we_read_again_so_that_its_pong_may_arrive(self) -> None:
        bench = Bench(interval=100, timeout=5)
        bench.advance(100)
        bench.connection.is_reading_paused = True
        bench.advance(6)
        bench.connection.is_reading_paused = False
        bench.advance(8.9)
        assert not bench.is_dropped
        bench.advance(0.1)
        assert bench.is_dropped

    def test_a_pause_that_is_over_when_it_is_judged_spares_it_once(self) -> None:
        bench = Bench(interval=100, timeout=5)
        bench.keepalive.was_reading_paused = True
        bench.advance(109.9)
        assert not bench.is_dropped
        bench.advance(0.1)
        assert bench.is_dropped

    def test_a_peer_is_spared_while_a_long_frame_goes_on_arriving(self) -> None:
        bench = Bench(interval=100, timeout=5)
        bench.advance(100)
        for missing in range(1000, 0, -100):
            bench.connection.missing = missing
            bench.advance(5)
            assert not bench.is_dropped
        bench.advance(5)
        assert bench.is_dropped

    def test_it_is_not_spared_between_two_frames(self) -> None:
        bench = Bench(interval=100, timeout=5)
        bench.connection.missing = 1
        bench.advance(105)
        assert not bench.is_dropped
        bench.connection.missing = 0
        bench.advance(5)
        assert bench.is_dropped

    def test_where_it_is_spared_pings_go_on(self) -> None:
        bench = Bench(interval=5, timeout=5)
        bench.connection.is_reading_paused = True
        bench.advance(50)
        assert (len(bench.pings()), bench.is_dropped) == (10, False)


class TestASlowPeer:
    """One that has not taken what was sent before our ping cannot answer it yet."""

    def test_it_is_spared_as_long_as_it_takes_something_of_what_waits_for_it(self) -> None:
        bench = Bench(interval=100, timeout=5)
        bench.connection.unsent = 1000
        bench.advance(100)
        for _ in range(3):
            bench.connection.taken += 1
            bench.advance(5)
            assert not bench.is_dropped
        bench.advance(5)
        assert bench.is_dropped

    def test_what_it_took_before_our_ping_does_not_count(self) -> None:
        bench = Bench(interval=100, timeout=5)
        bench.connection.unsent, bench.connection.taken = 1000, 7
        bench.advance(105)
        assert bench.is_dropped

    @pytest.mark.parametrize(("unsent", "is_dropped"), [(0, True), (1, False)])
    def test_once_it_has_taken_all_it_must_have_answered(self, unsent: int, is_dropped: bool) -> None:
        bench = Bench(interval=100, timeout=5)
        bench.connection.unsent = 1000
        bench.advance(100)
        bench.connection.taken, bench.connection.unsent = 7, unsent
        bench.advance(5)
        assert bench.is_dropped is is_dropped

    def test_while_we_do_not_read_one_that_takes_nothing_is_dropped_all_the_same(self) -> None:
        bench = Bench(interval=100, timeout=5)
        bench.connection.is_reading_paused = True
        bench.connection.unsent = 1
        bench.advance(105)
        assert bench.is_dropped


class TestPongs:
    """RFC 6455 §5.5.3."""

    def test_one_that_answers_no_ping_is_nobodys(self) -> None:
        bench = Bench()
        assert bench.keepalive.pong_received(b"") is None
        bench.keepalive.ping_sent(b"ping", ITS_OWN)
        assert bench.keepalive.pong_received(b"another") is None
        assert bench.keepalive.pong_received(b"ping") is ITS_OWN

    def test_one_answers_a_ping_once(self) -> None:
        bench = Bench()
        bench.keepalive.ping_sent(b"ping", ITS_OWN)
        assert [bench.keepalive.pong_received(b"ping") for _ in range(2)] == [ITS_OWN, None]

    def test_nobodys_is_no_sign_of_life(self) -> None:
        bench = Bench(20, 7)
        bench.advance(20)
        bench.keepalive.pong_received(b"nobody's")
        bench.advance(7)
        assert bench.is_dropped

    def test_one_to_a_later_ping_answers_the_older_ones_too(self) -> None:
        bench = Bench(20, 7)
        bench.advance(20)
        bench.keepalive.ping_sent(b"later", ITS_OWN)
        assert bench.keepalive.pong_received(b"later") is ITS_OWN
        bench.advance(7)
        assert not bench.is_dropped
        assert bench.answer() is None

    def test_one_to_an_older_ping_leaves_ours_unanswered(self) -> None:
        bench = Bench(20, 7)
        bench.keepalive.ping_sent(b"older", ITS_OWN)
        bench.advance(20)
        assert bench.keepalive.pong_received(b"older") is ITS_OWN
        bench.advance(7)
        assert bench.is_dropped

    def test_one_that_answers_both_is_the_applications(self) -> None:
        bench = Bench()
        bench.keepalive.ping_sent(b"its own", ITS_OWN)
        bench.advance(20)
        assert bench.answer() is ITS_OWN

    def test_of_pings_with_one_payload_the_oldest_is_answered_first(self) -> None:
        bench = Bench()
        bench.keepalive.ping_sent(b"", ITS_OWN)
        bench.keepalive.ping_sent(b"", OURS)
        assert [bench.keepalive.pong_received(b"") for _ in range(3)] == [ITS_OWN, OURS, None]

    def test_ours_that_so_many_have_followed_that_it_is_forgotten_is_answered_by_any_of_them(self) -> None:
        bench = Bench(20, 7)
        bench.advance(20)
        for number in range(MAX_UNANSWERED_PINGS):
            bench.keepalive.ping_sent(str(number).encode(), ITS_OWN)
        assert bench.answer() is None
        assert bench.keepalive.pong_received(b"0") is ITS_OWN
        bench.advance(7)
        assert not bench.is_dropped

    def test_where_all_are_answered_nothing_is_kept(self) -> None:
        bench = Bench()
        for payload in (b"a", b"b"):
            bench.keepalive.ping_sent(payload, ITS_OWN)
        bench.keepalive.pong_received(b"a")
        assert bench.keepalive._unanswered is not None
        bench.keepalive.pong_received(b"b")
        assert bench.keepalive._unanswered is None


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=30), st.floats(0.5, 20), st.floats(0.5, 20))
def test_a_peer_is_dropped_when_a_ping_of_ours_stays_unanswered_for_the_timeout_and_not_before(
    steps: list[tuple[int, bool]], interval: float, timeout: float
) -> None:
    bench = Bench(interval, timeout)
    asked: dict[str, Any] = {"since": None}
    dropped_after: list[float] = []

    def ping_sent(opcode: OpcodeType, payload: bytes) -> None:
        if asked["since"] is None:
            asked["since"] = bench.loop.now

    def drop(reason: str) -> None:
        dropped_after.append(bench.loop.now - asked["since"])

    bench.connection.reactions.update(send_control=ping_sent, drop=drop)
    for seconds, answers in steps:
        bench.advance(seconds)
        if answers and bench.pings() and bench.answer():
            asked["since"] = None
        if asked["since"] is not None and not dropped_after:
            assert bench.loop.now - asked["since"] <= timeout
    assert dropped_after in ([], [pytest.approx(timeout)])
