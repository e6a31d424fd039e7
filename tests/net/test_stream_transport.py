"""The stream transport: what it writes at once, how it pauses, and how it ends."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from perfectws.net.loop import open_loop
from perfectws.net.stream_transport import StreamTransport
from perfectws.testing.pipes import CAPACITY, PipeStream, stream_pair
from perfectws.transport import HIGH_WATER, Protocol

from ..calls import quiet


class Recorder(Protocol):
    """A protocol that keeps what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.data = bytearray()
        self.events: list[Any] = []
        self.lost = trio.Event()

    def data_received(self, data: bytes) -> None:
        assert data
        self.data += data

    def eof_received(self) -> None:
        self.events.append("eof")

    def resume_writing(self) -> None:
        self.events.append("room")

    def connection_lost(self, error: Exception | None) -> None:
        self.events.append(("lost", type(error)))
        self.lost.set()

    def shut_down(self) -> None:
        self.events.append("shut down")

    def callback_failed(self, error: Exception) -> None:
        self.events.append(error)


class Connection:
    """A transport, its protocol, our end of the stream, and the peer's."""

    def __init__(self, transport: StreamTransport, protocol: Recorder, stream: PipeStream, peer: PipeStream) -> None:
        self.transport = transport
        self.protocol = protocol
        self.stream = stream
        self.peer = peer


@asynccontextmanager
async def connected() -> AsyncIterator[Connection]:
    async with open_loop(with_reactor=False) as loop:
        peer, stream = stream_pair()
        transport = StreamTransport(loop, stream, ("peer", 1), ("here", 2))
        protocol = Recorder()
        transport.set_protocol(protocol)
        loop.tasks.start_soon(transport.run)
        await quiet()
        yield Connection(transport, protocol, stream, peer)
        transport.abort()
        await protocol.lost.wait()


@pytest.fixture
async def connection() -> AsyncIterator[Connection]:
    async with connected() as connection:
        yield connection


LOST_IN_ORDER = ("lost", type(None))


async def test_what_is_written_in_one_turn_is_one_send(connection: Connection) -> None:
    for number in range(1000):
        connection.transport.write(f"{number:04}".encode())
    assert connection.transport.buffered_amount == 4000
    await quiet()
    assert connection.stream.writes == [4000]
    assert connection.transport.buffered_amount == 0
    assert await connection.peer.receive_some() == b"".join(f"{number:04}".encode() for number in range(1000))


async def test_what_was_written_before_the_tasks_began_goes_out_though_it_was_closed_since() -> None:
    async with open_loop(with_reactor=False) as loop:
        peer, stream = stream_pair()
        transport = StreamTransport(loop, stream)
        transport.set_protocol(Recorder())
        transport.write(b"there is no room")
        transport.close(60)
        loop.tasks.start_soon(transport.run)
        assert await peer.receive_some() == b"there is no room"
        assert await peer.receive_some() == b""
        await peer.aclose()


async def test_a_large_write_goes_out_in_pieces_and_whole(connection: Connection) -> None:
    data = bytes(range(256)) * 8192
    connection.transport.write(data)
    connection.transport.write(b"end")
    received = bytearray()
    while len(received) < len(data) + 3:
        received += await connection.peer.receive_some()
    assert received == data + b"end"


async def test_that_the_peer_takes_something_shows_at_once_where_the_kernel_does_not_tell(
    connection: Connection,
) -> None:
    # A pipe in memory has no kernel, and the kernel of Windows tells nothing: there it has to show soon.
    step = 16 * 1024 if sys.platform == "win32" else 256 * 1024
    connection.transport.write(bytes(CAPACITY + 4 * step))
    await quiet()
    for _ in range(3):
        before = connection.transport.progress()
        for _ in range(step // 4096):
            assert await connection.peer.receive_some(4096)
        await quiet()
        assert connection.transport.progress() != before


async def test_room_is_told_once_when_the_output_falls_below_the_high_water(connection: Connection) -> None:
    connection.transport.write(bytes(CAPACITY))
    connection.transport.write(bytes(HIGH_WATER))
    await quiet()
    assert connection.transport.buffered_amount >= HIGH_WATER
    assert "room" not in connection.protocol.events[1:]
    before = connection.protocol.events.count("room")
    while connection.transport.buffered_amount:
        await connection.peer.receive_some()
        await quiet()
    assert connection.protocol.events.count("room") == before + 1


async def test_no_room_is_told_of_output_that_stayed_below_the_high_water(connection: Connection) -> None:
    connection.transport.write(bytes(HIGH_WATER - 1))
    await quiet()
    assert connection.protocol.events == []


async def test_discard_unsent_keeps_what_has_begun_whole(connection: Connection) -> None:
    begun = bytes(2 * CAPACITY)
    connection.transport.write(begun)
    await quiet()
    connection.transport.write(b"forgotten")
    connection.transport.discard_unsent()
    connection.transport.write(b"kept")
    received = bytearray()
    while len(received) < len(begun) + 4:
        received += await connection.peer.receive_some()
    assert received == begun + b"kept"
    await quiet()
    assert connection.transport.buffered_amount == 0


async def test_a_paused_transport_delivers_nothing_and_holds_the_peer_back(connection: Connection) -> None:
    connection.transport.pause_reading()
    connection.transport.pause_reading()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(connection.peer.send_all, bytes(4 * CAPACITY))
        await quiet()
        assert not connection.protocol.data
        connection.transport.resume_reading()
        connection.transport.resume_reading()
    await quiet()
    assert len(connection.protocol.data) == 4 * CAPACITY


async def test_the_peers_end_is_told_once_and_we_may_still_write(connection: Connection) -> None:
    await connection.peer.send_all(b"last words")
    await connection.peer.send_eof()
    await quiet()
    assert (bytes(connection.protocol.data), connection.protocol.events) == (b"last words", ["eof"])
    connection.transport.write(b"answer")
    assert await connection.peer.receive_some() == b"answer"


async def test_close_sends_what_is_buffered_and_waits_for_the_peers_end(connection: Connection) -> None:
    connection.transport.write(bytes(2 * CAPACITY))
    connection.transport.close(linger=10)
    connection.transport.write(b"ignored")
    connection.transport.close(linger=10)
    await connection.peer.send_all(b"discarded")
    received = 0
    while data := await connection.peer.receive_some():
        received += len(data)
    assert received == 2 * CAPACITY
    await quiet()
    assert not connection.protocol.lost.is_set()
    await connection.peer.aclose()
    await connection.protocol.lost.wait()
    assert connection.protocol.events[-1] == LOST_IN_ORDER
    assert not connection.protocol.data


async def test_close_discards_what_comes_though_reading_was_paused(connection: Connection) -> None:
    connection.transport.pause_reading()
    await connection.peer.send_all(bytes(CAPACITY))
    connection.transport.close(linger=10)
    await connection.peer.send_all(bytes(CAPACITY))
    await connection.peer.send_eof()
    await connection.protocol.lost.wait()
    assert not connection.protocol.data


@pytest.mark.parametrize("reads", [True, False])
async def test_a_peer_that_does_not_end_is_left_after_the_linger(autojump_clock: MockClock, reads: bool) -> None:
    async with connected() as connection:
        connection.transport.write(bytes(2 * CAPACITY))
        connection.transport.close(linger=7)
        if reads:
            while await connection.peer.receive_some():
                pass
        await connection.protocol.lost.wait()
        assert trio.current_time() == pytest.approx(7)
        assert connection.protocol.events[-1] == LOST_IN_ORDER


async def test_abort_loses_what_is_buffered_and_tells_its_error(connection: Connection) -> None:
    connection.transport.write(bytes(2 * CAPACITY))
    await quiet()
    connection.transport.abort(ValueError("why"))
    connection.transport.abort(TypeError("again"))
    connection.transport.write(b"ignored")
    await connection.protocol.lost.wait()
    assert connection.protocol.events[-1] == ("lost", ValueError)
    assert connection.transport.buffered_amount == 0


async def test_a_reset_is_told_with_its_error(connection: Connection) -> None:
    connection.peer.reset()
    await connection.protocol.lost.wait()
    assert connection.protocol.events == [("lost", trio.BrokenResourceError)]


async def test_an_error_of_the_protocol_is_its_own(connection: Connection) -> None:
    mistake = ValueError()

    def fail(data: bytes) -> None:
        raise mistake

    connection.protocol.data_received = fail  # type: ignore[method-assign]
    await connection.peer.send_all(b"x")
    await quiet()
    assert connection.protocol.events == [mistake]
    del connection.protocol.data_received
    await connection.peer.send_all(b"y")
    await quiet()
    assert connection.protocol.data == b"y"


async def test_another_protocol_may_take_over_between_two_reads(connection: Connection) -> None:
    successor = Recorder()
    await connection.peer.send_all(b"one")
    await quiet()
    connection.transport.set_protocol(successor)
    await connection.peer.send_all(b"two")
    await quiet()
    assert (bytes(connection.protocol.data), bytes(successor.data)) == (b"one", b"two")
    connection.transport.set_protocol(connection.protocol)
