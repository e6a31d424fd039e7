"""RFC 6455 §7 to §10: closing, errors and security, in both roles."""

from __future__ import annotations

import pytest
import trio

from perfectws import HandshakeError, LocalProtocolError, Routes

from ..calls import Calls
from ..certificates import client_context
from ..client.tls_server import tls_server
from ..conftest import Connect, connecting
from ..peer import BINARY, CLOSE, CONTINUATION, PING, TEXT, close_payload
from .conftest import Dial, Link, assert_ended, assert_failed


async def test_7_1_2_a_close_frame_has_the_code_and_the_reason(link: Link) -> None:
    """ "MUST send a Close control frame [...] status code is set to /code/ and whose close reason is set to"."""
    other, socket = await link()
    socket.close(4567, "für immer")
    frame = await other.receive()
    assert (frame.opcode, frame.payload) == (CLOSE, close_payload(4567, "für immer"))


async def test_7_1_7_a_client_that_fails_a_connection_closes_it(dial: Dial) -> None:
    """ "To do so, the client MUST _Close the WebSocket Connection_"."""
    other, socket = await dial()
    await other.send(3)
    await assert_failed(other, 1002)
    await socket.on_close
    assert socket.close_code == 1002


async def test_7_1_7_a_server_that_fails_a_connection_closes_it(serve: Connect) -> None:
    """ "Similarly, to do so, the server MUST _Close the WebSocket Connection_"."""
    peer, socket = await serve.socket()
    await peer.send(3)
    await assert_failed(peer, 1002)
    await socket.on_close
    assert socket.close_code == 1002


async def test_7_1_7_nothing_is_read_behind_what_failed_the_connection(link: Link) -> None:
    """ "An endpoint MUST NOT continue to attempt to process data [...] after being instructed to _Fail the WebSocket
    Connection_".
    """
    other, socket = await link()
    got = Calls()
    socket.on_text(got)
    pings = Calls()
    socket.on_ping(pings)
    rest = link.wire(TEXT, "late") + link.wire(PING, b"late") + link.wire(CLOSE, close_payload(4000))
    await other.stream.send_all(link.wire(TEXT, "before") + link.wire(3) + rest)
    await assert_failed(other, 1002)
    await socket.on_close
    assert [text for _, text in got.got] == ["before"]
    assert not pings.got
    assert socket.close_code == 1002


async def test_7_2_1_a_client_whose_handshake_fails_closes_the_connection(dial: Dial) -> None:
    """ "To do so, the client MUST _Fail the WebSocket Connection_ as defined in Section 7.1.7"."""
    other, future = await dial.asked()
    await other.stream.send_all(other.response(accept="wrong"))
    with pytest.raises(HandshakeError):
        await future
    await assert_ended(other)


async def test_7_2_1_a_client_whose_connection_is_lost_is_told_1006(dial: Dial) -> None:
    """ "If [...] the underlying transport layer connection is unexpectedly lost, the client MUST _Fail the WebSocket
    Connection_".
    """
    other, socket = await dial()
    await trio.aclose_forcefully(other.stream)
    await socket.on_close
    assert (socket.is_connected, socket.close_code) == (False, 1006)


async def test_7_2_2_a_server_that_cannot_read_a_handshake_closes_the_connection(serve: Connect) -> None:
    """ "To do so, the server MUST simply _Close the WebSocket Connection_"."""
    peer = await serve.to(Routes())
    await peer.stream.send_all(b"GET / HTTP/1.1\r\nUpgrade: web socket\r\nHost: a b\r\n\r\n")
    await peer.read_head()
    assert peer.status == 400
    await peer.read_body()
    await assert_ended(peer)


async def test_7_2_2_behind_a_handshake_that_was_refused_the_connection_may_be_used(serve: Connect) -> None:
    """ "To do so, the server MUST simply _Close the WebSocket Connection_".
    Not so where the request is right HTTP: no rule of sections 4 to 10 demands it there. The refusal is a
    response like any, behind which the connection may be used, as by a browser for the page that asks for a
    name.
    """
    routes = Routes()
    routes.web_socket("/", lambda request, socket: socket.send("hello"), origins=[])
    peer = await serve.to(routes)
    for _ in range(2):
        await peer.handshake()
        assert peer.status == 403
        await peer.read_body()


async def assert_code_is_reserved(link: Link, code: int) -> None:
    """Find that ours sends no close frame with ``code``, and that one with it fails the connection."""
    other, socket = await link()
    with pytest.raises(LocalProtocolError):
        socket.close(code)
    assert socket.is_connected
    await other.send(CLOSE, close_payload(code))
    await assert_failed(other, 1002)


async def test_7_4_1_code_1005_is_never_sent(link: Link) -> None:
    """ "1005 is a reserved value and MUST NOT be set as a status code in a Close control frame"."""
    await assert_code_is_reserved(link, 1005)


async def test_7_4_1_a_close_frame_without_a_code_is_told_as_1005_and_answered_without_one(link: Link) -> None:
    """ "1005 is a reserved value and MUST NOT be set as a status code in a Close control frame"."""
    other, socket = await link()
    await other.send(CLOSE)
    assert (await other.receive()).payload == b""
    assert socket.close_code == 1005


async def test_7_4_1_code_1006_is_never_sent(link: Link) -> None:
    """ "1006 is a reserved value and MUST NOT be set as a status code in a Close control frame"."""
    await assert_code_is_reserved(link, 1006)


async def test_7_4_1_code_1015_is_never_sent(link: Link) -> None:
    """ "1015 is a reserved value and MUST NOT be set as a status code in a Close control frame"."""
    await assert_code_is_reserved(link, 1015)


async def test_8_1_a_text_that_is_not_utf_8_fails_as_soon_as_that_is_seen(link: Link) -> None:
    """ "[...] not, in fact, a valid UTF-8 stream, that endpoint MUST _Fail the WebSocket Connection_"."""
    other, _ = await link()
    await other.stream.send_all(link.wire(TEXT, b"ok \xff" + bytes(1000))[:-500])  # the frame does not end
    await assert_failed(other, 1007)


async def test_8_1_a_close_reason_that_is_not_utf_8_fails(link: Link) -> None:
    """ "[...] not, in fact, a valid UTF-8 stream, that endpoint MUST _Fail the WebSocket Connection_"."""
    other, _ = await link()
    await other.send(CLOSE, close_payload(1000) + b"\xff")
    await assert_failed(other, 1007)


async def test_10_3_a_client_that_sends_the_same_again_sends_other_bytes(dial: Dial) -> None:
    """ "Clients MUST choose a new masking key for each frame, using an algorithm that cannot be predicted"."""
    other, socket = await dial()
    text = "the same text, which a proxy must not be made to see"
    for _ in range(100):
        socket.send(text)
    while len(other.buffer) < 100 * (6 + len(text)):
        other.buffer += await other.stream.receive_some(65536)
    assert text.encode() not in other.buffer
    assert len({bytes(other.buffer[at + 2 : at + 6]) for at in range(0, len(other.buffer), 6 + len(text))}) >= 99


@pytest.mark.parametrize("header", [(126, 3, 233), (127, 0, 0, 0, 1, 0, 0, 0, 0), (127, 0x7F, *[255] * 7)])
async def test_10_4_a_frame_that_is_too_long_fails_before_it_has_come(link: Link, header: tuple[int, ...]) -> None:
    """ "Implementations that have [...] limitations regarding the frame size or total message size [...] MUST
    protect themselves".
    """
    other, _ = await link(max_frame_size=1000)
    await other.stream.send_all(link.header(0x80 | BINARY, *header))
    await assert_failed(other, 1009)


async def test_10_4_a_message_that_is_too_long_fails(link: Link) -> None:
    """ "Implementations that have [...] limitations regarding the frame size or total message size [...] MUST
    protect themselves".
    """
    other, socket = await link(max_message_size=1000)
    socket.on_text(lambda _, text: None)
    await other.send(TEXT, "x" * 600, fin=False)
    await other.send(CONTINUATION, "x" * 401, fin=False)
    await assert_failed(other, 1009)


async def test_10_4_a_message_of_too_many_fragments_fails(link: Link) -> None:
    """ "Implementations that have [...] limitations regarding the frame size or total message size [...] MUST
    protect themselves".
    """
    other, socket = await link(max_fragments=10)
    socket.on_text(lambda _, text: None)
    await other.stream.send_all(link.wire(TEXT, fin=False) + link.wire(CONTINUATION, fin=False) * 10)
    await assert_failed(other, 1008)


async def test_10_6_a_server_speaks_tls() -> None:
    """ "WebSocket implementations MUST support TLS"."""
    async with connecting("tls") as connect:
        peer, socket = await connect.socket()
        assert isinstance(peer.stream, trio.SSLStream)
        await peer.send_text("over TLS")
        assert await socket.receive() == "over TLS"


async def test_10_6_a_client_speaks_tls(dial: Dial) -> None:
    """ "WebSocket implementations MUST support TLS"."""
    async with tls_server("localhost") as server:
        future = dial.begin(f"wss://localhost:{server.port}/", ssl_context=client_context())
        other = await server.accept()
        await other.upgrade()
        await other.send(TEXT, "over TLS")
        assert await (await future).receive() == "over TLS"
        await trio.aclose_forcefully(other.stream)


#: What no end may send, and the code that it gets.
INVALID = {
    "an opcode": (b"\x83", 1002),
    "a reserved bit": (b"\x91", 1002),
    "a fragment of a ping": (b"\x09", 1002),
    "a continuation": (b"\x80", 1002),
}


@pytest.mark.parametrize("wrong", INVALID)
async def test_10_7_what_is_not_valid_is_seen_as_soon_as_it_comes(link: Link, wrong: str) -> None:
    """ "Incoming data MUST always be validated by both clients and servers"."""
    other, _ = await link()
    first, code = INVALID[wrong]
    await other.stream.send_all(link.header(first[0], 0))
    await assert_failed(other, code)


async def test_10_7_bytes_that_are_no_frames_reach_no_callback(link: Link) -> None:
    """ "Incoming data MUST always be validated by both clients and servers"."""
    other, socket = await link()
    got = Calls()
    socket.on_text(got)
    socket.on_binary(got)
    await other.stream.send_all(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
    await assert_failed(other, 1002)
    await socket.on_close
    assert not got.got
