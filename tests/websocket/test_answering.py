"""Law 12: what came before the peer's close, or before a broken rule, is delivered; what the session answers to it at
once goes out before our close frame, and nobody can put that off."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from perfectws import ConnectionClosed, HTTPRequest, Room, WebSocket
from perfectws.websocket.connection import WebSocketConnection
from perfectws.websocket.options import READ_AHEAD_FRAMES, WebSocketOptions

from .. import peer as wire
from ..calls import NOTHING, Calls, Reads
from ..conftest import PATIENCE, Connect, Session
from ..http.fakes import FakeTransport
from ..peer import Peer, close_payload, frame_bytes
from .fakes import TaskLoop

CLOSE_4001 = frame_bytes(wire.CLOSE, close_payload(4001, "bye"))
#: What ends a connection, and the code of our close frame.
ENDINGS = {
    "the peer's close frame": (CLOSE_4001, 4001),
    "a reserved bit": (frame_bytes(wire.TEXT, "x", rsv=0x20), 1002),
    "a reserved opcode": (frame_bytes(15, "x"), 1002),
    "a continuation of nothing": (frame_bytes(wire.CONTINUATION, "x"), 1002),
    "a close code that must not be sent": (frame_bytes(wire.CLOSE, close_payload(1006)), 1002),
    "bad text": (frame_bytes(wire.TEXT, b"\xff"), 1007),
    "bad text in a fragment": (frame_bytes(wire.TEXT, b"\xff", fin=False), 1007),
    "a frame that is too long": (frame_bytes(wire.BINARY, bytes(70_000))[:14], 1009),
    "too many control frames": (frame_bytes(wire.PONG) * 1001, 1008),
}
each_ending = pytest.mark.parametrize(("ending", "code"), ENDINGS.values(), ids=ENDINGS)


def read_and_send(request: HTTPRequest, socket: WebSocket) -> None:
    """Echo in Perfect's way: the next read is made in the completion."""

    def received(text: str | None, opcode: int, final: bool) -> None:
        if text is not None:
            socket.send_string_message(text, final, lambda: socket.read_string_message(received))

    socket.read_string_message(received)


def read_on_and_send(request: HTTPRequest, socket: WebSocket) -> None:
    def received(text: str | None, opcode: int, final: bool) -> None:
        if text is not None:
            socket.read_string_message(received)
            socket.send_string_message(text, final)

    socket.read_string_message(received)


def read_and_send_async(request: HTTPRequest, socket: WebSocket) -> None:
    async def received(text: str | None, opcode: int, final: bool) -> None:
        if text is not None:
            await socket.send_string_message(text, final)
            socket.read_string_message(received)

    socket.read_string_message(received)


async def await_and_send(request: HTTPRequest, socket: WebSocket) -> None:
    while True:
        message = await socket.read_string_message()
        await socket.send_string_message(message.data or "", message.final)


def take_messages(request: HTTPRequest, socket: WebSocket) -> None:
    socket.on_text(lambda socket, text: socket.send(text))


def take_messages_async(request: HTTPRequest, socket: WebSocket) -> None:
    @socket.on_text
    async def answer(socket: WebSocket, text: str) -> None:
        await trio.lowlevel.checkpoint()
        await socket.send_string_message(text)


ECHOES: list[Session] = [
    read_and_send,
    read_on_and_send,
    read_and_send_async,
    await_and_send,
    take_messages,
    take_messages_async,
]
each_echo = pytest.mark.parametrize("echo", ECHOES, ids=lambda echo: echo.__name__)


def texts(count: int) -> bytes:
    return b"".join(frame_bytes(wire.TEXT, str(number)) for number in range(count))


async def answers(peer: Peer) -> tuple[list[str], wire.Frame]:
    """Return what the peer gets before the close frame, and that."""
    got: list[str] = []
    while (frame := await peer.receive()).opcode != wire.CLOSE:
        got.append(frame.payload.decode())
    await peer.receive_eof()
    assert not peer.buffer
    return got, frame


class TestWhatIsAnsweredAtOnce:
    @each_echo
    @each_ending
    async def test_goes_out_before_our_close_frame(
        self, connect: Connect, echo: Session, ending: bytes, code: int
    ) -> None:
        peer = await connect(echo, max_frame_size=65_536)
        await peer.stream.send_all(texts(12) + ending)
        got, close = await answers(peer)
        assert got == [str(number) for number in range(12)]
        assert close.close_code == code

    @each_echo
    async def test_goes_out_when_it_all_came_behind_the_handshake(self, connect: Connect, echo: Session) -> None:
        peer = await connect(echo, more=texts(3) + CLOSE_4001)
        got, close = await answers(peer)
        assert (got, close.close_code) == (["0", "1", "2"], 4001)

    @each_echo
    async def test_goes_out_to_a_peer_that_ends_its_side_at_once(self, network_connect: Connect, echo: Session) -> None:
        peer = await network_connect(echo)
        await peer.stream.send_all(texts(3) + CLOSE_4001)
        if isinstance(peer.stream, trio.SocketStream):  # TLS cannot end one side only
            await peer.end()
        got, close = await answers(peer)
        assert (got, close.close_code) == (["0", "1", "2"], 4001)

    async def test_is_what_a_room_says_too(self, connect: Connect) -> None:
        room = Room()

        def session(request: HTTPRequest, socket: WebSocket) -> None:
            room.join(socket)
            socket.on_text(lambda socket, text: room.send_string_message(text))

        peer = await connect(session)
        await peer.stream.send_all(texts(2) + CLOSE_4001)
        assert (await answers(peer))[0] == ["0", "1"]
        assert len(room) == 0

    async def test_is_a_whole_chain_of_completions(self, connect: Connect) -> None:
        def session(request: HTTPRequest, socket: WebSocket) -> None:
            def count_down(number: int) -> None:
                if number:
                    socket.send_string_message(str(number), completion=lambda: count_down(number - 1))

            socket.on_text(lambda *_: count_down(40))

        peer = await connect(session)
        await peer.stream.send_all(texts(1) + CLOSE_4001)
        assert (await answers(peer))[0] == [str(number) for number in range(40, 0, -1)]

    async def test_goes_out_whole_above_the_high_water(self, connect: Connect) -> None:
        peer = await connect(lambda _, socket: socket.on_text(lambda *_: socket.send_binary_message(bytes(1_000_000))))
        await peer.stream.send_all(texts(3) + CLOSE_4001)
        sizes = []
        while (frame := await peer.receive()).opcode != wire.CLOSE:
            sizes.append(len(frame.payload))
        assert sizes == [1_000_000] * 3


class TestOurCloseFrameWaitsForNobody:
    """``close_timeout`` is longer than the test waits: no deadline may be what lets it out."""

    @staticmethod
    async def close_code(connect: Connect, session: Session, count: int = 3, **options: Any) -> int | None:
        peer = await connect(session, close_timeout=10 * PATIENCE, ping_interval=None, **options)
        await peer.stream.send_all(texts(count) + CLOSE_4001)
        return (await peer.receive_close()).close_code

    async def test_not_for_frames_that_nobody_reads(self, memory_connect: Connect) -> None:
        assert await self.close_code(memory_connect, lambda *_: None) == 4001

    async def test_not_for_a_session_that_reads_once(self, memory_connect: Connect) -> None:
        read = Calls()
        assert await self.close_code(memory_connect, lambda _, socket: socket.read_string_message(read)) == 4001
        assert read.got == [("0", 1, True)]

    async def test_not_for_a_handler_that_waits(self, memory_connect: Connect) -> None:
        def session(request: HTTPRequest, socket: WebSocket) -> None:
            @socket.on_text
            async def answer(socket: WebSocket, text: str) -> None:
                await trio.sleep_forever()

        assert await self.close_code(memory_connect, session) == 4001

    async def test_not_for_a_session_that_has_not_begun(self, memory_connect: Connect) -> None:
        async def session(request: HTTPRequest, socket: WebSocket) -> None:
            await trio.sleep_forever()

        assert await self.close_code(memory_connect, session) == 4001

    async def test_not_for_answers_that_never_end(self, memory_connect: Connect) -> None:
        sent = 0

        def session(request: HTTPRequest, socket: WebSocket) -> None:
            def send_on() -> None:
                nonlocal sent
                sent += 1
                if socket._connection.outbox.is_open:
                    socket.send_string_message("and on", completion=send_on)

            socket.on_text(lambda *_: send_on())

        assert await self.close_code(memory_connect, session) == 4001
        assert sent > 10

    async def test_not_for_tasks_that_never_end(self, memory_connect: Connect) -> None:
        def session(request: HTTPRequest, socket: WebSocket) -> None:
            @socket.on_text
            async def answer(socket: WebSocket, text: str) -> None:
                while socket._connection.outbox.is_open:
                    socket.send("and on")
                    await trio.lowlevel.checkpoint()

        assert await self.close_code(memory_connect, session) == 4001

    async def test_not_for_an_answer_that_overflows_the_write_buffer(self, memory_connect: Connect) -> None:
        def session(request: HTTPRequest, socket: WebSocket) -> None:
            socket.on_text(lambda *_: [socket.send_binary_message(bytes(50_000)) for _ in range(100)])

        assert await self.close_code(memory_connect, session, max_write_buffer=100_000) == 4001

    async def test_not_for_what_a_room_says_past_the_write_buffer(self, memory_connect: Connect) -> None:
        def session(request: HTTPRequest, socket: WebSocket) -> None:
            room = Room()
            room.join(socket)

            def say_much(socket: WebSocket, text: str) -> None:
                for _ in range(100):
                    room.send_binary_message(bytes(50_000))

            socket.on_text(say_much)

        assert await self.close_code(memory_connect, session, max_write_buffer=100_000) == 4001

    async def test_not_when_the_session_closes(self, memory_connect: Connect) -> None:
        def session(request: HTTPRequest, socket: WebSocket) -> None:
            def answer(socket: WebSocket, text: str) -> None:
                socket.send(text)
                socket.close(1000)
                socket.send("late")

            socket.on_text(answer)

        peer = await memory_connect(session)
        await peer.stream.send_all(texts(3) + CLOSE_4001)
        assert [(await peer.receive()).opcode for _ in range(2)] == [wire.TEXT, wire.CLOSE]

    async def test_not_when_the_session_fails(self, memory_connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
        def session(request: HTTPRequest, socket: WebSocket) -> None:
            socket.on_text(lambda *_: 1 / 0)

        assert await self.close_code(memory_connect, session) == 4001
        assert caplog.text.count("ZeroDivisionError: ") == 1  # the other messages are not delivered

    async def test_not_when_the_server_stops(self, memory_connect: Connect) -> None:
        def session(request: HTTPRequest, socket: WebSocket) -> None:
            connection: Any = socket._connection
            socket.on_text(lambda *_: connection.shut_down())

        assert await self.close_code(memory_connect, session) == 4001

    async def test_nor_for_anybody_else_who_keeps_the_loop_busy(self, memory_connect: Connect) -> None:
        is_over = False

        def busy(request: HTTPRequest, socket: WebSocket) -> None:
            def again() -> None:
                if not is_over:
                    memory_connect.loop.call(memory_connect.loop.owner, again)

            again()

        await memory_connect(busy)
        assert await self.close_code(memory_connect, read_and_send) == 4001
        is_over = True


class TestMeanwhile:
    async def test_the_socket_is_closed_for_whoever_asks(self, connect: Connect) -> None:
        seen: list[Any] = []

        def session(request: HTTPRequest, socket: WebSocket) -> None:
            socket.on_text(lambda socket, _: seen.append((socket.is_connected, socket.close_code, socket.close_reason)))

        peer = await connect(session)
        await peer.stream.send_all(texts(1) + CLOSE_4001)
        await peer.receive_close()
        assert seen == [(False, 4001, "bye")]

    async def test_nothing_that_comes_behind_is_taken(self, connect: Connect) -> None:
        reads = Reads()
        peer = await connect(reads.session)
        await peer.stream.send_all(texts(1) + CLOSE_4001 + texts(1) + frame_bytes(wire.PING))
        got, _ = await answers(peer)
        await peer.vanish()
        assert await reads.until_end() == [("0", 1, True), NOTHING]
        assert got == []

    async def test_the_pending_read_is_told_behind_our_close_frame(self, connect: Connect) -> None:
        def session(request: HTTPRequest, socket: WebSocket) -> None:
            def received(text: str | None, *_: object) -> None:
                socket.send(str(text))
                if text is not None:
                    socket.read_string_message(received)

            socket.read_string_message(received)

        peer = await connect(session)
        await peer.stream.send_all(texts(2) + CLOSE_4001)
        assert (await answers(peer))[0] == ["0", "1"]

    async def test_a_reset_leaves_nothing_behind(self, network_connect: Connect) -> None:
        reads = Reads()
        peer = await network_connect(reads.session)
        await peer.stream.send_all(texts(2) + CLOSE_4001)
        peer.reset()
        await reads.until_end()
        await reads.socket.on_close


class Alone:
    """A connection on a loop that a test turns by hand, and a transport that takes nothing."""

    def setup_method(self) -> None:
        self.order: list[object] = []
        self.loop, self.transport = TaskLoop(), FakeTransport()
        self.connection = WebSocketConnection(
            self.transport, self.loop, None, WebSocketOptions(ping_interval=None), session_name="Session"
        )
        self.socket: WebSocket = self.connection.socket
        self.connection.start_without_session()

    def received(self, text: str | None, *_: object) -> None:
        self.order.append(text)
        if text is not None:
            self.socket.send_string_message(text)
            self.socket.read_string_message(self.received)


class TestWhenOurCloseFrameGoesOut(Alone):
    def turn(self) -> bytes:
        """Take a turn, and return what it has sent."""
        self.transport.sent.clear()
        self.loop.run_ready()
        self.loop.run_before_writing()
        return bytes(self.transport.sent)

    def test_it_is_the_turn_in_which_the_last_frame_is_delivered_if_the_session_reads_on(self) -> None:
        self.socket.read_string_message(self.received)
        self.connection.data_received(texts(3) + CLOSE_4001)
        assert self.turn() == b"\x81\x010\x81\x011\x81\x012" + b"\x88\x05" + close_payload(4001, "bye")
        assert self.loop.live_timers == 0

    def test_it_is_that_turn_if_there_is_nothing_to_deliver(self) -> None:
        for read in (lambda: self.socket.read_string_message(self.received), lambda: self.socket.on_text(print)):
            self.setup_method()
            read()
            self.loop.run()
            self.connection.data_received(CLOSE_4001)
            assert self.turn() == b"\x88\x05" + close_payload(4001, "bye")
            assert self.loop.live_timers == 0

    def test_it_is_a_bounded_number_of_turns_later_if_the_session_does_not_read(self) -> None:
        self.connection.data_received(texts(3) + CLOSE_4001)
        sent = [self.turn()]
        while not any(sent):
            self.loop.ring(0)
            sent.append(self.turn())
            assert len(sent) < 20
        assert len(sent) > 3

    def test_every_frame_that_is_delivered_begins_the_waiting_anew(self) -> None:
        self.connection.data_received(texts(5) + CLOSE_4001)
        for number in range(5):
            for _ in range(6):
                assert self.turn() == b""
                self.loop.ring(0)
            self.socket.read_string_message(lambda text, *_: self.socket.send(text))
            assert self.turn() == b"\x81\x01" + str(number).encode()
            self.loop.ring(0)

    def test_it_is_behind_callbacks_that_did_not_fit_into_that_turn(self) -> None:
        def count_down(number: int) -> None:
            self.order.append(number)
            if number:
                self.socket.send_ping(lambda: count_down(number - 1))

        self.socket.on_text(lambda *_: count_down(100))
        self.loop.run()
        self.connection.data_received(texts(1) + CLOSE_4001)
        sent = b""
        while b"\x88" not in sent:
            sent += self.turn()
            self.loop.ring(0)
        assert sent.count(b"\x89\x00") == 100
        assert self.order[-1] == 0

    def test_what_has_ended_meanwhile_sends_none(self) -> None:
        self.connection.data_received(texts(3) + CLOSE_4001)
        self.turn()
        self.connection.connection_lost(None)
        for _ in range(20):
            self.loop.ring(0)
            assert self.turn() == b""
        assert (self.socket.close_code, self.socket.close_reason) == (4001, "bye")


class TestTheOrderOfTheEnd(Alone):
    """Completions wait for room, and the connection is lost."""

    def setup_method(self) -> None:
        super().setup_method()
        self.transport.is_stalled = True
        self.socket.on_close.when_success(lambda _: self.order.append("on_close"))

    def lose(self) -> list[object]:
        self.connection.connection_lost(None)
        self.loop.run()
        return self.order

    def test_completions_are_called_behind_the_frames_that_are_read(self) -> None:
        self.socket.send_binary_message(bytes(1_000_000), completion=lambda: self.order.append("completion"))
        self.connection.data_received(texts(5))
        self.socket.read_string_message(self.received)
        assert self.lose() == ["0", "1", "2", "3", "4", "completion", None, "on_close"]

    def test_completions_are_called_behind_the_messages_that_are_handled(self) -> None:
        self.socket.on_text(lambda _, text: self.order.append(text))
        self.socket.send_binary_message(bytes(1_000_000), completion=lambda: self.order.append("completion"))
        self.connection.data_received(texts(5))
        assert self.lose() == ["0", "1", "2", "3", "4", "completion", "on_close"]

    def test_completions_wait_for_no_frame_that_is_read_because_of_them(self) -> None:
        def read() -> None:
            self.order.append("completion")
            self.socket.read_string_message(self.received)

        self.socket.send_binary_message(bytes(1_000_000), completion=read)
        self.connection.data_received(texts(2))
        assert self.lose() == ["completion", "0", "1", None, "on_close"]

    def test_completions_wait_for_no_handler_that_awaits_them(self) -> None:
        @self.socket.on_text
        async def answer(socket: WebSocket, text: str) -> None:
            self.order.append(text)
            with pytest.raises(ConnectionClosed):
                await self.socket.send_binary_message(bytes(1_000_000))
            self.order.append(f"answered {text}")

        self.connection.data_received(texts(2))
        self.loop.run()
        assert self.lose() == ["0", "answered 0", "1", "answered 1", "on_close"]

    def test_an_end_that_is_told_for_want_of_reading_comes_behind_them_too(self) -> None:
        def read(*_: object) -> None:
            self.order.append("completion")

        self.connection.data_received(texts(2))
        self.socket.send_binary_message(bytes(1_000_000), completion=read)
        assert self.lose() == ["completion"]
        self.loop.advance(60)
        assert self.order == ["completion", "on_close"]


class TestTheEndOfAClient(Alone):
    """Who closes the connection first: RFC 6455 §7.1.1 wants the server to."""

    TEXTS = b"".join(frame_bytes(wire.TEXT, str(number), mask=b"") for number in range(3))
    CLOSE = frame_bytes(wire.CLOSE, close_payload(4001, "bye"), mask=b"")

    def setup_method(self) -> None:
        super().setup_method()
        options = WebSocketOptions(ping_interval=None)
        self.connection = WebSocketConnection(
            self.transport, self.loop, None, options, is_client=True, session_name="Client"
        )
        self.socket = self.connection.socket
        self.connection.start_without_session()

    def turn(self) -> None:
        for _ in range(20):
            self.loop.run_ready()
            self.loop.run_before_writing()
            self.loop.ring(0)

    def test_it_waits_for_the_server(self) -> None:
        self.connection.data_received(self.TEXTS + self.CLOSE)
        self.turn()
        assert self.transport.sent  # our close frame, which is masked
        assert self.transport.is_open
        self.connection.eof_received()
        assert self.transport.linger is not None

    def test_not_for_one_that_has_ended_its_side_before_our_close_frame_went_out(self) -> None:
        self.connection.data_received(self.TEXTS + self.CLOSE)
        self.connection.eof_received()
        assert self.transport.is_open  # our close frame is still to go out
        self.turn()
        assert self.transport.sent
        assert self.transport.linger is not None

    def test_nor_where_the_close_frame_waited_behind_messages_for_which_there_was_no_room(self) -> None:
        many = frame_bytes(wire.TEXT, "x", mask=b"") * (2 * READ_AHEAD_FRAMES)
        self.connection.data_received(many + self.CLOSE)
        self.connection.eof_received()
        assert self.transport.is_open
        self.socket.on_text(lambda socket, text: None)
        self.turn()
        assert self.socket.close_code == 4001
        assert self.transport.linger is not None
