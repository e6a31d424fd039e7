"""RFC 7692 §7: permessage-deflate, in both roles."""

from __future__ import annotations

import random
import zlib

import pytest

from perfectws import HandshakeError, WebSocket

from ..conftest import Connect
from ..peer import BINARY, CONTINUATION, TEXT
from .conftest import Dial, Link, Other, assert_ended

TAIL = b"\x00\x00\xff\xff"
#: The largest window that there is, in bytes.
WINDOW = 32_768
#: Data that does not get smaller by itself, but where it comes again.
NOISE = random.Random(7692).randbytes(WINDOW - 300)


async def agreed(serve: Connect, *offers: str, compression: object = True) -> str | None:
    """Return what our server answers to an offer."""
    peer, _ = await serve.socket(
        headers=[("Sec-WebSocket-Extensions", offer) for offer in offers], compression=compression
    )
    return peer.headers.get("sec-websocket-extensions")


@pytest.mark.parametrize(
    "parameter", ["x", "server_max_window_bit=10", "no_context_takeover", "client_max_window_bits=10; x=1"]
)
async def test_7_1_an_offer_with_an_unknown_parameter_is_declined(serve: Connect, parameter: str) -> None:
    """ "A server MUST decline an extension negotiation offer [...] [that] contains an extension parameter not
    defined for use in an offer".
    """
    assert await agreed(serve, f"permessage-deflate; {parameter}") is None
    assert await agreed(serve, f"permessage-deflate; {parameter}, permessage-deflate") is not None


@pytest.mark.parametrize(
    "parameter",
    [
        "server_no_context_takeover=1",
        "client_no_context_takeover=true",
        "server_max_window_bits=7",
        "server_max_window_bits=16",
        "client_max_window_bits=0",
        "client_max_window_bits=16",
        "client_max_window_bits=x",
        "client_max_window_bits=-9",
        "client_max_window_bits=",
    ],
)
async def test_7_1_an_offer_with_an_invalid_value_is_declined(serve: Connect, parameter: str) -> None:
    """ "A server MUST decline an extension negotiation offer [...] [that] contains an extension parameter with an
    invalid value".
    """
    assert await agreed(serve, f"permessage-deflate; {parameter}") is None


@pytest.mark.parametrize(
    "parameter",
    ["server_no_context_takeover", "client_no_context_takeover", "client_max_window_bits", "server_max_window_bits=10"],
)
async def test_7_1_an_offer_with_a_parameter_twice_is_declined(serve: Connect, parameter: str) -> None:
    """ "A server MUST decline an extension negotiation offer [...] [that] contains multiple extension parameters
    with the same name".
    """
    assert await agreed(serve, f"permessage-deflate; {parameter}") is not None
    assert await agreed(serve, f"permessage-deflate; {parameter}; {parameter}") is None


@pytest.mark.parametrize("parameter", ["server_max_window_bits=8", "client_max_window_bits=8"])
async def test_7_1_an_offer_that_zlib_cannot_keep_is_declined(serve: Connect, parameter: str) -> None:
    """ "A server MUST decline an extension negotiation offer [...] [if it] doesn't support the offered
    configuration".
    zlib cannot compress within a window of 256 bytes, though the RFC allows to ask for it.
    """
    assert await agreed(serve, f"permessage-deflate; {parameter}") is None


async def refused(dial: Dial, answer: str) -> None:
    """Find that our client fails the connection where the server answers its offer so."""
    other, future = await dial.asked(compression=True)
    await other.stream.send_all(other.response(f"Sec-WebSocket-Extensions: {answer}"))
    with pytest.raises(HandshakeError, match="extension"):
        await future
    await assert_ended(other)


@pytest.mark.parametrize("parameter", ["x", "server_max_window_bit=10", "no_context_takeover"])
async def test_7_1_an_answer_with_an_unknown_parameter_fails(dial: Dial, parameter: str) -> None:
    """ "A client MUST _Fail the WebSocket Connection_ if [...] [a response] contains an extension parameter not
    defined for use in a response".
    """
    await refused(dial, f"permessage-deflate; {parameter}")


@pytest.mark.parametrize(
    "parameter",
    [
        "server_no_context_takeover=1",
        "client_no_context_takeover=0",
        "server_max_window_bits",
        "server_max_window_bits=16",
        "client_max_window_bits",
        "client_max_window_bits=7",
    ],
)
async def test_7_1_an_answer_with_an_invalid_value_fails(dial: Dial, parameter: str) -> None:
    """ "A client MUST _Fail the WebSocket Connection_ if [...] [a response] contains an extension parameter with an
    invalid value".
    """
    await refused(dial, f"permessage-deflate; {parameter}")


@pytest.mark.parametrize("parameter", ["server_no_context_takeover", "client_max_window_bits=10"])
async def test_7_1_an_answer_with_a_parameter_twice_fails(dial: Dial, parameter: str) -> None:
    """ "A client MUST _Fail the WebSocket Connection_ if [...] [a response] contains multiple extension parameters
    with the same name".
    """
    await refused(dial, f"permessage-deflate; {parameter}; {parameter}")


async def test_7_1_an_answer_that_zlib_cannot_keep_fails(dial: Dial) -> None:
    """ "A client MUST _Fail the WebSocket Connection_ if [...] [it] does not support the configuration that the
    response represents".
    zlib cannot compress within a window of 256 bytes.
    """
    await refused(dial, "permessage-deflate; client_max_window_bits=8")


@pytest.mark.parametrize("bits", ["08", "09", "010", "+9", "9.0", "1e1", ""])
async def test_7_1_2_1_a_window_of_the_server_is_a_plain_number(serve: Connect, dial: Dial, bits: str) -> None:
    """ "[server_max_window_bits] has a decimal integer value without leading zeroes between 8 to 15 [...] and MUST
    conform to the ABNF".
    """
    parameters = f"permessage-deflate; server_max_window_bits={bits}"
    assert await agreed(serve, parameters) is None
    await refused(dial, parameters)


@pytest.mark.parametrize("bits", ["9", "12", "15"])
async def test_7_1_2_1_a_window_of_the_server_is_kept(serve: Connect, bits: str) -> None:
    """ "[server_max_window_bits] has a decimal integer value without leading zeroes between 8 to 15 [...] and MUST
    conform to the ABNF".
    """
    answer = await agreed(serve, f"permessage-deflate; server_max_window_bits={bits}", compression={"window_bits": 15})
    assert answer == f"permessage-deflate; server_max_window_bits={bits}"


@pytest.mark.parametrize("bits", ["08", "09", "010", "+9", "9.0", ""])
async def test_7_1_2_2_a_window_of_the_client_is_a_plain_number(serve: Connect, dial: Dial, bits: str) -> None:
    """ "[client_max_window_bits] has no value or a decimal integer value without leading zeroes between 8 to 15
    [...] and MUST conform to the ABNF".
    """
    parameters = f"permessage-deflate; client_max_window_bits={bits}"
    assert await agreed(serve, parameters) is None
    await refused(dial, parameters)


async def test_7_1_2_2_what_our_client_offers_has_values_that_are_right(dial: Dial) -> None:
    """ "[client_max_window_bits] has no value or a decimal integer value without leading zeroes between 8 to 15
    [...] and MUST conform to the ABNF".
    """
    for bits in range(9, 16):
        other, _ = await dial.asked(compression={"window_bits": bits})
        first, *_ = other.headers["sec-websocket-extensions"].split(", ")
        assert f"client_max_window_bits={bits}" in first.split("; ")


@pytest.mark.parametrize("offer", ["", "; server_max_window_bits=10", "; client_no_context_takeover"])
async def test_7_1_2_2_a_client_that_cannot_bound_its_window_is_not_asked_to(serve: Connect, offer: str) -> None:
    """If a received [...] offer doesn't have the "client_max_window_bits" [...], the [...] response to the offer
    MUST NOT include [it].
    """
    compression = {"window_bits": 9}
    assert "client_max" not in (
        await agreed(serve, f"permessage-deflate{offer}", compression=compression) or "client_max"
    )
    offer = f"permessage-deflate{offer}; client_max_window_bits"
    assert "client_max_window_bits=9" in (await agreed(serve, offer, compression=compression) or "")


async def sent_payloads(other: Other, socket: WebSocket, *messages: bytes) -> list[bytes]:
    """Send messages, and return the payloads of their frames, each of which says that it is compressed."""
    payloads = []
    for message in messages:
        socket.send(message)
        frame = await other.receive()
        assert (frame.opcode, frame.fin, frame.rsv1) == (BINARY, True, True)
        payloads.append(frame.payload)
    return payloads


def inflated(payload: bytes, window_bits: int = 15) -> bytes:
    """Inflate a message with an empty window of that size."""
    return zlib.decompressobj(-window_bits).decompress(payload + TAIL)


async def test_7_2_1_no_block_of_ours_is_marked_as_the_last(link: Link) -> None:
    """When any DEFLATE block with the "BFINAL" bit set to 1 doesn't end at a byte boundary, an endpoint MUST add
    minimal padding bits of 0.
    There is none to be padded.
    """
    other, socket = await link.compressed(window_bits=15)
    stream = zlib.decompressobj(-15)
    for payload in await sent_payloads(other, socket, b"x" * 100, NOISE, b"y" * 100_000):
        stream.decompress(payload + TAIL)
        assert not stream.eof


@pytest.mark.parametrize("count", [2, 5])
async def test_7_2_1_only_the_last_fragment_is_without_its_tail(link: Link, count: int) -> None:
    """ "for non-final fragments, the removal of 0x00 0x00 0xff 0xff MUST NOT be done"."""
    other, socket = await link.compressed(min_size=0)
    for at in range(count):
        socket.send_string_message(f"part {at} ", at == count - 1)
    got = [await other.receive() for _ in range(count)]
    assert [(frame.opcode, frame.rsv1) for frame in got] == [(TEXT, True)] + [(CONTINUATION, False)] * (count - 1)
    assert [frame.payload.endswith(TAIL) for frame in got] == [True] * (count - 1) + [False]
    assert inflated(b"".join(frame.payload for frame in got)).decode() == "".join(f"part {at} " for at in range(count))


async def test_7_2_1_a_server_that_agreed_to_forget_refers_to_no_message_before(serve: Connect) -> None:
    """ "server_no_context_takeover" [agreed], the server MUST start compressing each new message with an empty LZ77
    sliding window.
    """
    link = Link(serve)
    other, socket = await link.compressed("; server_no_context_takeover")
    assert [inflated(each) for each in await sent_payloads(other, socket, NOISE, NOISE, NOISE)] == [NOISE] * 3


async def test_7_2_1_a_client_that_agreed_to_forget_refers_to_no_message_before(dial: Dial) -> None:
    """ "client_no_context_takeover" [agreed], the client MUST start compressing each new message with an empty LZ77
    sliding window.
    """
    link = Link(dial)
    other, socket = await link.compressed("; client_no_context_takeover")
    assert [inflated(each) for each in await sent_payloads(other, socket, NOISE, NOISE, NOISE)] == [NOISE] * 3


@pytest.mark.parametrize("bits", [9, 10, 12, 14])
async def test_7_2_1_a_client_keeps_to_the_window_that_was_agreed_on(dial: Dial, bits: int) -> None:
    """ "client_max_window_bits" [agreed] with a value of w, the client MUST NOT use an LZ77 sliding window longer
    than the w-th power of 2 bytes.
    """
    await assert_window_is_kept(Link(dial), f"; client_max_window_bits={bits}", bits)


@pytest.mark.parametrize("bits", [9, 10, 12, 14])
async def test_7_2_1_a_server_keeps_to_the_window_that_was_agreed_on(serve: Connect, bits: int) -> None:
    """ "server_max_window_bits" [agreed] with a value of w, the server MUST NOT use an LZ77 sliding window longer
    than the w-th power of 2 bytes.
    """
    await assert_window_is_kept(Link(serve), f"; server_max_window_bits={bits}", bits)


async def assert_window_is_kept(link: Link, parameters: str, bits: int) -> None:
    """Send what comes again a little behind the window, within a message and across two; all is read."""
    other, socket = await link.compressed(parameters, window_bits=15)
    data = NOISE[: (1 << bits) + 100]
    messages = [data + data, data]
    stream = zlib.decompressobj(-bits)
    assert [stream.decompress(each + TAIL) for each in await sent_payloads(other, socket, *messages)] == messages


async def assert_earlier_messages_may_be_referred_to(link: Link) -> None:
    """Send ours two messages of which the second is short, since it is the first; both are read."""
    other, socket = await link.compressed()
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    sizes = []
    for _ in range(2):
        payload = (deflater.compress(NOISE) + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]
        sizes.append(len(payload))
        await other.send(BINARY, payload, rsv=0x40)
        assert await socket.receive() == NOISE
    assert sizes[1] < 1000 < WINDOW - 1000 < sizes[0]


async def test_7_2_2_a_client_reads_what_refers_to_the_message_before(dial: Dial) -> None:
    """ "Otherwise, the client MUST decompress each new message using the LZ77 sliding window used to process the
    last compressed message".
    "Otherwise, the client MUST use a 32,768-byte LZ77 sliding window to decompress messages".
    """
    await assert_earlier_messages_may_be_referred_to(Link(dial))


async def test_7_2_2_a_server_reads_what_refers_to_the_message_before(serve: Connect) -> None:
    """ "Otherwise, the server MUST decompress each new message using the LZ77 sliding window used to process the
    last compressed message".
    "Otherwise, the server MUST use a 32,768-byte LZ77 sliding window to decompress messages".
    """
    await assert_earlier_messages_may_be_referred_to(Link(serve))
