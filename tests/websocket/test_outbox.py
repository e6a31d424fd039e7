"""`Outbox` alone, against its contract: messages become frames, in order, and each completion is called once."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfectws.callbacks import CallbackOwner
from perfectws.errors import ConnectionClosed, LocalProtocolError
from perfectws.futures import Promise
from perfectws.transport import HIGH_WATER
from perfectws.websocket.deflate import Compression, Deflate, DeflateOptions, answer_offers
from perfectws.websocket.frames import build_close_payload, build_frame
from perfectws.websocket.opcodes import OpcodeType
from perfectws.websocket.outbox import Outbox, Sending

from ..calls import BINARY, CONTINUATION, PONG, TEXT
from ..peer import CLOSE, PING, Frame, close_payload
from .fakes import Cancelled, FakeConnection, FrameTransport, TaskLoop

MIB = 1024 * 1024
PLAIN, IN_TURN, DEFLATED, MASKED, COMPOSED, CLOSED = Sending


class Bench:
    """An outbox, what is around it, and the peer's eyes.

    Args:
        min_size: Of messages that are compressed; ``None`` compresses nothing.
        context_takeover: Whether a compressed message may refer to the one before it.
    """

    def __init__(
        self,
        *,
        max_write_buffer: int = MIB,
        is_client: bool = False,
        min_size: int | None = None,
        context_takeover: bool = True,
    ) -> None:
        self.loop = TaskLoop()
        self.connection = FakeConnection()
        self.connection.reactions["close"] = self.close
        self.transport = FrameTransport()
        self.is_client = is_client
        deflate = None if min_size is None else agreed_deflate(min_size, context_takeover)
        self.outbox = Outbox(self.connection, self.loop, self.transport, max_write_buffer, is_client, deflate)
        self.transport.resumed = self.outbox.resume
        self._inflate = zlib.decompressobj(-15)
        self._context_takeover = context_takeover
        #: The completions that were called, by name.
        self.called: list[str] = []

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Send the close frame, as a connection does."""
        self.connection.is_connected = False
        self.outbox.close(build_close_payload(code, reason))

    def sending(self) -> Sending:
        return self.outbox.sending

    def frames(self) -> list[Frame]:
        """Return the frames that the transport has taken."""
        return self.transport.frames(self.is_client)

    def messages(self) -> list[str | bytes]:
        """Return the whole messages that the transport has taken, inflated. To be called once."""
        messages: list[str | bytes] = []
        begun: list[Frame] = []
        for frame in self.frames():
            if frame.opcode < CLOSE:
                assert (frame.opcode == CONTINUATION) is bool(begun)
                assert not (begun and frame.rsv1)
                begun.append(frame)
                if frame.fin:
                    messages.append(self._whole(begun))
                    begun = []
        return messages

    def _whole(self, frames: list[Frame]) -> str | bytes:
        payload = b"".join(frame.payload for frame in frames)
        if frames[0].rsv1:
            payload = self._inflate.decompress(payload + b"\x00\x00\xff\xff")
            if not self._context_takeover:
                self._inflate = zlib.decompressobj(-15)
        return payload.decode() if frames[0].opcode == TEXT else payload

    def completion(self, name: str) -> Callable[[], object]:
        return lambda: self.called.append(name)

    def send(self, message: str | bytes, completion: Any = None, *, final: bool = True) -> None:
        """Send a message, or a part of one, as a socket does. A name given as the completion is noted when called."""
        if isinstance(completion, str):
            completion = self.completion(completion)
        outbox = self.outbox
        at_once = final and not isinstance(completion, Promise)
        if isinstance(message, bytes):
            if at_once and outbox.build_binary is not None:
                outbox.write_whole_message(outbox.build_binary(message), completion)
            else:
                outbox.send_data(BINARY, message, final, completion)
        elif at_once and outbox.build_text is not None:
            outbox.write_whole_message(outbox.build_text(message), completion)
        else:
            outbox.send_text(message, final, completion)

    def promise(self) -> Promise[None]:
        return Promise(self.loop, self.connection)

    def run(self) -> list[str]:
        """Run what is ready, and return the completions that were called so far."""
        self.loop.run()
        return self.called


def agreed_deflate(min_size: int, context_takeover: bool = True) -> Deflate:
    options = DeflateOptions(min_size=min_size, context_takeover=context_takeover)
    agreed = answer_offers(["permessage-deflate"], options)
    assert agreed is not None
    return agreed[1]


def frame(message: str | bytes) -> Frame:
    """Return a whole message as one frame that is not compressed."""
    return Frame(TEXT, message.encode()) if isinstance(message, str) else Frame(BINARY, message)


def closing(code: int, reason: str = "") -> Frame:
    return Frame(CLOSE, close_payload(code, reason))


def failure(promise: Promise[None]) -> ConnectionClosed:
    """Return how a promise has failed."""
    with pytest.raises(ConnectionClosed) as raised:
        promise.future_result.wait()
    return raised.value


class FakeRoom:
    """One socket's place in a room: what the room was sent, until the turn ends or the socket sends something."""

    def __init__(self, bench: Bench, *, leaves: bool = True) -> None:
        self.outbox = bench.outbox
        self.pending: list[str | bytes] = []
        self.forgotten = 0
        self._leaves = leaves
        self.outbox.join(self)

    def say(self, *messages: str | bytes) -> None:
        self.pending += messages

    def deliver(self) -> None:
        messages, self.pending = self.pending, []
        for message in messages:
            self.outbox.write_whole(shared(message, self.outbox.compression))

    def forget(self) -> None:
        self.forgotten += 1
        self.deliver()
        self.outbox.leave(self)

    def end_turn(self) -> None:
        """Send what is pending as a room does when a turn ends."""
        if self.outbox.sending not in (IN_TURN, DEFLATED):
            self.deliver()
        elif self.pending:
            messages, self.pending = self.pending, []
            frames = [shared(message, self.outbox.compression) for message in messages]
            if any(frame[0] & 0x40 for frame in frames):
                self.outbox.write_shared_deflated(b"".join(frames), len(messages), self)
            else:
                self.outbox.write_shared(b"".join(frames), len(messages))


def shared(message: str | bytes, compression: Compression | None = None) -> bytes:
    """Return the frame that all members of a room get, or all that compress so."""
    opcode, payload = (TEXT, message.encode()) if isinstance(message, str) else (BINARY, message)
    if compression is None or not compression.takes(payload):
        return bytes(build_frame(opcode, payload))
    return bytes(build_frame(opcode, compression.deflate(payload), is_compressed=True))


class TestSending:
    """Each state of the diagram in `perfectws.websocket.outbox`, and each arrow."""

    def test_a_servers_messages_are_plain_at_first_and_go_out_at_once(self) -> None:
        bench = Bench()
        assert (bench.sending(), bench.outbox.is_open) == (PLAIN, True)
        bench.send("ü")
        bench.send(b"\xff")
        assert bench.frames() == [frame("ü"), frame(b"\xff")]
        assert bench.sending() is PLAIN

    def test_in_a_room_they_are_sent_in_turn(self) -> None:
        bench = Bench()
        first, second = FakeRoom(bench), FakeRoom(bench)
        assert bench.sending() is IN_TURN
        bench.outbox.leave(first)
        assert bench.sending() is IN_TURN
        bench.outbox.leave(second)
        assert bench.sending() is PLAIN

    def test_while_a_completion_waits_they_are_sent_in_turn(self) -> None:
        bench = Bench()
        bench.transport.stall()
        bench.send("x")
        assert bench.sending() is PLAIN
        bench.send("x", "sent")
        assert bench.sending() is IN_TURN
        room = FakeRoom(bench)
        bench.outbox.leave(room)
        assert bench.sending() is IN_TURN
        bench.transport.drain()
        assert bench.sending() is PLAIN

    def test_inside_a_fragmented_message_they_are_composed(self) -> None:
        bench = Bench()
        bench.send("a", final=False)
        assert bench.sending() is COMPOSED
        bench.send("b", final=False)
        assert bench.sending() is COMPOSED
        bench.send("c")
        assert bench.sending() is PLAIN

    def test_behind_one_they_are_in_turn_again_in_a_room(self) -> None:
        bench = Bench()
        FakeRoom(bench)
        bench.send("a", final=False)
        assert bench.sending() is COMPOSED
        bench.send("b")
        assert bench.sending() is IN_TURN

    @pytest.mark.parametrize("options", [{"is_client": True}, {"is_client": True, "min_size": 0}])
    def test_a_clients_are_masked_but_for_a_fragmented_one(self, options: Any) -> None:
        bench = Bench(**options)
        assert bench.sending() is MASKED
        bench.outbox.leave(FakeRoom(bench))
        bench.send("a", final=False)
        assert bench.sending() is COMPOSED
        bench.send("b")
        bench.send("c")
        assert bench.sending() is MASKED

    def test_with_compression_they_are_deflated_but_for_a_fragmented_one(self) -> None:
        bench = Bench(min_size=0)
        assert bench.sending() is DEFLATED
        bench.outbox.leave(FakeRoom(bench))
        bench.send("a", final=False)
        assert bench.sending() is COMPOSED
        bench.send("b")
        bench.send("c")
        assert bench.sending() is DEFLATED
        bench.transport.stall()
        bench.send("d", "sent")
        assert bench.sending() is DEFLATED

    @pytest.mark.parametrize("state", [PLAIN, IN_TURN, DEFLATED, MASKED, COMPOSED])
    @pytest.mark.parametrize("end", ["close", "shut", "end"])
    def test_from_every_state_the_end_leads_to_closed_and_nothing_out_of_it(self, state: Sending, end: str) -> None:
        bench = Bench(min_size=0 if state is DEFLATED else None, is_client=state is MASKED)
        if state is IN_TURN:
            FakeRoom(bench)
        elif state is COMPOSED:
            bench.send("begun", final=False)
        assert bench.sending() is state
        sent = bench.frames()
        if end == "close":
            bench.close()
            sent.append(closing(1000))
        elif end == "shut":
            bench.outbox.shut()
        else:
            bench.outbox.end(ConnectionClosed(1006))
        assert (bench.sending(), bench.outbox.is_open) == (CLOSED, False)
        assert (bench.outbox.build_text, bench.outbox.build_binary) == (None, None)
        bench.outbox.leave(FakeRoom(bench))
        if state is not COMPOSED:
            bench.send("begun", final=False)
        bench.send("never")
        bench.outbox.send_control(OpcodeType.PING, b"")
        assert bench.sending() is CLOSED
        assert bench.frames() == sent

    @pytest.mark.parametrize("is_client", [False, True])
    def test_they_are_built_at_once_unless_something_is_in_their_way(self, is_client: bool) -> None:
        bench = Bench(is_client=is_client)

        def is_free() -> bool:
            assert (bench.outbox.build_text is None) is (bench.outbox.build_binary is None)
            return bench.outbox.build_text is not None

        assert is_free()
        room = FakeRoom(bench)
        assert not is_free()  # the room may hold something that comes first
        bench.outbox.leave(room)
        assert is_free()
        bench.send("a", final=False)
        assert not is_free()
        bench.send("b")
        assert is_free()
        bench.transport.stall()
        bench.send("x" * HIGH_WATER, "sent")
        assert not is_free()  # a later completion must not overtake this one
        bench.transport.drain()
        assert is_free()


class TestMessages:
    @pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
    @pytest.mark.parametrize("is_plain", [True, False])
    def test_a_message_of_any_size_is_one_frame(self, size: int, is_plain: bool) -> None:
        bench = Bench()
        if not is_plain:
            FakeRoom(bench)
        bench.send("x" * size)
        bench.send(bytes(size))
        assert bench.frames() == [frame("x" * size), frame(bytes(size))]

    def test_a_text_may_be_sent_the_long_way_where_the_short_one_is_open(self) -> None:
        bench = Bench()
        bench.outbox.send_text("from another thread", True, bench.completion("sent"))
        assert bench.frames() == [frame("from another thread")]
        assert bench.run() == ["sent"]

    @pytest.mark.parametrize(("opcode", "wire"), [(OpcodeType.PING, PING), (OpcodeType.PONG, PONG)])
    def test_a_ping_or_a_pong_has_a_payload_and_a_completion(self, opcode: OpcodeType, wire: int) -> None:
        bench = Bench()
        bench.outbox.send_control(opcode, b"payload", bench.completion("sent"))
        bench.outbox.send_control(opcode, b"")
        assert bench.frames() == [Frame(wire, b"payload"), Frame(wire, b"")]
        assert bench.run() == ["sent"]

    def test_the_close_frame_is_the_last_of_all(self) -> None:
        bench = Bench()
        bench.send("x")
        bench.outbox.close(build_close_payload(4001, "bye"))
        bench.send("too late")
        assert bench.frames() == [frame("x"), closing(4001, "bye")]

    def test_the_close_frame_goes_out_though_the_write_buffer_is_full(self) -> None:
        bench = Bench(max_write_buffer=10)
        bench.transport.stall(10)
        bench.outbox.close(b"")
        assert bench.frames() == [Frame(CLOSE, b"")]
        assert bench.connection.asked == []


class TestFragments:
    @pytest.mark.parametrize("is_text", [True, False])
    def test_after_the_first_the_opcode_is_continuation(self, is_text: bool) -> None:
        bench = Bench()
        for message, final in (("a", False), ("b", False), ("", True), ("whole", True)):
            bench.send(message if is_text else message.encode(), final=final)
        opcode = TEXT if is_text else BINARY
        assert bench.frames() == [
            Frame(opcode, b"a", fin=False),
            Frame(CONTINUATION, b"b", fin=False),
            Frame(CONTINUATION, b"", fin=True),
            Frame(opcode, b"whole"),
        ]

    def test_a_ping_in_the_middle_keeps_its_opcode_and_the_message_its_place(self) -> None:
        bench = Bench()
        bench.send("a", final=False)
        bench.outbox.send_control(OpcodeType.PING, b"!")
        bench.send("b")
        assert bench.frames() == [Frame(TEXT, b"a", fin=False), Frame(PING, b"!"), Frame(CONTINUATION, b"b")]

    @pytest.mark.parametrize(("begun", "other"), [("text", b"binary"), (b"binary", "text")])
    @pytest.mark.parametrize("final", [True, False])
    def test_a_message_of_the_other_kind_cannot_be_sent_inside_one(
        self, begun: str | bytes, other: str | bytes, final: bool
    ) -> None:
        bench = Bench()
        bench.send(begun, final=False)
        with pytest.raises(LocalProtocolError, match=r"a fragmented (TEXT|BINARY) message is under way"):
            bench.send(other, "never", final=final)
        bench.send(begun)
        assert len(bench.frames()) == 2
        assert bench.run() == []

    @pytest.mark.parametrize("opcode", [TEXT, BINARY])
    def test_a_raw_frame_must_fit_the_message_under_way(self, opcode: OpcodeType) -> None:
        bench = Bench()
        with pytest.raises(LocalProtocolError, match="nothing to continue"):
            bench.outbox.send_fragment(CONTINUATION, b"x", True, None)
        bench.outbox.send_fragment(opcode, b"a", False, None)
        with pytest.raises(LocalProtocolError, match="its next frame is a CONTINUATION"):
            bench.outbox.send_fragment(opcode, b"x", True, None)
        bench.outbox.send_fragment(CONTINUATION, b"b", False, None)
        bench.outbox.send_fragment(CONTINUATION, b"c", True, bench.completion("sent"))
        bench.outbox.send_fragment(opcode, b"d", True, None)
        assert bench.frames() == [
            Frame(opcode, b"a", fin=False),
            Frame(CONTINUATION, b"b", fin=False),
            Frame(CONTINUATION, b"c"),
            Frame(opcode, b"d"),
        ]
        assert bench.run() == ["sent"]


class TestCompletions:
    """Law 6: a completion means that the write buffer has room."""

    @pytest.mark.parametrize("message", ["x", b"x"])
    def test_below_the_mark_one_is_queued_at_once_and_not_called(self, message: str | bytes) -> None:
        bench = Bench()
        bench.send(message, "sent")
        assert (bench.called, bench.outbox.has_waiting) == ([], False)
        assert bench.run() == ["sent"]

    def test_it_belongs_to_the_connection(self) -> None:
        bench = Bench()
        owners: list[CallbackOwner] = []
        error = ZeroDivisionError()

        def fail() -> None:
            raise error

        bench.send("x", fail)
        bench.send(b"x", fail)
        owners += [owner for owner, _ in bench.loop.ready]
        bench.run()
        assert owners == [bench.connection] * 2
        assert bench.connection.failures == [error] * 2

    @pytest.mark.parametrize("is_idle", [True, False])
    def test_a_loop_that_sleeps_is_woken_for_it(self, is_idle: bool) -> None:
        bench = Bench()
        bench.loop.idle = is_idle
        bench.send("x", "sent")
        assert not bench.loop.idle
        assert bench.run() == ["sent"]

    @pytest.mark.parametrize("message", ["x", b"x"])
    def test_at_the_mark_one_waits_until_the_transport_has_room(self, message: str | bytes) -> None:
        bench = Bench()
        bench.transport.stall(HIGH_WATER - 2 * len(shared(message)) + 1)
        bench.send(message, "just below")
        assert not bench.outbox.has_waiting
        bench.send(message, "at the mark")
        assert bench.transport.buffered_amount == HIGH_WATER + 1
        assert bench.outbox.has_waiting
        assert bench.run() == ["just below"]
        bench.transport.drain()
        assert not bench.outbox.has_waiting
        assert bench.run() == ["just below", "at the mark"]

    def test_exactly_at_the_mark_one_waits(self) -> None:
        for amount, waits in ((HIGH_WATER - 1, False), (HIGH_WATER, True)):
            for message in ("x", b"x"):
                bench = Bench()
                bench.transport.stall(amount - len(shared(message)))
                bench.send(message, "sent")
                assert bench.outbox.has_waiting is waits

    def test_those_that_wait_are_called_in_order_together_with_later_ones(self) -> None:
        bench = Bench()
        bench.transport.stall()
        bench.send("x", "1")
        bench.send(b"x", "2")
        bench.transport.buffered_amount = 0  # the transport is about to say so
        bench.send("x", "3")
        assert bench.run() == []
        bench.outbox.resume()
        bench.send("x", "4")
        assert bench.run() == ["1", "2", "3", "4"]

    def test_a_message_without_one_leaves_nothing_to_wait_for(self) -> None:
        bench = Bench()
        bench.transport.stall()
        bench.send("x")
        bench.send(b"x")
        assert not bench.outbox.has_waiting
        bench.transport.drain()
        assert not bench.loop.has_ready

    def test_a_promise_is_fulfilled_as_a_completion_is_called(self) -> None:
        bench = Bench()
        below, above = bench.promise(), bench.promise()
        bench.send(b"x", below)
        bench.transport.stall()
        bench.send(b"x", above)
        assert (below.future_result.is_done, above.future_result.is_done) == (True, False)
        bench.transport.drain()
        assert below.future_result.wait() is above.future_result.wait() is None

    def test_the_end_calls_those_that_wait_and_fails_their_promises(self) -> None:
        bench = Bench()
        promise = bench.promise()
        bench.transport.stall()
        bench.send("x", "1")
        bench.send(b"x", promise)
        bench.send("x", "2")
        bench.outbox.end(ConnectionClosed(1006, "the cable"))
        assert not bench.outbox.has_waiting
        assert bench.run() == ["1", "2"]
        assert failure(promise).reason == "the cable"

    @pytest.mark.parametrize("message", ["x", b"x"])
    def test_on_a_closed_socket_one_is_called_all_the_same(self, message: str | bytes) -> None:
        bench = Bench()
        bench.close()
        bench.send(message)
        bench.send(message, "sent")
        assert bench.called == []
        assert bench.run() == ["sent"]

    def test_on_a_closed_socket_that_of_a_ping_is_called_too(self) -> None:
        bench = Bench()
        bench.close()
        bench.outbox.send_control(OpcodeType.PING, b"", bench.completion("sent"))
        assert bench.frames() == [closing(1000)]
        assert bench.run() == ["sent"]

    def test_on_a_closed_socket_a_promise_fails(self) -> None:
        bench = Bench()
        bench.connection.close_code = 4001
        bench.close()
        promise = bench.promise()
        bench.send(b"x", promise)
        assert failure(promise).code == 4001

    def test_on_a_closed_socket_both_come_behind_those_that_wait(self) -> None:
        bench = Bench()
        bench.transport.stall()
        accepted, refused = bench.promise(), bench.promise()
        bench.send("x", "1")
        bench.send(b"x", accepted)
        bench.close()
        bench.send("x", "2")
        bench.send(b"x", refused)
        assert bench.run() == []
        assert not refused.future_result.is_done
        bench.transport.drain()
        assert bench.run() == ["1", "2"]
        assert accepted.future_result.wait() is None
        assert failure(refused).code == 1006

    def test_when_all_is_over_what_stands_for_the_connection_is_asked(self) -> None:
        bench = Bench()
        bench.outbox.end(ConnectionClosed(1006))
        ended = FakeConnection()
        ended.close_code = 4001
        bench.outbox.outlive(ended)
        promise = bench.promise()
        bench.send("x", "called")
        bench.send(b"x", promise)
        assert [owner for owner, _ in bench.loop.ready] == [ended]
        assert bench.run() == ["called"]
        assert failure(promise).code == 4001

    def test_a_callback_may_wait_for_room_alone(self) -> None:
        bench = Bench()
        bench.outbox.call_when_drained(bench.completion("room"))
        assert bench.called == []
        assert bench.run() == ["room"]
        bench.transport.stall(HIGH_WATER - 1)
        bench.outbox.call_when_drained(bench.completion("room below the mark"))
        assert bench.run() == ["room", "room below the mark"]
        bench.transport.stall(1)
        bench.outbox.call_when_drained(bench.completion("room again"))
        bench.transport.buffered_amount = 0
        bench.outbox.call_when_drained(bench.completion("behind it"))
        assert (bench.run()[2:], bench.sending()) == ([], IN_TURN)
        bench.outbox.resume()
        assert bench.run()[2:] == ["room again", "behind it"]


class TestOverflow:
    """Law 6: a sender that does not wait is cut off."""

    FULL = closing(1013, "the write buffer is full")

    @pytest.mark.parametrize("message", ["x", b"x"])
    def test_past_max_write_buffer_what_is_unsent_is_discarded_and_the_socket_closed(
        self, message: str | bytes
    ) -> None:
        size = len(shared(message))
        bench = Bench(max_write_buffer=3 * size)
        bench.send("has arrived")
        bench.transport.stall(size)
        bench.transport.stall(1)
        bench.send(message)
        bench.send(message)  # what is more than may wait found no full buffer
        assert bench.connection.asked == []
        bench.send(message)
        assert bench.connection.asked == [("close", 1013, "the write buffer is full")]
        assert bench.frames() == [frame("has arrived"), frame(message), frame(message), self.FULL]
        assert bench.sending() is CLOSED

    @pytest.mark.parametrize("max_write_buffer", [HIGH_WATER // 2, 2 * HIGH_WATER])
    def test_its_completions_are_called_and_its_promises_fail(self, max_write_buffer: int) -> None:
        bench = Bench(max_write_buffer=max_write_buffer)
        last = bench.promise()
        bench.transport.stall(max_write_buffer)
        bench.send("x", "1")
        if max_write_buffer < HIGH_WATER:
            assert bench.connection.asked == []
            bench.send("x")
        assert bench.connection.count("close") == 1
        bench.send(b"x", last)
        assert bench.run() == ["1"]
        assert failure(last).code == 1013
        assert not bench.outbox.has_waiting

    def test_below_the_high_water_mark_too_the_completion_of_the_last_is_called(self) -> None:
        bench = Bench(max_write_buffer=10)
        bench.transport.stall(11)
        bench.send("x", "too much")
        assert bench.run() == ["too much"]
        assert bench.frames() == [self.FULL]

    def test_one_message_goes_out_whole_however_large_it_is_and_only_what_is_sent_beside_it_is_cut_off(self) -> None:
        bench = Bench(max_write_buffer=HIGH_WATER)
        bench.transport.stall(HIGH_WATER - 1)
        promise = bench.promise()
        bench.send("x" * 3 * HIGH_WATER, promise)
        assert bench.connection.asked == []
        bench.send("y")
        assert bench.frames() == [frame("x" * 3 * HIGH_WATER), self.FULL]
        assert failure(promise).code == 1013

    def test_so_does_one_of_a_room_but_not_a_burst(self) -> None:
        for count, is_borne in ((1, True), (2, False)):
            bench = Bench(max_write_buffer=HIGH_WATER)
            room = FakeRoom(bench)
            bench.transport.stall(10)
            assert bench.outbox.would_overflow(HIGH_WATER, count) is not is_borne
            for _ in range(count):
                room.say("x" * (HIGH_WATER // count))
            room.end_turn()
            assert (bench.connection.asked == []) is is_borne

    @pytest.mark.parametrize("is_shared", [True, False])
    @pytest.mark.parametrize("more", [0, 1])
    def test_above_the_high_water_mark_all_is_sent_up_to_max_write_buffer(self, is_shared: bool, more: int) -> None:
        bench = Bench(max_write_buffer=2 * HIGH_WATER)
        room = FakeRoom(bench)
        bench.transport.stall(2 * HIGH_WATER - len(shared("x")) + more)
        if is_shared:
            room.say("x")
            room.end_turn()
        else:
            bench.send("x")
        assert bench.frames() == [self.FULL if more else frame("x")]

    def test_a_completion_that_waits_above_a_small_max_write_buffer_is_called_once_there_is_room(self) -> None:
        bench = Bench(max_write_buffer=10)
        drained = []
        bench.transport.stall(0)
        bench.send(bytes(100), "sent")
        bench.outbox.call_when_drained(lambda: drained.append(1))
        assert (bench.run(), drained, bench.outbox.has_room) == ([], [], False)
        bench.transport.drain()
        assert (bench.run(), drained, bench.outbox.has_room) == (["sent"], [1], True)

    def test_up_to_max_write_buffer_a_completion_below_the_mark_does_not_wait(self) -> None:
        bench = Bench(max_write_buffer=10)
        bench.transport.stall(7)
        bench.send("x", "just enough")
        assert bench.run() == ["just enough"]
        assert bench.connection.asked == []

    def test_what_a_room_sends_overflows_too(self) -> None:
        bench = Bench(max_write_buffer=10)
        room = FakeRoom(bench)
        bench.transport.stall(5)
        room.say("x")
        room.end_turn()
        room.say("y")
        room.end_turn()
        assert bench.connection.asked == []
        room.say("z")
        room.end_turn()
        assert bench.frames() == [frame("x"), frame("y"), self.FULL]
        assert room.forgotten == 1

    def test_what_a_room_may_not_send_inside_a_fragmented_message_overflows_too(self) -> None:
        bench = Bench(max_write_buffer=11)
        room = FakeRoom(bench)
        bench.transport.stall(0)
        bench.send("a", final=False)
        for _ in range(2):
            room.say("x")
            room.end_turn()
        assert bench.outbox.would_overflow(3, 2)
        assert not bench.outbox.would_overflow(2, 2)
        room.say("")
        room.end_turn()
        assert bench.connection.asked == []
        room.say("")
        room.end_turn()
        assert bench.frames() == [self.FULL]
        bench.transport.drain()
        assert not bench.outbox.would_overflow(11, 2)

    @pytest.mark.parametrize("options", [{}, {"min_size": 0}])
    def test_nothing_but_the_close_frame_follows_what_was_discarded(self, options: Any) -> None:
        bench = Bench(max_write_buffer=200, **options)
        rooms = FakeRoom(bench), FakeRoom(bench)
        bench.transport.stall(250)
        message = bytes(at * 37 % 251 for at in range(100))
        for room in rooms:
            room.say(message)  # compressed, the second refers to the first, which the peer never gets
        rooms[0].end_turn()
        assert bench.frames() == [self.FULL]

    def test_whether_more_would_overflow_can_be_asked(self) -> None:
        bench = Bench(max_write_buffer=10)
        bench.transport.stall(4)
        assert not bench.outbox.would_overflow(6, 2)
        assert bench.outbox.would_overflow(7, 2)
        assert not bench.outbox.would_overflow(7, 1)
        bench.transport.stall(7)
        assert bench.outbox.would_overflow(1, 1)


class TestOurOwnControlFrames:
    """Law 6: nobody is cut off for a ping or a pong that he has not sent."""

    @pytest.mark.parametrize("waiting", [0, HIGH_WATER, 2 * HIGH_WATER - 200])
    def test_they_go_out_at_once_where_the_write_buffer_can_hold_them(self, waiting: int) -> None:
        bench = Bench(max_write_buffer=2 * HIGH_WATER)
        bench.transport.stall(waiting)
        bench.outbox.send_own_control(OpcodeType.PING, b"are you there?")
        assert bench.frames() == [Frame(PING, b"are you there?")]
        assert not bench.outbox.has_waiting

    @pytest.mark.parametrize("max_write_buffer", [10, 2 * HIGH_WATER])
    def test_else_the_last_of_each_kind_does_once_there_is_room(self, max_write_buffer: int) -> None:
        bench = Bench(max_write_buffer=max_write_buffer)
        bench.transport.stall(0)
        bench.send(bytes(3 * HIGH_WATER), "sent")
        for payload in (b"1", b"2", b"3"):
            bench.outbox.send_own_control(OpcodeType.PONG, payload)
            bench.outbox.send_own_control(OpcodeType.PING, payload)
        assert len(bench.frames()) == 1
        bench.transport.drain()
        assert bench.frames()[1:] == [Frame(PONG, b"3"), Frame(PING, b"3")]
        assert bench.run() == ["sent"]
        assert bench.connection.asked == []
        assert not bench.outbox.has_waiting

    def test_none_goes_out_where_all_has_ended_meanwhile(self) -> None:
        ends: list[Callable[[Bench], object]] = [
            Bench.close,
            lambda bench: bench.outbox.end(ConnectionClosed(1006, "")),
        ]
        for end in ends:
            bench = Bench(max_write_buffer=HIGH_WATER)
            bench.transport.stall(0)
            bench.send(bytes(3 * HIGH_WATER))
            bench.outbox.send_own_control(OpcodeType.PONG, b"1")
            end(bench)
            bench.outbox.send_own_control(OpcodeType.PONG, b"2")
            bench.transport.drain()
            assert PONG not in [frame.opcode for frame in bench.frames()]
            assert not bench.outbox.has_waiting


class TestRooms:
    def test_at_the_end_of_a_turn_a_room_sends_all_at_once(self) -> None:
        bench = Bench()
        room = FakeRoom(bench)
        room.say("a", b"b")
        assert bench.frames() == []
        room.end_turn()
        assert bench.frames() == [frame("a"), frame(b"b")]
        assert bench.transport.at_once == [shared("a") + shared(b"b")]

    @pytest.mark.parametrize(
        "send",
        [
            lambda bench: bench.send("own"),
            lambda bench: bench.send(b"own"),
            lambda bench: bench.send("own", final=False),
            lambda bench: bench.outbox.send_control(OpcodeType.PING, b"own"),
            lambda bench: bench.close(),
        ],
        ids=["text", "binary", "fragment", "ping", "close"],
    )
    def test_what_it_holds_goes_out_before_anything_of_the_sockets_own(self, send: Callable[[Bench], None]) -> None:
        bench = Bench()
        rooms = FakeRoom(bench), FakeRoom(bench)
        rooms[1].say("b")
        rooms[0].say("a")
        send(bench)
        assert bench.frames()[:2] == [frame("a"), frame("b")]
        assert len(bench.frames()) == 3
        assert (rooms[0].pending, rooms[1].pending) == ([], [])

    def test_a_room_that_was_left_holds_nothing_back(self) -> None:
        bench = Bench()
        left, stayed = FakeRoom(bench), FakeRoom(bench)
        bench.outbox.leave(left)
        left.say("not sent")
        stayed.say("sent")
        bench.send("own")
        assert bench.frames() == [frame("sent"), frame("own")]

    def test_a_room_is_told_once_that_the_socket_sends_no_more(self) -> None:
        bench = Bench()
        rooms = FakeRoom(bench), FakeRoom(bench)
        bench.close()
        bench.outbox.shut()
        bench.outbox.end(ConnectionClosed(1006))
        assert (rooms[0].forgotten, rooms[1].forgotten) == (1, 1)

    def test_what_a_room_says_to_a_closed_socket_is_lost_and_no_error(self) -> None:
        bench = Bench()
        bench.outbox.shut()
        bench.outbox.write_whole(shared("x"))
        assert bench.frames() == []

    def test_inside_a_fragmented_message_a_rooms_messages_wait_for_its_end(self) -> None:
        bench = Bench()
        room = FakeRoom(bench)
        bench.send("a", final=False)
        room.say("1", b"2")
        room.end_turn()
        room.say("3")
        bench.send("b", final=False)
        room.say("4")
        bench.send("c")
        assert bench.messages() == ["abc", "1", b"2", "3", "4"]
        assert bench.sending() is IN_TURN

    def test_what_waits_for_it_counts_as_buffered_only_until_then(self) -> None:
        bench = Bench(max_write_buffer=100)
        room = FakeRoom(bench)
        bench.send("a", final=False)
        room.say("x" * 50)
        room.end_turn()
        assert bench.outbox.would_overflow(49, 2)
        bench.send("b")
        assert not bench.outbox.would_overflow(100, 2)

    def test_what_waits_for_it_is_lost_where_the_socket_closes_first(self) -> None:
        bench = Bench(max_write_buffer=100)
        room = FakeRoom(bench)
        bench.send("a", final=False)
        room.say("x")
        room.end_turn()
        bench.close()
        assert not bench.outbox.would_overflow(100, 2)
        bench.send("b", "sent")
        assert bench.frames() == [Frame(TEXT, b"a", fin=False), closing(1000)]
        assert bench.run() == ["sent"]

    def test_completions_that_wait_do_not_hold_a_rooms_messages_back(self) -> None:
        bench = Bench()
        room = FakeRoom(bench)
        bench.transport.stall()
        bench.send("own", "sent")
        room.say("x")
        room.end_turn()
        assert bench.frames() == [frame("own"), frame("x")]

    @pytest.mark.parametrize("options", [{"is_client": True}, {"is_client": True, "min_size": 0}])
    @pytest.mark.parametrize("message", ["ü", b"\xff"])
    def test_a_member_that_masks_gets_a_frame_of_its_own(self, options: Any, message: str | bytes) -> None:
        bench = Bench(**options)
        room = FakeRoom(bench)
        room.say(message)
        room.end_turn()
        assert bench.transport.at_once == []
        assert bench.frames()[0].rsv1 is ("min_size" in options)
        assert bench.messages() == [message]

    @pytest.mark.parametrize("waits", [False, True])
    def test_a_member_that_compresses_is_given_the_very_frame_that_was_built_for_all(self, waits: bool) -> None:
        bench = Bench(min_size=0)
        built = shared("x" * 100, bench.outbox.compression)
        if waits:
            bench.send("a", final=False)
            bench.outbox.write_whole(built)
            bench.send("b")
        else:
            bench.outbox.write_shared_deflated(built, 1, object())
        assert any(data is built for data in bench.transport.written)

    @pytest.mark.parametrize("between", [["from the room"], ["from the room", "again"], []])
    def test_what_came_before_a_rooms_compressed_message_is_referred_to_no_more(self, between: list[str]) -> None:
        bench = Bench(min_size=5)
        room = FakeRoom(bench)
        own = "".join(map(chr, range(33, 127)))
        bench.send(own)
        room.say(*between, "tiny")  # the last is not compressed: the peer's window stays as it is
        room.end_turn()
        before = len(bench.transport.sent)
        bench.send(own)
        refers = len(bench.transport.sent) - before < len(own) / 2
        assert refers is not bool(between)
        assert bench.messages() == [own, *between, "tiny", own]

    def test_it_is_told_whether_anything_was_compressed_since_a_room_did(self) -> None:
        bench = Bench(min_size=5)
        context = object()
        assert not bench.outbox.is_in(context)
        bench.outbox.write_shared_deflated(shared("a room's", bench.outbox.compression), 1, context)
        assert bench.outbox.is_in(context)
        bench.send("tiny")
        assert bench.outbox.is_in(context)
        bench.send("no longer tiny")
        assert not bench.outbox.is_in(context)
        assert not Bench().outbox.is_in(context)

    @pytest.mark.parametrize("takes_over", [False, True])
    def test_how_it_compresses_is_as_agreed_for_its_own_direction(self, takes_over: bool) -> None:
        assert Bench().outbox.compression is None
        options = DeflateOptions(level=3, window_bits=11, context_takeover=takes_over, min_size=7)
        offer = "permessage-deflate; server_max_window_bits=10; client_max_window_bits=9"
        agreed = answer_offers([offer], options)
        assert agreed is not None
        bench = Bench()
        for is_client, bits in ((False, 10), (True, 9)):
            outbox = Outbox(bench.connection, bench.loop, bench.transport, MIB, is_client, agreed[1])
            assert outbox.compression == Compression(3, 7, bits, takes_over)

    @pytest.mark.parametrize("options", [{"is_client": True}, {"min_size": 0}])
    def test_such_a_member_too_gets_what_waited_for_the_end_of_a_fragmented_message(self, options: Any) -> None:
        bench = Bench(**options)
        room = FakeRoom(bench)
        bench.send("a", final=False)
        room.say("x", b"y")
        room.end_turn()
        bench.send("b")
        assert bench.messages() == ["ab", "x", b"y"]


class TestMasks:
    """RFC 6455 §5.3: a client masks every frame with a fresh key."""

    def test_every_frame_of_a_client_is_masked(self) -> None:
        bench = Bench(is_client=True)
        bench.send("whole")
        bench.send("a", final=False)
        bench.send("b")
        bench.outbox.send_control(OpcodeType.PONG, b"pong")
        bench.outbox.write_whole(shared(b"room"))
        bench.close(4001)
        assert bench.frames() == [
            frame("whole"),
            Frame(TEXT, b"a", fin=False),
            Frame(CONTINUATION, b"b"),
            Frame(PONG, b"pong"),
            frame(b"room"),
            closing(4001),
        ]

    def test_each_with_a_key_of_its_own(self) -> None:
        bench = Bench(is_client=True)
        for _ in range(10):
            bench.send("same")
        sent, size = bytes(bench.transport.sent), 10
        assert len({sent[at + 2 : at + 6] for at in range(0, len(sent), size)}) > 1


class TestCompression:
    """RFC 7692 §6: RSV1 marks the first frame of a compressed message, and no other frame."""

    def test_a_message_is_compressed_and_marked(self) -> None:
        bench = Bench(min_size=64)
        bench.send("x" * 64)
        assert [(frame.opcode, frame.rsv1) for frame in bench.frames()] == [(TEXT, True)]
        assert len(bench.transport.sent) < 20
        assert bench.messages() == ["x" * 64]

    def test_a_short_one_is_sent_as_it_is(self) -> None:
        bench = Bench(min_size=64)
        bench.send("x" * 63)
        assert bench.frames() == [frame("x" * 63)]

    def test_a_fragmented_one_is_compressed_however_short_it_is_and_its_first_frame_marked(self) -> None:
        bench = Bench(min_size=64)
        bench.send(b"a", final=False)
        bench.send(b"b", final=False)
        bench.send(b"c")
        assert [frame.rsv1 for frame in bench.frames()] == [True, False, False]
        assert bench.messages() == [b"abc"]

    def test_behind_a_short_message_one_is_compressed_and_the_other_way_round(self) -> None:
        bench = Bench(min_size=3)
        for message in ("long", "x", "long", "y"):
            bench.send(message)
        assert [frame.rsv1 for frame in bench.frames()] == [True, False, True, False]
        assert bench.messages() == ["long", "x", "long", "y"]

    @pytest.mark.parametrize("context_takeover", [True, False])
    def test_a_message_refers_to_the_one_before_where_that_was_agreed_on(self, context_takeover: bool) -> None:
        bench = Bench(min_size=0, context_takeover=context_takeover)
        message = bytes(at * 37 % 251 for at in range(200))
        bench.send(message)
        first = len(bench.transport.sent)
        bench.send(message)
        assert (len(bench.transport.sent) - first < first // 2) is context_takeover
        assert bench.messages() == [message] * 2

    def test_pings_and_the_close_frame_are_not_compressed(self) -> None:
        bench = Bench(min_size=0)
        bench.send("a", final=False)
        bench.outbox.send_control(OpcodeType.PING, b"x" * 100)
        bench.send("b")
        bench.close()
        assert [frame.rsv1 for frame in bench.frames()] == [True, False, False, False]
        assert bench.messages() == ["ab"]

    def test_what_a_room_holds_is_compressed_ahead_of_what_is_sent_behind_it(self) -> None:
        bench = Bench(min_size=0)
        room = FakeRoom(bench)
        room.say("room", b"room")
        bench.send("own")
        assert bench.messages() == ["room", b"room", "own"]

    def test_a_client_compresses_and_masks(self) -> None:
        bench = Bench(min_size=0, is_client=True)
        bench.send("x")
        assert bench.frames()[0].rsv1
        assert bench.messages() == ["x"]

    def test_a_closed_socket_compresses_nothing(self) -> None:
        bench = Bench()
        deflate = agreed_deflate(0)
        outbox = Outbox(bench.connection, bench.loop, bench.transport, MIB, False, deflate)
        outbox.shut()
        outbox.send_text("x", True, None)
        outbox.write_whole(shared("x"))
        assert outbox._deflater is not None
        assert outbox._deflater._compressor is None


class TestAwaiting:
    def test_with_room_a_send_lets_other_tasks_run_and_goes_on(self) -> None:
        bench = Bench()
        bench.transport.stall(HIGH_WATER - 1)
        task = bench.loop.start(bench.outbox.wait_until_drained())
        assert task.is_asleep
        bench.run()
        assert task.result() is None

    def test_without_room_it_waits(self) -> None:
        bench = Bench()
        bench.transport.stall(HIGH_WATER)
        task = bench.loop.start(bench.outbox.wait_until_drained())
        bench.run()
        assert (task.is_asleep, bench.outbox.has_waiting) == (True, True)
        bench.transport.drain()
        bench.run()
        assert task.result() is None

    def test_behind_completions_that_wait_it_waits_for_its_turn(self) -> None:
        bench = Bench()
        bench.transport.stall()
        bench.send("x", "sent")
        bench.transport.buffered_amount = 0
        task = bench.loop.start(bench.outbox.wait_until_drained())
        bench.run()
        assert task.is_asleep
        bench.outbox.resume()
        assert bench.run() == ["sent"]
        assert task.result() is None

    def test_what_a_send_returns_can_be_awaited_again_and_again(self) -> None:
        bench = Bench()

        async def send() -> str:
            await bench.outbox
            await bench.outbox
            return "sent"

        task = bench.loop.start(send())
        bench.run()
        assert task.result() == "sent"

    def test_the_end_raises_how_the_connection_closed(self) -> None:
        bench = Bench()
        bench.transport.stall()
        task = bench.loop.start(bench.outbox.wait_until_drained())
        bench.outbox.end(ConnectionClosed(4001, "bye"))
        bench.run()
        with pytest.raises(ConnectionClosed, match="bye"):
            task.result()

    @pytest.mark.parametrize("is_full", [True, False])
    def test_a_closed_socket_raises_it_once_other_tasks_have_run(self, is_full: bool) -> None:
        bench = Bench()
        bench.connection.close_code = 4001
        bench.transport.stall(HIGH_WATER if is_full else 0)
        bench.close()
        task = bench.loop.start(bench.outbox.wait_until_drained())
        assert (task.is_asleep, bench.outbox.has_waiting) == (True, False)
        bench.run()
        with pytest.raises(ConnectionClosed, match="4001"):
            task.result()

    def test_a_task_that_is_cancelled_is_not_resumed(self) -> None:
        bench = Bench()
        bench.transport.stall()
        task = bench.loop.start(bench.outbox.wait_until_drained())
        bench.send("x", "sent")
        task.cancel()
        bench.run()
        with pytest.raises(Cancelled):
            task.result()
        bench.transport.drain()
        assert bench.run() == ["sent"]
        assert bench.sending() is PLAIN


class Story(Bench):
    """What a socket, its room and its peer may do, in any order, and what the peer must have got in the end."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.room = FakeRoom(self)
        self.expected: list[str | bytes] = []
        self.completions: list[str] = []
        #: What the room has said and not sent, and what it may not send as a message is under way.
        self.pending: list[str | bytes] = []
        self.held: list[str | bytes] = []
        self.begun: list[str] = []
        self.numbers = 0

    def numbered(self, kind: str) -> str:
        self.numbers += 1
        return f"{kind} {self.numbers}"

    def own(self, message: str | bytes, final: bool) -> None:
        """Send something of the socket's own."""
        self.room_speaks_first()
        name = str(self.numbers)
        self.completions.append(name)
        self.send(message, name, final=final)

    def room_speaks_first(self) -> None:
        (self.held if self.begun else self.expected).extend(self.pending)
        self.pending = []

    def send_text(self) -> None:
        message = self.numbered("text")
        if self.begun:
            self.begun.append(message)
        self.own(message, final=True)
        self.expected.append("".join(self.begun) or message)
        self.expected += self.held
        self.begun, self.held = [], []

    def send_binary(self) -> None:
        if not self.begun:
            message = self.numbered("binary").encode()
            self.own(message, final=True)
            self.expected.append(message)

    def send_fragment(self) -> None:
        message = self.numbered("fragment")
        self.own(message, final=False)
        self.begun.append(message)

    def send_ping(self) -> None:
        self.room_speaks_first()
        self.outbox.send_control(OpcodeType.PING, b"!")

    def room_says_something(self) -> None:
        message = self.numbered("room")
        self.room.say(message)
        self.pending.append(message)

    def end_turn(self) -> None:
        self.run()
        self.room_speaks_first()
        self.room.end_turn()

    def peer_stalls(self) -> None:
        if not self.transport.is_stalled:
            self.transport.stall()

    def peer_reads(self) -> None:
        self.transport.drain()

    def finish(self) -> None:
        """Send a last message, which ends the one under way."""
        self.send_text()
        self.end_turn()

    def check(self) -> None:
        assert self.run() == self.completions
        assert self.messages() == self.expected
        assert not self.outbox.has_waiting
        assert not self.connection.asked


EVENTS = [
    Story.send_text,
    Story.send_binary,
    Story.send_fragment,
    Story.send_ping,
    Story.room_says_something,
    Story.end_turn,
    Story.peer_stalls,
    Story.peer_reads,
]
OPTIONS: list[dict[str, Any]] = [{}, {"is_client": True}, {"min_size": 8}, {"is_client": True, "min_size": 8}]

stories = st.lists(st.sampled_from(EVENTS), max_size=30)


@settings(deadline=None)
@given(stories, st.sampled_from(OPTIONS))
def test_whatever_happens_messages_and_completions_keep_their_order(
    events: list[Callable[[Story], None]], options: dict[str, Any]
) -> None:
    story = Story(**options)
    for event in events:
        event(story)
    story.finish()
    story.peer_reads()
    story.check()


@settings(deadline=None)
@given(stories, st.sampled_from(OPTIONS), st.booleans())
def test_when_the_socket_closes_in_the_middle_each_completion_is_called_once_and_in_order(
    events: list[Callable[[Story], None]], options: dict[str, Any], is_lost: bool
) -> None:
    story = Story(**options)
    for event in events:
        event(story)
    if is_lost:
        story.outbox.end(ConnectionClosed(1006))
        assert not story.outbox.has_waiting
    else:
        story.room_speaks_first()
        story.close()
    sent = [*story.expected]
    story.finish()
    story.peer_reads()
    story.expected = sent
    story.check()
