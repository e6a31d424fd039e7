"""What is agreed on of permessage-deflate, and what is sent with it, as the tests of RFC 7692 see it."""

from __future__ import annotations

import random
import zlib

import pytest

from perfectws import HandshakeError, WebSocket

from ..conftest import Connect
from ..peer import BINARY
from .conftest import Dial, Link, Other, assert_ended

TAIL = b"\x00\x00\xff\xff"
RSV1 = 0x40
#: The largest window that there is, in bytes.
WINDOW = 32_768
#: Data that does not get smaller by itself, but where it comes again.
NOISE = random.Random(7692).randbytes(WINDOW + 100)


async def agreed(serve: Connect, *offers: str, compression: object = True) -> str | None:
    """Return what our server answers to an offer."""
    peer, _ = await serve.socket(
        headers=[("Sec-WebSocket-Extensions", offer) for offer in offers], compression=compression
    )
    return peer.headers.get("sec-websocket-extensions")


async def offered(dial: Dial, **compression: object) -> list[list[str]]:
    """Return what our client offers, each offer as its name and its parameters."""
    other, _ = await dial.asked(compression=compression or True)
    return [offer.split("; ") for offer in other.headers["sec-websocket-extensions"].split(", ")]


async def refused(dial: Dial, answer: str, compression: object = True) -> None:
    """Find that our client fails the connection where the server answers its offer so."""
    other, future = await dial.asked(compression=compression)
    await other.stream.send_all(other.response(f"Sec-WebSocket-Extensions: {answer}"))
    with pytest.raises(HandshakeError, match="extension"):
        await future
    await assert_ended(other)


async def sent_payloads(other: Other, socket: WebSocket, *messages: bytes) -> list[bytes]:
    """Send messages, and return the payloads of their frames, each of which says that it is compressed."""
    payloads = []
    for message in messages:
        socket.send(message)
        frame = await other.receive()
        assert (frame.opcode, frame.fin, frame.rsv1) == (BINARY, True, True)
        payloads.append(frame.payload)
    return payloads


def deflated(data: bytes) -> bytes:
    """Return the payload of a compressed message that refers to none before it."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (deflater.compress(data) + deflater.flush(zlib.Z_SYNC_FLUSH)).removesuffix(TAIL)


def inflated(payload: bytes, window_bits: int = 15) -> bytes:
    """Inflate a message with an empty window of that size."""
    return zlib.decompressobj(-window_bits).decompress(payload + TAIL)


async def assert_window_is_kept(link: Link, parameters: str, bits: int, ours: int = 15) -> None:
    """Send what comes again a little behind the window, within a message and across two; all is read.

    Args:
        link: Opens the WebSocket.
        parameters: What is agreed on.
        bits: The base-2 logarithm of the window with which all is read.
        ours: That of the window which we would use.
    """
    other, socket = await link.compressed(parameters, window_bits=ours)
    data = NOISE[: (1 << bits) + 100]
    messages = [data + data, data]
    stream = zlib.decompressobj(-bits)
    assert [stream.decompress(each + TAIL) for each in await sent_payloads(other, socket, *messages)] == messages
