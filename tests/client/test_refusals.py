"""What a server says that says no is a `ConnectionRejected`, whatever becomes of it; and what is no answer at all."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from perfectws import Backoff, ConnectionRejected, ConnectionTimeout, HandshakeError, WebSocket
from perfectws.client import opening

from .raw_server import RawConnection, RawServer
from .served import echo, served

#: How the connection goes on behind the bytes.
KEEPS, ENDS, RESETS = "keeps", "ends", "resets"

REFUSALS: dict[str, tuple[bytes, str, int, bytes]] = {
    "a whole one": (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nnope", KEEPS, 403, b"nope"),
    "without a body": (b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", KEEPS, 401, b""),
    "one that ends with the connection": (b"HTTP/1.1 404 No\r\nConnection: close\r\n\r\nhere", ENDS, 404, b"here"),
    "one that never ends": (b"HTTP/1.1 403 No\r\nConnection: close\r\n\r\nnope", KEEPS, 403, b"nope"),
    "chunks that never end": (
        b"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nnope!\r\n",
        KEEPS,
        403,
        b"nope!",
    ),
    "a chunk that is cut": (b"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nno", ENDS, 503, b"no"),
    "a length that is never reached": (b"HTTP/1.1 429 No\r\nContent-Length: 999\r\n\r\nslow", KEEPS, 429, b"slow"),
    "a length that is cut": (b"HTTP/1.1 500 No\r\nContent-Length: 999\r\n\r\nhalf", ENDS, 500, b"half"),
    "a length that is cut by a reset": (b"HTTP/1.1 500 No\r\nContent-Length: 999\r\n\r\nhalf", RESETS, 500, b"half"),
    "malformed chunks": (b"HTTP/1.1 502 No\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", KEEPS, 502, b""),
    "no phrase": (b"HTTP/1.1 403\r\nContent-Length: 0\r\n\r\n", KEEPS, 403, b""),
    "HTTP/1.0": (b"HTTP/1.0 407 No\r\n\r\nproxy", ENDS, 407, b"proxy"),
    "behind a 100": (b"HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n", KEEPS, 410, b""),
    "a malformed field": (b"HTTP/1.1 403 No\r\nX : y\r\n\r\n", KEEPS, 403, b""),
    "two lengths": (b"HTTP/1.1 403 No\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", KEEPS, 403, b""),
    "a head that is cut": (b"HTTP/1.1 403 No\r\nX-Reason: half", ENDS, 403, b""),
    "a head that never ends": (b"HTTP/1.1 403 No\r\nX-Reason: half", KEEPS, 403, b""),
    "a status that nobody knows": (b"HTTP/1.1 799 No\r\nContent-Length: 0\r\n\r\n", KEEPS, 799, b""),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", KEEPS, 204, b""),
}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "REFUSAL_TIMEOUT", 0.05)


async def answer(connection: RawConnection, data: bytes, then: str = KEEPS) -> None:
    await connection.read_request()
    try:
        await connection.stream.send_all(data)
    except trio.BrokenResourceError:
        pass  # the client has had enough
    if then == ENDS:
        await connection.stream.aclose()
    elif then == RESETS:
        assert isinstance(connection.stream, trio.SocketStream)
        connection.stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        await connection.stream.aclose()


async def refused(raw_server: RawServer, data: bytes, then: str = KEEPS, **options: Any) -> HandshakeError:
    """Return what a client makes of an answer."""
    async with trio.open_nursery() as nursery:
        future = WebSocket.connect(to=raw_server.url, on=nursery, **options)
        await answer(await raw_server.accept(), data, then)
        with pytest.raises(HandshakeError) as caught:
            await future
    return caught.value


@pytest.mark.parametrize("name", REFUSALS)
async def test_a_refusal_is_told_with_its_status_and_what_came_of_its_body(
    transport: str, raw_server: RawServer, name: str
) -> None:
    data, then, status, body = REFUSALS[name]
    error = await refused(raw_server, data, then, open_timeout=0.3 if "head that never" in name else 10)
    assert isinstance(error, ConnectionRejected), error
    assert (error.status, error.body) == (status, body)
    assert f"the server answered {status}" in str(error)


async def test_a_refusal_keeps_its_headers_in_order_even_where_others_are_malformed(raw_server: RawServer) -> None:
    data = b"HTTP/1.1 403 No\r\nX-One: 1\r\nmalformed field\r\nX-Two:  2 \r\nContent-Length: 0\r\n\r\n"
    error = await refused(raw_server, data)
    assert isinstance(error, ConnectionRejected)
    assert error.headers == [("X-One", "1"), ("X-Two", "2"), ("Content-Length", "0")]


@pytest.mark.parametrize("end", [b"\r\rContent-Length: 0\r\n\r\n", b"\x01\r\nContent-Length: 0\r\n\r\n"])
async def test_a_redirect_whose_place_no_header_can_hold_leads_nowhere(
    transport: str, raw_server: RawServer, end: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    rejected = await refused(raw_server, b"HTTP/1.1 302 No\r\nX: 1\r\nLocation: /elsewhere" + end, ENDS)
    assert isinstance(rejected, ConnectionRejected)
    assert (rejected.status, rejected.headers[0]) == (302, ("X", "1"))
    assert "Location" not in dict(rejected.headers)
    assert caplog.messages == []


async def test_a_refusal_counts_though_open_timeout_passes_while_its_body_comes(raw_server: RawServer) -> None:
    opening.REFUSAL_TIMEOUT = 1000  # the fixture gives it back
    error = await refused(raw_server, REFUSALS["chunks that never end"][0], open_timeout=0.2)
    assert isinstance(error, ConnectionRejected)
    assert (error.status, error.body) == (403, b"nope!")


async def test_a_refusal_that_never_ends_is_final_for_who_reconnects(transport: str, raw_server: RawServer) -> None:
    data = REFUSALS["chunks that never end"][0]
    error = await refused(raw_server, data, reconnect=Backoff(0.001, 1, 0.001), on_upgrade=lambda ws: None)
    assert isinstance(error, ConnectionRejected)


async def test_a_body_that_never_stops_is_read_up_to_its_limit_only(transport: str, raw_server: RawServer) -> None:
    opening.REFUSAL_TIMEOUT = 1000
    error = await refused(raw_server, b"HTTP/1.1 403 No\r\nConnection: close\r\n\r\n" + b"x" * 100_000)
    assert isinstance(error, ConnectionRejected)
    assert error.body == b"x" * 16 * 1024


async def test_chunks_of_a_byte_are_read_up_to_the_limit_of_a_body(transport: str, raw_server: RawServer) -> None:
    opening.REFUSAL_TIMEOUT = 1000
    error = await refused(raw_server, b"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 20_000)
    assert isinstance(error, ConnectionRejected)
    assert error.body == b"x" * 16 * 1024


#: What may come of an answer again and again, and what is before it.
ENDLESS: dict[str, tuple[bytes, bytes, bool]] = {
    "extensions of chunks": (
        b"HTTP/1.1 302 No\r\nLocation: /2\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"1;" + b"e" * 10_000 + b"\r\nx\r\n",
        True,
    ),
    "heads of the status 103": (b"", b"HTTP/1.1 103 Early Hints\r\nLink: " + b"x" * 10_000 + b"\r\n\r\n", False),
}


@pytest.mark.parametrize("name", ENDLESS)
async def test_an_answer_that_never_ends_is_not_read_for_ever(transport: str, raw_server: RawServer, name: str) -> None:
    opening.REFUSAL_TIMEOUT = 1000
    first, again, is_refusal = ENDLESS[name]
    error = await refused(raw_server, first + again * 300, open_timeout=1000, follow_redirects=False)
    assert isinstance(error, ConnectionRejected) is is_refusal
    if isinstance(error, ConnectionRejected):
        assert (error.status, set(error.body)) == (302, set(b"x"))
        assert len(error.body) < 300
    else:
        assert "the answer is not HTTP/1.1: it has more than 262144 bytes, and no end" in str(error)


OTHERS: dict[str, tuple[bytes, str]] = {
    "ssh": (b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", "the answer is not HTTP/1.1: it begins with 'SSH-2.0-OpenSSH"),
    "mail": (b"220 mail.example.com ESMTP ready\r\n", "not HTTP/1.1: it begins with '220 mail.example.com"),
    "redis": (b"-ERR unknown command 'GET'\r\n", 'not HTTP/1.1: it begins with "-ERR unknown command'),
    "TLS": (b"\x15\x03\x01\x00\x02\x02\x16", "the server speaks TLS there; use wss://"),
    "HTTP/2": (b"\x00\x00\x12\x04\x00\x00\x00\x00\x00", "not HTTP/1.1: it begins with"),
    "HTML": (b"<html><h1>Hello</h1></html>", "not HTTP/1.1: it begins with '<html>"),
    "a letter": (b"X", "not HTTP/1.1: it begins with 'X'"),
    "a version that has no 101": (b"HTTP/1.0 101 Switching\r\n\r\n", "is not for this handshake"),
}


@pytest.mark.parametrize("name", OTHERS)
async def test_what_is_no_answer_of_http_is_told_for_what_it_is_at_once(
    transport: str, raw_server: RawServer, name: str
) -> None:
    data, text = OTHERS[name]
    error = await refused(raw_server, data, open_timeout=1000)
    assert text in str(error)
    assert not isinstance(error, ConnectionRejected)


LONG = "a" * 60_000
REDIRECT = "HTTP/1.1 302 No\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n"
UPGRADE = "HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n"

#: The last of them for a client that has got through the others: what is said, how often it may stand in the error.
LENGTHY: dict[str, tuple[str, int]] = {
    "a body": (f"HTTP/1.1 403 No\r\nContent-Length: {len(LONG)}\r\n\r\n{LONG}", 1),
    "a place in no URL": (REDIRECT.format(f"file:///{LONG}"), 2),
    "a place at no host": (REDIRECT.format(f"ws://{LONG}/"), 3),
    "a place at no port": (REDIRECT.format(f"ws://h:{LONG}/"), 3),
    "a place in no zone": (REDIRECT.format(f"ws://[fe80::1%25%{LONG}]/"), 3),
    "a place in a Unix socket": (REDIRECT.format(f"ws+unix:{LONG}"), 2),
    "a subprotocol": (f"{UPGRADE}Sec-WebSocket-Protocol: {LONG}\r\n\r\n", 1),
    "an extension": (f"{UPGRADE}Sec-WebSocket-Extensions: {LONG}\r\n\r\n", 1),
    "an answer to our key": (f"{UPGRADE.format(accept=LONG)}\r\n", 1),
    "another protocol": (LONG, 1),
}


@pytest.mark.parametrize("name", LENGTHY)
@pytest.mark.parametrize("is_behind_a_redirect", [False, True])
async def test_an_error_has_no_more_than_200_characters_of_what_a_server_says(
    raw_server: RawServer, name: str, is_behind_a_redirect: bool
) -> None:
    text, times = LENGTHY[name]
    async with trio.open_nursery() as nursery:
        future = WebSocket.connect(to=raw_server.url, on=nursery)
        connection = await raw_server.accept()
        if is_behind_a_redirect:
            await answer(connection, REDIRECT.format(f"/{LONG}").encode())
            connection = await raw_server.accept()
        await connection.read_request()
        await connection.stream.send_all(text.replace("{accept}", connection.accept_key).encode())
        with pytest.raises(HandshakeError) as caught:
            await future
    assert 150 < str(caught.value).count("a") < 200 * (times + is_behind_a_redirect) + 50


async def test_what_a_server_says_does_nothing_to_a_terminal(raw_server: RawServer) -> None:
    error = await refused(raw_server, b"HTTP/1.1 403 No\r\nContent-Length: 9\r\n\r\n\x1b[2Jno\r\nw")
    assert str(error).endswith("the server answered 403 Forbidden instead of 101: �[2Jno w")


async def test_an_end_before_a_byte_is_told_at_once(transport: str, raw_server: RawServer) -> None:
    error = await refused(raw_server, b"", ENDS, open_timeout=1000)
    assert "the server closed the connection without an answer" in str(error)


async def test_who_says_nothing_at_all_has_not_answered(transport: str, raw_server: RawServer) -> None:
    error = await refused(raw_server, b"", open_timeout=0.1)
    assert isinstance(error, ConnectionTimeout)
    assert "did not answer the opening handshake" in str(error)


async def test_a_client_s_socket_has_the_response_and_a_server_s_has_none(
    transport: str, raw_server: RawServer
) -> None:
    async with trio.open_nursery() as nursery:
        future = WebSocket.connect(to=raw_server.url, on=nursery)
        await (await raw_server.accept()).upgrade("X-Session: 17", "Set-Cookie: a=1", "Set-Cookie: b=2")
        ws = await future
        nursery.cancel_scope.cancel()
    assert ws.response is not None
    assert ws.response.status == 101
    assert ws.response.header("x-session") == "17"
    assert ws.response.headers.get_all("Set-Cookie") == ["a=1", "b=2"]
    assert ("Upgrade", "WebSocket") in list(ws.response.headers)
    assert repr(ws.response) == "<HandshakeResponse 101>"
    async with served(echo) as url, trio.open_nursery() as nursery:
        ws = await WebSocket.connect(to=url, on=nursery)
        await ws.close()
        assert ws.response is not None  # also once it is closed
