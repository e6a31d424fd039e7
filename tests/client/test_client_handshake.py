"""RFC 6455 §4.1 and RFC 7692 §7.1, without a network."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

import pytest

from perfectws import ConnectionRejected, DeflateOptions, HandshakeError, LocalProtocolError
from perfectws.client.handshake import MAX_REJECTION_BODY, Accepted, ClientHandshake, ClientOffer
from perfectws.client.url import WebSocketURL

URL = WebSocketURL.parse("ws://example.com/chat?a=b")
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Handshake:
    """A handshake, and a server that can answer its key."""

    def __init__(self, *subprotocols: str, compression: DeflateOptions | None = None, url: WebSocketURL = URL) -> None:
        self.client = ClientHandshake(url, ClientOffer.of((), subprotocols, compression))
        self.request = self.client.request().decode()
        (self.key,) = re.findall("Sec-WebSocket-Key: (.*)\r\n", self.request)

    def response(self, *headers: str, **replaced: str) -> bytes:
        fields = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Accept": base64.b64encode(hashlib.sha1((self.key + GUID).encode()).digest()).decode(),
        }
        fields |= {name.replace("_", "-"): value for name, value in replaced.items()}
        lines = [f"{name}: {value}" for name, value in fields.items() if value] + list(headers)
        return ("HTTP/1.1 101 Switching Protocols\r\n" + "\r\n".join(lines) + "\r\n\r\n").encode()

    def accepted(self, *headers: str, more: bytes = b"", **replaced: str) -> Accepted:
        accepted = self.client.receive(self.response(*headers, **replaced) + more)
        assert accepted is not None
        return accepted


def receive_all(handshake: Handshake, pieces: list[bytes]) -> None:
    for piece in pieces:
        assert handshake.client.receive(piece) is None


def test_the_request_is_the_one_of_the_rfc() -> None:
    request = Handshake("soap", "wamp").request
    assert request.startswith("GET /chat?a=b HTTP/1.1\r\nHost: example.com\r\n")
    assert request.endswith("\r\n\r\n")
    assert "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" in request
    assert "\r\nSec-WebSocket-Version: 13\r\n" in request
    assert "\r\nSec-WebSocket-Protocol: soap, wamp\r\n" in request
    assert not re.search("Content-|Origin|Extensions|Authorization", request)


@pytest.mark.parametrize("version", ["1.0", "2.0", "0.9", "3.1"])
def test_a_101_of_a_version_that_has_none_is_refused(version: str) -> None:
    handshake = Handshake()
    response = handshake.response().replace(b"HTTP/1.1", f"HTTP/{version}".encode())
    with pytest.raises(HandshakeError, match=f"ws://example.com.*it is HTTP/{version}") as caught:
        handshake.client.receive(response)
    assert not isinstance(caught.value, ConnectionRejected)


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_a_later_one_is_accepted_and_so_is_what_comes_before_it(version: str) -> None:
    handshake = Handshake()
    response = handshake.response().replace(b"HTTP/1.1", f"HTTP/{version}".encode())
    assert handshake.client.receive(b"HTTP/1.1 100 Continue\r\n\r\n" + response) is not None


def test_another_answer_of_http_1_0_is_a_rejection_like_any() -> None:
    with pytest.raises(ConnectionRejected, match="404"):
        Handshake().client.receive(b"HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n")


def test_each_key_is_16_bytes_and_another() -> None:
    keys = {Handshake().key for _ in range(20)}
    assert len(keys) == 20
    assert {len(base64.b64decode(key, validate=True)) for key in keys} == {16}


def test_credentials_of_the_url_are_sent_unless_a_header_says_otherwise() -> None:
    url = WebSocketURL.parse("ws://a:b@example.com/")
    assert "Authorization: Basic YTpi\r\n" in Handshake(url=url).request
    offer = ClientOffer.of([("authorization", "Bearer x"), ("Host", "other")], (), None)
    request = ClientHandshake(url, offer).request().decode()
    assert "Basic" not in request
    assert "authorization: Bearer x\r\n" in request
    assert re.findall("(?i)host: .*\r\n", request) == ["Host: other\r\n"]


def test_a_101_is_accepted_however_it_is_cut_and_what_follows_belongs_to_the_session() -> None:
    for size in (1, 7, 1000):
        handshake = Handshake("chat")
        response = handshake.response("Sec-WebSocket-Protocol: chat")
        cut = [response[start : start + size] for start in range(0, len(response), size)]
        cut[-1] += b"\x81\x02hi"
        *before, accepted = [handshake.client.receive(piece) for piece in cut]
        assert set(before) <= {None}
        assert accepted == Accepted("chat", None, b"\x81\x02hi")


def test_header_tokens_are_compared_as_tokens_in_any_case() -> None:
    accepted = Handshake().accepted(Upgrade="WebSocket", Connection="Keep-Alive, UPGRADE")
    assert accepted == Accepted(None, None, b"")


@pytest.mark.parametrize(
    ("replaced", "wrong"),
    [
        ({"Upgrade": ""}, "no 'Upgrade: websocket'"),
        ({"Upgrade": "websockets"}, "no 'Upgrade: websocket'"),
        ({"Upgrade": "websocket, h2c"}, "no 'Upgrade: websocket'"),
        ({"Connection": ""}, "no 'Connection: Upgrade'"),
        ({"Connection": "close"}, "no 'Connection: Upgrade'"),
        ({"Sec_WebSocket_Accept": ""}, "Sec-WebSocket-Accept \\(none\\)"),
        ({"Sec_WebSocket_Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}, "does not answer our key"),
    ],
)
def test_a_101_that_is_not_for_us_fails_with_what_is_wrong(replaced: dict[str, Any], wrong: str) -> None:
    with pytest.raises(HandshakeError, match=wrong) as failed:
        Handshake().accepted(**replaced)
    assert str(failed.value).startswith("ws://example.com/chat?***: ")


@pytest.mark.parametrize(
    ("chosen", "shown"), [("chat", " 'chat'"), ("SOAP", ""), ("soap, wamp", "")]
)  # what was offered may be a token
def test_a_subprotocol_that_was_not_offered_fails(chosen: str, shown: str) -> None:
    with pytest.raises(HandshakeError, match=f"it chose a subprotocol{shown} that is none of the 2 offered"):
        Handshake("soap", "wamp").accepted(f"Sec-WebSocket-Protocol: {chosen}")


def test_a_server_need_not_choose_a_subprotocol() -> None:
    assert Handshake("soap").accepted().subprotocol is None


def test_a_rejection_has_the_status_the_headers_and_the_body() -> None:
    handshake = Handshake()
    assert handshake.client.receive(b"HTTP/1.1 403 Forbidden\r\nX-Why: because\r\nContent-Length: 6\r\n\r\n") is None
    assert handshake.client.receive(b"go\n") is None
    with pytest.raises(ConnectionRejected, match="answered 403 Forbidden instead of 101: go awa") as rejected:
        handshake.client.receive(b"awa")
    assert (rejected.value.status, rejected.value.body) == (403, b"go\nawa")
    assert ("X-Why", "because") in rejected.value.headers


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 500 Oops\r\nContent-Length: 3\r\n\r\nsad",
        b"HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nsad\r\n0\r\n\r\n",
        b"HTTP/1.0 500 Oops\r\n\r\nsad",
        b"HTTP/1.1 500 Oops\r\nContent-Length: 30\r\n\r\nsad",
    ],
)
def test_a_rejection_s_body_ends_as_http_says_or_with_the_connection(answer: bytes) -> None:
    with pytest.raises(ConnectionRejected) as rejected:
        receive_all(Handshake(), [answer, b""])
    assert (rejected.value.status, rejected.value.body) == (500, b"sad")


def test_no_more_of_a_rejection_s_body_is_kept_than_the_limit() -> None:
    handshake = Handshake()
    handshake.client.receive(b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n")
    with pytest.raises(ConnectionRejected) as rejected:
        receive_all(handshake, [b"1000\r\n" + b"x" * 4096 + b"\r\n"] * 1000)
    assert rejected.value.body == b"x" * MAX_REJECTION_BODY


def test_a_redirect_says_where_to() -> None:
    with pytest.raises(ConnectionRejected, match="301 Moved Permanently, to ws://other/, instead of 101"):
        Handshake().client.receive(b"HTTP/1.1 301 Moved\r\nLocation: ws://other/\r\nContent-Length: 0\r\n\r\n")


def test_an_informational_response_before_the_101_is_passed_over() -> None:
    handshake = Handshake()
    assert handshake.client.receive(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n") is None
    assert handshake.accepted() == Accepted(None, None, b"")


@pytest.mark.parametrize("answer", [b"\x15\x03\x01\x00\x02\x02\x16", b"SSH-2.0-OpenSSH_9.2\r\n\r\n", b"a" * 100_000])
def test_what_is_no_http_fails(answer: bytes) -> None:
    with pytest.raises(HandshakeError, match=r"not HTTP/1.1"):
        Handshake().client.receive(answer)


@pytest.mark.parametrize("before", [b"", b"HTTP/1.1 101 Switching Pro"])
def test_a_connection_that_ends_first_fails(before: bytes) -> None:
    handshake = Handshake()
    if before:
        assert handshake.client.receive(before) is None
    with pytest.raises(HandshakeError, match="the server closed the connection"):
        handshake.client.receive(b"")


# What the application asks for


@pytest.mark.parametrize(
    ("headers", "subprotocols"),
    [
        ([("Sec-WebSocket-Key", "x")], []),
        ([("upgrade", "h2c")], []),
        ([("X-A", "b\r\nX-C: d")], []),
        ([("X A", "b")], []),
        ([], ["a b"]),
        ([], [""]),
        ([], ["a", "a"]),
    ],
)
def test_a_wrong_header_or_subprotocol_raises(headers: list[tuple[str, str]], subprotocols: list[str]) -> None:
    with pytest.raises(LocalProtocolError):
        ClientOffer.of(headers, subprotocols, None)


def test_one_string_is_no_list_of_subprotocols() -> None:
    with pytest.raises(TypeError, match=r"\['chat'\]"):
        ClientOffer.of([], "chat", None)  # type: ignore[arg-type]  # on purpose


# permessage-deflate


@pytest.mark.parametrize(
    ("options", "offer"),
    [
        # RFC 7692 §7.1.3: what asks something of the server is followed by what does not
        (
            DeflateOptions(),
            "permessage-deflate; client_max_window_bits=12; server_max_window_bits=12, "
            "permessage-deflate; client_max_window_bits",
        ),
        (DeflateOptions(window_bits=15), "permessage-deflate; client_max_window_bits=15"),
        (
            DeflateOptions(window_bits=9, context_takeover=False),
            "permessage-deflate; client_max_window_bits=9; server_max_window_bits=9; "
            "client_no_context_takeover; server_no_context_takeover, permessage-deflate; client_max_window_bits",
        ),
        (
            DeflateOptions(window_bits=15, context_takeover=False),
            "permessage-deflate; client_max_window_bits=15; client_no_context_takeover; server_no_context_takeover, "
            "permessage-deflate; client_max_window_bits",
        ),
    ],
)
def test_compression_is_offered_as_the_options_say(options: DeflateOptions, offer: str) -> None:
    assert f"Sec-WebSocket-Extensions: {offer}\r\n" in Handshake(compression=options).request


@pytest.mark.parametrize(
    ("answer", "agreed"),
    [
        ("permessage-deflate", (12, 15, False, False)),
        ("permessage-deflate; server_max_window_bits=10", (12, 10, False, False)),
        # §7.1.2.2: a bound, which a smaller window keeps
        ("permessage-deflate; client_max_window_bits=15", (12, 15, False, False)),
        ("permessage-deflate; client_max_window_bits=13; server_max_window_bits=12", (12, 12, False, False)),
        # §7.1.2.1: more than the first offer asks for, as the second allows
        ("permessage-deflate; server_max_window_bits=15", (12, 15, False, False)),
        ("permessage-deflate; server_max_window_bits=8; client_max_window_bits=9", (9, 9, False, False)),
        ("Permessage-Deflate; client_max_window_bits=12; client_no_context_takeover", (12, 15, True, False)),
        ('permessage-deflate; server_no_context_takeover; server_max_window_bits="11"', (12, 11, False, True)),
    ],
)
def test_an_answer_is_agreed_to(answer: str, agreed: tuple[int, int, bool, bool]) -> None:
    deflate = Handshake(compression=DeflateOptions()).accepted(f"Sec-WebSocket-Extensions: {answer}").deflate
    assert deflate is not None
    assert (
        deflate.client_max_window_bits,
        deflate.server_max_window_bits,
        deflate.client_no_context_takeover,
        deflate.server_no_context_takeover,
    ) == agreed


@pytest.mark.parametrize(
    "answer",
    [
        "x-webkit-deflate-frame",
        "permessage-deflate, permessage-deflate",
        "permessage-deflate; client_max_window_bits=16",
        "permessage-deflate; client_max_window_bits=8",  # what zlib cannot do
        "permessage-deflate; client_max_window_bits=012",
        'permessage-deflate; client_max_window_bits=""',
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_no_context_takeover=1",
        'permessage-deflate; server_no_context_takeover=""',
        "permessage-deflate; server_max_window_bits=7",
        'permessage-deflate; server_max_window_bits=""',
        'permessage-deflate; client_no_context_takeover="',
        'x-other; a=", permessage-deflate"',
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        "permessage-deflate; unknown",
    ],
)
def test_an_answer_that_does_not_fit_the_offer_fails(answer: str) -> None:
    with pytest.raises(HandshakeError, match="an extension that was not offered so"):
        Handshake(compression=DeflateOptions()).accepted(f"Sec-WebSocket-Extensions: {answer}")


def test_an_extension_fails_when_none_was_offered() -> None:
    with pytest.raises(HandshakeError, match="not offered"):
        Handshake().accepted("Sec-WebSocket-Extensions: permessage-deflate")
