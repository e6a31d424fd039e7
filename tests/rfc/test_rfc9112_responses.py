"""RFC 9112: what HTTP/1.1 demands of a server that sends responses."""

from __future__ import annotations

import re

import pytest

from perfectws import HTTPRequest, HTTPResponse, Routes
from perfectws.http.response import RequestHandler

from ..conftest import Connect

#: What a response's head may hold: RFC 9112 §4 and §5, each line ended by CRLF.
STATUS_LINE = re.compile(rb"HTTP/1\.1 [1-5][0-9]{2} [ -~]*")
FIELD_LINE = re.compile(rb"[-!#$%&'*+.^_`|~0-9A-Za-z]+: [!-~\x80-\xff]?[ -~\x80-\xff]*")

GET = "GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"


async def answered(serve: Connect, handler: RequestHandler, request: str = GET) -> tuple[bytes, list[bytes], bytes]:
    """Return the status line, the field lines and the body of a handler's response, as they were sent."""
    routes = Routes()
    routes.add(uri="/**", handler=handler)
    peer = await serve.to(routes)
    await peer.stream.send_all(request.encode())
    await peer.receive_eof()
    head, _, body = bytes(peer.buffer).partition(b"\r\n\r\n")
    first, *fields = head.split(b"\r\n")
    return first, fields, body


def values(fields: list[bytes], name: str) -> list[str]:
    """Return the values of the fields of that name."""
    pairs = [field.decode("latin-1").split(": ", 1) for field in fields]
    return [value for key, value in pairs if key.lower() == name]


def unfolded(name: str, value: str) -> RequestHandler:
    """Return a handler that sets a header to a value, which may not be one."""

    def handle(request: HTTPRequest, response: HTTPResponse) -> None:
        response.set_header(name, value).set_body("x").completed()

    return handle


@pytest.mark.parametrize(("name", "value"), [("A", "b\rC: d"), ("A", "\r"), ("A\r", "b"), ("A", "b\r")])
async def test_2_2_no_bare_cr_is_sent(serve: Connect, name: str, value: str) -> None:
    """ "A sender MUST NOT generate a bare CR [...] within any protocol elements other than the content"."""
    first, fields, _ = await answered(serve, unfolded(name, value))
    assert first == b"HTTP/1.1 500 Internal Server Error"
    assert all(FIELD_LINE.fullmatch(field) for field in fields)
    assert b"\r" not in b"".join(fields)


@pytest.mark.parametrize("status", [200, 204, 304, 404, 599])
async def test_2_2_the_fields_follow_the_status_line_at_once(serve: Connect, status: int) -> None:
    """ "A sender MUST NOT send whitespace between the start-line and the first header field"."""
    first, fields, _ = await answered(serve, lambda q, r: r.set_header("A", "b").completed(status))
    assert STATUS_LINE.fullmatch(first)
    assert all(FIELD_LINE.fullmatch(field) for field in fields)


@pytest.mark.parametrize("is_plain", [True, False])
async def test_4_a_status_without_a_phrase_has_the_space_behind_it(serve: Connect, is_plain: bool) -> None:
    """ "A server MUST send the space that separates the status-code from the reason-phrase even when the
    reason-phrase is absent".
    """
    request = GET.replace("Connection: close\r\n", "") if is_plain else GET
    routes = Routes()
    routes.add(uri="/**", handler=lambda q, r: r.completed(599))
    peer = await serve.to(routes)
    await peer.stream.send_all(request.encode())
    while b"\r\n\r\n" not in peer.buffer:
        peer.buffer += await peer.stream.receive_some(65536)
    assert peer.buffer.startswith(b"HTTP/1.1 599 \r\n")


@pytest.mark.parametrize("value", ["b\r\n c", "b\n c", "b\r\n\tc"])
async def test_5_2_no_folded_field_is_sent(serve: Connect, value: str) -> None:
    """ "A sender MUST NOT generate a message that includes line folding"."""
    first, fields, _ = await answered(serve, unfolded("A", value))
    assert first == b"HTTP/1.1 500 Internal Server Error"
    assert all(FIELD_LINE.fullmatch(field) for field in fields)


def push_two(request: HTTPRequest, response: HTTPResponse) -> None:
    """Answer in two pieces, of a length that is not known before."""
    response.is_streaming = True
    response.append_body("one").push(lambda _: response.append_body("two").completed())


async def test_6_1_a_body_of_unknown_length_is_chunked_once(serve: Connect) -> None:
    """ "A sender MUST NOT apply the chunked transfer coding more than once to a message body"."""
    _, fields, body = await answered(serve, push_two)
    assert values(fields, "transfer-encoding") == ["chunked"]
    assert body == b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"


async def test_6_1_a_handler_that_says_so_itself_is_chunked_once_too(serve: Connect) -> None:
    """ "A sender MUST NOT apply the chunked transfer coding more than once to a message body"."""
    _, fields, body = await answered(serve, unfolded("Transfer-Encoding", "chunked"))
    assert values(fields, "transfer-encoding") == ["chunked"]
    assert body == b"1\r\nx\r\n0\r\n\r\n"


@pytest.mark.parametrize("coding", ["gzip", "gzip, chunked", "chunked, gzip", "chunked, chunked"])
async def test_6_1_no_other_coding_is_applied(serve: Connect, coding: str) -> None:
    """ "A sender MUST NOT apply the chunked transfer coding more than once to a message body".
    "the sender MUST either apply chunked as the final transfer coding or terminate the message by closing the
    connection".
    """
    first, fields, _ = await answered(serve, unfolded("Transfer-Encoding", coding))
    assert first == b"HTTP/1.1 500 Internal Server Error"
    assert not values(fields, "transfer-encoding")


@pytest.mark.parametrize("is_set", [True, False])
async def test_6_1_a_204_has_no_transfer_encoding(serve: Connect, is_set: bool) -> None:
    """ "MUST NOT send a Transfer-Encoding header field in any response with a status code of 1xx (Informational) or
    204".
    """

    def handle(request: HTTPRequest, response: HTTPResponse) -> None:
        response.is_streaming = True
        if is_set:
            response.set_header("Transfer-Encoding", "chunked")
        response.append_body("x").completed(204)

    first, fields, body = await answered(serve, handle)
    assert not values(fields, "transfer-encoding")
    if first.startswith(b"HTTP/1.1 204"):
        assert not body


async def test_6_1_a_101_and_a_100_have_no_transfer_encoding(serve: Connect) -> None:
    """ "MUST NOT send a Transfer-Encoding header field in any response with a status code of 1xx (Informational) or
    204".
    """

    def before(request: HTTPRequest, response: HTTPResponse) -> None:
        response.set_header("Transfer-Encoding", "chunked").set_header("A", "b").next()

    routes = Routes(handler=before)
    routes.web_socket("/", lambda request, socket: socket.close())
    peer = await serve.to(routes)
    await peer.handshake(headers=[("Expect", "100-continue")])
    assert peer.status == 100
    assert not peer.headers
    await peer.read_head()
    assert peer.status == 101
    assert "transfer-encoding" not in peer.headers
    assert peer.headers["a"] == "b"


async def test_6_1_connect_is_never_answered_by_2xx(serve: Connect) -> None:
    """ "A server MUST NOT send a Transfer-Encoding header field in any 2xx (Successful) response to a CONNECT
    request".
    """
    asked: list[HTTPRequest] = []
    request = "CONNECT test:80 HTTP/1.1\r\nHost: test:80\r\n\r\n"
    first, fields, _ = await answered(serve, lambda q, r: asked.append(q), request)
    assert first == b"HTTP/1.1 501 Not Implemented"
    assert not values(fields, "transfer-encoding")
    assert not asked


async def test_6_1_a_body_of_unknown_length_goes_to_http_1_0_up_to_the_end_of_the_connection(serve: Connect) -> None:
    """ "A server MUST NOT send a response containing Transfer-Encoding unless the corresponding request indicates
    HTTP/1.1".
    """
    _, fields, body = await answered(serve, push_two, "GET / HTTP/1.0\r\n\r\n")
    assert not values(fields, "transfer-encoding")
    assert body == b"onetwo"


@pytest.mark.parametrize("length", ["6", "1"])
async def test_6_2_no_length_stands_beside_a_transfer_encoding(serve: Connect, length: str) -> None:
    """ "A sender MUST NOT send a Content-Length header field in any message that contains a Transfer-Encoding header
    field".
    """

    def handle(request: HTTPRequest, response: HTTPResponse) -> None:
        response.set_header("Content-Length", length)
        push_two(request, response)

    _, fields, _ = await answered(serve, handle)
    assert values(fields, "transfer-encoding") == ["chunked"]
    assert not values(fields, "content-length")


async def test_6_2_a_handler_that_sets_both_sends_one(serve: Connect) -> None:
    """ "A sender MUST NOT send a Content-Length header field in any message that contains a Transfer-Encoding header
    field".
    """

    def handle(request: HTTPRequest, response: HTTPResponse) -> None:
        response.set_header("Transfer-Encoding", "chunked").set_header("Content-Length", "1").set_body("x").completed()

    _, fields, _ = await answered(serve, handle)
    assert not (values(fields, "transfer-encoding") and values(fields, "content-length"))
