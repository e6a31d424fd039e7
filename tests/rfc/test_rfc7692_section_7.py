"""RFC 7692 §7: permessage-deflate, in both roles."""

from __future__ import annotations

import zlib

import pytest

from ..conftest import Connect
from ..peer import BINARY, CONTINUATION, TEXT
from .compressed import (
    NOISE,
    RSV1,
    TAIL,
    WINDOW,
    agreed,
    assert_window_is_kept,
    inflated,
    offered,
    refused,
    sent_payloads,
)
from .conftest import Dial, Link


@pytest.mark.parametrize(
    "parameter", ["x", "server_max_window_bit=10", "no_context_takeover", "client_max_window_bits=10; x=1"]
)
async def test_7_an_offer_with_an_unknown_parameter_is_declined(serve: Connect, parameter: str) -> None:
    """ "A server MUST decline an extension negotiation offer [...] contains an extension parameter not defined for use
    in an offer".
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
    ],
)
async def test_7_an_offer_with_an_invalid_value_is_declined(serve: Connect, parameter: str) -> None:
    """ "A server MUST decline an extension negotiation offer [...] contains an extension parameter with an invalid
    value".
    """
    assert await agreed(serve, f"permessage-deflate; {parameter}") is None


@pytest.mark.parametrize(
    "parameter",
    ["server_no_context_takeover", "client_no_context_takeover", "client_max_window_bits", "server_max_window_bits=10"],
)
async def test_7_an_offer_with_a_parameter_twice_is_declined(serve: Connect, parameter: str) -> None:
    """ "A server MUST decline an extension negotiation offer [...] contains multiple extension parameters with the
    same name".
    """
    assert await agreed(serve, f"permessage-deflate; {parameter}") is not None
    assert await agreed(serve, f"permessage-deflate; {parameter}; {parameter}") is None


@pytest.mark.parametrize("parameter", ["server_max_window_bits=8", "client_max_window_bits=8"])
async def test_7_an_offer_that_zlib_cannot_keep_is_declined(serve: Connect, parameter: str) -> None:
    """ "A server MUST decline an extension negotiation offer [...] The server doesn't support the offered
    configuration".
    zlib cannot compress within a window of 256 bytes, though the RFC allows to ask for it.
    """
    assert await agreed(serve, f"permessage-deflate; {parameter}") is None


@pytest.mark.parametrize("parameter", ["x", "server_max_window_bit=10", "no_context_takeover"])
async def test_7_an_answer_with_an_unknown_parameter_fails(dial: Dial, parameter: str) -> None:
    """ "A client MUST _Fail [...] The negotiation response contains an extension parameter not defined for use in a
    response".
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
async def test_7_an_answer_with_an_invalid_value_fails(dial: Dial, parameter: str) -> None:
    """ "A client MUST _Fail [...] The negotiation response contains an extension parameter with an invalid value"."""
    await refused(dial, f"permessage-deflate; {parameter}")


@pytest.mark.parametrize("parameter", ["server_no_context_takeover", "client_max_window_bits=10"])
async def test_7_an_answer_with_a_parameter_twice_fails(dial: Dial, parameter: str) -> None:
    """ "A client MUST _Fail [...] negotiation response contains multiple extension parameters with the same name"."""
    await refused(dial, f"permessage-deflate; {parameter}; {parameter}")


async def test_7_an_answer_that_zlib_cannot_keep_fails(dial: Dial) -> None:
    """ "A client MUST _Fail [...] The client does not support the configuration that the response represents".
    zlib cannot compress within a window of 256 bytes.
    """
    await refused(dial, "permessage-deflate; client_max_window_bits=8")


async def test_7_1_1_2_a_client_forgets_if_asked_to_though_it_did_not_offer_it(dial: Dial) -> None:
    """ "A client MUST support the "client_no_context_takeover" extension parameter in an extension negotiation
    response".
    """
    assert not any("client_no_context_takeover" in offer for offer in await offered(dial))
    other, socket = await Link(dial).compressed("; client_no_context_takeover")
    first, again = await sent_payloads(other, socket, NOISE[:1000], NOISE[:1000])
    assert inflated(first) == inflated(again) == NOISE[:1000]


@pytest.mark.parametrize("bits", ["08", "09", "010", "+9", "9.0", "1e1"])
async def test_7_1_2_1_a_window_of_the_server_is_a_plain_number(serve: Connect, dial: Dial, bits: str) -> None:
    """ "[offered] This parameter has a decimal integer value without leading zeroes [...] and MUST conform to the
    ABNF".
    "[answered] in an extension negotiation response has a decimal integer value without leading zeroes [...] and
    MUST conform to the ABNF".
    """
    parameters = f"permessage-deflate; server_max_window_bits={bits}"
    assert await agreed(serve, parameters) is None
    await refused(dial, parameters)


async def test_7_1_2_1_a_window_of_the_server_that_our_client_asks_for_is_a_plain_number(dial: Dial) -> None:
    """ "[offered] This parameter has a decimal integer value without leading zeroes [...] and MUST conform to the
    ABNF".
    """
    for bits in range(9, 15):
        first, *_ = await offered(dial, window_bits=bits)
        assert f"server_max_window_bits={bits}" in first


@pytest.mark.parametrize("bits", ["9", "12", "15"])
async def test_7_1_2_1_a_window_of_the_server_is_kept(serve: Connect, bits: str) -> None:
    """ "[answered] in an extension negotiation response has a decimal integer value without leading zeroes [...] and
    MUST conform to the ABNF".
    """
    answer = await agreed(serve, f"permessage-deflate; server_max_window_bits={bits}", compression={"window_bits": 15})
    assert answer == f"permessage-deflate; server_max_window_bits={bits}"


@pytest.mark.parametrize("bits", ["08", "09", "010", "+9", "9.0"])
async def test_7_1_2_2_a_window_of_the_client_is_a_plain_number(serve: Connect, dial: Dial, bits: str) -> None:
    """ "If a value is specified for this parameter, the value MUST conform to the ABNF".
    "in an extension negotiation response has a decimal integer value without leading zeroes [...] and MUST conform to
    the ABNF".
    """
    parameters = f"permessage-deflate; client_max_window_bits={bits}"
    assert await agreed(serve, parameters) is None
    await refused(dial, parameters)


async def test_7_1_2_2_what_our_client_offers_has_values_that_are_right(dial: Dial) -> None:
    """ "If a value is specified for this parameter, the value MUST conform to the ABNF"."""
    for bits in range(9, 16):
        first, *_ = await offered(dial, window_bits=bits)
        assert f"client_max_window_bits={bits}" in first


@pytest.mark.parametrize("offer", ["client_max_window_bits", "client_max_window_bits=14"])
async def test_7_1_2_2_what_our_server_answers_has_a_value(serve: Connect, offer: str) -> None:
    """ "in an extension negotiation response has a decimal integer value without leading zeroes [...] and MUST conform
    to the ABNF".
    """
    answer = await agreed(serve, f"permessage-deflate; {offer}", compression={"window_bits": 10})
    assert answer is not None
    assert "client_max_window_bits=10" in answer.split("; ")


@pytest.mark.parametrize("offer", ["", "; server_max_window_bits=10", "; client_no_context_takeover"])
async def test_7_1_2_2_a_client_that_cannot_bound_its_window_is_not_asked_to(serve: Connect, offer: str) -> None:
    """ "offer doesn't have the "client_max_window_bits" [...] the corresponding extension negotiation response to the
    offer MUST NOT include".
    """
    compression = {"window_bits": 9}
    answer = await agreed(serve, f"permessage-deflate{offer}", compression=compression)
    assert answer is not None
    assert "client_max" not in answer
    offer = f"permessage-deflate{offer}; client_max_window_bits"
    assert "client_max_window_bits=9" in (await agreed(serve, offer, compression=compression) or "")


async def test_7_2_1_no_block_of_ours_is_marked_as_the_last(link: Link) -> None:
    """ "an endpoint MUST add minimal padding bits of 0 to make it end at a byte boundary".
    There is none to be padded: that is asked for behind a block with the "BFINAL" bit set to 1.
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


async def test_7_2_1_no_window_is_larger_than_the_largest(link: Link) -> None:
    """ "An endpoint MUST NOT use an LZ77 sliding window longer than 32,768 bytes to compress messages to send"."""
    assert len(NOISE) > WINDOW
    await assert_window_is_kept(link, "", 15)


async def test_7_2_1_a_client_that_agreed_to_forget_refers_to_no_message_before(dial: Dial) -> None:
    """ "the client MUST start compressing each new message with an empty LZ77 sliding window"."""
    other, socket = await Link(dial).compressed("; client_no_context_takeover")
    data = NOISE[: WINDOW // 2]
    assert [inflated(each) for each in await sent_payloads(other, socket, data, data, data)] == [data] * 3


async def test_7_2_1_a_server_that_agreed_to_forget_refers_to_no_message_before(serve: Connect) -> None:
    """ "the server MUST start compressing each new message with an empty LZ77 sliding window"."""
    other, socket = await Link(serve).compressed("; server_no_context_takeover")
    data = NOISE[: WINDOW // 2]
    assert [inflated(each) for each in await sent_payloads(other, socket, data, data, data)] == [data] * 3


@pytest.mark.parametrize("bits", [9, 10, 12, 14])
async def test_7_2_1_a_client_keeps_to_the_window_that_was_agreed_on(dial: Dial, bits: int) -> None:
    """ "the client MUST NOT use an LZ77 sliding window longer than the w-th power of 2 bytes"."""
    await assert_window_is_kept(Link(dial), f"; client_max_window_bits={bits}", bits)


@pytest.mark.parametrize("bits", [9, 10, 12, 14])
async def test_7_2_1_a_server_keeps_to_the_window_that_was_agreed_on(serve: Connect, bits: int) -> None:
    """ "the server MUST NOT use an LZ77 sliding window longer than the w-th power of 2 bytes"."""
    await assert_window_is_kept(Link(serve), f"; server_max_window_bits={bits}", bits)


async def assert_earlier_messages_may_be_referred_to(link: Link) -> None:
    """Send ours two messages of which the second is short, since it is the first; both are read."""
    other, socket = await link.compressed()
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = NOISE[: WINDOW - 300]
    sizes = []
    for _ in range(2):
        payload = (deflater.compress(data) + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]
        sizes.append(len(payload))
        await other.send(BINARY, payload, rsv=RSV1)
        assert await socket.receive() == data
    assert sizes[1] < 1000 < WINDOW - 1000 < sizes[0]


async def test_7_2_2_a_client_reads_what_refers_to_the_message_before(dial: Dial) -> None:
    """ "Otherwise, the client MUST decompress each new message using the LZ77 sliding window used to process the
    last".
    "Otherwise, the client MUST use a 32,768-byte LZ77 sliding window to decompress received messages".
    """
    await assert_earlier_messages_may_be_referred_to(Link(dial))


async def test_7_2_2_a_server_reads_what_refers_to_the_message_before(serve: Connect) -> None:
    """ "Otherwise, the server MUST decompress each new message using the LZ77 sliding window used to process the
    last".
    "Otherwise, the server MUST use a 32,768-byte LZ77 sliding window to decompress received messages".
    """
    await assert_earlier_messages_may_be_referred_to(Link(serve))


async def test_7_2_2_a_server_agrees_to_what_a_client_says_that_it_will_forget(serve: Connect) -> None:
    """ "even if the client has included the "client_no_context_takeover" [...] the server MUST decompress each new
    message".
    That is asked for where the answer does not have it. Ours always has, so that the client is bound to it.
    """
    for offer in ("client_no_context_takeover", "client_no_context_takeover; client_max_window_bits=9"):
        answer = await agreed(serve, f"permessage-deflate; {offer}", compression={"context_takeover": True})
        assert answer is not None
        assert "client_no_context_takeover" in answer.split("; ")


@pytest.mark.parametrize(("ours", "answer", "bits"), [(9, 12, 12), (12, 12, 12), (14, 10, 10)])
async def test_7_2_2_a_client_keeps_to_what_was_agreed_on_whatever_it_offered(
    dial: Dial, ours: int, answer: int, bits: int
) -> None:
    """ "the client MUST use an LZ77 sliding window of a size that conforms the "agreed parameters" to compress"."""
    await assert_window_is_kept(Link(dial), f"; client_max_window_bits={answer}", bits, ours)
