"""Law 7: whole messages for on_text and on_binary, and the choice of how a session reads."""

from __future__ import annotations

import pytest
import trio

from perfectws import LocalProtocolError

from .. import peer as wire
from ..calls import TEXT, Calls, quiet
from ..conftest import Connect


async def test_on_text_and_on_binary_get_whole_messages_each_its_kind(connect: Connect) -> None:
    peer, socket = await connect.socket()
    texts, binaries = Calls(), Calls()
    assert socket.on_text(texts) is texts
    assert socket.on_binary(binaries) is binaries
    await peer.send(wire.TEXT, "one ", fin=False)
    await peer.send(wire.CONTINUATION, "mess", fin=False)
    await peer.send(wire.PING, "in between")
    await peer.send(wire.CONTINUATION, "age")
    await peer.send(wire.BINARY, b"\xff\xfe")
    await peer.send_text("")
    assert await texts.until(2) == [(socket, "one message"), (socket, "")]
    assert await binaries.until(1) == [(socket, b"\xff\xfe")]


async def test_a_message_without_a_handler_for_its_kind_is_dropped(connect: Connect) -> None:
    peer, socket = await connect.socket()
    texts = Calls()
    socket.on_text(texts)
    await peer.send(wire.BINARY, b"nobody wants this")
    await peer.send_text("but this")
    assert await texts.until(1) == [(socket, "but this")]


async def test_a_message_may_have_more_fragments_than_are_read_ahead(connect: Connect) -> None:
    peer, socket = await connect.socket()
    texts = Calls()
    socket.on_text(texts)
    for _ in range(200):
        await peer.send(wire.TEXT, "a" * 1000, fin=False)
        await peer.send(wire.CONTINUATION, "b")
    await peer.send(wire.TEXT, "c", fin=False)
    for _ in range(500):
        await peer.send(wire.CONTINUATION, "d" * 500, fin=False)
    await peer.send(wire.CONTINUATION, "e")
    got = await texts.until(201)
    assert got[:200] == [(socket, "a" * 1000 + "b")] * 200
    assert got[200] == (socket, "c" + "d" * 250_000 + "e")


async def test_a_character_cut_by_fragments_is_whole_in_the_message(connect: Connect) -> None:
    peer, socket = await connect.socket()
    texts = Calls()
    socket.on_text(texts)
    face = "😀".encode()
    await peer.send(wire.TEXT, face[:2], fin=False)
    await peer.send(wire.CONTINUATION, face[2:])
    assert await texts.until(1) == [(socket, "😀")]


async def test_more_fragments_than_max_fragments_close_with_1008(connect: Connect) -> None:
    peer, socket = await connect.socket(max_fragments=10)
    texts = Calls()
    socket.on_text(texts)
    await peer.send(wire.TEXT, "x", fin=False)
    for _ in range(10):
        await peer.send(wire.CONTINUATION, "x", fin=False)
    assert (await peer.receive_close()).close_code == 1008
    assert not texts.got


async def test_a_message_above_max_message_size_closes_with_1009(connect: Connect) -> None:
    peer, socket = await connect.socket(max_message_size=1000)
    texts = Calls()
    socket.on_text(texts)
    await peer.send(wire.TEXT, "x" * 600, fin=False)
    await peer.send(wire.CONTINUATION, "x" * 401)
    assert (await peer.receive_close()).close_code == 1009
    assert not texts.got


async def test_frames_wait_until_the_session_chooses_how_to_read(connect: Connect) -> None:
    peer, socket = await connect.socket()
    await peer.send(wire.TEXT, "half and ", fin=False)
    await peer.send(wire.CONTINUATION, "half")
    await peer.send(wire.BINARY, b"whole")
    await quiet()
    texts, binaries = Calls(), Calls()
    socket.on_binary(binaries)
    socket.on_text(texts)
    assert await texts.until(1) == [(socket, "half and half")]
    assert await binaries.until(1) == [(socket, b"whole")]


async def test_a_session_may_change_from_reading_to_handlers_with_no_read_pending(connect: Connect) -> None:
    peer, socket = await connect.socket()
    reads, texts = Calls(), Calls()
    socket.read_string_message(reads)
    with pytest.raises(LocalProtocolError, match="pending"):
        socket.on_text(texts)
    await peer.send_text("frame")
    assert await reads.until(1) == [("frame", TEXT, True)]
    for number in range(20):  # more than are read ahead: some wait here, some with the kernel
        await peer.send_text(str(number))
    await quiet()
    socket.on_text(texts)
    assert [text for _, text in await texts.until(20)] == [str(number) for number in range(20)]


async def test_the_rest_of_a_message_that_was_begun_by_reads_is_no_whole_message(connect: Connect) -> None:
    peer, socket = await connect.socket()
    reads, texts = Calls(), Calls()
    socket.read_string_message(reads)
    await peer.send(wire.TEXT, '{"a":', fin=False)
    await reads.until(1)
    socket.on_text(texts)
    await peer.send(wire.CONTINUATION, "1", fin=False)
    await peer.send(wire.CONTINUATION, "}")
    await peer.send_text("next")
    assert await texts.until(1) == [(socket, "next")]


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([wire.frame_bytes(wire.TEXT, "x" * 101)], 1009),
        ([wire.frame_bytes(wire.TEXT, "é" * 51)], 1009),
        ([wire.frame_bytes(wire.TEXT, "x" * 60, fin=False), wire.frame_bytes(wire.CONTINUATION, "x" * 41)], 1009),
        ([wire.frame_bytes(wire.TEXT, "", fin=False), wire.frame_bytes(wire.CONTINUATION, "", fin=False) * 3], 1008),
    ],
)
async def test_the_limits_of_a_message_hold_for_what_came_before_the_session_chose(
    connect: Connect, frames: list[bytes], code: int
) -> None:
    peer, socket = await connect.socket(max_message_size=100, max_fragments=3)
    await peer.stream.send_all(wire.frame_bytes(wire.TEXT, "x" * 100) + b"".join(frames))
    await quiet()
    texts = Calls()
    socket.on_text(texts)
    assert (await peer.receive_close()).close_code == code
    assert not texts.got


async def test_of_a_message_whose_beginning_was_read_only_the_rest_counts(connect: Connect) -> None:
    peer, socket = await connect.socket(max_message_size=1000)
    reads, texts = Calls(), Calls()
    socket.read_string_message(reads)
    await peer.send(wire.TEXT, "x" * 900, fin=False)
    await reads.until(1)
    socket.on_text(texts)
    await peer.send(wire.CONTINUATION, "x" * 900)
    await peer.send_text("next")
    assert await texts.until(1) == [(socket, "next")]


async def test_a_frame_that_is_arriving_when_the_session_chooses_counts(connect: Connect) -> None:
    peer, socket = await connect.socket(max_message_size=1000)
    await peer.send(wire.TEXT, "x" * 300, fin=False)
    arriving = wire.frame_bytes(wire.CONTINUATION, "x" * 600, fin=False)
    await peer.stream.send_all(arriving[:200])
    await quiet()
    socket.on_text(Calls())
    await peer.stream.send_all(arriving[200:] + wire.frame_bytes(wire.CONTINUATION, "x" * 101))
    assert (await peer.receive_close()).close_code == 1009


async def test_read_raises_once_messages_go_to_handlers(connect: Connect) -> None:
    _, socket = await connect.socket()
    socket.on_binary(Calls())
    for read in (socket.read_string_message, socket.read_bytes_message):
        with pytest.raises(LocalProtocolError, match="on_text"):
            read(Calls())
    with pytest.raises(LocalProtocolError, match="on_text"):
        await socket.read_string_message()


async def test_a_handler_may_be_replaced(connect: Connect) -> None:
    peer, socket = await connect.socket()
    first, second = Calls(), Calls()
    socket.on_text(first)
    await peer.send_text("one")
    await first.until(1)
    socket.on_text(second)
    await peer.send_text("two")
    assert await second.until(1) == [(socket, "two")]
    assert len(first.got) == 1


async def test_messages_that_came_before_the_close_are_delivered_even_to_a_slow_handler(connect: Connect) -> None:
    peer, socket = await connect.socket()
    texts, closed, go_on = Calls(), Calls(), trio.Event()
    socket.on_close.when_success(closed)

    @socket.on_text
    async def slow(socket: object, text: str) -> None:
        await go_on.wait()
        texts(text)

    for number in range(5):
        await peer.send_text(str(number))
    await peer.close_handshake(4000)
    await quiet()
    assert not socket.is_connected
    assert not closed.got
    go_on.set()
    assert await texts.until(5) == [("0",), ("1",), ("2",), ("3",), ("4",)]
    await closed.until(1)
