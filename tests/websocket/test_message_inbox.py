"""`Assembler` and `MessageInbox` alone: frames become whole messages, and handlers get them one at a time, in order."""

from __future__ import annotations

from collections.abc import Coroutine
from itertools import cycle
from typing import Any

import outcome
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfectws import OpcodeType
from perfectws.errors import LocalProtocolError
from perfectws.websocket.frame_inbox import FrameInbox
from perfectws.websocket.frames import Frame
from perfectws.websocket.inbox import Delivery
from perfectws.websocket.message_inbox import MessageInbox
from perfectws.websocket.options import READ_AHEAD_BYTES, READ_AHEAD_FRAMES
from perfectws.websocket.whole_inbox import Assembler

from ..calls import BINARY, CONTINUATION, PONG, TEXT, Calls
from .fakes import Cancelled, FakeConnection, FakeSuspension, FakeTask, TaskLoop


def text(data: str, final: bool = True) -> Frame:
    return (TEXT, data, final)


def more(data: str | bytes, final: bool = True) -> Frame:
    return (CONTINUATION, data, final)


def numbered(count: int) -> list[Frame]:
    return [text(str(number)) for number in range(count)]


class TestAssembler:
    def test_a_frame_that_is_a_whole_message_is_left_as_it_is(self) -> None:
        frame = text("x")
        assert Assembler().whole_of([frame])[0] is frame

    @pytest.mark.parametrize("together", [True, False])
    @pytest.mark.parametrize(
        ("opcode", "pieces", "whole"),
        [
            (TEXT, ("a", "", "üb"), "aüb"),
            (BINARY, (b"a", b"", b"\xff"), b"a\xff"),
            (TEXT, ("", "", ""), ""),
            (BINARY, (b"", b"", b""), b""),
        ],
    )
    def test_the_frames_of_a_message_are_joined_with_the_last(
        self, opcode: Any, pieces: Any, whole: Any, together: bool
    ) -> None:
        assembler = Assembler()
        frames = [(opcode, pieces[0], False), more(pieces[1], False), more(pieces[2])]
        for _ in range(2):
            if together:
                assert assembler.whole_of(frames) == [(opcode, whole, True)]
            else:
                assert [assembler.whole_of([frame]) for frame in frames] == [[], [], [(opcode, whole, True)]]

    def test_many_messages_may_be_completed_at_once_and_one_begun(self) -> None:
        assembler = Assembler()
        frames = [text("a"), text("b", False), more("c"), text("d"), text("e", False)]
        assert assembler.whole_of(frames) == [text("a"), text("bc"), text("d")]
        assert assembler.whole_of([more("f"), text("g")]) == [text("ef"), text("g")]

    def test_the_rest_of_a_message_whose_beginning_it_has_not_seen_is_none(self) -> None:
        assembler = Assembler()
        assert assembler.whole_of([more("rest", False)]) == []
        assert assembler.whole_of([more("of it"), text("next")]) == [text("next")]

    def test_a_pong_is_none_and_does_not_come_into_a_message(self) -> None:
        assembler = Assembler()
        pong: Frame = (PONG, b"", True)
        assert assembler.whole_of([pong, text("a", False), pong]) == []
        assert assembler.whole_of([more("b"), pong]) == [text("ab")]

    def test_what_is_not_whole_may_be_discarded(self) -> None:
        assembler = Assembler()
        assembler.whole_of([text("a", False)])
        assembler.discard()
        assert assembler.whole_of([more("b"), text("c")]) == [text("c")]


class Bench:
    """An inbox of whole messages, what is around it, and handlers that note what they get.

    Args:
        frames: What waited for a read before.
    """

    def __init__(self, *frames: Frame, is_open: bool = True, has_ended: bool = False) -> None:
        self.loop = TaskLoop()
        self.connection = FakeConnection()
        former = FrameInbox(self.connection, self.loop)
        if is_open:
            former.open()
        if frames:
            former.add_all(list(frames))
        if has_ended:
            former.end()
        waiting = former.give_up()
        self.inbox = MessageInbox(self.connection, self.loop, former)
        self.got: list[Any] = []
        self._waiting = waiting

    def take_over(self) -> None:
        """Go on with what waited before."""
        self.inbox.take_over(self._waiting)

    @classmethod
    def begun(cls, *, is_async: bool = False) -> Bench:
        """Return one whose handlers are set."""
        bench = cls()
        bench.handle_all(is_async)
        bench.take_over()
        return bench

    def handle_all(self, is_async: bool = False) -> None:
        for opcode in (TEXT, BINARY):
            self.inbox.set_handler(opcode, self.handle_async if is_async else self.handle)

    def handle(self, socket: object, message: str | bytes) -> None:
        assert socket is self.connection.socket
        self.got.append(message)

    def handle_async(self, socket: object, message: str | bytes) -> Coroutine[Any, Any, None]:
        """Handle it in two steps: the second comes with `resume`."""

        async def work() -> None:
            self.handle(socket, message)
            self.suspension = FakeSuspension(self.loop)
            self.task = self.loop.current_task
            await self.suspension.sleep()
            self.got.append("done")

        return work()

    suspension: FakeSuspension
    task: FakeTask | None

    def resume(self, result: outcome.Outcome[None] | None = None) -> None:
        """Let the handler that sleeps go on."""
        self.suspension.resume(result or outcome.Value(None))
        self.loop.run()

    def delivery(self) -> Delivery:
        return self.inbox._delivery

    @property
    def drained(self) -> int:
        return self.connection.count("inbox_drained")

    @property
    def asked_for_more(self) -> int:
        return self.connection.count("read_frames")


class TestTakingOver:
    def test_what_waited_for_a_read_is_put_together_and_handled(self) -> None:
        bench = Bench(text("a", False), more("b"), (BINARY, b"c", True), text("d", False))
        bench.handle_all()
        bench.take_over()
        assert (bench.delivery(), bench.got) == (Delivery.QUEUED, [])
        bench.loop.run()
        assert bench.got == ["ab", b"c"]
        bench.inbox.add(more("e"))
        bench.loop.run()
        assert bench.got == ["ab", b"c", "de"]

    def test_the_rest_of_a_message_that_was_read_frame_by_frame_is_dropped(self) -> None:
        bench = Bench(more("rest"), text("x"))
        bench.handle_all()
        bench.take_over()
        bench.loop.run()
        assert bench.got == ["x"]

    def test_a_session_that_has_not_begun_is_held_still(self) -> None:
        bench = Bench(text("early"), is_open=False)
        bench.handle_all()
        bench.take_over()
        bench.loop.run()
        assert (bench.delivery(), bench.inbox.is_held, bench.got) == (Delivery.HELD, True, [])
        bench.inbox.open()
        bench.loop.run()
        assert (bench.delivery(), bench.inbox.is_held, bench.got) == (Delivery.IDLE, False, ["early"])

    def test_what_waited_at_the_end_is_handled_and_nothing_after_it_taken(self) -> None:
        bench = Bench(*numbered(2), has_ended=True)
        bench.handle_all()
        bench.take_over()
        bench.inbox.add(text("late"))
        bench.loop.run()
        assert bench.got == ["0", "1"]
        assert bench.drained == 1

    def test_after_the_end_with_nothing_waiting_the_connection_goes_on_at_once(self) -> None:
        bench = Bench(has_ended=True)
        bench.take_over()
        assert bench.drained == 2  # the former one has told it too

    def test_more_is_asked_for_where_the_fragments_that_filled_the_inbox_are_one_message(self) -> None:
        bench = Bench(text("x", False), *[more("x", False)] * (READ_AHEAD_FRAMES - 2), more("x"))
        assert bench.inbox.is_full
        bench.take_over()
        assert (bench.asked_for_more, bench.inbox.is_full) == (1, False)

    def test_nothing_is_asked_for_where_the_frames_that_filled_it_are_as_many_messages(self) -> None:
        bench = Bench(*numbered(READ_AHEAD_FRAMES))
        bench.take_over()
        assert (bench.asked_for_more, bench.inbox.is_full) == (0, True)
        bench.loop.run()
        assert (bench.asked_for_more, bench.inbox.is_full) == (1, False)

    def test_an_inbox_that_was_not_full_asks_for_nothing(self) -> None:
        bench = Bench(*numbered(READ_AHEAD_FRAMES - 1))
        bench.take_over()
        bench.loop.run()
        assert bench.asked_for_more == 0

    def test_a_delivery_that_was_queued_for_a_cancelled_read_does_not_tell_the_end_before_the_messages(self) -> None:
        loop, connection = TaskLoop(), FakeConnection()
        former = FrameInbox(connection, loop)
        former.open()
        former.add_all(numbered(3))
        former.end()
        loop.start(former.receive(True, None)).cancel()
        waiting = former.give_up()
        inbox = MessageInbox(connection, loop, former)
        got: list[Any] = []
        connection.reactions["inbox_drained"] = lambda: got.append("the end")
        inbox.set_handler(TEXT, lambda socket, message: got.append(message))
        inbox.take_over(waiting)
        loop.run()
        assert got == ["0", "1", "2", "the end"]


class TestHandlers:
    def test_each_kind_of_message_goes_to_its_own(self) -> None:
        bench = Bench()
        texts, binaries = Calls(), Calls()
        bench.inbox.set_handler(TEXT, texts)
        bench.inbox.set_handler(BINARY, binaries)
        bench.inbox.add_all([(BINARY, b"a", True), text("b"), (BINARY, b"c", True)])
        bench.loop.run()
        socket = bench.connection.socket
        assert (texts.got, binaries.got) == ([(socket, "b")], [(socket, b"a"), (socket, b"c")])

    def test_the_newest_takes_the_place_of_the_one_before(self) -> None:
        bench = Bench()
        former = Calls()
        bench.inbox.set_handler(TEXT, former)
        bench.handle_all()
        bench.inbox.add(text("x"))
        bench.loop.run()
        assert (former.got, bench.got) == ([], ["x"])

    def test_messages_that_have_none_are_dropped(self) -> None:
        bench = Bench()
        bench.inbox.add(text("nobody's"))
        bench.loop.run()
        bench.inbox.set_handler(BINARY, bench.handle)
        bench.inbox.add_all([text("nobody's"), (BINARY, b"x", True)])
        bench.loop.run()
        assert bench.got == [b"x"]

    def test_the_inbox_tells_whether_one_is_set(self) -> None:
        bench = Bench()
        assert not bench.inbox.has_reader
        bench.inbox.set_handler(TEXT, Calls())
        assert bench.inbox.has_reader

    def test_a_pong_is_of_no_use_to_them(self) -> None:
        bench = Bench.begun()
        bench.inbox.add((PONG, b"x", True))
        assert bench.delivery() is Delivery.IDLE
        assert not bench.loop.has_ready

    def test_one_may_be_at_work_while_a_message_comes_which_then_waits(self) -> None:
        bench = Bench()
        states = []

        def handle(socket: object, message: str) -> None:
            if message == "first":
                bench.inbox.add(text("second"))
            states.append((message, bench.delivery()))

        bench.inbox.set_handler(TEXT, handle)
        bench.inbox.add(text("first"))
        bench.loop.run()
        assert states == [("first", Delivery.BUSY), ("second", Delivery.BUSY)]
        assert bench.delivery() is Delivery.IDLE

    def test_each_message_is_a_callback_of_its_own(self) -> None:
        bench = Bench.begun()
        bench.inbox.add_all(numbered(2))
        owner, call = bench.loop.ready.popleft()
        assert owner is bench.connection
        owner.run(*call)
        assert (bench.got, bench.delivery()) == (["0"], Delivery.QUEUED)

    def test_an_error_in_one_is_the_connections_and_the_next_message_is_handled(self) -> None:
        bench = Bench.begun()
        error = ZeroDivisionError()

        def fail(socket: object, message: bytes) -> None:
            raise error

        bench.inbox.set_handler(BINARY, fail)
        bench.inbox.add_all([(BINARY, b"x", True), text("y")])
        bench.loop.run()
        assert bench.connection.failures == [error]
        assert (bench.got, bench.delivery()) == (["y"], Delivery.IDLE)


class TestAsyncHandlers:
    """Law 3: the next message waits."""

    def test_the_next_message_waits_until_one_is_done(self) -> None:
        bench = Bench.begun(is_async=True)
        bench.inbox.add_all(numbered(2))
        bench.loop.run()
        assert (bench.got, bench.delivery()) == (["0"], Delivery.BUSY)
        bench.inbox.add(text("2"))
        bench.inbox.settle()
        bench.loop.run()
        assert (bench.got, bench.delivery()) == (["0"], Delivery.BUSY)
        bench.resume()
        assert bench.got == ["0", "done", "1"]
        bench.resume()
        bench.resume()
        assert bench.got == ["0", "done", "1", "done", "2", "done"]
        assert bench.delivery() is Delivery.IDLE

    def test_the_end_is_told_when_the_last_is_done(self) -> None:
        bench = Bench.begun(is_async=True)
        bench.inbox.add(text("x"))
        bench.loop.run()
        bench.inbox.end()
        assert bench.drained == 0
        bench.resume()
        assert (bench.got, bench.drained) == (["x", "done"], 1)

    def test_an_error_is_the_connections_and_the_next_message_is_handled(self) -> None:
        bench = Bench.begun(is_async=True)
        bench.inbox.add_all(numbered(2))
        bench.loop.run()
        error = ZeroDivisionError()
        bench.resume(outcome.Error(error))
        assert bench.connection.failures == [error]
        assert bench.got == ["0", "1"]

    def test_where_one_is_cancelled_what_waits_is_forgotten_and_the_connection_goes_on(self) -> None:
        bench = Bench.begun(is_async=True)
        bench.inbox.add_all(numbered(2))
        bench.loop.run()
        assert bench.task is not None
        bench.task.cancel()
        bench.loop.run()
        with pytest.raises(Cancelled):
            bench.task.result()
        assert (bench.got, bench.drained, bench.delivery()) == (["0"], 1, Delivery.IDLE)
        bench.inbox.add(text("late"))
        assert not bench.loop.has_ready


class TestTheEnd:
    def test_messages_that_wait_are_handled_first(self) -> None:
        bench = Bench.begun()
        bench.inbox.add_all(numbered(2))
        bench.inbox.end()
        assert bench.drained == 0
        bench.loop.run()
        assert (bench.got, bench.drained) == (["0", "1"], 1)

    def test_messages_that_wait_are_handled_first_though_the_session_need_not_read_on(self) -> None:
        bench = Bench.begun()
        bench.inbox.add_all(numbered(2))
        bench.inbox.abandon()
        bench.inbox.end()
        assert bench.drained == 0
        bench.loop.run()
        assert (bench.got, bench.drained) == (["0", "1"], 1)

    def test_with_nothing_waiting_the_connection_goes_on_at_once(self) -> None:
        bench = Bench.begun()
        bench.connection.has_unfinished_sends = True  # no read is pending, which would have to wait for them
        bench.inbox.end()
        assert bench.drained == 1

    def test_a_message_that_is_not_whole_is_forgotten(self) -> None:
        bench = Bench.begun()
        bench.inbox.add(text("half of", False))
        bench.inbox.end()
        assert bench.drained == 1
        bench.inbox.add(more("it"))
        assert not bench.loop.has_ready
        assert bench.inbox._assembler.whole_of([more("it")]) == []

    def test_what_waits_may_be_discarded(self) -> None:
        bench = Bench.begun()
        bench.inbox.add_all(numbered(3))
        bench.inbox.discard()
        assert (bench.delivery(), bench.drained) == (Delivery.QUEUED, 0)
        bench.loop.run()
        assert (bench.delivery(), bench.got, bench.drained) == (Delivery.IDLE, [], 1)

    def test_when_all_is_over_the_handlers_are_let_go(self) -> None:
        bench = Bench.begun()
        bench.inbox.end()
        ended = FakeConnection()
        bench.inbox.outlive(ended)
        assert not bench.inbox.has_reader
        bench.inbox.settle()
        assert (bench.drained, ended.asked) == (1, [("inbox_drained",)])

    def test_messages_that_wait_even_then_are_dropped(self) -> None:
        bench = Bench.begun(is_async=True)
        bench.inbox.add_all(numbered(2))
        bench.loop.run()
        bench.inbox.end()
        bench.inbox.outlive(FakeConnection())
        bench.resume()
        assert bench.got == ["0", "done"]
        assert bench.delivery() is Delivery.IDLE


class TestAMessageThatComesAlone:
    """It is queued together with its delivery."""

    @pytest.mark.parametrize("frame", [text("x"), text(""), (BINARY, b"x", True)])
    def test_a_text_or_a_binary_message_is_addressed_to_its_handler(self, frame: Frame) -> None:
        bench = Bench.begun()
        bench.inbox.add(frame)
        assert (bench.delivery(), bench.got) == (Delivery.ADDRESSED, [])
        bench.loop.run()
        assert (bench.delivery(), bench.got) == (Delivery.IDLE, [frame[1]])

    def test_it_is_handled_ahead_of_those_that_come_then(self) -> None:
        bench = Bench.begun()
        bench.inbox.add(text("0"))
        assert bench.delivery() is Delivery.ADDRESSED
        bench.inbox.add(text("1"))
        bench.inbox.add_all([text("2"), text("3")])
        assert bench.got == []
        bench.loop.run()
        assert (bench.delivery(), bench.got) == (Delivery.IDLE, ["0", "1", "2", "3"])

    def test_an_async_handler_holds_the_others_up(self) -> None:
        bench = Bench.begun(is_async=True)
        bench.inbox.add(text("0"))
        bench.loop.run()
        assert bench.delivery() is Delivery.BUSY
        bench.inbox.add(text("1"))
        bench.loop.run()
        assert bench.got == ["0"]
        bench.resume()
        bench.resume()
        assert (bench.delivery(), bench.got) == (Delivery.IDLE, ["0", "done", "1", "done"])

    def test_it_is_handled_before_the_end_is_told(self) -> None:
        bench = Bench.begun()
        bench.inbox.add(text("0"))
        bench.inbox.end()
        assert bench.drained == 0
        bench.loop.run()
        assert (bench.got, bench.drained) == (["0"], 1)

    def test_it_may_be_discarded(self) -> None:
        bench = Bench.begun()
        bench.inbox.add(text("0"))
        bench.inbox.discard()
        assert bench.drained == 1
        bench.loop.run()
        assert (bench.delivery(), bench.got, bench.drained) == (Delivery.IDLE, [], 1)

    def test_an_idle_loop_is_woken_for_it(self) -> None:
        bench = Bench.begun()
        bench.loop.run()
        bench.loop.idle = True
        bench.inbox.add(text("0"))
        assert not bench.loop.idle

    @pytest.mark.parametrize("frame", [text("a", False), more("rest"), (PONG, b"", True)])
    def test_what_is_no_whole_message_waits_for_the_rest(self, frame: Frame) -> None:
        bench = Bench.begun()
        bench.inbox.add(frame)
        assert bench.delivery() is Delivery.IDLE
        assert not bench.loop.has_ready


class TestRoom:
    def test_whole_messages_count_and_not_the_pieces_of_one(self) -> None:
        bench = Bench()
        bench.inbox.add(text("x", False))
        bench.inbox.add_all([more("x", False)] * READ_AHEAD_FRAMES)
        assert (bench.inbox.room, bench.inbox.is_full) == (READ_AHEAD_FRAMES, False)
        bench.inbox.add(more("x" * READ_AHEAD_BYTES))
        assert (bench.inbox.room, bench.inbox.is_full) == (READ_AHEAD_FRAMES - 1, True)

    def test_more_is_asked_for_as_messages_are_taken_and_waits_until_that_one_is_handled(self) -> None:
        bench = Bench.begun()
        bench.connection.reactions["read_frames"] = lambda: bench.inbox.add(text("more"))
        bench.inbox.add_all(numbered(READ_AHEAD_FRAMES))
        assert bench.inbox.is_full
        bench.loop.run()
        assert bench.got == [*map(str, range(READ_AHEAD_FRAMES)), "more"]
        assert bench.asked_for_more == 1


class TestMisuse:
    def test_frames_cannot_be_read_beside_messages(self) -> None:
        bench = Bench()
        with pytest.raises(LocalProtocolError, match="on_text"):
            bench.inbox.read(True, Calls(), None)

    def test_frames_cannot_be_awaited_beside_messages(self) -> None:
        bench = Bench()
        with pytest.raises(LocalProtocolError, match="on_text"):
            bench.loop.start(bench.inbox.receive(True, None)).result()

    def test_of_two_mistakes_a_continuation_that_cannot_be_called_is_told_first(self) -> None:
        with pytest.raises(TypeError, match="callable"):
            Bench().inbox.read(True, "not callable", None)

    def test_of_two_mistakes_awaiting_in_another_thread_is_told_first(self) -> None:
        bench = Bench()
        bench.loop.thread_id = bench.loop.direct_thread = 0
        with pytest.raises(LocalProtocolError, match="thread"):
            bench.loop.start(bench.inbox.receive(True, None)).result()


def as_frames(opcode: OpcodeType, pieces: list[Any]) -> list[Frame]:
    """Return a message as the frames that it is cut into."""
    last = len(pieces) - 1
    return [(CONTINUATION if at else opcode, piece, at == last) for at, piece in enumerate(pieces)]


messages = st.lists(
    st.one_of(
        st.tuples(st.just(TEXT), st.lists(st.text(max_size=3), min_size=1, max_size=4)),
        st.tuples(st.just(BINARY), st.lists(st.binary(max_size=3), min_size=1, max_size=4)),
    ),
    max_size=6,
)


@settings(deadline=None)
@given(messages, st.integers(0, 10), st.booleans(), st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1))
def test_messages_are_handled_whole_one_at_a_time_and_in_order_however_they_come(
    sent: list[tuple[OpcodeType, list[Any]]], waiting: int, is_open: bool, meanwhile: list[tuple[bool, bool]]
) -> None:
    frames = [frame for opcode, pieces in sent for frame in as_frames(opcode, pieces)]
    bench = Bench(*frames[:waiting], is_open=is_open)
    at_work: list[str | bytes] = []
    tasks: list[FakeSuspension] = []
    handled: list[str | bytes] = []

    async def handle(socket: object, message: str | bytes) -> None:
        at_work.append(message)
        assert at_work == [message]
        tasks.append(FakeSuspension(bench.loop))
        await tasks[-1].sleep()
        handled.append(at_work.pop())

    bench.connection.reactions["inbox_drained"] = lambda: handled.append("the end")
    bench.inbox.set_handler(TEXT, handle)
    bench.inbox.set_handler(BINARY, handle)
    bench.take_over()
    for frame, (runs, resumes) in zip(frames[waiting:], cycle(meanwhile), strict=False):
        bench.inbox.add(frame)
        if runs:
            bench.loop.run()
        if resumes and tasks:
            tasks.pop().resume(outcome.Value(None))
    bench.inbox.end()
    if bench.inbox.is_held:
        bench.inbox.open()
    bench.loop.run()
    while tasks:
        tasks.pop().resume(outcome.Value(None))
        bench.loop.run()
    assert handled == [*(pieces[0][:0].join(pieces) for _, pieces in sent), "the end"]
    assert not bench.connection.failures
