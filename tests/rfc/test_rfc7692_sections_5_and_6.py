"""RFC 7692 §5 and §6: how compression is negotiated, and which frames are compressed, in both roles."""

from __future__ import annotations

import pytest

from ..conftest import Connect
from ..peer import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close_payload
from .compressed import RSV1, agreed, deflated, inflated, offered, refused
from .conftest import Dial, Link, assert_failed

NAME = "permessage-deflate"
PARAMETERS = {
    "server_no_context_takeover",
    "client_no_context_takeover",
    "server_max_window_bits",
    "client_max_window_bits",
}
#: Two extensions, of which one is of this kind. None but ours is known to us.
TOGETHER = [f"permessage-bzip2, {NAME}", f"x-webkit-deflate-frame, {NAME}", f"{NAME}; server_max_window_bits=10, mux"]

#: A message that is long enough to be compressed, and gets shorter.
LONG = "compressed " * 100


async def test_5_what_our_client_offers_has_the_name_of_the_extension(dial: Dial) -> None:
    """ "To offer use of a PMCE, a client MUST include the extension name of the PMCE"."""
    assert {name for name, *_ in await offered(dial)} == {NAME}
    other, _ = await dial.asked(compression=False)
    assert "sec-websocket-extensions" not in other.headers


async def test_5_what_our_client_offers_tells_its_window(dial: Dial) -> None:
    """ "In a PMCE negotiation offer, the client MUST inform the server of its LZ77 window size".
    The largest is told by saying nothing (§7.1.2.1), as in the second offer, which our client can meet too.
    """
    for bits in range(9, 15):
        first, *_ = await offered(dial, window_bits=bits)
        assert f"server_max_window_bits={bits}" in first
    assert not any("server_max_window_bits" in "".join(offer) for offer in await offered(dial, window_bits=15))


@pytest.mark.parametrize(
    ("offers", "answer"),
    [
        ("{}", "{}"),
        ("{}; server_max_window_bits=8, {}; server_max_window_bits=10", "{}; server_max_window_bits=10"),
        ("{}; x, {}; client_no_context_takeover", "{}; client_no_context_takeover"),
    ],
)
async def test_5_what_our_server_accepts_is_named_and_can_be_met(serve: Connect, offers: str, answer: str) -> None:
    """ "To accept the use of an offered PMCE, a server MUST include the extension name of the PMCE".
    "The element MUST represent a PMCE that is fully supported by the server".
    """
    compression = {"window_bits": 15}
    assert await agreed(serve, offers.replace("{}", NAME), compression=compression) == answer.replace("{}", NAME)


@pytest.mark.parametrize("offers", TOGETHER)
async def test_5_our_server_accepts_no_other_beside_it(serve: Connect, offers: str) -> None:
    """ "A server MUST NOT accept a PMCE [...] together with another extension if the PMCE will conflict with the
    extension".
    "A server MUST NOT accept a PMCE [...] together with another extension if the PMCE will be applied to the output".
    """
    answer = await agreed(serve, offers)
    assert answer is not None
    assert "," not in answer
    assert answer.split("; ")[0] == NAME


@pytest.mark.parametrize("answer", TOGETHER)
async def test_5_our_client_fails_where_another_is_accepted_beside_it(dial: Dial, answer: str) -> None:
    """ "A client that received a response accepting a PMCE [...] together with such an extension MUST _Fail".
    "A client that receives a response accepting a PMCE [...] together with such an extension MUST _Fail".
    """
    await refused(dial, answer)


@pytest.mark.parametrize("compression", [True, False])
async def test_5_a_server_that_declines_says_nothing(serve: Connect, compression: bool) -> None:
    """ "A server declining all offered PMCEs MUST NOT include any element with PMCE names"."""
    assert await agreed(serve, f"{NAME}; x", f"{NAME}; server_max_window_bits=8", compression=compression) is None
    if not compression:
        assert await agreed(serve, NAME, compression=compression) is None


@pytest.mark.parametrize(("answer", "compression"), [(NAME, False), ("permessage-bzip2", True), ("mux", False)])
async def test_5_what_was_not_offered_fails(dial: Dial, answer: str, compression: bool) -> None:
    """ "an invalid response, such as accepting a PMCE that the client did not offer, the client MUST _Fail"."""
    await refused(dial, answer, compression)


async def test_5_what_was_agreed_on_is_used_by_both(link: Link) -> None:
    """ "both endpoints MUST use the algorithm described in Section 6"."""
    other, socket = await link.compressed()
    socket.on_text(lambda socket, text: socket.send(text.upper()))
    await other.send(TEXT, deflated(LONG.encode()), rsv=RSV1)
    frame = await other.receive()
    assert (frame.opcode, frame.rsv1, inflated(frame.payload)) == (TEXT, True, LONG.upper().encode())


async def test_6_1_a_compressed_message_has_the_bit_and_the_type_of_what_it_was(link: Link) -> None:
    """ "An endpoint MUST use the following algorithm to send a message in the form of a compressed message"."""
    other, socket = await link.compressed(context_takeover=False)
    socket.send(LONG)
    socket.send(LONG.encode())
    for opcode in (TEXT, BINARY):
        frame = await other.receive()
        assert (frame.opcode, frame.fin, frame.rsv1) == (opcode, True, True)
        assert inflated(frame.payload) == LONG.encode()


async def test_6_1_a_message_that_is_not_compressed_has_no_bit_and_is_as_it_was(link: Link) -> None:
    """ "An endpoint MUST use the following algorithm to send a message in the form of an uncompressed message"."""
    other, socket = await link.compressed(min_size=100)
    socket.send("short")
    socket.send_string_message("sh", False)
    socket.send_string_message("ort")
    got = [await other.receive() for _ in range(3)]
    # Whether a message in fragments is short is not known when its first is sent.
    assert (got[0].rsv1, got[0].payload) == (False, b"short")
    payload = b"".join(frame.payload for frame in got[1:])
    assert (inflated(payload) if got[1].rsv1 else payload) == b"short"


async def test_6_1_only_the_first_frame_of_a_message_has_the_bit(link: Link) -> None:
    """ "MUST NOT set the "Per-Message Compressed" bit of control frames and non-first fragments of a data message"."""
    other, socket = await link.compressed(min_size=0)
    socket.send_string_message(LONG, False)
    socket.send_ping(data=b"x" * 125)
    socket.send_string_message(LONG, False)
    socket.send_pong(data=b"x" * 125)
    socket.send_string_message(LONG)
    socket.close(1000, "x" * 100)
    got = [await other.receive() for _ in range(6)]
    assert [frame.opcode for frame in got] == [TEXT, PING, CONTINUATION, PONG, CONTINUATION, CLOSE]
    assert [frame.rsv1 for frame in got] == [True] + [False] * 5


@pytest.mark.parametrize("opcode", [CONTINUATION, CLOSE, PING, PONG])
@pytest.mark.parametrize("first_rsv", [0, RSV1])
async def test_6_1_another_frame_with_the_bit_fails(link: Link, opcode: int, first_rsv: int) -> None:
    """ "An endpoint receiving such a frame MUST _Fail the WebSocket Connection_"."""
    other, _ = await link.compressed()
    payload = deflated(LONG.encode())
    if opcode == CONTINUATION:
        await other.send(TEXT, payload[:3] if first_rsv else "abc", fin=False, rsv=first_rsv)
        await other.send(CONTINUATION, payload[3:], rsv=RSV1)
    else:
        await other.send(opcode, close_payload(1000), rsv=RSV1)
    await assert_failed(other, 1002)


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("count", [1, 2, 5])
async def test_6_2_a_compressed_message_is_joined_and_then_inflated(link: Link, opcode: int, count: int) -> None:
    """ "An endpoint MUST use the following algorithm to receive a message in the form of a compressed message"."""
    other, socket = await link.compressed()
    payload = deflated(LONG.encode())
    size = len(payload) // count + 1
    for at in range(count):
        part = payload[at * size : (at + 1) * size]
        await other.send(CONTINUATION if at else opcode, part, at == count - 1, 0 if at else RSV1)
        await other.send(PING, b"between")
        assert (await other.receive()).payload == b"between"
    assert await socket.receive() == (LONG if opcode == TEXT else LONG.encode())


async def test_6_2_a_message_without_the_bit_is_taken_as_it_is(link: Link) -> None:
    """ "An endpoint MUST use the following algorithm to receive a message in the form of an uncompressed message"."""
    other, socket = await link.compressed()
    compressed = deflated(LONG.encode())
    await other.send(BINARY, compressed)
    await other.send(TEXT, compressed, rsv=RSV1)
    await other.send(TEXT, "as it", fin=False)
    await other.send(CONTINUATION, " is")
    assert [await socket.receive() for _ in range(3)] == [compressed, LONG, "as it is"]
