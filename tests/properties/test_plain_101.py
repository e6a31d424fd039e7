"""A plain request is the one that h11 would write, and a plain 101 is judged as if h11 had read it."""

from __future__ import annotations

import re
from typing import Any
from unittest import mock

import h11
from hypothesis import given
from hypothesis import strategies as st
from wsproto.utilities import generate_accept_token

from perfectws import DeflateOptions, HandshakeError
from perfectws.client import handshake
from perfectws.client.handshake import Accepted, ClientHandshake, ClientOffer
from perfectws.client.url import WebSocketURL

names = st.sampled_from(["X-A", "x-a", "Cookie", "User-Agent", "Authorization", "Origin"])
values = st.sampled_from(["", "a", "a b", "a\tb", "ä€", "x" * 300, '"quoted"'])
offers = st.builds(
    ClientOffer,
    st.lists(st.tuples(names, values), max_size=3).map(tuple),
    st.sampled_from([(), ("chat",), ("chat", "echo")]),
    st.sampled_from([None, DeflateOptions()]),
)
urls = st.sampled_from(
    [
        "ws://example.com",
        "ws://example.com:81/a?b=c",
        "ws://ann:pass@example.com/%20",
        "wss://[::1]/ü",
        "ws+unix:///a:/b",
    ]
).map(WebSocketURL.parse)


@given(urls, offers)
def test_a_request_is_what_h11_would_write(url: WebSocketURL, offer: ClientOffer) -> None:
    hand = ClientHandshake(url, offer)
    assert hand.request() == hand._request_by_h11(hand._headers())


HEAD = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: chat\r\n\r\n"
)
NEVER = re.compile(rb"(?!)")
edits = st.lists(
    st.tuples(
        st.integers(0, len(HEAD) + 30),
        st.integers(0, 3),
        st.sampled_from(
            [
                b"",
                b"\r\n",
                b"\n",
                b" ",
                b"\t",
                b"\0",
                b"\xff",
                b"X: y\r\n",
                b"Content-Length: 3\r\n",
                b":",
                b"2",
                b"Upgrade",
            ]
        ),
    ),
    max_size=3,
)


def answer_to(hand: ClientHandshake, changes: list[tuple[int, int, bytes]], rest: bytes) -> bytes:
    data = HEAD % generate_accept_token(hand._key)
    for at, count, new in changes:
        data = data[:at] + new + data[at + count :]
    return data + rest


def outcome(hand: ClientHandshake, data: bytes, cut: int) -> Any:
    """Return what was agreed on, or what was wrong; in two reads, if it is cut."""
    hand.request()
    try:
        for piece in filter(None, (data[:cut], data[cut:])):
            accepted = hand.receive(piece)
            if accepted is not None:
                assert hand.response is not None
                return (*accepted[::2], list(hand.response.headers)), data[cut:] if piece is not data[cut:] else b""
    except HandshakeError as error:
        return type(error), str(error)
    return hand.is_refused


@given(edits, st.sampled_from([b"", b"\x81\x01a", b"\r\n"]), st.sampled_from([0, 0, 0, 5, 60]))
def test_an_answer_is_judged_as_if_h11_had_read_it(
    changes: list[tuple[int, int, bytes]], rest: bytes, cut: int
) -> None:
    url, offer = WebSocketURL.parse("ws://example.com"), ClientOffer((), ("chat",), None)
    with mock.patch.object(handshake, "urandom", return_value=bytes(16)):
        ours, theirs = ClientHandshake(url, offer), ClientHandshake(url, offer)
    data = answer_to(ours, changes, rest)
    found = outcome(ours, data, cut)
    with mock.patch.object(handshake, "_PLAIN_101", NEVER):
        assert found == outcome(theirs, data, cut)


def test_a_servers_usual_answer_is_plain() -> None:
    hand = ClientHandshake(WebSocketURL.parse("ws://example.com"), ClientOffer((), ("chat",), None))
    hand.request()
    with mock.patch.object(h11.Connection, "receive_data", side_effect=AssertionError("h11 was asked")):
        assert hand.receive(answer_to(hand, [], b"\x81\x01a")) == Accepted("chat", None, b"\x81\x01a")
