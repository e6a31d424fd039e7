"""Laws 5, 7 and 8: reading frame by frame."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio

from perfectws import WebSocket

from .. import peer as wire
from ..calls import BINARY, CONTINUATION, NOTHING, TEXT, Calls, Reads, quiet
from ..conftest import Connect

READS = [WebSocket.read_string_message, WebSocket.read_bytes_message]


async def test_a_fragmented_message_arrives_frame_by_frame(connect: Connect) -> None:
    reads = Reads()
    peer = await connect(reads.session)
    await peer.send(wire.TEXT, "one", fin=False)
    await peer.send(wire.CONTINUATION, "two", fin=False)
    await peer.send(wire.CONTINUATION, "three")
    await peer.close_handshake()
    assert await reads.until_end() == [
        ("one", TEXT, False),
        ("two", CONTINUATION, False),
        ("three", CONTINUATION, True),
        NOTHING,
    ]


async def test_a_character_cut_by_frames_arrives_whole_with_the_frame_that_ends_it(connect: Connect) -> None:
    reads = Reads()
    peer = await connect(reads.session)
    face = "😀".encode()
    await peer.send(wire.TEXT, b"a" + face[:1], fin=False)
    await peer.send(wire.CONTINUATION, face[1:3], fin=False)
    await peer.send(wire.CONTINUATION, face[3:] + b"b")
    assert await reads.until(3) == [("a", TEXT, False), ("", CONTINUATION, False), ("😀b", CONTINUATION, True)]


async def test_empty_frames_are_frames(connect: Connect) -> None:
    reads = Reads()
    peer = await connect(reads.session)
    await peer.send(wire.TEXT, "")
    await peer.send(wire.TEXT, "", fin=False)
    await peer.send(wire.CONTINUATION, "")
    await peer.send(wire.BINARY, b"")
    assert await reads.until(4) == [("", TEXT, True), ("", TEXT, False), ("", CONTINUATION, True), ("", BINARY, True)]


async def test_a_string_read_of_a_binary_frame_decodes_it_if_it_is_utf8(connect: Connect) -> None:
    reads = Reads()
    peer = await connect(reads.session)
    await peer.send(wire.BINARY, "grüß".encode())
    await peer.send(wire.BINARY, b"\xff\xfe")
    await peer.send(wire.BINARY, b"\xff", fin=False)
    assert await reads.until(3) == [("grüß", BINARY, True), (None, BINARY, True), (None, BINARY, False)]


async def test_a_bytes_read_of_text_gives_its_utf8(connect: Connect) -> None:
    reads = Reads(WebSocket.read_bytes_message)
    peer = await connect(reads.session)
    await peer.send_text("grüß")
    await peer.send(wire.BINARY, b"\xff")
    assert await reads.until(2) == [("grüß".encode(), TEXT, True), (b"\xff", BINARY, True)]


async def test_text_that_is_not_utf8_closes_with_1007_also_for_a_bytes_read(connect: Connect) -> None:
    reads = Reads(WebSocket.read_bytes_message)
    peer = await connect(reads.session)
    await peer.send(wire.TEXT, b"ok")
    await peer.send(wire.TEXT, b"\xc3(")
    assert (await peer.receive_close()).close_code == 1007
    assert await reads.until_end() == [(b"ok", TEXT, True), NOTHING]


def test_read_binary_message_is_read_bytes_message() -> None:
    assert WebSocket.read_binary_message is WebSocket.read_bytes_message


@pytest.mark.parametrize("read", READS)
async def test_read_returns_its_continuation_so_that_it_decorates(
    connect: Connect, read: Callable[[WebSocket, Calls], Calls]
) -> None:
    _, socket = await connect.socket()
    calls = Calls()
    assert read(socket, calls) is calls


@pytest.mark.parametrize("read", READS)
async def test_a_second_read_takes_the_place_of_the_first(
    connect: Connect, read: Callable[[WebSocket, Calls], object]
) -> None:
    peer, socket = await connect.socket()
    first, second, third = Calls(), Calls(), Calls()
    socket.read_string_message(first)
    read(socket, second)
    await trio.to_thread.run_sync(socket.read_string_message, third)
    await peer.send_text("one")
    assert await third.until(1) == [("one", TEXT, True)]
    assert socket.is_connected
    socket.read_string_message(first)
    await peer.send_text("two")
    assert await first.until(1) == [("two", TEXT, True)]
    assert not second.got
    assert len(third.got) == 1


async def test_a_second_read_takes_the_place_also_while_the_continuation_is_queued(connect: Connect) -> None:
    peer, socket = await connect.socket()
    await peer.send_text("one")
    await quiet()
    first, second = Calls(), Calls()
    socket.read_string_message(first)  # a frame waits, so the continuation is queued at once
    socket.read_bytes_message(second)
    assert await second.until(1) == [(b"one", TEXT, True)]
    assert not first.got


async def test_the_next_read_is_allowed_inside_the_continuation(connect: Connect) -> None:
    reads = Reads()
    peer = await connect(reads.session)
    for number in range(50):
        await peer.send_text(str(number))
    assert [data for data, _, _ in await reads.until(50)] == [str(number) for number in range(50)]


async def test_frames_wait_for_whoever_reads_late(connect: Connect) -> None:
    peer, socket = await connect.socket()
    for number in range(5):
        await peer.send_text(str(number))
    await quiet()
    reads = Reads()
    reads.session(socket.request, socket)  # type: ignore[arg-type]
    assert [data for data, _, _ in await reads.until(5)] == ["0", "1", "2", "3", "4"]


async def test_string_and_bytes_reads_may_alternate(connect: Connect) -> None:
    peer, socket = await connect.socket()
    for text in ("a", "b", "c"):
        await peer.send_text(text)
    calls = Calls()
    socket.read_bytes_message(calls)
    await calls.until(1)
    socket.read_string_message(calls)
    await calls.until(2)
    socket.read_binary_message(calls)
    assert [data for data, _, _ in await calls.until(3)] == [b"a", "b", b"c"]


async def test_a_frame_that_arrives_byte_by_byte_is_a_frame(connect: Connect) -> None:
    reads = Reads()
    peer = await connect(reads.session)
    for byte in wire.frame_bytes(wire.TEXT, "grüß " * 30):
        await peer.stream.send_all(bytes([byte]))
    assert await reads.until(1) == [("grüß " * 30, TEXT, True)]
