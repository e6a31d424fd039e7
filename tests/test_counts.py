"""What a loop counts, exactly, over each transport that there is."""

from __future__ import annotations

from random import Random

import pytest
import trio
import trio.testing

from perfectws import HTTPRequest, Room, Routes, WebSocket
from perfectws.counts import Counts
from tests.calls import Calls
from tests.conftest import Connect
from tests.peer import BINARY, CONTINUATION, PING, PONG, TEXT, Peer, frame_bytes


class CountingStream(trio.abc.Stream):
    """A stream that counts its bytes."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self.sent = self.received = 0

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += len(data)
        await self._stream.send_all(data)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        data = bytes(await self._stream.receive_some(max_bytes))
        self.received += len(data)
        return data

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._stream.aclose()


def echo(request: HTTPRequest, socket: WebSocket) -> None:
    """Send back what comes, frame by frame."""

    def received(data: bytes | None, opcode: int, final: bool) -> None:
        if data is None:
            return
        if opcode == BINARY:
            socket.send_binary_message(data, final, lambda: echo(request, socket))
        else:
            socket.send_string_message(data.decode(), final, lambda: echo(request, socket))

    socket.read_bytes_message(received)


def messages(counts: Counts) -> tuple[int, int]:
    return counts.messages_received, counts.messages_sent


async def answers(peer: Peer, count: int) -> None:
    for _ in range(count):
        await peer.receive()


async def test_a_loop_counts_each_whole_message_once_in_and_out_however_it_comes(connect: Connect) -> None:
    counts = connect.loop.counts
    peer = await connect(echo)
    assert messages(counts) == (0, 0)
    await peer.send_text("one alone")
    await answers(peer, 1)
    assert messages(counts) == (1, 1)
    await peer.stream.send_all(frame_bytes(TEXT, "of seven") * 7)
    await answers(peer, 7)
    assert messages(counts) == (8, 8)
    await peer.send(BINARY, b"\0" * 100_000)
    await answers(peer, 1)
    assert messages(counts) == (9, 9)
    for opcode, final in [(TEXT, False), (CONTINUATION, False)]:
        await peer.send(opcode, "part", final)
        await answers(peer, 1)
    assert messages(counts) == (9, 9)
    await peer.send(CONTINUATION, "end")
    await answers(peer, 1)
    assert messages(counts) == (10, 10)
    await peer.send(PING, b"no message")
    assert (await peer.receive()).opcode == PONG
    assert messages(counts) == (10, 10)


async def test_compressed_messages_count_as_others_do(connect: Connect) -> None:
    counts = connect.loop.counts
    peer, socket = await connect.socket(compression=True)
    socket.send_string_message("a" * 5000)
    socket.send_string_message("b" * 10, False)
    socket.send_string_message("c" * 10)
    await answers(peer, 3)
    assert messages(counts) == (0, 2)


async def test_whole_messages_count_too_and_so_does_what_is_sent_to_a_socket_in_a_room(connect: Connect) -> None:
    counts = connect.loop.counts
    room = Room()

    def session(request: HTTPRequest, socket: WebSocket) -> None:
        room.join(socket)
        socket.on_text(lambda socket, text: socket.send(text))
        socket.on_binary(lambda socket, data: socket.send(data))

    peer = await connect(session)
    await peer.send_text("text")
    await peer.send(BINARY, b"bytes")
    await answers(peer, 2)
    assert messages(counts) == (2, 2)
    assert (counts.rooms, counts.members) == (1, 1)
    await peer.send_close()
    await peer.receive_close()
    assert (counts.rooms, counts.members) == (0, 0)


@pytest.mark.parametrize("compression", [False, True])
async def test_deliveries_count_once_for_each_member_that_gets_the_message(connect: Connect, compression: bool) -> None:
    counts = connect.loop.counts
    room = Room()
    opened = Calls()
    peers = [await connect(opened, compression=compression) for _ in range(3)]
    sockets = [socket for _, socket in await opened.until(3)]
    for socket in sockets:
        room.join(socket)
    room.send_string_message("to all " * 50)
    room.send_string_message("but one " * 50, exclude=sockets[0])
    room.send_string_message("to all, late")
    for peer, expected in zip(peers, [2, 3, 3], strict=True):
        await answers(peer, expected)
    assert (counts.deliveries, counts.messages_sent, counts.drops) == (8, 8, 0)
    assert room.figures.deliveries == 8
    room.send_string_message("again")
    for peer in peers:
        await answers(peer, 1)
    assert (counts.deliveries, counts.messages_sent) == (11, 11)
    assert (counts.rooms, counts.members) == (1, 3)


@pytest.mark.parametrize("compression", [False, True])
async def test_drops_are_no_deliveries(memory_connect: Connect, compression: bool) -> None:
    counts = memory_connect.loop.counts
    room = Room(slow="drop")
    peer, socket = await memory_connect.socket(compression=compression, max_write_buffer=100_000)
    room.join(socket)
    for number in range(10):
        room.send_binary_message(Random(number).randbytes(70_000))
        await trio.testing.wait_all_tasks_blocked()
    assert (counts.deliveries, counts.drops) == (room.figures.deliveries, room.figures.drops)
    assert counts.deliveries + counts.drops == 10
    assert counts.drops
    await answers(peer, counts.deliveries)


async def test_bytes_are_counted_as_the_peer_counts_them(connect: Connect) -> None:
    counts = connect.loop.counts
    routes = Routes()
    routes.web_socket("/", lambda request, socket: socket.on_binary(lambda socket, data: socket.send(data)))
    stream = await connect.open_stream(routes)
    peer = Peer(stream)
    connect.peers.append(peer)
    if isinstance(stream, trio.SSLStream):  # of TLS what is encrypted counts
        counting = stream.transport_stream = CountingStream(stream.transport_stream)
    else:
        counting = peer.stream = CountingStream(stream)
    await peer.handshake()
    for size in (1, 1, 70_000, 1_000_000, 5):
        await peer.send(BINARY, bytes(size))
        await answers(peer, 1)
    await trio.testing.wait_all_tasks_blocked()  # a stream's writer counts when it is back
    assert (counts.bytes_received, counts.bytes_sent) == (counting.sent, counting.received)


async def test_the_bytes_of_a_rooms_messages_are_counted_too(connect: Connect) -> None:
    counts = connect.loop.counts
    room = Room()
    peer, socket = await connect.socket()
    await trio.testing.wait_all_tasks_blocked()
    before = counts.bytes_sent
    room.join(socket)
    for size in (10, 300, 1_000_000):
        room.send_binary_message(bytes(size))
        await answers(peer, 1)
    await trio.testing.wait_all_tasks_blocked()
    sent = counts.bytes_sent - before
    frames = 12 + 304 + 1_000_010
    assert sent == frames or (isinstance(peer.stream, trio.SSLStream) and sent > frames)


async def test_errors_of_callbacks_are_counted_sync_or_async_but_not_a_closed_connection(connect: Connect) -> None:
    counts = connect.loop.counts

    def failing(request: HTTPRequest, socket: WebSocket) -> None:
        raise ZeroDivisionError

    async def failing_later(request: HTTPRequest, socket: WebSocket) -> None:
        await trio.lowlevel.checkpoint()
        raise ZeroDivisionError

    async def reading(request: HTTPRequest, socket: WebSocket) -> None:
        while True:
            await socket.read_string_message()  # raises ConnectionClosed at the end

    for number, session in enumerate([failing, failing_later], 1):
        peer = await connect(session)
        assert (await peer.receive_close()).close_code == 1011
        assert counts.callback_errors == number
    peer = await connect(reading)
    await peer.send_close()
    await peer.receive_close()
    assert counts.callback_errors == 2


async def test_requests_and_open_web_sockets_are_counted(connect: Connect) -> None:
    counts = connect.loop.counts
    peer, socket = await connect.socket()
    await connect.socket()
    assert (counts.requests, counts.web_sockets) == (2, 2)
    await peer.send_close()
    await peer.receive_close()
    await peer.vanish()
    await socket.on_close
    assert (counts.requests, counts.web_sockets) == (2, 1)


async def test_what_a_member_gets_that_it_has_missed_is_counted_too(connect: Connect) -> None:
    counts = connect.loop.counts
    room = Room("tea", history=10)
    peer, socket = await connect.socket()
    other, other_socket = await connect.socket()
    told = Calls()
    room.join(socket, after="", completion=told)
    ((recovery,),) = await told.until(1)
    for number in range(3):
        room.send_string_message(str(number))
    await answers(peer, 3)
    room.join(other_socket, after=recovery.position, completion=told)
    await answers(other, 3)
    (_, (recovery,)) = await told.until(2)
    assert recovery.missed == 3
    assert (counts.deliveries, counts.messages_sent) == (6, 6)
