"""The client's half of the opening handshake: a request to bytes, and the judgement of the response.

::

    WAITING ──101, as it should be──► accepted: `Accepted`
       │────101, but not for us─────► `HandshakeError`
       │────no HTTP─────────────────► `HandshakeError`, at the first byte that shows it
       └────another status──► READING_BODY ──its end, or enough of it──► `ConnectionRejected`

A body need not end: `ClientHandshake.rejection` is what is known so far.

Nearly every answer is a 101 of one shape, narrower than the grammar, which one regular expression knows. All others are
h11's to judge, which is told of the exchange then: ``tests/properties/test_plain_101.py`` shows that it says the same.

Source: RFC 6455 §4.1 and §4.2.2, RFC 7692 §7.1 for ``permessage-deflate``.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable
from http import HTTPStatus
from os import urandom
from typing import NamedTuple, NoReturn

import h11
from wsproto.utilities import generate_accept_token

from .. import __version__
from ..errors import ConnectionRejected, HandshakeError, LocalProtocolError
from ..http.headers import TCHAR, Headers, holds_token, is_field, is_token, list_elements
from ..http.several import Several
from ..net.quoting import SHOWN, quoted
from ..websocket.arguments import check_subprotocols
from ..websocket.deflate import Deflate, DeflateOptions, accept_answer, make_offer
from ..websocket.handshake_response import HandshakeResponse
from ..websocket.opcodes import VERSION
from .url import WebSocketURL, shown_url

#: How much of the body of a response that is no 101 is kept for the error, in bytes.
MAX_REJECTION_BODY = 16 * 1024
#: How long a response's head may be, in bytes.
MAX_HEAD = 64 * 1024
#: How much of an answer is read, in bytes: its body may be in chunks of a byte. What else there is (heads of the status
#: 1xx, extensions of chunks) need never end.
MAX_ANSWER = 256 * 1024

#: Those that the application may set too.
_REPLACED = frozenset({"authorization", "host", "user-agent"})

#: A 101 as nearly all servers write it, to its end.
_PLAIN_101 = re.compile(rf"HTTP/1\.1 101 [ -~]*+(\r\n(?:{TCHAR}++: [!-~][ -~]*+\r\n)+)\r\n".encode())
#: What in it h11 has rules about.
_JUDGED_BY_H11 = re.compile(rb" \r\n|\n(?:content-length|transfer-encoding):", re.IGNORECASE)
#: What every answer of HTTP/1 begins with.
_HTTP = b"HTTP/"
#: The status line of an answer whose head is otherwise malformed.
_STATUS_LINE = re.compile(rb"HTTP/[0-9](?:\.[0-9])? ([2-9][0-9]{2})(?: [^\r\n]*)?\r?\n")
#: A record of TLS. RFC 8446 §5.1: its type, 20 to 23, and the "legacy_record_version".
_TLS_RECORD = re.compile(rb"[\x14-\x17]\x03")

#: The headers that the handshake itself is made of.
_OWN_HEADERS = frozenset(
    {
        "connection",
        "content-length",
        "sec-websocket-accept",
        "sec-websocket-extensions",
        "sec-websocket-key",
        "sec-websocket-protocol",
        "sec-websocket-version",
        "transfer-encoding",
        "upgrade",
    }
)


#: Who we are, unless the application says something else.
USER_AGENT = f"perfectws/{__version__}"
#: What is the same in every request, as `Headers` keeps it.
_UPGRADE = (("upgrade", "Upgrade", "websocket"), ("connection", "Connection", "Upgrade"))
_VERSION_AND_AGENT = (
    ("sec-websocket-version", "Sec-WebSocket-Version", VERSION),
    ("user-agent", "User-Agent", USER_AGENT),
)
#: What would end a cookie, or the header.
_FORBIDDEN_IN_COOKIE = re.compile(r"[;\x00-\x1f\x7f]")


def cookie_header(cookies: Iterable[tuple[str, str]]) -> str | None:
    """Return the value of the header ``Cookie``; ``None`` for no cookies. Raises `TypeError`, `LocalProtocolError`."""
    fields = list(cookies)
    for name, value in fields:
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(f"a cookie is a pair of str, not of {type(name).__name__} and {type(value).__name__}")
        if not is_token(name) or _FORBIDDEN_IN_COOKIE.search(value):
            # Without the value, which is a secret often enough: errors end up in logs.
            raise LocalProtocolError(f"{name!r} cannot be a cookie: encode its name and value by urllib.parse.quote")
    return "; ".join(f"{name}={value}" for name, value in fields) or None


class ClientOffer(NamedTuple):
    """What a client asks for, checked.

    Attributes:
        headers: Headers of the application's own.
        subprotocols: The subprotocols that it speaks, the preferred one first.
        compression: How it would compress; ``None`` offers nothing.
    """

    headers: tuple[tuple[str, str], ...] = ()
    subprotocols: tuple[str, ...] = ()
    compression: DeflateOptions | None = None

    @classmethod
    def of(
        cls, headers: Iterable[tuple[str, str]], subprotocols: Several[str], compression: DeflateOptions | None
    ) -> ClientOffer:
        """Check what a user gives. Raises `LocalProtocolError` or `TypeError`, with what to write instead."""
        fields = tuple(Headers(headers)) if headers else ()
        for name, _ in fields:
            if name.lower() in _OWN_HEADERS:
                raise LocalProtocolError(f"the handshake sets {name} itself: use subprotocols= and compression=")
        if [name.lower() for name, _ in fields].count("cookie") > 1:
            # RFC 6265 §5.4: "the user agent MUST NOT attach more than one Cookie header field."
            raise LocalProtocolError("there is one header Cookie: give all cookies in cookies=")
        return cls(fields, check_subprotocols(subprotocols), compression)


class Accepted(NamedTuple):
    """What the server agreed to.

    Attributes:
        subprotocol: The subprotocol that it chose, if any.
        deflate: The compression agreed on, if any.
        leftover: Bytes that came behind the response: the first frames.
    """

    subprotocol: str | None
    deflate: Deflate | None
    leftover: bytes


class ClientHandshake:
    """One opening handshake, as the client sees it.

    Args:
        url: Where to.
        offer: What is asked for.

    Attributes:
        response: The 101, once it has come.
    """

    __slots__ = ("_begun", "_body", "_conn", "_key", "_offer", "_received", "_refusal", "_url", "response")

    def __init__(self, url: WebSocketURL, offer: ClientOffer) -> None:
        self._url = url
        self._offer = offer
        # RFC 6455 §4.1: "a nonce consisting of a randomly selected 16-byte value that has been base64-encoded"
        self._key = b64encode(urandom(16))
        #: What h11 knows of the exchange; ``None`` as long as it need not know of it.
        self._conn: h11.Connection | None = None
        #: The answer as long as its head is not complete.
        self._begun = bytearray()
        #: How many bytes of it have come.
        self._received = 0
        self._refusal: h11.Response | None = None
        self.response: HandshakeResponse | None = None
        self._body = bytearray()

    def request(self) -> bytes:
        """Return the request, whole."""
        headers = self._headers()
        if any(name.lower() == "host" for name, _ in self._offer.headers):
            return self._request_by_h11(headers)  # which has rules about that
        return b"".join((f"GET {self._url.target} HTTP/1.1\r\n".encode("ascii"), headers.encode(), b"\r\n"))

    def _request_by_h11(self, headers: Headers) -> bytes:
        self._conn = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        fields = [(name.encode(), value.encode()) for name, value in headers]
        head = self._conn.send(h11.Request(method="GET", target=self._url.target, headers=fields))
        return (head or b"") + (self._conn.send(h11.EndOfMessage()) or b"")

    def _parser(self) -> h11.Connection:
        """Return what h11 knows of the exchange."""
        if self._conn is None:
            self._request_by_h11(self._headers())
            assert self._conn is not None
        return self._conn

    def _headers(self) -> Headers:
        offer, authorization = self._offer, self._url.authorization
        items = [
            ("host", "Host", self._url.authority),
            *_UPGRADE,
            ("sec-websocket-key", "Sec-WebSocket-Key", self._key.decode()),
            *_VERSION_AND_AGENT,
        ]
        if offer.subprotocols:
            items.append(("sec-websocket-protocol", "Sec-WebSocket-Protocol", ", ".join(offer.subprotocols)))
        if offer.compression is not None:
            items.append(("sec-websocket-extensions", "Sec-WebSocket-Extensions", make_offer(offer.compression)))
        if authorization is not None:
            items.append(("authorization", "Authorization", authorization))
        if offer.headers:
            given = [(name.lower(), name, value) for name, value in offer.headers]
            replaced = {item[0] for item in given} & _REPLACED
            items = [item for item in items if item[0] not in replaced] + given
        return Headers.received(items)  # all of it was checked as it was given

    def receive(self, data: bytes) -> Accepted | None:
        """Take bytes that arrived, ``b""`` for the end. Return what was agreed on, or ``None`` if more is needed.

        Raises:
            ConnectionRejected: The server answers with something other than 101.
            HandshakeError: What it answers is no HTTP, or a 101 that is none for us.
        """
        if not self._begun:
            plain = _PLAIN_101.match(data)
            if plain is not None and len(plain[0]) < MAX_HEAD and _JUDGED_BY_H11.search(plain[0]) is None:
                return self._accept(plain[1], data[plain.end() :])
        if self._refusal is None:
            self._begun += data
            self._check_protocol()
        try:
            parser = self._parser()
            parser.receive_data(data)
            accepted = self._next_event(parser)
            self._received += len(data)
            if accepted is None and self._received > MAX_ANSWER:
                raise h11.RemoteProtocolError(f"it has more than {MAX_ANSWER} bytes, and no end")
        except h11.RemoteProtocolError as error:
            if self.rejection() is not None:
                self._reject()
            # Without the cause: h11 quotes the line that is wrong, which may be a cookie's.
            raise HandshakeError(f"{self._url.text}: {self._no_answer(data, error)}") from None
        return accepted

    @property
    def is_refused(self) -> bool:
        """Whether the head of an answer has come that is no 101."""
        return self._refusal is not None

    def rejection(self) -> ConnectionRejected | None:
        """Return what the server has said so far, if it said no: its body may be cut, or never end."""
        if self._refusal is not None:
            return self._rejection(self._refusal.status_code, Headers.parse(_head(self._refusal)))
        status = _STATUS_LINE.match(self._begun)
        if status is None:
            return None
        return self._rejection(int(status[1]), Headers.parse(bytes(self._begun)))

    def _check_protocol(self) -> None:
        """Raise `HandshakeError` if the answer is another protocol's: it may never be as long as a head is."""
        begun = bytes(self._begun[: len(_HTTP)])
        if _HTTP.startswith(begun):
            return
        if _TLS_RECORD.match(begun):
            raise HandshakeError(
                f"{self._url.text}: the answer is not HTTP/1.1: the server speaks TLS there; use wss://"
            )
        said = self._begun[:SHOWN].decode(errors="replace").splitlines()[0]
        raise HandshakeError(f"{self._url.text}: the answer is not HTTP/1.1: it begins with {said!r}")

    @property
    def hint(self) -> str:
        """What may help where a connection ends without a byte: many servers end so what is no TLS."""
        is_silent = not self._begun and not self._url.is_secure and not self._url.is_unix
        return " (if it speaks TLS there, write wss://)" if is_silent else ""

    def _next_event(self, parser: h11.Connection) -> Accepted | None:
        while True:
            match parser.next_event():
                case h11.InformationalResponse(status_code=101) as response:
                    version = response.http_version.decode()
                    # RFC 9110 §7.8, §15.2: HTTP/1.0 has neither Upgrade nor any status 1xx.
                    if not version.startswith("1.") or version == "1.0":
                        raise self._not_for_us(f"it is HTTP/{version}")
                    return self._accept(_head(response), parser.trailing_data[0])
                case h11.Response() as response:
                    self._refusal = response
                case h11.Data(data=data) if self._refusal is not None:
                    self._body += data
                    if len(self._body) >= MAX_REJECTION_BODY:
                        self._reject()
                case h11.EndOfMessage() if self._refusal is not None:
                    self._reject()
                case h11.NEED_DATA:
                    return None
                case h11.ConnectionClosed() | h11.PAUSED:
                    raise HandshakeError(f"{self._url.text}: the server closed the connection without an answer")

    def _no_answer(self, data: bytes, error: h11.RemoteProtocolError) -> str:
        if not data:
            where = "in the middle of its answer" if self._begun else "without an answer"
            return f"the server closed the connection {where}{self.hint}"
        return f"the answer is not HTTP/1.1: {quoted(str(error).partition(': bytearray(')[0])}"

    def _reject(self) -> NoReturn:
        rejection = self.rejection()
        assert rejection is not None
        try:
            raise rejection from None
        finally:
            del rejection  # its traceback refers to this frame

    def _rejection(self, status: int, headers: Iterable[tuple[str, str]]) -> ConnectionRejected:
        fields = [item for item in headers if is_field(*item)]
        phrase = next((known.phrase for known in HTTPStatus if known == status), "")
        body = bytes(self._body[:MAX_REJECTION_BODY])
        said = quoted(body)
        location = Headers(fields).get("Location") if status // 100 == 3 else None
        answer = f"{status} {phrase}".strip() + (f", to {shown_url(location)}," if location is not None else "")
        return ConnectionRejected(
            f"{self._url.text}: the server answered {answer} instead of 101" + (f": {said}" if said else ""),
            status,
            fields,
            body,
        )

    def _accept(self, head: bytes, leftover: bytes) -> Accepted:
        self.response = HandshakeResponse(101, head)
        return self._judge(self.response.headers, leftover)

    def _judge(self, headers: Headers, leftover: bytes) -> Accepted:
        """Judge the headers of a 101. Source: RFC 6455 §4.1, the numbered list at its end."""
        fields = headers.by_name()
        # Not a list that holds it: RFC 9110 §7.8 has a server name all that it switches to, one layer above the other.
        if [protocol.lower() for protocol in list_elements(fields.get("upgrade", ()))] != ["websocket"]:
            raise self._not_for_us("it has no 'Upgrade: websocket'")
        if not holds_token(fields.get("connection", ()), "upgrade"):
            raise self._not_for_us("it has no 'Connection: Upgrade'")
        accepts = fields.get("sec-websocket-accept", ())
        if list(accepts) != [generate_accept_token(self._key).decode()]:
            said = quoted(", ".join(accepts)) or "none"
            raise self._not_for_us(f"its Sec-WebSocket-Accept ({said}) does not answer our key")
        return Accepted(self._judge_subprotocol(headers), self._judge_extensions(headers), leftover)

    def _judge_subprotocol(self, headers: Headers) -> str | None:
        chosen = headers.get("Sec-WebSocket-Protocol")
        offered = self._offer.subprotocols
        if chosen is not None and chosen not in offered:
            # One that was offered may be a token, and some servers answer the whole list: that is not shown.
            said = "" if any(each.lower() in chosen.lower() for each in offered) else f" {quoted(chosen)!r}"
            raise self._not_for_us(f"it chose a subprotocol{said} that is none of the {len(offered)} offered")
        return chosen

    def _judge_extensions(self, headers: Headers) -> Deflate | None:
        answers = headers.elements("Sec-WebSocket-Extensions")
        if not answers:
            return None
        offered = self._offer.compression
        deflate = accept_answer(answers[0], offered) if offered is not None and len(answers) == 1 else None
        if deflate is None:
            raise self._not_for_us(f"it uses an extension that was not offered so: {quoted(', '.join(answers))}")
        return deflate

    def _not_for_us(self, wrong: str) -> HandshakeError:
        return HandshakeError(f"{self._url.text}: the server's 101 is not for this handshake: {wrong}")


def _head(response: h11.Response | h11.InformationalResponse) -> bytes:
    return b"\r\n" + b"".join([name + b": " + value + b"\r\n" for name, value in response.headers.raw_items()])
