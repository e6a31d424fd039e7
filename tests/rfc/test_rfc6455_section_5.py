"""RFC 6455 §5.1 to §5.3: frames and their masks, in both roles."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest

from perfectws import WebSocket
from perfectws.websocket import frames

from ..client.raw_server import MaskedFrame
from ..conftest import Connect
from ..peer import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close_payload, frame_bytes
from .conftest import Dial, Link, assert_failed

FIN = 0x80
#: Payload lengths on both sides of each bound.
LENGTHS = [0, 1, 125, 126, 127, 65535, 65536]


def send_one_of_each(socket: WebSocket) -> None:
    """Send every kind of frame, and each length of a header."""
    socket.send("text")
    socket.send(bytes(300))
    socket.send(bytes(70_000))
    socket.send_string_message("first", False)
    socket.send_ping(data=b"ping")
    socket.send_string_message("last")
    socket.send_pong(data=b"pong")
    socket.close(4000, "bye")


SENT = [TEXT, BINARY, BINARY, TEXT, PING, CONTINUATION, PONG, CLOSE]


async def test_5_1_a_client_masks_every_frame(dial: Dial) -> None:
    """ "a client MUST mask all frames that it sends to the server"."""
    other, socket = await dial()
    send_one_of_each(socket)
    got = [await other.receive() for _ in SENT]  # which asserts that they are masked
    assert [frame.opcode for frame in got] == SENT
    assert [frame.payload for frame in got][:2] == [b"text", bytes(300)]


@pytest.mark.parametrize("opcode", [TEXT, BINARY, CLOSE, PING, PONG])
async def test_5_1_a_server_closes_on_an_unmasked_frame(serve: Connect, opcode: int) -> None:
    """ "The server MUST close the connection upon receiving a frame that is not masked"."""
    peer, socket = await serve.socket()
    await peer.stream.send_all(frame_bytes(opcode, close_payload(1000), mask=b""))
    await assert_failed(peer, 1002)
    await socket.on_close
    assert socket.close_code == 1002


async def test_5_1_a_server_masks_no_frame(serve: Connect) -> None:
    """ "A server MUST NOT mask any frames that it sends to the client"."""
    peer, socket = await serve.socket()
    send_one_of_each(socket)
    assert [(await peer.receive()).opcode for _ in SENT] == SENT  # which asserts that they are not masked


@pytest.mark.parametrize("opcode", [TEXT, BINARY, CLOSE, PING, PONG])
async def test_5_1_a_client_closes_on_a_masked_frame(dial: Dial, opcode: int) -> None:
    """ "A client MUST close a connection if it detects a masked frame"."""
    other, socket = await dial()
    await other.stream.send_all(frame_bytes(opcode, close_payload(1000)))
    await assert_failed(other, 1002)
    await socket.on_close
    assert socket.close_code == 1002


async def test_5_2_no_reserved_bit_is_sent_where_nothing_was_negotiated(link: Link) -> None:
    """ "[RSV1, RSV2, RSV3] MUST be 0 unless an extension is negotiated that defines meanings for non-zero values".
    "[frame-rsv1, frame-rsv2, frame-rsv3] 1 bit in length, MUST be 0 unless negotiated otherwise".
    """
    other, socket = await link()
    send_one_of_each(socket)
    for _ in SENT:
        while not other.buffer:
            other.buffer += await other.stream.receive_some(65536)
        assert not other.buffer[0] & 0x70
        await other.receive()


@pytest.mark.parametrize("opcode", [TEXT, PING])
@pytest.mark.parametrize("rsv", [0x10, 0x20, 0x40, 0x70])
async def test_5_2_a_reserved_bit_that_nothing_defines_fails(link: Link, opcode: int, rsv: int) -> None:
    """ "a nonzero value is received and none of the negotiated extensions defines the meaning [...], the receiving
    endpoint MUST _Fail".
    """
    other, _ = await link()
    await other.send(opcode, close_payload(1000), rsv=rsv)
    await assert_failed(other, 1002)


async def test_5_2_a_reserved_bit_on_a_continuation_fails(link: Link) -> None:
    """ "a nonzero value is received and none of the negotiated extensions defines the meaning [...], the receiving
    endpoint MUST _Fail".
    """
    other, _ = await link()
    await other.send(TEXT, "a", fin=False)
    await other.send(CONTINUATION, "b", rsv=0x40)
    await assert_failed(other, 1002)


@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF])
async def test_5_2_an_unknown_opcode_fails(link: Link, opcode: int) -> None:
    """ "If an unknown opcode is received, the receiving endpoint MUST _Fail the WebSocket Connection_"."""
    other, _ = await link()
    await other.send(opcode)
    await assert_failed(other, 1002)


@pytest.mark.parametrize("length", [1 << 63, (1 << 64) - 1, (1 << 63) + 5])
async def test_5_2_a_length_whose_highest_bit_is_set_fails(link: Link, length: int) -> None:
    """ "a 64-bit unsigned integer (the most significant bit MUST be 0)"."""
    other, _ = await link()
    await other.stream.send_all(link.header(FIN | BINARY, 127, *length.to_bytes(8, "big")) + b"hello")
    await assert_failed(other, 1002)


@pytest.mark.parametrize(
    "length",
    [(126, 0, 0), (126, 0, 124), (126, 0, 125), (127, 0, 0, 0, 0, 0, 0, 0, 5), (127, 0, 0, 0, 0, 0, 0, 255, 255)],
)
async def test_5_2_a_length_that_could_be_shorter_fails(link: Link, length: tuple[int, ...]) -> None:
    """ "in all cases, the minimal number of bytes MUST be used to encode the length"."""
    other, _ = await link()
    await other.stream.send_all(link.header(FIN | BINARY, *length) + bytes(200))
    await assert_failed(other, 1002)


@pytest.mark.parametrize("length", LENGTHS)
async def test_5_2_a_length_is_sent_in_as_few_bytes_as_it_takes(link: Link, length: int) -> None:
    """ "in all cases, the minimal number of bytes MUST be used to encode the length"."""
    other, socket = await link()
    socket.send(bytes(length))
    size = 2 + (4 if link.is_client else 0) + (0 if length < 126 else 2 if length < 65536 else 8)
    while len(other.buffer) < size + length:
        other.buffer += await other.stream.receive_some(1 << 20)
    assert len(other.buffer) == size + length
    field = (
        bytes((length,))
        if length < 126
        else struct.pack("!BH" if length < 65536 else "!BQ", 126 + (length > 65535), length)
    )
    assert bytes((other.buffer[1] & 0x7F,)) + bytes(other.buffer[2 : 1 + len(field)]) == field


async def test_5_3_a_masked_frame_says_so(dial: Dial) -> None:
    """ "A masked frame MUST have the field frame-masked set to 1"."""
    other, socket = await dial()
    socket.send("hello")
    while len(other.buffer) < 11:
        other.buffer += await other.stream.receive_some(65536)
    first, second, *mask = other.buffer[:6]
    assert (first, second) == (FIN | TEXT, 0x80 | 5)
    assert bytes(byte ^ mask[at % 4] for at, byte in enumerate(other.buffer[6:])) == b"hello"


async def masks_of(dial: Dial, count: int) -> list[bytes]:
    other, socket = await dial()
    for _ in range(count // 2):
        socket.send("hello")
        socket.send(bytes(1000))
    got: list[MaskedFrame] = [await other.receive() for _ in range(count)]
    return [frame.mask for frame in got]


async def test_5_3_every_frame_has_a_fresh_key(dial: Dial) -> None:
    """ "the client MUST pick a fresh masking key from the set of allowed 32-bit values".
    "the masking key for a given frame MUST NOT make it simple for a server/proxy to predict".
    """
    masks = await masks_of(dial, 200)
    assert len(set(masks)) >= 199  # once in 200,000 runs two of them are the same
    steps = {(int.from_bytes(after) - int.from_bytes(before)) % 2**32 for before, after in pairwise(masks)}
    assert len(steps) >= 198  # nor does one follow from that before


async def test_5_3_keys_come_from_the_kernel_s_random_source(dial: Dial, monkeypatch: pytest.MonkeyPatch) -> None:
    """ "the masking key MUST be derived from a strong source of entropy"."""
    source = bytes(range(256)) * 16
    monkeypatch.setattr(frames, "urandom", lambda size: source[:size])
    monkeypatch.setattr(frames, "_masks", [])
    drawn = {source[at : at + 4] for at in range(0, 256, 4)}
    assert set(await masks_of(dial, 20)) <= drawn
