"""RFC 9112 §6 and §7: the body of a request."""

from __future__ import annotations

import pytest
import trio

from ..conftest import Connect
from ..peer import Peer
from .asked import Asked

CHUNKED = "Transfer-Encoding: chunked"


@pytest.mark.parametrize(
    "body", ["5\r\nhello\r\n0\r\n\r\n", "3\r\nhel\r\n02\r\nlo\r\n000\r\n\r\n", "5\r\nhello\r\n0\r\nA: b\r\n\r\n"]
)
async def test_6_1_a_body_in_chunks_is_read(serve: Connect, body: str) -> None:
    """ "A recipient MUST be able to parse the chunked transfer coding"."""
    asked = await Asked.on(serve)
    assert await asked.send("POST / HTTP/1.1", CHUNKED, body=body) == 200
    assert await asked.peer.read_body() == b"/ hello"
    assert await asked.send("GET /next HTTP/1.1") == 200


@pytest.mark.parametrize("fields", [["Content-Length: 5", CHUNKED], [CHUNKED, "Content-Length: 5"]])
async def test_6_1_behind_both_framings_the_connection_ends(serve: Connect, fields: list[str]) -> None:
    """ "Regardless, the server MUST close the connection after responding to such a request"."""
    asked = await Asked.on(serve)
    smuggled = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: test\r\n\r\n"
    await asked.send("POST / HTTP/1.1", *fields, body=smuggled)
    await asked.assert_refused(400)


@pytest.mark.parametrize("fields", [[CHUNKED], [CHUNKED, "Connection: keep-alive"]])
async def test_6_1_behind_chunks_of_http_1_0_the_connection_ends(serve: Connect, fields: list[str]) -> None:
    """ "an HTTP/1.0 message containing a Transfer-Encoding [...] MUST treat the message as if the framing is faulty
    [...] and close".
    """
    asked = await Asked.on(serve)
    body = "5\r\nhello\r\n0\r\n\r\nGET /next HTTP/1.1\r\nHost: test\r\n\r\n"
    await asked.send("POST / HTTP/1.0", *fields, body=body)
    assert len(await asked.answers()) == 1
    assert [request.path for request in asked.requests] in ([], ["/"])


@pytest.mark.parametrize(
    "coding",
    [
        "gzip",
        "chunked, gzip",
        "identity",
        "chunked;q=1",
        "xchunked",
        "",
        "gzip\r\n" + CHUNKED + "\r\nTransfer-Encoding: gzip",
    ],
)
async def test_6_3_a_body_without_an_end_gets_400(serve: Connect, coding: str) -> None:
    """ "the chunked transfer coding is not the final encoding, [...] the server MUST respond with the 400 (Bad
    Request)".
    """
    asked = await Asked.on(serve)
    await asked.send("POST / HTTP/1.1", f"Transfer-Encoding: {coding}", body="0\r\n\r\n")
    await asked.assert_refused(400)


async def test_6_3_a_coding_before_the_chunks_that_is_not_known_gets_501(serve: Connect) -> None:
    """ "the chunked transfer coding is not the final encoding, [...] the server MUST respond with the 400 (Bad
    Request)".
    Here it is, so that the body has an end; §6.1: "SHOULD respond with 501".
    """
    asked = await Asked.on(serve)
    await asked.send("POST / HTTP/1.1", "Transfer-Encoding: gzip, Chunked", body="0\r\n\r\n")
    await asked.assert_refused(501)


@pytest.mark.parametrize("length", ["5, 5", "5,5,5", "5\r\nContent-Length: 5"])
async def test_6_3_a_length_that_is_said_again_is_that_length(serve: Connect, length: str) -> None:
    """ "the recipient MUST treat it as an unrecoverable error, unless [...] all values in the list are the same"."""
    asked = await Asked.on(serve)
    assert await asked.send("POST / HTTP/1.1", f"Content-Length: {length}", body="hello") == 200
    assert await asked.peer.read_body() == b"/ hello"


@pytest.mark.parametrize(
    "length",
    [
        "x",
        "-5",
        "+5",
        "5.0",
        "0x5",
        "5 5",
        "5, 6",
        "5,",
        "",
        "5\r\nContent-Length: 6",
        "5;",
        "٥".encode().decode("latin-1"),
    ],
)
async def test_6_3_a_length_that_is_none_gets_400(serve: Connect, length: str) -> None:
    """ "the recipient MUST treat it as an unrecoverable error, unless [...] all values in the list are the same".
    "If the unrecoverable error is in a request message, the server MUST respond with a 400 (Bad Request)".
    """
    asked = await Asked.on(serve)
    await asked.send("POST / HTTP/1.1", f"Content-Length: {length}", body="hello")
    await asked.assert_refused(400)


@pytest.mark.parametrize(
    ("field", "body"), [("Content-Length: 6", "hello"), (CHUNKED, "5\r\nhello\r\n"), (CHUNKED, "9\r\nhello")]
)
async def test_6_3_a_body_that_is_cut_reaches_no_handler(serve: Connect, field: str, body: str) -> None:
    """ "If the sender closes the connection [...], the recipient MUST consider the message to be incomplete"."""
    asked = await Asked.on(serve)
    await asked.peer.stream.send_all(f"POST / HTTP/1.1\r\nHost: test\r\n{field}\r\n\r\n{body}".encode())
    await asked.peer.end()
    await asked.peer.receive_eof()
    assert b" 200 " not in asked.peer.buffer
    assert not asked.requests


@pytest.mark.parametrize("size", ["5", "05", "00000000000005"])
async def test_7_1_chunks_are_decoded_and_the_next_request_is_found_behind_them(serve: Connect, size: str) -> None:
    """ "A recipient MUST be able to parse and decode the chunked transfer coding"."""
    asked = await Asked.on(serve)
    body = f"{size}\r\n\r\n0\r\n\r\n1\r\n!\r\n0\r\n\r\nGET /next HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
    assert await asked.send("POST / HTTP/1.1", CHUNKED, body=body) == 200
    assert await asked.answers() == [b"/ \r\n0\r\n!", b"/next "]


@pytest.mark.parametrize("size", ["F" * 16, "1" + "0" * 16 + "5", "F" * 20, "1" + "0" * 40 + "5"])
async def test_7_1_a_chunk_of_a_huge_size_is_not_taken_for_a_small_one(serve: Connect, size: str) -> None:
    """ "recipients MUST anticipate potentially large hexadecimal numerals and prevent parsing errors due to integer
    conversion overflows".
    """
    asked = await Asked.on(serve)
    body = b"hello\r\n0\r\n\r\n" * (1 << 17)  # more than max_body_size
    await asked.peer.stream.send_all(f"POST / HTTP/1.1\r\nHost: test\r\n{CHUNKED}\r\n\r\n{size}\r\n".encode())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(send_what_is_taken, asked.peer, body)
        await asked.peer.read_head()
        nursery.cancel_scope.cancel()
    assert asked.peer.status in (400, 413)
    assert not asked.requests


async def send_what_is_taken(peer: Peer, data: bytes) -> None:
    try:
        await peer.stream.send_all(data)
    except trio.BrokenResourceError:
        pass  # the server has refused it and is gone


@pytest.mark.parametrize("extension", [";a", ";a=b", ';a="b;c"', "; a = b", ";a=b;c"])
async def test_7_1_1_extensions_of_chunks_are_ignored(serve: Connect, extension: str) -> None:
    """ "A recipient MUST ignore unrecognized chunk extensions"."""
    asked = await Asked.on(serve)
    body = f"5{extension}\r\nhello\r\n0{extension}\r\n\r\n"
    assert await asked.send("POST / HTTP/1.1", CHUNKED, body=body) == 200
    assert await asked.peer.read_body() == b"/ hello"


@pytest.mark.parametrize(
    "trailer",
    ["A: b", "Host: other", "Content-Length: 1", "Expect: 100-continue", "Connection: close", "Cookie: a=b"],
)
async def test_7_1_2_trailer_fields_are_dropped_and_change_nothing(serve: Connect, trailer: str) -> None:
    """ "A recipient that retains a received trailer field MUST either store/forward the trailer field separately [...]
    or merge".
    "A recipient MUST NOT merge a received trailer field into the header section unless its [...] definition explicitly
    permits".
    None is retained.
    """
    asked = await Asked.on(serve)
    body = f"5\r\nhello\r\n0\r\n{trailer}\r\nB: c\r\n\r\n"
    for _ in range(2):  # the connection stays
        assert await asked.send("POST / HTTP/1.1", CHUNKED, body=body) == 200
        assert await asked.peer.read_body() == b"/ hello"
    for request in asked.requests:
        assert [name.lower() for name, _ in request.headers] == ["host", "transfer-encoding"]
        assert (request.header("Host"), request.header("Transfer-Encoding")) == ("test", "chunked")
