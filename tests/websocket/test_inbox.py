"""`FrameInbox` alone, against its contract: each frame goes to one read, in order, and the end is told last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import outcome
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfectws import OpcodeType
from perfectws.errors import ConnectionClosed, LocalProtocolError
from perfectws.websocket.frame_inbox import FrameInbox, Message
from perfectws.websocket.frames import Frame
from perfectws.websocket.inbox import MAX_PAUSES, Delivery
from perfectws.websocket.options import READ_AHEAD_BYTES, READ_AHEAD_FRAMES

from ..calls import BINARY, CONTINUATION, INVALID, NOTHING, PONG, TEXT, Calls
from .fakes import Cancelled, FakeConnection, FakeTask, TaskLoop


def text(data: str, final: bool = True) -> Frame:
    return (TEXT, data, final)


def numbered(count: int) -> list[Frame]:
    return [text(str(number)) for number in range(count)]


class Bench:
    """An inbox, what is around it, and the session's hands."""

    def __init__(self, *frames: Frame, is_open: bool = True) -> None:
        self.loop = TaskLoop()
        self.connection = FakeConnection()
        self.inbox = FrameInbox(self.connection, self.loop)
        if is_open:
            self.inbox.open()
        for frame in frames:
            self.inbox.add(frame)

    def delivery(self) -> Delivery:
        return self.inbox._delivery

    @property
    def drained(self) -> int:
        """How often the connection was told that nothing is left."""
        return self.connection.count("inbox_drained")

    @property
    def asked_for_more(self) -> int:
        return self.connection.count("read_frames")

    def read(self, as_text: bool | None = True, timeout: float | None = None) -> Calls:
        """Read a frame by callback, and run nothing."""
        calls = Calls()
        self.inbox.read(as_text, calls, timeout)
        return calls

    def take(self) -> Any:
        """Read a frame that waits, and return what the continuation got."""
        calls = self.read()
        self.loop.run()
        [got] = calls.got
        return got

    def take_all(self, count: int) -> list[Any]:
        return [self.take()[0] for _ in range(count)]

    def receive(self, as_text: bool | None = True, timeout: float | None = None) -> FakeTask:
        """Read a frame in a task, up to where it sleeps."""
        return self.loop.start(self.inbox.receive(as_text, timeout))


class TestWhetherTheSessionHasAnswered:
    """What our close frame waits for; the end is known."""

    def bench(self, *frames: Frame, is_open: bool = True) -> Bench:
        bench = Bench(*frames, is_open=is_open)
        bench.connection.has_unfinished_sends = True  # the close frame is still to go out
        bench.inbox.end()
        return bench

    def test_not_before_it_has_begun(self) -> None:
        assert not self.bench(is_open=False).inbox.is_answered

    def test_not_while_it_reads_nothing(self) -> None:
        bench = self.bench(text("unread"))
        assert not bench.inbox.is_answered
        assert bench.inbox.waiting == 1
        assert bench.take() == ("unread", TEXT, True)
        assert not bench.inbox.is_answered
        assert bench.inbox.waiting == 0

    def test_not_while_a_delivery_is_queued(self) -> None:
        bench = self.bench(text("a"))
        bench.read()
        assert bench.inbox.is_delivering
        assert not bench.inbox.is_answered

    def test_not_while_a_frame_is_on_its_way_to_a_read_that_was_there_before(self) -> None:
        bench = Bench()
        bench.read()
        bench.inbox.add(text("a"))
        bench.inbox.end()
        assert bench.inbox.is_delivering
        assert not bench.inbox.is_answered

    def test_once_it_has_read_all_and_reads_on(self) -> None:
        bench = self.bench(text("a"))
        bench.take()
        calls = bench.read()
        bench.loop.run()
        assert calls.got == []
        assert bench.inbox.is_answered
        assert not bench.inbox.is_delivering


class TestTheBeginning:
    def test_nothing_is_delivered_before_the_session_has_begun(self) -> None:
        bench = Bench(text("early"), is_open=False)
        calls = bench.read()
        bench.loop.run()
        assert (bench.delivery(), bench.inbox.is_held, calls.got) == (Delivery.HELD, True, [])
        bench.inbox.open()
        assert (bench.delivery(), bench.inbox.is_held, calls.got) == (Delivery.QUEUED, False, [])
        bench.loop.run()
        assert (bench.delivery(), calls.got) == (Delivery.IDLE, [("early", TEXT, True)])

    def test_a_session_that_has_begun_without_a_read_is_given_nothing(self) -> None:
        bench = Bench(text("x"), is_open=False)
        bench.inbox.open()
        assert bench.delivery() is Delivery.IDLE
        assert not bench.loop.has_ready

    def test_a_read_may_time_out_before_the_session_has_begun(self) -> None:
        bench = Bench(text("early"), is_open=False)
        calls = bench.read(timeout=3)
        bench.loop.advance(3)
        assert calls.got == [NOTHING]
        bench.inbox.open()
        assert bench.take() == ("early", TEXT, True)

    def test_the_end_is_told_to_a_session_only_once_it_has_begun(self) -> None:
        bench = Bench(is_open=False)
        calls = bench.read()
        bench.inbox.end()
        bench.loop.run()
        assert (calls.got, bench.drained) == ([], 0)
        bench.inbox.open()
        bench.loop.run()
        assert (calls.got, bench.drained) == ([NOTHING], 1)

    def test_frame_wise_reading_is_chosen_by_the_first_read(self) -> None:
        bench = Bench(text("x"))
        assert not bench.inbox.is_chosen
        bench.read()
        assert bench.inbox.is_chosen


class TestDelivery:
    """Each arrow of the diagram in `perfectws.websocket.inbox`."""

    def test_a_read_that_finds_nothing_is_ready_for_the_next_frame(self) -> None:
        bench = Bench()
        calls = bench.read()
        assert bench.delivery() is Delivery.READY
        bench.inbox.add(text("x"))
        assert (bench.delivery(), calls.got) == (Delivery.ADDRESSED, [])
        bench.loop.run()
        assert (bench.delivery(), calls.got) == (Delivery.IDLE, [("x", TEXT, True)])

    def test_a_read_that_finds_a_frame_is_given_it_from_the_queue_and_not_at_once(self) -> None:
        bench = Bench(text("x"), text("y"))
        calls = bench.read()
        assert (bench.delivery(), calls.got) == (Delivery.ADDRESSED, [])
        bench.loop.run()
        assert calls.got == [("x", TEXT, True)]
        assert bench.take() == ("y", TEXT, True)

    def test_a_read_that_may_be_cancelled_is_served_by_a_delivery_that_looks_again(self) -> None:
        bench = Bench()
        task = bench.receive()
        assert bench.delivery() is Delivery.IDLE
        bench.inbox.add(text("x"))
        assert bench.delivery() is Delivery.QUEUED
        bench.inbox.add(text("y"))
        assert bench.delivery() is Delivery.QUEUED
        bench.loop.run()
        assert (bench.delivery(), task.result()) == (Delivery.IDLE, Message("x", TEXT, True))

    def test_frames_wait_for_a_read(self) -> None:
        bench = Bench(*numbered(3))
        assert bench.delivery() is Delivery.IDLE
        assert not bench.loop.has_ready
        assert bench.take_all(3) == ["0", "1", "2"]

    def test_of_several_frames_the_pending_read_gets_the_first_and_the_others_wait(self) -> None:
        bench = Bench()
        calls = bench.read()
        bench.inbox.add_all(numbered(3))
        assert bench.delivery() is Delivery.ADDRESSED
        bench.loop.run()
        assert calls.got == [("0", TEXT, True)]
        assert bench.take_all(2) == ["1", "2"]

    def test_a_frame_that_comes_with_no_other_leaves_nothing_waiting(self) -> None:
        bench = Bench()
        calls = bench.read()
        bench.inbox.add_all([text("x")])
        bench.loop.run()
        assert calls.got == [("x", TEXT, True)]
        assert bench.inbox.room == READ_AHEAD_FRAMES

    def test_several_frames_wait_for_a_read(self) -> None:
        bench = Bench()
        bench.inbox.add_all(numbered(3))
        assert bench.take_all(3) == ["0", "1", "2"]

    def test_frames_behind_one_that_is_addressed_wait_for_the_next_read(self) -> None:
        bench = Bench()
        calls = bench.read()
        for frame in numbered(3):
            bench.inbox.add(frame)
        bench.loop.run()
        assert calls.got == [("0", TEXT, True)]
        assert bench.take_all(2) == ["1", "2"]

    def test_a_continuation_may_read_the_next_frame(self) -> None:
        bench = Bench(*numbered(3))
        got: list[Any] = []

        def read_on(data: Any, opcode: OpcodeType, final: bool) -> None:
            got.append(data)
            bench.inbox.read(True, read_on, None)

        bench.inbox.read(True, read_on, None)
        bench.loop.run()
        assert got == ["0", "1", "2"]
        bench.inbox.add(text("3"))
        bench.loop.run()
        assert got == ["0", "1", "2", "3"]

    @pytest.mark.parametrize("is_idle", [True, False])
    def test_a_loop_that_sleeps_is_woken_for_the_frame_that_a_read_waits_for(self, is_idle: bool) -> None:
        bench = Bench()
        calls = bench.read()
        bench.loop.idle = is_idle
        bench.inbox.add(text("x"))
        assert not bench.loop.idle
        bench.loop.run()
        assert calls.got == [("x", TEXT, True)]

    def test_an_error_in_a_continuation_is_the_connections_and_the_next_read_is_served(self) -> None:
        bench = Bench(text("x"), text("y"))
        error = ZeroDivisionError()

        def fail(data: Any, opcode: OpcodeType, final: bool) -> None:
            raise error

        bench.inbox.read(True, fail, None)
        bench.loop.run()
        assert bench.connection.failures == [error]
        assert bench.take() == ("y", TEXT, True)

    def test_a_read_is_pending_until_its_continuation_is_called(self) -> None:
        bench = Bench()
        assert not bench.inbox.has_reader
        bench.read()
        assert bench.inbox.has_reader
        bench.inbox.add(text("x"))
        assert bench.inbox.has_reader
        bench.loop.run()
        assert not bench.inbox.has_reader


class TestPayloads:
    """Law 8: each read gets a payload as it wants it."""

    CASES = pytest.mark.parametrize(
        ("as_text", "payload", "wanted"),
        [
            (True, "ü", "ü"),
            (True, "ü".encode(), "ü"),
            (True, b"", ""),
            (True, b"\xff", None),
            (False, "ü", "ü".encode()),
            (False, "", b""),
            (False, b"\xff", b"\xff"),
            (None, "ü", "ü"),
            (None, b"ab", b"ab"),
        ],
    )

    @CASES
    @pytest.mark.parametrize("final", [True, False])
    def test_a_frame_that_a_read_waits_for_is_given_as_the_read_wants_it(
        self, as_text: bool | None, payload: Any, wanted: Any, final: bool
    ) -> None:
        bench = Bench()
        calls = bench.read(as_text)
        opcode = TEXT if isinstance(payload, str) else BINARY
        bench.inbox.add((opcode, payload, final))
        bench.loop.run()
        assert calls.got == [(wanted, opcode, final)]

    @CASES
    def test_a_frame_that_waits_for_a_read_is_given_as_the_read_wants_it(
        self, as_text: bool | None, payload: Any, wanted: Any
    ) -> None:
        bench = Bench((CONTINUATION, payload, False))
        task = bench.receive(as_text)
        bench.loop.run()
        assert task.result() == Message(wanted, CONTINUATION, False)

    def test_a_pong_is_given_as_the_read_wants_it(self) -> None:
        bench = Bench()
        as_text = bench.read(True)
        bench.inbox.add((PONG, b"payload", True))
        bench.loop.run()
        assert as_text.got == [("payload", PONG, True)]


class TestReplacedRead:
    """A read that finds one pending takes its place, as in Perfect (law 5)."""

    @pytest.mark.parametrize("frames", [0, 1], ids=["nothing waits", "a frame is on its way"])
    @pytest.mark.parametrize("is_open", [True, False], ids=["open", "held"])
    def test_the_newest_read_gets_the_frame_as_it_wants_it(self, frames: int, is_open: bool) -> None:
        bench = Bench(*[(BINARY, b"x", True)] * frames, is_open=is_open)
        first = bench.read(True)
        second = bench.read(False)
        third = bench.read(None)
        if not is_open:
            bench.inbox.open()
        if not frames:
            bench.inbox.add((BINARY, b"x", True))
        bench.inbox.add(text("y"))
        bench.loop.run()
        assert (first.got, second.got, third.got) == ([], [], [(b"x", BINARY, True)])
        assert bench.read().got == []
        bench.loop.run()
        assert bench.inbox.has_reader is False

    def test_only_the_newest_reads_timeout_counts(self) -> None:
        bench = Bench()
        first = bench.read(timeout=1)
        second = bench.read(timeout=5)
        bench.loop.advance(2)
        assert (first.got, second.got) == ([], [])
        bench.loop.advance(4)
        assert (first.got, second.got) == ([], [NOTHING])
        bench.read(timeout=1)
        patient = bench.read()
        bench.loop.advance(3600)
        assert patient.got == []

    def test_after_the_end_only_the_newest_is_told_of_it(self) -> None:
        bench = Bench()
        bench.inbox.end()
        first, second = bench.read(), bench.read()
        bench.loop.run()
        assert (first.got, second.got) == ([], [NOTHING])

    def test_it_is_said_once_for_each_kind_of_session(self, caplog: pytest.LogCaptureFixture) -> None:
        for name in ("Chat", "Game", "Chat"):
            bench = Bench()
            bench.connection.session_name = f"{name} {id(caplog)}"
            for _ in range(3):
                bench.read()
        assert [message.split()[0] for message in caplog.messages] == ["Chat", "Game"]
        assert "the earlier continuation is never called" in caplog.messages[0]

    def test_an_awaited_read_keeps_its_place(self) -> None:
        bench = Bench()
        awaited = bench.receive()
        with pytest.raises(LocalProtocolError, match="a task awaits a read"):
            bench.read()
        bench.inbox.add(text("x"))
        bench.loop.run()
        assert awaited.result() == Message("x", TEXT, True)


class TestMisuse:
    def test_beside_a_read_none_can_be_awaited(self) -> None:
        bench = Bench()
        first = bench.read()
        with pytest.raises(LocalProtocolError, match="a read is pending"):
            bench.receive().result()
        bench.inbox.add(text("x"))
        bench.loop.run()
        assert first.got == [("x", TEXT, True)]

    def test_a_continuation_that_cannot_be_called_is_refused_and_changes_nothing(self) -> None:
        bench = Bench(text("x"))
        not_callable: Any = "not callable"
        with pytest.raises(TypeError, match="callable"):
            bench.inbox.read(True, not_callable, None)
        assert not bench.inbox.is_chosen
        assert bench.take() == ("x", TEXT, True)

    def test_a_read_is_awaited_in_the_loops_own_thread_only(self) -> None:
        bench = Bench(text("x"))
        bench.loop.thread_id = bench.loop.direct_thread = 0
        with pytest.raises(LocalProtocolError, match="thread"):
            bench.receive().result()
        assert not bench.inbox.has_reader


class TestTimingOut:
    def test_a_read_that_is_ready_gets_invalid_when_its_time_is_over(self) -> None:
        bench = Bench()
        calls = bench.read(timeout=5)
        bench.loop.advance(4.9)
        assert calls.got == []
        bench.loop.advance(0.1)
        assert calls.got == [NOTHING]
        assert (bench.delivery(), bench.drained) == (Delivery.IDLE, 0)
        bench.inbox.add(text("late"))
        assert bench.take() == ("late", TEXT, True)

    def test_an_awaited_read_raises_a_timeout_error(self) -> None:
        bench = Bench()
        task = bench.receive(timeout=5)
        bench.loop.advance(5)
        with pytest.raises(TimeoutError, match="5 seconds"):
            task.result()
        assert bench.connection.asked == []

    @pytest.mark.parametrize("timeout", [None, -1, -0.5])
    def test_none_or_a_negative_number_waits_for_ever(self, timeout: float | None) -> None:
        bench = Bench()
        calls = bench.read(timeout=timeout)
        bench.loop.advance(1e9)
        assert calls.got == []
        assert bench.loop.timers_started == 0

    def test_nought_gets_what_waits_or_invalid(self) -> None:
        bench = Bench(text("x"))
        served = bench.read(timeout=0)
        bench.loop.advance(0)
        assert served.got == [("x", TEXT, True)]
        vain = bench.read(timeout=0)
        bench.loop.advance(0)
        assert vain.got == [NOTHING]

    def test_the_time_of_a_read_that_was_served_is_of_no_matter(self) -> None:
        bench = Bench(text("x"))
        calls = bench.read(timeout=5)
        bench.loop.run()
        bench.loop.advance(10)
        assert calls.got == [("x", TEXT, True)]
        assert not bench.connection.failures

    def test_a_read_without_a_timeout_does_not_inherit_the_one_before(self) -> None:
        bench = Bench(text("x"))
        bench.read(timeout=5)
        bench.loop.run()
        for_ever = bench.read()
        bench.loop.advance(10)
        assert for_ever.got == []

    def test_each_read_has_its_own_time(self) -> None:
        bench = Bench(text("x"))
        bench.read(timeout=5)
        bench.loop.run()
        second = bench.read(timeout=8)
        bench.loop.advance(7.9)
        assert second.got == []
        bench.loop.advance(0.1)
        assert second.got == [NOTHING]

    def test_a_frame_that_is_addressed_before_the_time_is_over_is_delivered(self) -> None:
        bench = Bench()
        calls = bench.read(timeout=5)
        bench.loop.ring(5)
        bench.inbox.add(text("just in time"))
        bench.loop.run()
        assert calls.got == [("just in time", TEXT, True)]

    def test_a_frame_whose_delivery_is_queued_before_the_time_is_over_is_delivered(self) -> None:
        bench = Bench()
        task = bench.receive(timeout=5)
        bench.loop.ring(5)
        bench.inbox.add(text("just in time"))
        bench.loop.run()
        assert task.result() == Message("just in time", TEXT, True)

    def test_after_the_end_no_time_is_over_before_the_completions_are_called(self) -> None:
        bench = Bench()
        bench.connection.has_unfinished_sends = True
        bench.inbox.end()
        calls = bench.read(timeout=5)
        bench.loop.advance(10)
        assert calls.got == []

    def test_the_end_stops_the_timer(self) -> None:
        bench = Bench()
        bench.read(timeout=3600)
        assert bench.loop.live_timers == 1
        bench.inbox.end()
        assert bench.loop.live_timers == 0

    def test_a_read_after_the_end_starts_no_timer(self) -> None:
        bench = Bench(text("last"))
        bench.inbox.end()
        for got in (("last", TEXT, True), NOTHING):
            calls = bench.read(timeout=3600)
            bench.loop.run()
            assert calls.got == [got]
        assert bench.loop.live_timers == 0


class TestTheEnd:
    def test_the_pending_read_gets_invalid_and_the_connection_goes_on(self) -> None:
        bench = Bench()
        calls = bench.read()
        bench.inbox.end()
        assert (bench.delivery(), calls.got, bench.drained) == (Delivery.QUEUED, [], 0)
        bench.loop.run()
        assert (bench.delivery(), calls.got, bench.drained) == (Delivery.IDLE, [NOTHING], 1)

    def test_with_nothing_waiting_and_no_read_the_connection_goes_on_at_once(self) -> None:
        bench = Bench()
        bench.inbox.end()
        assert bench.drained == 1

    def test_frames_that_wait_are_delivered_first(self) -> None:
        bench = Bench(*numbered(2))
        bench.inbox.end()
        assert bench.take_all(2) == ["0", "1"]
        assert bench.drained == 0
        assert bench.take() == NOTHING
        assert bench.drained == 1

    def test_the_next_read_is_waited_for_while_tasks_run_and_not_for_seconds(self) -> None:
        for last in ("waited", "on its way"):
            bench = Bench()
            calls = bench.read()
            bench.inbox.add_all(numbered(2) if last == "waited" else numbered(1))
            bench.inbox.end()
            if last == "waited":
                bench.loop.run()
                calls = bench.read()
            bench.loop.run()
            assert (len(calls.got), bench.drained, bench.loop.live_timers) == (1, 0, 1)
            bench.loop.advance(0)
            assert (bench.drained, bench.loop.live_timers) == (1, 0)
            assert bench.loop.timers_started == MAX_PAUSES + (last == "waited")

    def test_each_frame_has_pauses_of_its_own(self) -> None:
        bench = Bench(*numbered(2))
        bench.inbox.end()
        bench.take()
        bench.take()
        assert (bench.drained, bench.loop.live_timers) == (0, 1)
        bench.loop.advance(0)
        assert bench.drained == 1
        assert bench.loop.timers_started == 1 + MAX_PAUSES

    def test_a_read_after_the_end_gets_invalid_whenever_it_comes(self) -> None:
        bench = Bench()
        bench.inbox.end()
        assert [bench.take(), bench.take()] == [NOTHING, NOTHING]

    def test_a_frame_that_is_addressed_is_delivered_and_one_more_read_awaited(self) -> None:
        bench = Bench()
        calls = bench.read()
        bench.inbox.add(text("last"))
        bench.inbox.end()
        bench.loop.run()
        assert calls.got == [("last", TEXT, True)]
        bench.inbox.settle()
        assert bench.drained == 0
        assert bench.take() == NOTHING
        assert bench.drained == 1

    def test_a_frame_whose_delivery_is_queued_is_delivered_and_one_more_read_awaited(self) -> None:
        bench = Bench()
        task = bench.receive()
        bench.inbox.add(text("last"))
        bench.inbox.end()
        bench.loop.run()
        assert task.result() == Message("last", TEXT, True)
        bench.inbox.settle()
        assert bench.drained == 0

    @pytest.mark.parametrize("is_awaited", [True, False])
    def test_no_further_read_is_awaited_where_the_last_frame_was_delivered_before_the_end(
        self, is_awaited: bool
    ) -> None:
        bench = Bench(text("x"))
        if is_awaited:
            bench.receive()
        else:
            bench.read()
        bench.loop.run()
        bench.inbox.end()
        assert bench.drained == 1

    def test_the_pending_read_is_told_behind_the_completions(self) -> None:
        bench = Bench()
        calls = bench.read()
        bench.connection.has_unfinished_sends = True
        bench.inbox.end()
        bench.loop.run()
        assert (calls.got, bench.drained) == ([], 0)
        bench.connection.has_unfinished_sends = False
        bench.inbox.settle()
        bench.loop.run()
        assert (calls.got, bench.drained) == ([NOTHING], 1)

    def test_frames_do_not_wait_for_the_completions(self) -> None:
        bench = Bench(text("x"))
        bench.connection.has_unfinished_sends = True
        bench.inbox.end()
        assert bench.take() == ("x", TEXT, True)

    def test_what_comes_after_the_end_is_let_go_however_much_it_is(self) -> None:
        bench = Bench()
        bench.inbox.end()
        assert bench.inbox.room == READ_AHEAD_FRAMES
        bench.inbox.add_all(numbered(READ_AHEAD_FRAMES))
        bench.inbox.add(text("x"))
        assert (bench.inbox.room, bench.inbox.is_full) == (READ_AHEAD_FRAMES, False)
        assert bench.take() == NOTHING

    def test_an_inbox_that_has_ended_is_never_full(self) -> None:
        bench = Bench(*numbered(READ_AHEAD_FRAMES))
        bench.inbox.end()
        assert not bench.inbox.is_full
        assert bench.take_all(READ_AHEAD_FRAMES) == [str(number) for number in range(READ_AHEAD_FRAMES)]
        assert bench.asked_for_more == 0

    def test_the_continuation_that_is_told_of_the_end_may_read_again_and_is_told_again(self) -> None:
        bench = Bench()
        last = Calls()
        calls = Calls(lambda *_: bench.inbox.read(True, last, None))
        bench.inbox.read(True, calls, None)
        bench.inbox.end()
        bench.loop.run()
        assert (calls.got, last.got) == ([NOTHING], [NOTHING])

    def test_the_inbox_tells_that_it_has_ended(self) -> None:
        bench = Bench(text("x"))
        assert not bench.inbox.has_ended
        bench.inbox.end()
        assert bench.inbox.has_ended

    def test_where_the_session_need_not_read_on_the_connection_waits_for_no_read_and_what_waits_can_be_read(
        self,
    ) -> None:
        bench = Bench(*numbered(2))
        bench.inbox.abandon()
        assert bench.drained == 0
        bench.inbox.end()
        assert bench.drained == 1
        assert bench.take_all(3) == ["0", "1", None]

    def test_where_the_session_need_not_read_on_the_connection_waits_for_none_after_the_last_frame(self) -> None:
        bench = Bench()
        calls = bench.read()
        bench.inbox.add(text("last"))
        bench.inbox.abandon()
        bench.inbox.end()
        bench.loop.run()
        assert calls.got == [("last", TEXT, True)]
        bench.inbox.settle()
        assert bench.drained == 1

    def test_a_read_that_is_pending_is_told_of_the_end_first_all_the_same(self) -> None:
        bench = Bench()
        calls = bench.read()
        bench.inbox.abandon()
        bench.inbox.end()
        assert bench.drained == 0
        bench.loop.run()
        assert (calls.got, bench.drained) == ([NOTHING], 1)

    def test_a_read_that_comes_when_all_is_over_asks_what_stands_for_the_connection(self) -> None:
        bench = Bench()
        bench.inbox.end()
        ended = FakeConnection()
        ended.close_code = 4001
        bench.inbox.outlive(ended)
        task = bench.receive()
        assert [owner for owner, _ in bench.loop.ready] == [ended]
        bench.loop.run()
        with pytest.raises(ConnectionClosed, match="4001"):
            task.result()
        assert (bench.drained, ended.asked) == (1, [("inbox_drained",)])


class TestDiscarding:
    def test_what_waits_is_forgotten(self) -> None:
        bench = Bench(*numbered(3))
        bench.inbox.discard()
        assert bench.drained == 1
        assert bench.take() == NOTHING

    def test_a_frame_that_is_addressed_is_forgotten_and_its_read_gets_invalid_once(self) -> None:
        bench = Bench()
        calls = bench.read()
        bench.inbox.add(text("x"))
        bench.inbox.discard()
        bench.loop.run()
        assert (bench.delivery(), calls.got, bench.drained) == (Delivery.IDLE, [NOTHING], 1)

    def test_the_read_of_a_frame_that_is_forgotten_waits_for_the_completions(self) -> None:
        bench = Bench()
        calls = bench.read()
        bench.inbox.add(text("x"))
        bench.connection.has_unfinished_sends = True
        bench.inbox.discard()
        bench.loop.run()
        assert (calls.got, bench.drained) == ([], 0)

    def test_a_frame_whose_delivery_is_queued_is_forgotten(self) -> None:
        bench = Bench()
        task = bench.receive()
        bench.inbox.add(text("x"))
        bench.inbox.discard()
        bench.loop.run()
        with pytest.raises(ConnectionClosed):
            task.result()
        assert bench.drained == 1

    def test_a_read_that_is_ready_gets_invalid(self) -> None:
        bench = Bench()
        calls = bench.read()
        bench.inbox.discard()
        bench.loop.run()
        assert (calls.got, bench.drained) == ([NOTHING], 1)

    def test_no_further_read_is_awaited_from_a_session_that_failed(self) -> None:
        bench = Bench(text("x"))
        bench.inbox.end()
        bench.take()
        assert bench.drained == 0
        bench.inbox.discard()
        assert bench.drained == 1


class TestRoom:
    """Law 5: how far a socket reads ahead."""

    def test_it_is_full_with_16_frames(self) -> None:
        bench = Bench(*numbered(READ_AHEAD_FRAMES - 1))
        assert (bench.inbox.room, bench.inbox.is_full) == (1, False)
        bench.inbox.add(text("x"))
        assert (bench.inbox.room, bench.inbox.is_full) == (0, True)

    def test_it_is_full_with_64_kib(self) -> None:
        half = READ_AHEAD_BYTES // 2
        bench = Bench((BINARY, bytes(half), True), text("x" * (half - 1)))
        assert not bench.inbox.is_full
        bench.inbox.add(text("x"))
        assert bench.inbox.is_full

    def test_more_is_asked_for_once_half_of_the_frames_are_taken(self) -> None:
        bench = Bench(*numbered(READ_AHEAD_FRAMES))
        bench.take_all(READ_AHEAD_FRAMES // 2 - 1)
        assert (bench.asked_for_more, bench.inbox.is_full) == (0, True)
        bench.take()
        assert (bench.asked_for_more, bench.inbox.is_full) == (1, False)
        bench.take()
        assert bench.asked_for_more == 1

    def test_more_is_asked_for_once_half_of_the_bytes_are_taken(self) -> None:
        quarter = READ_AHEAD_BYTES // 4
        bench = Bench(*[(BINARY, bytes(size), True) for size in (quarter, quarter - 1, 1, quarter, quarter)])
        assert bench.inbox.is_full
        bench.take_all(2)
        assert bench.asked_for_more == 0
        bench.take()
        assert bench.asked_for_more == 1

    def test_more_is_asked_for_where_reads_are_awaited_too(self) -> None:
        bench = Bench(*numbered(READ_AHEAD_FRAMES))
        for number in range(READ_AHEAD_FRAMES):
            task = bench.receive()
            bench.loop.run()
            assert task.result() == Message(str(number), TEXT, True)
            assert bench.asked_for_more == (number + 1 >= READ_AHEAD_FRAMES // 2)

    def test_what_is_read_as_room_is_made_comes_behind_what_waits(self) -> None:
        bench = Bench(*numbered(READ_AHEAD_FRAMES))
        more = [text("a"), text("b")]
        bench.connection.reactions["read_frames"] = lambda: bench.inbox.add_all(more)
        taken = bench.take_all(READ_AHEAD_FRAMES + 2)
        assert taken == [*map(str, range(READ_AHEAD_FRAMES)), "a", "b"]


class TestAwaiting:
    def test_a_task_sleeps_until_a_frame_comes(self) -> None:
        bench = Bench()
        task = bench.receive(False)
        bench.loop.run()
        assert task.is_asleep
        bench.inbox.add((BINARY, b"x", False))
        assert task.is_asleep
        bench.loop.run()
        assert task.result() == Message(b"x", BINARY, False)

    def test_a_frame_that_waits_is_given_from_the_queue(self) -> None:
        bench = Bench(text("x"))
        task = bench.receive()
        assert task.is_asleep
        bench.loop.run()
        assert task.result() == Message("x", TEXT, True)

    def test_the_end_raises_how_the_connection_closed(self) -> None:
        bench = Bench()
        bench.connection.close_code, bench.connection.close_reason = 4001, "bye"
        task = bench.receive()
        bench.inbox.end()
        bench.loop.run()
        with pytest.raises(ConnectionClosed, match="4001") as raised:
            task.result()
        assert (raised.value.code, raised.value.reason) == (4001, "bye")
        assert bench.drained == 1

    def test_the_end_comes_before_a_timeout_that_has_not_passed(self) -> None:
        bench = Bench()
        task = bench.receive(timeout=5)
        bench.inbox.end()
        bench.loop.ring(5)
        bench.loop.run()
        with pytest.raises(ConnectionClosed):
            task.result()

    def test_a_read_that_is_cancelled_is_pending_no_more_and_takes_nothing(self) -> None:
        bench = Bench()
        task = bench.receive()
        task.cancel()
        assert not bench.inbox.has_reader
        bench.loop.run()
        with pytest.raises(Cancelled):
            task.result()
        bench.inbox.add(text("x"))
        assert bench.take() == ("x", TEXT, True)

    def test_a_read_that_is_cancelled_while_its_delivery_is_queued_takes_nothing(self) -> None:
        bench = Bench(text("x"))
        task = bench.receive()
        task.cancel()
        assert bench.delivery() is Delivery.QUEUED
        bench.loop.run()
        assert bench.delivery() is Delivery.IDLE
        with pytest.raises(Cancelled):
            task.result()
        assert bench.take() == ("x", TEXT, True)

    def test_a_read_that_follows_at_once_is_served_by_the_delivery_that_is_queued(self) -> None:
        bench = Bench(text("x"), text("y"))
        bench.receive().cancel()
        calls = bench.read()
        assert bench.delivery() is Delivery.QUEUED
        bench.loop.run()
        assert calls.got == [("x", TEXT, True)]
        assert bench.take() == ("y", TEXT, True)

    def test_a_read_that_was_given_its_frame_can_no_longer_be_cancelled(self) -> None:
        bench = Bench(text("x"))
        task = bench.receive()
        owner, deliver = bench.loop.ready.popleft()
        owner.run(*deliver)
        task.cancel()
        bench.loop.run()
        assert task.result() == Message("x", TEXT, True)

    def test_the_connection_goes_on_when_the_last_read_is_cancelled(self) -> None:
        bench = Bench()
        bench.connection.has_unfinished_sends = True
        task = bench.receive()
        bench.inbox.end()
        assert bench.drained == 0
        task.cancel()
        assert bench.drained == 1

    def test_the_connection_goes_on_when_the_last_read_is_cancelled_just_before_it_is_told_of_the_end(self) -> None:
        bench = Bench()
        task = bench.receive()
        bench.inbox.end()
        task.cancel()
        assert (bench.delivery(), bench.drained) == (Delivery.QUEUED, 0)
        bench.loop.run()
        assert (bench.delivery(), bench.drained) == (Delivery.IDLE, 1)


class TestGivingUp:
    def test_what_waits_is_given_to_the_inbox_of_whole_messages(self) -> None:
        bench = Bench(*numbered(2))
        assert bench.inbox.give_up() == numbered(2)
        assert bench.inbox.give_up() == []

    def test_no_timer_is_left_where_there_will_be_no_read_any_more(self) -> None:
        bench = Bench(text("x"))
        bench.read(timeout=3600)
        bench.loop.run()
        assert bench.loop.live_timers == 1
        bench.inbox.give_up()
        assert bench.loop.live_timers == 0

    def test_nothing_is_given_up_while_a_read_is_pending(self) -> None:
        bench = Bench()
        calls = bench.read()
        with pytest.raises(LocalProtocolError, match="a read is pending"):
            bench.inbox.give_up()
        bench.inbox.add(text("x"))
        bench.loop.run()
        assert calls.got == [("x", TEXT, True)]


class Story(Bench):
    """What may happen to an inbox, in any order, and what must have come of it in the end."""

    def __init__(self) -> None:
        super().__init__(is_open=False)
        self.connection.reactions["inbox_drained"] = self.check_drained
        self.arrived: list[str] = []
        self.got: list[Any] = []
        self.reads: list[Calls] = []
        self.tasks: list[FakeTask] = []
        self.cancelled: set[FakeTask] = set()
        self.has_ended = False
        #: How many frames had been delivered when the rest was discarded.
        self.kept: int | None = None

    def begin(self) -> None:
        if self.inbox.is_held:
            self.inbox.open()

    def add(self, count: int = 1) -> None:
        if self.inbox.is_full:
            return  # the connection reads no more then
        count = min(count, self.inbox.room) or 1  # there is no room behind the end, where nothing is taken
        frames = [text(str(len(self.arrived) + number)) for number in range(count)]
        if not self.has_ended:
            self.arrived += [str(data) for _, data, _ in frames]
        if count == 1:
            self.inbox.add(*frames)
        else:
            self.inbox.add_all(frames)

    def add_several(self) -> None:
        self.add(5)

    def read_by_callback(self, timeout: float | None = None) -> None:
        if not self.inbox.has_reader:
            calls = Calls(lambda data, opcode, final: self.note(data, opcode))
            self.reads.append(calls)
            self.inbox.read(True, calls, timeout)

    def read_by_callback_for_a_second(self) -> None:
        self.read_by_callback(1)

    def note(self, data: Any, opcode: OpcodeType) -> None:
        if opcode is not INVALID:
            self.got.append(data)

    def read_by_await(self, timeout: float | None = None) -> None:
        async def read() -> None:
            message = await self.inbox.receive(True, timeout)
            self.note(message.data, message.opcode)

        if not self.inbox.has_reader:
            self.tasks.append(self.loop.start(read()))

    def read_by_await_for_two_seconds(self) -> None:
        self.read_by_await(2)

    def cancel(self) -> None:
        if self.tasks and self.tasks[-1].is_asleep:
            self.cancelled.add(self.tasks[-1])
            self.tasks[-1].cancel()

    def run_one_callback(self) -> None:
        if self.loop.ready:
            owner, call = self.loop.ready.popleft()
            owner.run(*call)

    def run(self) -> None:
        self.loop.run()

    def let_a_second_pass(self) -> None:
        self.loop.ring(1)

    def finish_a_send(self) -> None:
        self.connection.has_unfinished_sends = False
        self.inbox.settle()

    def begin_a_send(self) -> None:
        self.connection.has_unfinished_sends = not self.has_ended

    def end(self) -> None:
        self.has_ended = True
        self.inbox.end()

    def discard(self) -> None:
        if self.kept is None:
            self.kept = self.delivered
        self.has_ended = True
        self.inbox.discard()

    @property
    def delivered(self) -> int:
        """How many frames the session has got, or a task of it will see when it runs."""
        given = [task.given.value for task in self.tasks if isinstance(task.given, outcome.Value)]
        return len(self.got) + sum(message.opcode is not INVALID for message in given)

    def check_drained(self) -> None:
        """Check that the connection is told of nothing too early."""
        assert self.has_ended
        assert not self.inbox.has_reader
        assert self.delivered == (len(self.arrived) if self.kept is None else self.kept)

    def finish(self) -> None:
        """Let the session read up to the end."""
        self.begin()
        self.end()
        self.finish_a_send()
        self.run()
        for _ in range(len(self.arrived) + 1):
            self.read_by_callback()
            self.run()
        assert self.reads[-1].got == [NOTHING]

    def check(self) -> None:
        assert self.drained
        assert self.got == self.arrived[: self.kept]
        assert [len(calls.got) for calls in self.reads] == [1] * len(self.reads)
        for task in self.tasks:
            assert task.outcome is not None
            assert (task in self.cancelled) is isinstance(getattr(task.outcome, "error", None), Cancelled)
        assert not self.connection.failures


EVENTS = [
    Story.begin,
    Story.add,
    Story.add_several,
    Story.read_by_callback,
    Story.read_by_callback_for_a_second,
    Story.read_by_await,
    Story.read_by_await_for_two_seconds,
    Story.cancel,
    Story.run_one_callback,
    Story.run,
    Story.let_a_second_pass,
    Story.begin_a_send,
    Story.finish_a_send,
    Story.end,
    Story.discard,
]


@settings(deadline=None, max_examples=300)
@given(st.lists(st.sampled_from(EVENTS), max_size=50))
def test_whatever_happens_each_frame_goes_to_one_read_in_order_and_each_read_is_served_once(
    events: list[Callable[[Story], None]],
) -> None:
    story = Story()
    for event in events:
        event(story)
    story.finish()
    story.check()
