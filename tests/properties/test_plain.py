"""What is answered past h11 is what h11 would have read and written, byte for byte."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import h11
from hypothesis import given
from hypothesis import strategies as st

from perfectws import WebSocket, WebSocketHandler, WebSocketSessionHandler
from perfectws.errors import LocalProtocolError
from perfectws.http import response_head
from perfectws.http.headers import Headers
from perfectws.http.request import HTTPRequest
from perfectws.http.request_head import read_plain
from perfectws.http.response import HTTPResponse

from .plain_and_h11 import PassingFilter, compare_head, converse, edit, is_one_head, read

plain_lines = st.sampled_from(
    [
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
        "Connection: keep-alive",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Cookie: a=b; c=d",
        "cookie: :",
        "!#$%&'*+-.^_`|~: \"(),/:;<=>?@[\\]{}",
    ]
)
odd_lines = st.sampled_from(
    [
        "Host: example.com",
        "host: b",
        "Connection: keep-alive, Close",
        "X: a\tb",
        "X:y",
        "X:  y",
        "X: y ",
        "X: ",
        "X : y",
        " folded",
        "Ä: y",
        "X: \x01",
        "X: \x0b",
        "X: \x7f",
        "Content-Length: 0",
        "Content-Length: 5",
        "Content-Length: 0, 0",
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: identity",
        "Expect: 100-continue",
        "",
    ]
)
request_lines = st.sampled_from(
    [
        *["GET / HTTP/1.1"] * 20,
        "GET /chat?a=b#c HTTP/1.1",
        "GET /%00\\{} HTTP/1.1",
        "GET /ä HTTP/1.1",
        "GET  / HTTP/1.1",
        "GET / HTTP/1.0",
        "GET / HTTP/1.2",
        "GET / http/1.1",
        "GET http://a/ HTTP/1.1",
        "GET * HTTP/1.1",
        "get / HTTP/1.1",
        "HEAD / HTTP/1.1",
        "POST / HTTP/1.1",
        "CONNECT /a HTTP/1.1",
    ]
)
EDITS = [b"", b" ", b"\t", b"\r", b"\n", b"\r\n", b":", b"\0", b"\x0b", b"\x1c", b"\x7f", b"\x80", b"\xa0", b"a", b","]


def head_of(first: str, fields: list[str]) -> bytes:
    return "\r\n".join([first, *fields, "", ""]).encode()


edits = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 2), st.sampled_from(EDITS)), max_size=3)
fields = st.one_of(st.lists(plain_lines), st.lists(st.one_of(plain_lines, plain_lines, odd_lines)))
tidy_heads = st.builds(lambda first, fields: head_of(first, ["Host: x", *fields]), request_lines, fields)
heads = st.one_of(tidy_heads, st.builds(edit, tidy_heads, edits))


@given(heads)
def test_a_plain_head_means_to_h11_what_it_means_to_us(data: bytes) -> None:
    compare_head(data)


@given(heads)
def test_the_headers_of_a_plain_head_are_those_that_h11_finds(data: bytes) -> None:
    plain = read_plain(data) if is_one_head(data) else None
    if plain is None:
        return
    parser = h11.Connection(h11.SERVER)
    parser.receive_data(data)
    event = parser.next_event()
    assert isinstance(event, h11.Request)
    assert event.target.decode() == plain[0]
    assert [(name.decode(), value.decode()) for name, value in event.headers.raw_items()] == list(plain[1])


header_names = st.sampled_from(
    ["Content-Type", "X", "date", "Content-Length", "Connection", "connection", "Transfer-Encoding", "Host", "Upgrade"]
)
header_values = st.one_of(
    st.sampled_from(["", "text/plain", "close", "keep-alive", "chunked", "3", "0", "a\tb", "ä€", "x" * 300]),
    st.text(max_size=8),
)
statuses = st.one_of(st.sampled_from([*HTTPStatus]).filter(lambda status: status >= 200), st.integers(200, 999))


def answering(status: int, fields: list[tuple[str, str]], body: bytes, is_streaming: bool, pushes: bool) -> Any:
    """Return a handler that answers so; a header that is refused where it is set is left out."""

    def answer(request: HTTPRequest, response: HTTPResponse) -> None:
        for name, value in fields:
            try:
                response.add_header(name, value)
            except LocalProtocolError:
                pass
        response.is_streaming = is_streaming
        response.set_body(body)
        if pushes:
            response.push()
        response.completed(status)

    return answer


#: What else a connection may be about: the keywords of its `HTTPService`, and whether its server stops meanwhile.
situations = st.tuples(st.sampled_from([{}, {"response_filters": ((PassingFilter(), 0),)}]), st.booleans())


@given(
    st.lists(heads, min_size=1, max_size=3),
    st.builds(
        answering,
        statuses,
        st.lists(st.tuples(header_names, header_values), max_size=3),
        st.sampled_from([b"", b"abc", b"x" * 70_000]),
        st.booleans(),
        st.booleans(),
    ),
    situations,
)
def test_the_peer_sees_no_difference(requests: list[bytes], handler: Any, situation: Any) -> None:
    data = b"".join(requests)
    assert converse(data, handler, situation, by_h11=False) == converse(data, handler, situation, by_h11=True)


@given(st.binary(max_size=40), st.integers(0, 30))
def test_nothing_of_the_kind_is_taken_that_h11_refuses(noise: bytes, place: int) -> None:
    data = edit(b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n\r\n", [(place, 0, noise)])
    if is_one_head(data) and read_plain(data) is not None:
        assert read(data, by_h11=True).method == b"GET"


def test_a_browsers_handshake_is_plain_and_its_headers_are_found_in_any_case() -> None:
    plain = read_plain(head_of("GET /chat HTTP/1.1", ["Host: x", "Connection: Upgrade", "Upgrade: websocket"]))
    assert plain is not None
    assert plain[0] == "/chat"
    assert plain[1].get("UPGRADE") == "websocket"
    assert plain[1] == Headers([("Host", "x"), ("Connection", "Upgrade"), ("Upgrade", "websocket")])


@given(st.sampled_from([*HTTPStatus]).filter(lambda status: status >= 400), st.text(max_size=80))
def test_a_refusal_is_what_h11_would_have_written(status: HTTPStatus, text: str) -> None:
    head, body = response_head.encode_refusal(status, text)
    parser = h11.Connection(h11.SERVER)
    fields = [(name, value) for name, _, value in [line.partition(b": ") for line in head.split(b"\r\n")[1:-2]]]
    written = parser.send(h11.Response(status_code=status.value, headers=fields, reason=status.phrase.encode()))
    written = (written or b"") + (parser.send(h11.Data(data=body)) or b"") + (parser.send(h11.EndOfMessage()) or b"")
    assert head + body == written
    assert fields[1] == (b"Content-Length", str(len(body)).encode())
    assert fields[3:] == [(b"Connection", b"close")]


HANDSHAKE = head_of(
    "GET /chat HTTP/1.1",
    [
        "Host: example.com",
        "Connection: keep-alive, Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol: chat, echo",
    ],
)


@given(edits, st.sampled_from([b"", b"\x88\x80\0\0\0\0", b"\x82\x80\0\0\0\0"]), situations)
def test_nor_does_one_that_wants_a_web_socket(
    changes: list[tuple[int, int, bytes]], rest: bytes, situation: Any
) -> None:
    data = edit(HANDSHAKE, changes) + rest
    handler = WebSocketHandler(lambda request, protocols: Session())
    assert converse(data, handler, situation, by_h11=False) == converse(data, handler, situation, by_h11=True)


class Session(WebSocketSessionHandler):
    """Speaks one protocol and says nothing."""

    socket_protocol = "echo"

    def handle_session(self, request: HTTPRequest, socket: WebSocket) -> None:
        """Do nothing."""
