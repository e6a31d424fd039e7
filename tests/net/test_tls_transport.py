"""TLS on the reactor: real handshakes over real sockets. What streams are to do as well is asked of both."""

from __future__ import annotations

import socket
import ssl
import struct
import sys
from typing import Any

import pytest
import trio

from perfectws import (
    ConnectionClosed,
    HTTPRequest,
    HTTPServer,
    Promise,
    Routes,
    TLSConfiguration,
    WebSocket,
)
from perfectws.log_limit import LogLimit
from perfectws.net import tls as tls_module
from perfectws.net.socket_transport import SocketTransport
from perfectws.net.tls_transport import PIECE, TLSTransport
from perfectws.transport import HIGH_WATER, Protocol, Transport

from ..calls import NOTHING, Calls, quiet
from ..conftest import PATIENCE
from ..peer import BINARY, CLOSE, Peer
from .counting import sends_of
from .test_reactor import LINGER_RESET, Recorder
from .tls_server import Around, ByHand, Server, by_hand, connected_pair

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a reactor")

#: The beginning of a record that is longer than what follows.
HALF_A_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"


class Trickle(trio.abc.HalfCloseableStream):
    """A stream whose bytes are sent one at a time."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream

    async def send_all(self, data: Any) -> None:
        for number in range(len(data)):
            await self.stream.send_all(data[number : number + 1])

    async def wait_send_all_might_not_block(self) -> None:
        await self.stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        return await self.stream.receive_some(max_bytes)

    async def send_eof(self) -> None:
        await self.stream.send_eof()

    async def aclose(self) -> None:
        await self.stream.aclose()


async def read_all(stream: trio.abc.ReceiveStream) -> bytes:
    """Read to the end, however that comes."""
    data = b""
    try:
        while piece := await stream.receive_some():
            data += piece
    except trio.BrokenResourceError:
        pass
    return data


class TestHandshake:
    async def test_a_client_that_sends_one_byte_at_a_time_is_served(self, either: Server) -> None:
        stream = await either.stream(Trickle)
        await stream.send_all(b"slowly")
        transport, recorder = await either.until_made()
        await recorder.until(b"slowly")
        transport.write(b"but surely")
        assert await stream.receive_some() == b"but surely"

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    async def test_both_versions_of_tls_are_spoken(self, either: Server, version: ssl.TLSVersion) -> None:
        either.client.minimum_version = either.client.maximum_version = version
        stream = await either.stream()
        assert stream.version() == version.name.replace("_", ".")
        await stream.send_all(b"ping")
        transport, recorder = await either.until_made()
        await recorder.until(b"ping")
        transport.write(b"pong")
        assert await stream.receive_some() == b"pong"

    async def test_the_transport_tells_what_it_is(self, either: Server) -> None:
        stream = await either.stream()
        transport, _ = await either.until_made()
        ours = stream.transport_stream.socket
        assert transport.is_secure
        assert transport.remote_address == ours.getsockname()
        assert transport.local_address == ours.getpeername()

    async def test_what_comes_with_the_end_of_the_handshake_is_delivered(self, either: Server) -> None:
        await by_hand(either, b"at once")
        _, recorder = await either.until_made()
        await recorder.until(b"at once")

    @pytest.mark.parametrize("begun", [b"", b"\x16", HALF_A_HELLO])
    async def test_one_that_stalls_is_dropped_after_a_while_and_it_is_logged_once(
        self, either: Server, begun: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(tls_module, "HANDSHAKE_TIMEOUT", 0.05)
            for _ in range(2):
                async with await either.plain() as stalled:
                    if begun:
                        await stalled.send_all(begun)
                    assert await read_all(stalled) == b""
        assert caplog.messages == ["The TLS handshake with 127.0.0.1 took too long"]
        await either.until_empty()
        await either.assert_serves()

    async def test_one_that_is_done_leaves_no_deadline(self, server: Server) -> None:
        await server.stream()
        await server.until_made()
        assert len(server.loop.timers) == 0

    async def test_plain_http_is_answered_in_plain_http(self, either: Server, caplog: pytest.LogCaptureFixture) -> None:
        async with await either.plain() as plain:
            await plain.send_all(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n" * 1000)
            answer = await read_all(plain)
        assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert answer.endswith(b"this port speaks TLS; use https:// or wss://\n")
        assert caplog.messages == ["127.0.0.1 speaks no TLS on a port that does: a client with http:// or ws://?"]
        await either.until_empty()
        await either.assert_serves()

    @pytest.mark.parametrize(
        ("sent", "says"),
        [
            (b"\x00\x01\x02", "speaks no TLS"),
            (b"\xff" * 100_000, "speaks no TLS"),
            (b"\x16\x03\x01\x00\x05hello", "failed: "),
            (b"\x16" * 100_000, "failed: "),
        ],
    )
    async def test_garbage_ends_it_and_is_logged(
        self, either: Server, sent: bytes, says: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with await either.plain() as strange:
            try:
                await strange.send_all(sent)
                await strange.send_eof()
            except trio.BrokenResourceError:
                pass  # it was shown the door already
            await read_all(strange)
        await either.until_empty()
        assert [says in message for message in caplog.messages] == [True]
        await either.assert_serves()

    async def test_the_peer_is_told_why_it_failed(
        self, server: Server, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tls_module, "REFUSAL_LINGER", 0.1)  # what it waits for us to end our side, which we don't
        server.client.maximum_version = ssl.TLSVersion.TLSv1_2
        server._server.minimum_version = ssl.TLSVersion.TLSv1_3
        with pytest.raises(trio.BrokenResourceError) as caught:
            await server.stream()
        assert "ALERT_PROTOCOL_VERSION" in str(caught.value.__cause__)
        assert "UNSUPPORTED_PROTOCOL" in caplog.text
        await server.until_empty()

    async def test_an_end_in_the_middle_is_logged(self, either: Server, caplog: pytest.LogCaptureFixture) -> None:
        async with await either.plain() as stream:
            await stream.send_all(HALF_A_HELLO)
        async with await either.plain():
            pass  # nothing was said: a look at whether the port is open
        await quiet()
        await either.until_empty()
        assert [message.partition(": ")[0] for message in caplog.messages] == [
            "The TLS handshake with 127.0.0.1 failed"
        ]

    @pytest.mark.parametrize("begun", [b"", HALF_A_HELLO])
    async def test_a_reset_in_the_middle_is_logged_as_a_lost_connection(
        self, either: Server, begun: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with await either.plain() as stream:
            if begun:
                await stream.send_all(begun)
            await quiet()
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
        await quiet()
        await either.until_empty()
        assert caplog.messages == ["The TLS handshake with 127.0.0.1 failed: the connection was lost"]
        await either.assert_serves()

    async def test_one_counts_among_the_connections_and_is_broken_off_when_they_end(self, server: Server) -> None:
        async with await server.plain() as silent, await server.plain() as begun:
            await begun.send_all(HALF_A_HELLO)
            await quiet()
            assert len(server.connections) == 2
            await server.connections.end(PATIENCE)
            assert await read_all(silent) == await read_all(begun) == b""
        assert server.made == []

    @pytest.mark.parametrize("begun", [b"", HALF_A_HELLO])
    async def test_a_server_stops_at_once_though_one_is_under_way(
        self, server_context: ssl.SSLContext, begun: bytes
    ) -> None:
        server = HTTPServer()
        server.server_name, server.server_address, server.server_port = "test", "127.0.0.1", 0
        server.ssl = TLSConfiguration(ssl_context=server_context)
        server.add_routes(Routes())
        with trio.fail_after(5):
            async with trio.open_nursery() as nursery:
                port = await nursery.start(server.serve)
                stream = await trio.open_tcp_stream("127.0.0.1", port)
                if begun:
                    await stream.send_all(begun)
                await quiet()
                server.stop()
        await stream.aclose()

    async def test_an_error_in_making_the_protocol_costs_that_connection_only(
        self, server: Server, caplog: pytest.LogCaptureFixture
    ) -> None:
        def make(transport: Transport) -> Protocol:
            if not server.made and not caplog.records:
                raise ZeroDivisionError
            return Recorder()

        server.begin(make)
        assert await read_all(await server.stream()) == b""
        assert "ZeroDivisionError" in caplog.text
        await server.until_empty()
        await server.assert_serves()


class TestReading:
    async def test_the_peers_close_notify_ends_its_side_and_it_still_gets_an_answer(self, server: Server) -> None:
        client = await by_hand(server)
        await client.stream.send_all(client.encrypt(b"a question") + client.close_notify() + b"not TLS any more")
        transport, recorder = await server.until_made()
        await recorder.until("eof")
        assert recorder.events == [b"a question", "eof"]
        transport.write(b"the answer")
        transport.close(5)
        assert await client.read_all() == b"the answer"
        assert await client.stream.receive_some() == b""
        await client.stream.aclose()
        await recorder.until(("lost", type(None)))

    async def test_records_of_one_segment_are_one_piece(self, server: Server) -> None:
        client = await by_hand(server)
        await client.stream.send_all(client.encrypt(*[b"%d " % number for number in range(100)]))
        _, recorder = await server.until_made()
        await recorder.until(b"".join(b"%d " % number for number in range(100)))

    async def test_an_end_without_close_notify_is_a_lost_connection(self, either: Server) -> None:
        stream = await either.stream()
        await stream.send_all(b"cut off")
        _, recorder = await either.until_made()
        await stream.transport_stream.aclose()
        while len(recorder.events) < 2:
            await recorder.changed.wait()
        (data, (event, error)) = recorder.events
        assert (data, event) == (b"cut off", "lost")
        assert issubclass(error, Exception)

    @pytest.mark.parametrize("is_paused", [False, True])
    async def test_a_reset_is_a_lost_connection_also_while_reading_is_paused(
        self, server: Server, is_paused: bool
    ) -> None:
        stream = await server.stream()
        transport, recorder = await server.until_made()
        if is_paused:
            transport.pause_reading()
        stream.transport_stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
        await stream.transport_stream.aclose()
        await recorder.until(("lost", ConnectionResetError))

    async def test_a_bad_record_ends_the_connection_behind_the_good_ones(self, server: Server) -> None:
        client = await by_hand(server)
        forged = b"\x17\x03\x03\x00\x20" + bytes(32)
        await client.stream.send_all(client.encrypt(b"good") + forged)
        _, recorder = await server.until_made()
        await recorder.until(("lost", ssl.SSLError))
        assert recorder.events == [b"good", ("lost", ssl.SSLError)]

    async def test_while_reading_is_paused_nothing_is_delivered_and_later_all(self, either: Server) -> None:
        stream = await either.stream()
        transport, recorder = await either.until_made()
        transport.pause_reading()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.send_all, bytes(3_000_000))
            await quiet()
            assert recorder.events == []
            transport.resume_reading()
            assert recorder.events == []
            while sum(map(len, recorder.events)) < 3_000_000:
                await recorder.changed.wait()

    async def test_an_end_that_comes_with_data_waits_until_reading_is_resumed(self, server: Server) -> None:
        class Pausing(Recorder):
            def data_received(self, data: bytes) -> None:
                super().data_received(data)
                server.made[-1][0].pause_reading()

        server.begin(lambda transport: Pausing())
        client = await by_hand(server)
        await client.stream.send_all(client.encrypt(b"one ", b"two") + client.close_notify())
        transport, recorder = await server.until_made()
        await recorder.until(b"one two")
        await quiet()
        transport.resume_reading()
        transport.resume_reading()
        assert recorder.events == [b"one two"]
        await recorder.until("eof")
        await quiet()
        assert recorder.events == [b"one two", "eof"]

    async def test_an_error_in_the_protocol_goes_to_the_protocol(self, server: Server) -> None:
        class Faulty(Recorder):
            def data_received(self, data: bytes) -> None:
                raise ZeroDivisionError

            def resume_writing(self) -> None:
                raise KeyError

        server.begin(lambda transport: Faulty())
        stream = await server.stream()
        await stream.send_all(b"!")
        transport, recorder = await server.until_made()
        transport.write(bytes(HIGH_WATER))
        while len(recorder.failures) < 2:
            await trio.sleep(0.001)
        assert {type(error) for error in recorder.failures} == {ZeroDivisionError, KeyError}


class TestWriting:
    async def test_a_peer_that_reads_nothing_holds_back_what_is_written(self, server: Server) -> None:
        stream = await server.stream()
        transport, recorder = await server.until_made()
        size = 20_000_000
        transport.write(bytes(size))
        await quiet()
        assert HIGH_WATER <= transport.buffered_amount < size
        assert transport._lower.buffered_amount < HIGH_WATER + 2 * PIECE  # what is encrypted cannot be discarded
        assert recorder.events == []
        got = 0
        while got < size:
            got += len(await stream.receive_some(1 << 20))
        await recorder.until("room")
        assert transport.buffered_amount == 0
        assert recorder.events == ["room"]

    async def test_what_is_not_encrypted_is_discarded_and_what_has_begun_is_kept_whole(self, server: Server) -> None:
        client = await by_hand(server)
        transport, recorder = await server.until_made()
        transport.write(b"a" * 10_000_000)
        await quiet()
        transport.write(b"b" * 100)
        transport.discard_unsent()
        assert 0 < transport.buffered_amount < 10_000_000
        transport.write(b"c" * 100)
        transport.close(5)
        assert await client.read_all() == b"a" * 10_000_000 + b"c" * 100
        await client.stream.aclose()
        await recorder.until(("lost", type(None)))

    async def test_whatever_is_discarded_the_records_stay_in_order(self, server: Server) -> None:
        client = await by_hand(server)
        transport, _ = await server.until_made()
        for number in range(20_000):
            transport.write(b"%09d\n" % number * 50)
            if not number % 100:
                await trio.lowlevel.checkpoint()
        transport.discard_unsent()
        transport.write(b"the end")
        transport.close(5)
        *lines, last = (await client.read_all()).split(b"\n")
        assert last == b"the end"
        assert lines == [b"%09d" % (number // 50) for number in range(len(lines))]

    async def test_what_a_former_protocol_has_written_is_not_discarded(self, server: Server) -> None:
        client = await by_hand(server)
        transport, _ = await server.until_made()
        transport.write(b"the former's ")
        transport.set_protocol(Recorder())
        transport.write(b"forgotten ")
        transport.discard_unsent()
        transport.write(b"the new one's")
        transport.close(5)
        assert await client.read_all() == b"the former's the new one's"

    async def test_the_last_bytes_arrive_though_there_is_unread_input(self, either: Server) -> None:
        stream = await either.stream()
        transport, recorder = await either.until_made()
        transport.pause_reading()
        await stream.send_all(b"never read " * 10_000)
        await quiet()
        transport.write(b"goodbye")
        transport.close(5)
        assert await read_all(stream) == b"goodbye"
        await stream.transport_stream.aclose()
        await recorder.until(("lost", type(None)))
        assert recorder.events == [("lost", type(None))]
        assert len(either.loop.timers) == 0

    async def test_a_peer_that_neither_reads_nor_ends_is_closed_when_the_linger_is_over(self, server: Server) -> None:
        await server.stream()
        transport, recorder = await server.until_made()
        transport.write(bytes(20_000_000))
        transport.close(0.05)
        await recorder.until(("lost", type(None)))
        assert len(server.loop.timers) == 0

    async def test_nothing_is_sent_before_the_peer_has_spoken_when_tls_negotiates_again(self, server: Server) -> None:
        stream = await server.stream()
        transport, recorder = await server.until_made()
        transport._tls = negotiating = Negotiating(transport._tls)
        transport.write(b"held back")
        await quiet()
        assert negotiating.tries == 1  # it is not asked again and again
        assert transport.buffered_amount == len(b"held back")
        await stream.send_all(b"the peer's part")
        await recorder.until(b"the peer's part")
        assert await stream.receive_some() == b"held back"


class Negotiating(Around):
    """An `ssl.SSLObject` that cannot write before it has read."""

    tries = 0
    has_read = False

    def read(self, size: int) -> Any:
        self.has_read = True
        return self._actual.read(size)

    def write(self, data: bytes) -> Any:
        self.tries += 1
        if not self.has_read:
            raise ssl.SSLWantReadError
        return self._actual.write(data)


class TestCost:
    async def test_what_is_written_in_one_turn_is_one_system_call(
        self, server: Server, server_context: ssl.SSLContext
    ) -> None:
        ours, peer = connected_pair()
        recorder = Recorder()
        assert server.loop.reactor is not None
        lower = SocketTransport(server.loop, server.loop.reactor, ours, ("peer", 1))
        transport = TLSTransport(server.loop, lower, server_context, lambda _: recorder, server.connections, LogLimit())
        lower.start(transport)
        server.streams.append(trio.SocketStream(trio.socket.from_stdlib_socket(peer)))
        client = ByHand(server.streams[-1], server.client)
        await client.do_handshake(b"hello")
        await recorder.until(b"hello")
        before = len(sends_of(lower))
        for number in range(100):
            transport.write(b"%03d" % number)
        await quiet()
        assert len(sends_of(lower)) == before + 1
        transport.write(b"goodbye")
        transport.close(5)
        assert await client.read_all() == b"".join(b"%03d" % number for number in range(100)) + b"goodbye"
        assert len(sends_of(lower)) == before + 2  # close_notify leaves with the last bytes

    async def test_a_connection_has_no_task(self, server: Server) -> None:
        server.begin()
        await quiet()
        before = trio.lowlevel.current_statistics().tasks_living
        streams = [await server.stream() for _ in range(10)]
        await server.until_made(10)
        silent = await server.plain()
        await quiet()
        assert len(server.connections) == 11
        assert trio.lowlevel.current_statistics().tasks_living == before
        for stream in streams:
            await trio.aclose_forcefully(stream)
        await silent.aclose()
        await server.until_empty()

    async def test_two_hundred_connections_at_once_are_served(self, server: Server) -> None:
        async def talk(number: int) -> None:
            stream = await server.stream()
            await stream.send_all(b"%d" % number)
            assert await stream.receive_some() == b"%d" % number
            await trio.aclose_forcefully(stream)

        class Echo(Recorder):
            def __init__(self, transport: Transport) -> None:
                super().__init__()
                self.transport = transport

            def data_received(self, data: bytes) -> None:
                self.transport.write(data)

        server.begin(Echo)
        async with trio.open_nursery() as nursery:
            for number in range(200):
                nursery.start_soon(talk, number)
        await server.until_empty()


class TestSessions:
    async def test_a_large_message_goes_both_ways(self, either: Server) -> None:
        async def session(request: HTTPRequest, socket: WebSocket) -> None:
            while True:
                data, _, final = await socket.read_bytes_message()
                await socket.send_binary_message(data, final)

        either.begin_sessions(session)
        peer = Peer(await either.stream())
        await peer.handshake()
        piece, count = bytes(range(256)) * 2048, 16  # 8 MiB in all

        async def send() -> None:
            for number in range(count):
                await peer.send(BINARY if not number else 0, piece, number == count - 1)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            for number in range(count):
                frame = await peer.receive()
                assert (frame.payload, frame.fin) == (piece, number == count - 1)
        assert (await peer.close_handshake()).close_code == 1000
        await peer.vanish()

    async def test_completions_wait_for_a_peer_that_reads_nothing(self, either: Server) -> None:
        opened, completed = Calls(), Calls()
        either.begin_sessions(opened)
        peer = Peer(await either.stream())
        await peer.handshake()
        ((_, ws),) = await opened.until(1)
        while ws.buffered_amount < HIGH_WATER:
            ws.send_binary_message(bytes(500_000))
            await quiet()
        ws.send_string_message("behind it all", completion=completed)
        await quiet()
        assert completed.got == []
        while (await peer.receive()).payload != b"behind it all":
            pass
        await completed.until(1)
        await peer.vanish()

    async def test_a_promise_that_waits_for_room_fails_when_the_peer_resets(self, either: Server) -> None:
        opened = Calls()
        either.begin_sessions(opened)
        stream = await either.stream()
        await Peer(stream).handshake()
        ((_, ws),) = await opened.until(1)
        while ws.buffered_amount < HIGH_WATER:
            ws.send_binary_message(bytes(500_000))
            await quiet()
        promise = Promise[None]()
        ws.send("in the turn in which the reset is seen", promise)
        stream.transport_stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
        stream.transport_stream.socket.close()
        with pytest.raises(ConnectionClosed):
            await promise.future_result

    async def test_what_a_slow_peer_got_before_its_1013_is_whole(self, either: Server) -> None:
        opened = Calls()
        either.begin_sessions(opened, max_write_buffer=1 << 20)
        peer = Peer(await either.stream())
        await peer.handshake()
        ((_, ws),) = await opened.until(1)
        sent = 0
        while ws.is_connected:
            ws.send_binary_message(struct.pack("!I", sent) * 5_000)
            sent += 1
            if not sent % 10:
                await trio.lowlevel.checkpoint()
        got = 0
        while (frame := await peer.receive()).opcode != CLOSE:
            assert frame.payload == struct.pack("!I", got) * 5_000
            got += 1
        assert frame.close_code == 1013
        assert 0 < got < sent
        await peer.send_close(1013)
        await peer.receive_eof()

    async def test_a_peer_that_vanishes_without_close_notify_is_1006(self, either: Server) -> None:
        opened, read = Calls(), Calls()
        either.begin_sessions(opened)
        stream = await either.stream()
        peer = Peer(stream)
        await peer.handshake()
        ((_, ws),) = await opened.until(1)
        ws.read_string_message(read)
        await stream.transport_stream.aclose()
        assert await read.until(1) == [NOTHING]
        assert ws.close_code == 1006

    @pytest.mark.parametrize("number", range(10))
    async def test_the_close_frame_arrives_though_input_is_unread(self, either: Server, number: int) -> None:
        opened = Calls()
        either.begin_sessions(opened, close_timeout=5)
        peer = Peer(await either.stream())
        await peer.handshake()
        ((_, ws),) = await opened.until(1)
        for _ in range(100):
            await peer.send_text("nobody reads this")
        await quiet()
        ws.close(4001, "bye")
        close = await peer.receive_close()
        assert (close.close_code, close.close_reason) == (4001, "bye")
        await peer.send_close(4001)
        await peer.receive_eof()

    async def test_a_server_that_is_full_refuses_and_counts_aright(
        self, server_context: ssl.SSLContext, trusting: ssl.SSLContext
    ) -> None:
        server = HTTPServer()
        server.server_name, server.server_address, server.server_port = "test", "127.0.0.1", 0
        server.ssl = TLSConfiguration(ssl_context=server_context)
        server.max_connections, server.close_timeout = 1, 0.1
        server.add_routes(Routes())

        async def ask(port: int) -> tuple[Peer, int]:
            plain = await trio.open_tcp_stream("127.0.0.1", port)
            peer = Peer(trio.SSLStream(plain, trusting, server_hostname="test"))
            await peer.stream.send_all(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
            await peer.read_head()
            return peer, peer.status

        with trio.fail_after(PATIENCE):
            async with trio.open_nursery() as nursery:
                port = await nursery.start(server.serve)
                first, status = await ask(port)
                assert status == 404
                for _ in range(3):
                    refused, status = await ask(port)
                    assert status == 503
                    await refused.vanish()
                await first.vanish()
                await quiet()
                last, status = await ask(port)
                assert status == 404
                await last.vanish()
                server.stop()
