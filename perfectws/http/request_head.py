"""A request's head: cut out of the input, judged, and made into an `HTTPRequest`.

h11 judges all that arrives, in some hundred small steps. Nearly every head that a WebSocket server gets has one shape,
narrower than the grammar, and one regular expression knows it; that is a *plain* request::

    GET /target HTTP/1.1 CRLF
    Name: value CRLF            once or more; printable ASCII; one space before the value, none behind it
    CRLF

with one ``Host`` and nothing that tells of a body, of an expectation, or of the connection's end. Whatever differs by a
byte is h11's to judge: other methods and versions, line ends without CR, folded lines, tabs, other characters. Of what
is taken here, h11 would say the same, to the byte of the answer: ``tests/properties/test_plain.py`` shows it.
"""

from __future__ import annotations

import re
from http import HTTPMethod, HTTPStatus

import h11

from ..transport import TLS_HANDSHAKE, Transport
from .headers import Headers
from .methods import received_method
from .request import HTTPRequest
from .response_head import declared_length
from .service import HTTPService

#: Narrower than RFC 9112 §3 and §5. Nothing is ever tried twice: it takes linear time.
_HEAD = re.compile(rb"GET (/[!-~]*+) HTTP/1\.1\r\n(?:[-!#$%&'*+.^_`|~0-9A-Za-z]++: [!-~][ -~]*+\r\n)++\r\n")
#: Headers about which h11 has rules of its own.
_JUDGED_BY_H11 = frozenset({"content-length", "expect", "transfer-encoding"})
#: Where a head ends. RFC 9112 §2.2: "a recipient MAY recognize a single LF as a line terminator"; h11 does.
_BLANK_LINE = re.compile(rb"\n\r?\n")


class Refused(Exception):
    """A request cannot be served, and with it the connection ends.

    Attributes:
        status: The status of the answer.
        text: Its one line.
    """

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(status, text)
        self.status = status
        self.text = text


def cut_head(data: bytearray, searched: int, service: HTTPService) -> tuple[bytes | None, int]:
    """Take a request's head out of what has arrived.

    Args:
        data: What has arrived; the head is deleted from it.
        searched: How much of it holds no end of a head; 0 at first.
        service: Its limits count.

    Returns:
        The head, ``None`` if it is not here as a whole; and how much has been searched.

    Raises:
        Refused: There is too much of it, or it is no HTTP at all.
    """
    if data.startswith((b"\r", b"\n")):
        # RFC 9112 §2.2: "SHOULD ignore at least one empty line (CRLF) received prior to the request-line."
        del data[: len(data) - len(data.lstrip(b"\r\n"))]
    match = _BLANK_LINE.search(data, searched)
    if match is None:
        _check_beginning(data, service)
        # A blank line has three bytes at most, and the input does not begin with one.
        return None, max(1, len(data) - 2) if data else 0
    end = match.end()
    if end > service.max_header_size:
        raise _too_long(data, service)
    head = bytes(data[:end])
    del data[:end]
    return head, 0


def _check_beginning(data: bytearray, service: HTTPService) -> None:
    if data and data[0] < 0x21:
        # No request begins so: say so before the deadline does.
        if data.startswith(TLS_HANDSHAKE):
            service.complaints.log(
                "TLS", "A client tries TLS on HTTP server %s, which has no tls_config", service.server_name
            )
        raise Refused(HTTPStatus.BAD_REQUEST, "this is not an HTTP/1.1 request; does it want TLS?")
    if len(data) >= service.max_header_size:
        raise _too_long(data, service)


def _too_long(data: bytearray, service: HTTPService) -> Refused:
    limit = service.max_header_size
    if data.find(b"\n", 0, limit) < 0:
        return Refused(HTTPStatus.REQUEST_URI_TOO_LONG, f"the request line is longer than {limit} bytes")
    return Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"the headers are longer than {limit} bytes")


def check_header_count(head: bytes, service: HTTPService) -> None:
    """Raise `Refused` for a head with too many lines."""
    if head.count(b"\n") - 2 > service.max_headers:  # the request line and the blank line are none
        raise Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"there are more than {service.max_headers} headers")


def check_served(event: h11.Request) -> None:
    """Raise `Refused` for what a server such as this does not do."""
    if event.http_version[:2] != b"1.":
        raise Refused(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "this server speaks HTTP/1.1")
    if event.method == b"CONNECT":
        raise Refused(HTTPStatus.NOT_IMPLEMENTED, "this server is no proxy")


def check_body_size(size: int, service: HTTPService) -> None:
    """Raise `Refused` for a body that is too long."""
    if size > service.max_body_size:
        raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is longer than {service.max_body_size} bytes")


def check_declared_body(event: h11.Request, service: HTTPService) -> None:
    """Raise `Refused` for a body that says beforehand that it is too long."""
    check_body_size(declared_length(event), service)


def parse_head(head: bytes, service: HTTPService) -> tuple[h11.Connection, h11.Request, bool]:
    """Let h11 judge a request's head.

    Returns:
        The state of the exchange, the request, and whether a body follows.

    Raises:
        h11.RemoteProtocolError: It is malformed.
    """
    conn = h11.Connection(h11.SERVER, max_incomplete_event_size=service.max_header_size)
    conn.receive_data(head)
    event = conn.next_event()
    assert isinstance(event, h11.Request)
    return conn, event, conn.next_event() is h11.NEED_DATA


def make_request(event: h11.Request, head: bytes, transport: Transport, service: HTTPService) -> HTTPRequest:
    """Return the request that h11 has found valid, still without its body."""
    request = _new_request(event.target.decode("ascii"), head, transport, service)
    request.method = received_method(event.method)
    request.protocol_version = (event.http_version[0] - 48, event.http_version[2] - 48)
    if service.proxies:
        service.proxies.believe(request)
    return request


def read_plain(head: bytes) -> tuple[str, Headers] | None:
    """Return the target and the headers of a plain request; ``None`` if h11 has to judge it.

    Args:
        head: A head, from the request line to the blank line, both included.
    """
    match = _HEAD.fullmatch(head)
    if match is None or b" \r\n" in head:
        return None
    lines = head.decode("ascii").split("\r\n")[1:-2]
    items = [(name.lower(), name, value) for name, _, value in [line.partition(": ") for line in lines]]
    headers = Headers.received(items)
    fields = headers.by_name()
    # RFC 9112 §3.2: a request with "more than one Host header field line" is answered with a 400.
    if len(fields.get("host", ())) != 1 or not _JUDGED_BY_H11.isdisjoint(fields):
        return None
    if "close" in ",".join(fields.get("connection", ())).lower():
        return None
    return match[1].decode("ascii"), headers


def make_plain_request(
    target: str, headers: Headers, head: bytes, transport: Transport, service: HTTPService
) -> HTTPRequest:
    """Return a request that `read_plain` knows."""
    request = _new_request(target, head, transport, service)
    request.headers_known(headers)
    if service.proxies:
        service.proxies.believe(request)
    return request


def _new_request(target: str, head: bytes, transport: Transport, service: HTTPService) -> HTTPRequest:
    request = HTTPRequest(
        HTTPMethod.GET,
        target,
        head,
        remote_address=transport.remote_address,
        server_address=transport.local_address,
        server_name=service.server_name,
        document_root=service.document_root,
    )
    request.is_secure = transport.is_secure
    return request
