"""Law 8: pings and the pongs that answer them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from perfectws import OpcodeType, WebSocket

from .. import peer as wire
from ..calls import PONG, TEXT, Calls, Reads, quiet
from ..conftest import Connect


async def test_a_ping_is_answered_with_its_payload_and_told_to_on_ping(connect: Connect) -> None:
    peer, socket = await connect.socket()
    pings = Calls()
    assert socket.on_ping(pings) is pings
    await peer.send(wire.PING, b"\x00payload")
    assert await peer.receive() == (wire.PONG, b"\x00payload", True, False)
    assert await pings.until(1) == [(socket, b"\x00payload")]


@pytest.mark.parametrize(
    ("read", "payload"), [(WebSocket.read_string_message, "hello"), (WebSocket.read_bytes_message, b"hello")]
)
async def test_the_pong_of_an_own_ping_goes_to_the_pending_read(
    connect: Connect, read: Callable[[WebSocket, Calls], object], payload: str | bytes
) -> None:
    peer, socket = await connect.socket()
    calls = Calls()
    read(socket, calls)
    socket.send_ping(data=b"hello")
    assert await peer.receive() == (wire.PING, b"hello", True, False)
    await peer.send(wire.PONG, b"hello")
    assert await calls.until(1) == [(payload, PONG, True)]


async def test_a_pong_whose_payload_is_not_utf8_gives_a_string_read_none(connect: Connect) -> None:
    peer, socket = await connect.socket()
    calls = Calls()
    socket.read_string_message(calls)
    socket.send_ping(data=b"\xff")
    await peer.receive()
    await peer.send(wire.PONG, b"\xff")
    assert await calls.until(1) == [(None, PONG, True)]


async def test_on_ping_and_on_pong_take_the_socket_alone_as_vapors_guide_has_it(connect: Connect) -> None:
    peer, socket = await connect.socket()
    pings, pongs = Calls(), Calls()

    @socket.on_ping
    def on_ping(ws: WebSocket) -> None:
        pings(ws)

    @socket.on_pong
    async def on_pong(ws: WebSocket) -> None:
        pongs(ws)

    await peer.send(wire.PING, b"theirs")
    assert (await peer.receive()).payload == b"theirs"
    socket.send_ping(data=[111, 117, 114, 115])
    assert (await peer.receive()).payload == b"ours"
    await peer.send(wire.PONG, b"ours")
    assert await pings.until(1) == await pongs.until(1) == [(socket,)]
    assert socket.is_connected


async def test_where_on_pong_is_set_the_pong_goes_there_and_to_no_read(connect: Connect) -> None:
    peer, socket = await connect.socket()
    pongs, reads = Calls(), Calls()
    assert socket.on_pong(pongs) is pongs
    socket.read_string_message(reads)
    socket.send_ping(data=b"hello")
    await peer.receive()
    await peer.send(wire.PONG, b"hello")
    assert await pongs.until(1) == [(socket, b"hello")]
    await peer.send_text("text")
    assert await reads.until(1) == [("text", TEXT, True)]


@pytest.mark.parametrize("payload", [b"", b"never sent"])
async def test_a_pong_that_answers_nothing_goes_nowhere(connect: Connect, payload: bytes) -> None:
    peer, socket = await connect.socket()
    pongs, reads = Calls(), Reads()
    await peer.send(wire.PONG, payload)
    await quiet()
    socket.on_pong(pongs)
    await peer.send(wire.PONG, payload)
    reads.session(socket.request, socket)  # type: ignore[arg-type]
    await peer.send_text("text")
    assert await reads.until(1) == [("text", TEXT, True)]
    assert not pongs.got


async def test_a_pong_answers_the_older_pings_too(connect: Connect) -> None:
    peer, socket = await connect.socket()
    pongs = Calls()
    socket.on_pong(pongs)
    for payload in (b"1", b"2", b"3"):
        socket.send_ping(data=payload)
    await peer.send(wire.PONG, b"2")
    await peer.send(wire.PONG, b"1")  # answered already, with the second
    await peer.send(wire.PONG, b"2")
    await peer.send(wire.PONG, b"3")
    assert await pongs.until(2) == [(socket, b"2"), (socket, b"3")]
    await quiet()
    assert len(pongs.got) == 2


async def test_pings_without_a_payload_are_answered_one_by_one(connect: Connect) -> None:
    peer, socket = await connect.socket()
    pongs = Calls()
    socket.on_pong(pongs)
    for _ in range(3):
        socket.send_ping()
    for _ in range(4):
        await peer.send(wire.PONG)
    await pongs.until(3)
    await quiet()
    assert len(pongs.got) == 3


async def test_without_on_pong_the_pong_of_an_own_ping_waits_for_the_next_read(connect: Connect) -> None:
    peer, socket = await connect.socket()
    socket.send_ping(data=b"a")
    await peer.receive()
    await peer.send(wire.PONG, b"a")
    await quiet()
    calls = Calls()
    socket.read_string_message(calls)
    assert await calls.until(1) == [("a", PONG, True)]


async def test_in_message_mode_a_pong_without_on_pong_is_dropped(connect: Connect) -> None:
    peer, socket = await connect.socket()
    texts, binaries = Calls(), Calls()
    socket.on_text(texts)
    socket.on_binary(binaries)
    socket.send_ping(data=b"a")
    await peer.receive()
    await peer.send(wire.PONG, b"a")
    await peer.send_text("text")
    assert await texts.until(1) == [(socket, "text")]
    assert not binaries.got


async def test_send_ping_takes_a_completion_or_a_payload_first(connect: Connect) -> None:
    peer, socket = await connect.socket()
    completions = Calls()
    assert socket.send_ping(completions) is None
    assert socket.send_ping(completions, data=b"both") is None
    socket.send_ping(bytearray(b"payload"))
    socket.send_pong(memoryview(b"pong"))
    socket.send_pong(completions)
    expected = [(9, b""), (9, b"both"), (9, b"payload"), (10, b"pong"), (10, b"")]
    assert [(await peer.receive())[:2] for _ in expected] == expected
    await completions.until(3)


async def test_a_ping_inside_a_fragmented_send_keeps_its_opcode_and_the_message_whole(connect: Connect) -> None:
    peer, socket = await connect.socket()
    socket.send_string_message("one ", final=False)
    socket.send_ping(data=b"?")
    socket.send_string_message("two ", False)
    socket.send_pong(data=b"!")
    socket.send_string_message("three")
    socket.send_binary_message(b"next")
    expected: list[tuple[Any, ...]] = [
        (wire.TEXT, b"one ", False),
        (wire.PING, b"?", True),
        (wire.CONTINUATION, b"two ", False),
        (wire.PONG, b"!", True),
        (wire.CONTINUATION, b"three", True),
        (wire.BINARY, b"next", True),
    ]
    assert [(await peer.receive())[:3] for _ in expected] == expected


async def test_our_pong_to_a_ping_inside_a_fragmented_send_of_ours_does_not_tear_it(connect: Connect) -> None:
    peer, socket = await connect.socket()
    socket.send_binary_message(b"one", final=False)
    await peer.send(wire.PING, b"?")
    assert [(await peer.receive())[:3] for _ in range(2)] == [(wire.BINARY, b"one", False), (wire.PONG, b"?", True)]
    socket.send_binary_message(b"two")
    assert (await peer.receive())[:3] == (wire.CONTINUATION, b"two", True)


async def test_a_ping_between_the_fragments_of_the_peer_does_not_disturb_them(connect: Connect) -> None:
    reads = Reads()
    peer = await connect(reads.session)
    await peer.send(wire.TEXT, b"\xc3", fin=False)
    await peer.send(wire.PING, b"?")
    await peer.send(wire.CONTINUATION, b"\xbc")
    assert await reads.until(2) == [("", TEXT, False), ("ü", OpcodeType.CONTINUATION, True)]
    assert (await peer.receive()).opcode == wire.PONG


async def test_pongs_that_nobody_reads_do_not_pile_up(connect: Connect) -> None:
    peer, socket = await connect.socket()
    for number in range(2000):
        socket.send_ping(data=str(number).encode())
    for _ in range(2000):
        await peer.receive()
    for number in range(900):
        await peer.send(wire.PONG, str(number + 1000).encode())
    await quiet()
    assert socket.is_connected
    reads = Reads()
    reads.session(socket.request, socket)  # type: ignore[arg-type]
    await peer.send_text("end")
    while ("end", TEXT, True) not in reads.got:
        await quiet()
    assert [data for data, _, _ in reads.got[:-1]] == [str(number + 1000) for number in range(900)]
