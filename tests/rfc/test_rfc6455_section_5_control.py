"""RFC 6455 §5.5 to §5.8: control frames, text and extensions, in both roles."""

from __future__ import annotations

import pytest
import trio

from perfectws import LocalProtocolError, OpcodeType

from ..calls import Calls
from ..conftest import Connect
from ..peer import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close_payload
from .conftest import Dial, Link, assert_ended, assert_failed


@pytest.mark.parametrize("opcode", [CLOSE, PING, PONG])
@pytest.mark.parametrize("size", [126, 65536])
async def test_5_5_a_control_frame_of_more_than_125_bytes_fails(link: Link, opcode: int, size: int) -> None:
    """ "All control frames MUST have a payload length of 125 bytes or less and MUST NOT be fragmented"."""
    other, _ = await link()
    await other.send(opcode, close_payload(1000) + b"x" * (size - 2))
    await assert_failed(other, 1002)


@pytest.mark.parametrize("opcode", [PING, PONG])
async def test_5_5_a_control_frame_of_125_bytes_is_right(link: Link, opcode: int) -> None:
    """ "All control frames MUST have a payload length of 125 bytes or less and MUST NOT be fragmented"."""
    other, socket = await link()
    await other.send(opcode, b"x" * 125)
    await other.send(TEXT, "behind")
    assert await socket.receive() == "behind"
    if opcode == PING:
        assert (await other.receive()).payload == b"x" * 125


async def test_5_5_a_control_frame_that_is_too_long_or_in_fragments_cannot_be_sent(link: Link) -> None:
    """ "All control frames MUST have a payload length of 125 bytes or less and MUST NOT be fragmented"."""
    other, socket = await link()
    for send in (socket.send_ping, socket.send_pong):
        with pytest.raises(LocalProtocolError):
            send(data=bytes(126))
    with pytest.raises(LocalProtocolError):
        socket.send_raw(b"", OpcodeType.PING, fin=False)
    with pytest.raises(LocalProtocolError):
        socket.close(4000, "x" * 124)
    socket.send_ping(data=bytes(125))
    frame = await other.receive()
    assert (frame.opcode, frame.fin, frame.payload) == (PING, True, bytes(125))


async def test_5_5_1_a_body_of_one_byte_fails(link: Link) -> None:
    """ "the first two bytes of the body MUST be a 2-byte unsigned integer (in network byte order)"."""
    other, _ = await link()
    await other.send(CLOSE, b"\x03")
    await assert_failed(other, 1002)


@pytest.mark.parametrize("code", [1000, 3000, 4999])
async def test_5_5_1_the_code_is_two_bytes_the_high_one_first(link: Link, code: int) -> None:
    """ "the first two bytes of the body MUST be a 2-byte unsigned integer (in network byte order)"."""
    other, socket = await link()
    socket.close(code, "why")
    frame = await other.receive()
    assert (frame.opcode, frame.payload) == (CLOSE, bytes(divmod(code, 256)) + b"why")


@pytest.mark.parametrize("code", [1000, 3001, 4999])
async def test_5_5_1_the_code_is_read_the_high_byte_first(link: Link, code: int) -> None:
    """ "the first two bytes of the body MUST be a 2-byte unsigned integer (in network byte order)"."""
    other, socket = await link()
    await other.send(CLOSE, bytes(divmod(code, 256)) + "für".encode())
    await other.receive_close()
    assert (socket.close_code, socket.close_reason) == (code, "für")


async def test_5_5_1_nothing_is_sent_behind_our_close_frame(link: Link) -> None:
    """ "The application MUST NOT send any more data frames after sending a Close frame"."""
    other, socket = await link()
    socket.close()
    socket.send("late")
    socket.send(b"late")
    socket.send_string_message("late", False)
    assert (await other.receive()).opcode == CLOSE
    await other.send(CLOSE, close_payload(1000))
    if link.is_client:
        await other.stream.aclose()  # as a server has to; our client waits for it
    else:
        await assert_ended(other)
    await socket.on_close
    assert not other.buffer


@pytest.mark.parametrize("payload", [b"", close_payload(1000), close_payload(4321, "why")])
async def test_5_5_1_a_close_frame_is_answered_by_one_with_its_code(link: Link, payload: bytes) -> None:
    """ "If an endpoint receives a Close frame [...], the endpoint MUST send a Close frame in response"."""
    other, _ = await link()
    await other.send(CLOSE, payload)
    assert (await other.receive()).payload == payload


async def test_5_5_1_a_second_close_frame_is_not_sent(link: Link) -> None:
    """ "If an endpoint receives a Close frame [...], the endpoint MUST send a Close frame in response"."""
    other, socket = await link()
    socket.close(4000)
    assert (await other.receive()).close_code == 4000
    await other.send(CLOSE, close_payload(4001))
    if not link.is_client:
        await assert_ended(other)
        return
    with trio.move_on_after(0.02):
        await other.receive_eof()
    assert not other.buffer


@pytest.mark.parametrize("ours_first", [True, False])
async def test_5_5_1_a_server_closes_the_connection_once_both_have_closed(serve: Connect, ours_first: bool) -> None:
    """ "After both sending and receiving a Close message, an endpoint [...] MUST close the underlying TCP
    connection".
    "The server MUST close the underlying TCP connection immediately".
    """
    peer, socket = await serve.socket(close_timeout=30)
    if ours_first:
        socket.close()
        await peer.receive_close()
    with trio.fail_after(5):  # far less than close_timeout, and with our own side still open
        await peer.send_close()
        await peer.receive_eof()


@pytest.mark.parametrize("ours_first", [True, False])
async def test_5_5_1_a_client_closes_the_connection_which_the_server_leaves_open(dial: Dial, ours_first: bool) -> None:
    """ "After both sending and receiving a Close message, an endpoint [...] MUST close the underlying TCP
    connection".
    """
    other, socket = await dial(close_timeout=0.05)
    if ours_first:
        socket.close()
        await other.receive_close()
    await other.send(CLOSE, close_payload(1000))
    if not ours_first:
        await other.receive_close()
    await assert_ended(other)
    await socket.on_close
    assert socket.close_code == 1000


@pytest.mark.parametrize("payload", [b"", b"hello", bytes(range(125))])
async def test_5_5_2_a_ping_is_answered_with_its_payload(link: Link, payload: bytes) -> None:
    """ "an endpoint MUST send a Pong frame in response, unless it already received a Close frame"."""
    other, _ = await link()
    await other.send(PING, payload)
    frame = await other.receive()
    assert (frame.opcode, frame.payload) == (PONG, payload)


async def test_5_5_2_a_ping_behind_a_close_frame_is_not_answered(link: Link) -> None:
    """ "an endpoint MUST send a Pong frame in response, unless it already received a Close frame"."""
    other, _ = await link()
    await other.stream.send_all(link.wire(CLOSE, close_payload(1000)) + link.wire(PING, b"late"))
    assert (await other.receive()).opcode == CLOSE
    if not link.is_client:
        await assert_ended(other)
        return
    with trio.move_on_after(0.02):  # our client waits for the server to end the connection
        await other.receive_eof()
    assert not other.buffer


@pytest.mark.parametrize(
    "text", [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\xaf", b"ok \xce\xba\xe1"]
)
async def test_5_6_a_text_that_is_not_utf_8_fails(link: Link, text: bytes) -> None:
    """ "the whole message MUST contain valid UTF-8"."""
    other, _ = await link()
    await other.send(TEXT, text)
    await assert_failed(other, 1007)


async def test_5_6_a_text_that_ends_inside_of_a_character_fails_and_one_that_is_split_there_does_not(
    link: Link,
) -> None:
    """ "the whole message MUST contain valid UTF-8"."""
    other, socket = await link()
    data = "äöü€𝄞".encode()
    for at in range(len(data)):
        await other.send(CONTINUATION if at else TEXT, data[at : at + 1], fin=at == len(data) - 1)
    assert await socket.receive() == "äöü€𝄞"
    await other.send(TEXT, "ä".encode()[:1], fin=False)
    await other.send(CONTINUATION, b"")
    await assert_failed(other, 1007)


async def test_5_6_a_text_that_is_not_utf_8_cannot_be_sent(link: Link) -> None:
    """ "the whole message MUST contain valid UTF-8"."""
    other, socket = await link()
    for final in (True, False):
        with pytest.raises(UnicodeEncodeError):
            socket.send_string_message("\ud800", final)
    socket.send("behind")
    assert (await other.receive()).payload == b"behind"


async def test_5_6_binary_data_may_be_anything(link: Link) -> None:
    """ "the whole message MUST contain valid UTF-8"."""
    other, socket = await link()
    await other.send(BINARY, b"\xff\xc3")
    assert await socket.receive() == b"\xff\xc3"


async def test_5_8_a_server_uses_no_extension_but_by_the_handshake(serve: Connect) -> None:
    """ "The endpoints of a connection MUST negotiate the use of any extensions during the opening handshake"."""
    got = Calls()
    peer = await serve(lambda _, socket: got(socket), compression=True)  # which the peer did not offer
    assert "sec-websocket-extensions" not in peer.headers
    ((socket,),) = await got.until(1)
    socket.send("x" * 10_000)
    frame = await peer.receive()
    assert (frame.rsv1, len(frame.payload)) == (False, 10_000)
    await peer.send(TEXT, b"\x00", rsv=0x40)
    await assert_failed(peer, 1002)


async def test_5_8_a_client_uses_no_extension_but_by_the_handshake(dial: Dial) -> None:
    """ "The endpoints of a connection MUST negotiate the use of any extensions during the opening handshake"."""
    other, socket = await dial(compression=True)  # which the server did not accept
    assert "sec-websocket-extensions" in other.headers
    socket.send("x" * 10_000)
    frame = await other.receive()
    assert (frame.rsv1, len(frame.payload)) == (False, 10_000)
    await other.send(TEXT, b"\x00", rsv=0x40)
    await assert_failed(other, 1002)
