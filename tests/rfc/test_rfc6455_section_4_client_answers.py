"""RFC 6455 §4.1: the server's answer to the opening handshake, as our client judges it."""

from __future__ import annotations

import pytest

from perfectws import ConnectionRejected, Future, HandshakeError, WebSocket

from ..client.raw_server import RawConnection
from ..peer import TEXT
from .conftest import Dial

#: 101s that are not as they must be. Each is answered by the end of the connection.
NO_UPGRADE = {
    "none": None,
    "another": "Upgrade: h2c",
    "longer": "Upgrade: websockets",
    "two": "Upgrade: websocket, h2c",
    "empty": "Upgrade:",
}
NO_CONNECTION = {"none": None, "another": "Connection: keep-alive", "longer": "Connection: Upgrades"}


async def assert_refused(other: RawConnection, future: Future[WebSocket], response: bytes) -> None:
    """Answer with ``response``, which has to fail the WebSocket and end the connection."""
    await other.stream.send_all(response)
    with pytest.raises(HandshakeError):
        await future
    await other.receive_eof()
    assert not other.buffer


def replaced(other: RawConnection, name: str, line: str | None) -> bytes:
    """Return the right 101 with one field replaced, or left out."""
    lines = other.response().decode().split("\r\n")
    lines = [each for each in lines if not each.lower().startswith(name.lower() + ":")]
    if line is not None:
        lines.insert(1, line)
    return "\r\n".join(lines).encode()


async def test_4_1_an_answer_in_which_all_is_right_is_accepted(dial: Dial) -> None:
    """ "The client MUST validate the server's response as follows"."""
    other, future = await dial.asked(subprotocols=["chat"], compression=True)
    answer = other.response("Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Extensions: permessage-deflate")
    await other.stream.send_all(answer)
    socket = await future
    assert isinstance(socket, WebSocket)
    assert (socket.is_connected, socket.subprotocol) == (True, "chat")


@pytest.mark.parametrize("wrong", NO_UPGRADE)
async def test_4_1_a_101_without_upgrade_websocket_fails(dial: Dial, wrong: str) -> None:
    """If the response lacks an |Upgrade| header field or [...] contains a value that is not [...] "websocket", the
    client MUST _Fail.
    """
    other, future = await dial.asked()
    await assert_refused(other, future, replaced(other, "Upgrade", NO_UPGRADE[wrong]))


@pytest.mark.parametrize("wrong", NO_CONNECTION)
async def test_4_1_a_101_without_connection_upgrade_fails(dial: Dial, wrong: str) -> None:
    """If the response lacks a |Connection| header field or [...] doesn't contain a token that is [...] "Upgrade", the
    client MUST _Fail.
    """
    other, future = await dial.asked()
    await assert_refused(other, future, replaced(other, "Connection", NO_CONNECTION[wrong]))


@pytest.mark.parametrize("wrong", ["none", "of another key", "in lower case", "twice"])
async def test_4_1_a_101_that_does_not_accept_our_key_fails(dial: Dial, wrong: str) -> None:
    """ "If the response lacks a |Sec-WebSocket-Accept| header field or [...] contains a value other than [...], the
    client MUST _Fail".
    """
    other, future = await dial.asked()
    right = f"Sec-WebSocket-Accept: {other.accept_key}"
    line = {
        "none": None,
        "of another key": "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        "in lower case": right.lower(),
        "twice": f"{right}\r\n{right}",
    }[wrong]
    await assert_refused(other, future, replaced(other, "Sec-WebSocket-Accept", line))


async def test_4_1_spaces_around_the_accepted_key_do_not_count(dial: Dial) -> None:
    """ "If the response lacks a |Sec-WebSocket-Accept| header field or [...] contains a value other than [...], the
    client MUST _Fail".
    """
    other, future = await dial.asked()
    line = f"Sec-WebSocket-Accept: \t {other.accept_key} \t"
    await other.stream.send_all(replaced(other, "Sec-WebSocket-Accept", line))
    assert (await future).is_connected


@pytest.mark.parametrize("compression", [False, True])
@pytest.mark.parametrize("extensions", ["x-webkit-deflate-frame", "permessage-deflate, x-more"])
async def test_4_1_an_extension_that_was_not_offered_fails(dial: Dial, extensions: str, compression: bool) -> None:
    """ "the use of an extension that was not present in the client's handshake [...], the client MUST _Fail"."""
    other, future = await dial.asked(compression=compression)
    await assert_refused(other, future, other.response(f"Sec-WebSocket-Extensions: {extensions}"))


async def test_4_1_compression_that_was_not_offered_fails(dial: Dial) -> None:
    """ "the use of an extension that was not present in the client's handshake [...], the client MUST _Fail"."""
    other, future = await dial.asked(compression=False)
    await assert_refused(other, future, other.response("Sec-WebSocket-Extensions: permessage-deflate"))


@pytest.mark.parametrize("offered", [[], ["chat"]])
@pytest.mark.parametrize("chosen", ["Chat", "other", "chat, other"])
async def test_4_1_a_subprotocol_that_was_not_offered_fails(dial: Dial, offered: list[str], chosen: str) -> None:
    """ "the use of a subprotocol that was not present in the client's handshake [...], the client MUST _Fail"."""
    other, future = await dial.asked(subprotocols=offered)
    await assert_refused(other, future, other.response(f"Sec-WebSocket-Protocol: {chosen}"))


async def test_4_1_a_101_of_http_1_0_fails(dial: Dial) -> None:
    """ "If the server's response does not conform to the requirements for the server's handshake [...], the client MUST
    _Fail".
    """
    other, future = await dial.asked()
    await assert_refused(other, future, other.response().replace(b"HTTP/1.1", b"HTTP/1.0"))


@pytest.mark.parametrize("status", ["200 OK", "401 Unauthorized", "426 Upgrade Required", "503 Service Unavailable"])
async def test_4_1_another_status_than_101_fails(dial: Dial, status: str) -> None:
    """ "If the server's response does not conform to the requirements for the server's handshake [...], the client MUST
    _Fail".
    """
    other, future = await dial.asked()
    await other.stream.send_all(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
    with pytest.raises(ConnectionRejected, match=status[:3]):
        await future
    await other.receive_eof()


async def test_4_1_no_frame_is_taken_from_a_server_that_was_refused(dial: Dial) -> None:
    """ "If the server's response does not conform to the requirements for the server's handshake [...], the client MUST
    _Fail".
    """
    got: list[str] = []
    other, future = await dial.asked(on_upgrade=lambda socket: socket.on_text(lambda _, text: got.append(text)))
    await assert_refused(other, future, other.response(accept="x") + bytes((0x80 | TEXT, 1)) + b"x")
    assert not got
