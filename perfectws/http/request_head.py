"""A request's head: cut out of the input, judged, and made into an `HTTPRequest`.

h11 judges all that arrives, in some hundred small steps. Nearly every head that a WebSocket server gets has one shape,
narrower than the grammar, and one regular expression knows it; that is a *plain* request::

    GET /target HTTP/1.1 CRLF
    Name: value CRLF            once or more; printable ASCII; one space before the value, none behind it
    CRLF

with one valid ``Host`` and nothing that tells of a body, of an expectation, or of the connection's end. Whatever
differs by a byte is h11's to judge: other methods and versions, line ends without CR, folded lines, tabs, other
characters. Of what is taken here, h11 would say the same, to the byte of the answer: ``tests/properties/test_plain.py``
shows it.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import NamedTuple

import h11

from ..transport import TLS_HANDSHAKE, Transport
from .access_log import Exchange
from .authority import is_authority
from .headers import Headers
from .input import Input
from .methods import received_method
from .mime_reader import MimeReader, boundary_of
from .paths import authority_of, is_target
from .request import HTTPRequest
from .service import HTTPService

#: Narrower than RFC 9112 §3. Nothing is ever tried twice: it takes linear time.
_PLAIN_LINE = re.compile(r"GET (/[!-~]*+) HTTP/1\.1")
#: The most headers that are read before it is judged whether there are too many.
_MOST_PLAIN = 128
#: Headers of a request about which h11 has rules of its own.
_JUDGED_BY_H11 = frozenset({"content-length", "expect", "transfer-encoding"})


class RequestHead:
    """What a connection keeps of a request from the end of its head to the end of its response.

    Args:
        request: The request, still without its body.
        method: Its method, as it was sent.
        raw: The head, as it was sent.
        exchange: Its entry in the access log, ``None`` if that is off.
        parser: What h11 knows of the exchange; ``None`` as long as it need not know of it, since the request is plain.
        has_body: Whether a body follows.

    Attributes:
        request, method, exchange, parser, has_body: As above.
        form: The multipart form that the body is, whose files are removed with this.
        is_continued: Whether the client was told to go on with a ``100 Continue``.
    """

    __slots__ = ("_raw", "exchange", "form", "has_body", "is_continued", "method", "parser", "request")

    def __init__(
        self,
        request: HTTPRequest,
        method: bytes,
        raw: bytes,
        exchange: Exchange | None,
        parser: h11.Connection | None = None,
        has_body: bool = False,
    ) -> None:
        self.request = request
        self.method = method
        self.exchange = exchange
        self.parser = parser
        self.has_body = has_body
        self.form: MimeReader | None = None
        self.is_continued = False
        self._raw = raw

    def parsed(self) -> h11.Connection:
        """Return what h11 knows of the exchange; of a plain request it is told here."""
        if self.parser is None:
            self.parser = _parse(self._raw, len(self._raw))[0]
        return self.parser

    def begin_exchange(self) -> Exchange:
        """Begin the request's entry in the access log, which was off."""
        self.exchange = Exchange.asked_for(self.request.remote_address, self._raw)
        self.exchange.made(self.request)
        return self.exchange

    @property
    def expects_continue(self) -> bool:
        """Whether the client asks for a ``100 Continue`` that it has not got. In HTTP/1.0 there is none."""
        if self.parser is None or self.is_continued or self.request.protocol_version < (1, 1):
            return False
        return self.request.headers.has_token("Expect", "100-continue")

    @property
    def is_unanswered(self) -> bool:
        """Whether nothing of a response has been given to h11."""
        return self.parser is None or self.parser.our_state is h11.SEND_RESPONSE

    @property
    def may_be_followed(self) -> bool:
        """Whether another request may come on the connection, once the response is complete."""
        parser = self.parser
        return parser is None or (parser.our_state is h11.DONE and parser.their_state is h11.DONE)


class Refused(Exception):
    """A request cannot be served, and with it the connection ends.

    Args:
        status: The status of the answer.
        text: Its one line.
        method: The request's method, as far as it is known: an answer to HEAD has no body.

    Attributes:
        status, text, method: As above.
        exchange: The request's entry in the access log, ``None`` if there is none yet.
    """

    def __init__(self, status: HTTPStatus, text: str, method: bytes = b"") -> None:
        super().__init__(status, text)
        self.status = status
        self.text = text
        self.method = method
        self.exchange: Exchange | None = None


def read_head(data: Input, transport: Transport, service: HTTPService) -> RequestHead | None:
    """Take a request's head from the front of the input, and judge it.

    Args:
        data: What has arrived.
        transport: What brought it: the request has its addresses.
        service: Its limits count.

    Returns:
        The head, ``None`` if it is not here as a whole.

    Raises:
        Refused: It is malformed, there is too much of it, or it is no HTTP at all.
    """
    raw = data.first_look()
    plain = None if raw is None else read_plain(raw)
    if raw is not None and plain is not None:
        data.drop(len(raw))
    else:
        raw = data.cut_head()
    if raw is None:
        _check_beginning(data, service)
        return None
    exchange = Exchange.begin(transport.remote_address, raw)
    try:
        _check_size(raw, plain, service)
        if plain is None:
            plain = read_plain(raw)
        if plain is None:
            return _judge_by_h11(raw, exchange, transport, service)
        target, headers = plain
        request = _make_request(target, headers, raw, exchange, transport, service)
        return RequestHead(request, b"GET", raw, exchange)
    except Refused as refused:
        refused.exchange = exchange
        raise


def _check_beginning(data: Input, service: HTTPService) -> None:
    """Refuse what can become no head, before the deadline does."""
    if data and data[0] < 0x21:
        if data.startswith(TLS_HANDSHAKE):
            service.log_limit.log(
                "TLS", "A client tries TLS on HTTP server %s, which has no tls_config", service.server_name
            )
        raise Refused(HTTPStatus.BAD_REQUEST, "this is not an HTTP/1.1 request; does it want TLS?")
    if len(data) >= service.max_header_size:
        raise _too_long(data, service.max_header_size)


def _check_size(raw: bytes, plain: tuple[str, Headers] | None, service: HTTPService) -> None:
    if len(raw) > service.max_header_size:
        raise _too_long(raw, service.max_header_size)
    # The request line and the blank line are none.
    count = raw.count(b"\n") - 2 if plain is None else len(plain[1])
    if count > service.max_headers:
        raise Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"there are more than {service.max_headers} headers")


def _too_long(data: bytes | bytearray, limit: int) -> Refused:
    if data.find(b"\n", 0, limit) < 0:
        return Refused(HTTPStatus.REQUEST_URI_TOO_LONG, f"the request line is longer than {limit} bytes")
    return Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"the headers are longer than {limit} bytes")


def read_plain(raw: bytes) -> tuple[str, Headers] | None:
    """Return the target and the headers of a plain request; ``None`` if h11 has to judge it.

    Args:
        raw: A head, from the request line to the blank line, both included.
    """
    if not raw.endswith(b"\r\n\r\n"):
        return None
    first, *lines = raw[:-4].decode("iso-8859-1").split("\r\n")  # which can decode whatever comes
    match = _PLAIN_LINE.fullmatch(first)
    headers = None if match is None or len(lines) > _MOST_PLAIN else Headers.plain(lines)
    if match is None or headers is None:
        return None
    fields = headers.by_name()
    # RFC 9112 §3.2: a request with "more than one Host header field line" is answered with a 400.
    hosts = fields.get("host", ())
    if len(hosts) != 1 or not is_authority(hosts[0]) or not _JUDGED_BY_H11.isdisjoint(fields):
        return None
    if "close" in ",".join(fields.get("connection", ())).lower():
        return None
    return match[1], headers


def _judge_by_h11(raw: bytes, exchange: Exchange | None, transport: Transport, service: HTTPService) -> RequestHead:
    parser, event, has_body = _parse(raw, service.max_header_size)
    request = _make_request(event.target.decode("ascii"), None, raw, exchange, transport, service)
    request.method = received_method(event.method)
    request.protocol_version = (event.http_version[0] - 48, event.http_version[2] - 48)
    _check_served(event)
    _check_addressed(event)
    authority = authority_of(request.uri)
    if authority is not None:
        # RFC 9112 §3.2.2: "the origin server MUST ignore the received Host header field (if any) and instead use the
        # host information of the request-target".
        request.headers.set("Host", authority)
    if has_body:
        check_body_size(_declared_length(event), body_limit_of(request, service), event.method)
    return RequestHead(request, event.method, raw, exchange, parser, has_body)


def _parse(raw: bytes, limit: int) -> tuple[h11.Connection, h11.Request, bool]:
    """Let h11 read a head. Return the state of the exchange, the request, and whether a body follows."""
    parser = h11.Connection(h11.SERVER, max_incomplete_event_size=limit)
    parser.receive_data(raw)
    try:
        event = parser.next_event()
        assert isinstance(event, h11.Request)
        return parser, event, parser.next_event() is h11.NEED_DATA
    except h11.RemoteProtocolError as error:
        raise _malformed_head(error, raw) from None


def _malformed_head(error: h11.RemoteProtocolError, raw: bytes) -> Refused:
    refused = malformed(error)
    if refused.status is HTTPStatus.NOT_IMPLEMENTED and not _ends_with_chunks(raw):
        refused.status = HTTPStatus.BAD_REQUEST
    return refused


def _ends_with_chunks(raw: bytes) -> bool:
    """Tell whether the last transfer coding of a request is ``chunked``, so that its body has an end.

    Of those before it h11 knows none, which is a 501. RFC 9112 §6.3: where "chunked [...] is not the final encoding,
    [...] the server MUST respond with the 400 (Bad Request) status code".
    """
    codings = Headers.parse(raw).elements("Transfer-Encoding")
    return bool(codings) and codings[-1].lower() == "chunked"


def malformed(error: h11.RemoteProtocolError, method: bytes = b"") -> Refused:
    """Return the refusal of a request that breaks the grammar, as h11 has found."""
    # h11 raises some of its errors from their own methods, whose frames then refer to them: a cycle, in which the whole
    # connection would hang.
    error.__traceback__ = None
    text = f"this is not a valid HTTP/1.1 request: {str(error)[:200]}"
    return Refused(HTTPStatus(error.error_status_hint), text, method)


def _make_request(
    target: str,
    headers: Headers | None,
    raw: bytes,
    exchange: Exchange | None,
    transport: Transport,
    service: HTTPService,
) -> HTTPRequest:
    remote, local = transport.remote_address, transport.local_address
    request = HTTPRequest.received(target, raw, headers, remote, local, transport.is_secure)
    request.server_name = service.server_name
    request.document_root = service.document_root
    if service.proxies:
        service.proxies.believe(request)
    if exchange is not None:
        exchange.made(request)
    return request


def _check_served(event: h11.Request) -> None:
    """Refuse what a server such as this does not do."""
    if event.http_version[:2] != b"1.":
        raise Refused(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "this server speaks HTTP/1.1", event.method)
    if event.method == b"CONNECT":
        raise Refused(HTTPStatus.NOT_IMPLEMENTED, "this server is no proxy", event.method)


def _check_addressed(event: h11.Request) -> None:
    """Refuse what names nothing that a server could have. That there is one ``Host``, h11 has seen to."""
    if not is_target(event.target.decode("ascii"), event.method.decode("ascii")):
        # What has no slash before it would become a part of the host where a URL is made of it.
        text = "the request target is neither a path nor an absolute URI"
        raise Refused(HTTPStatus.BAD_REQUEST, text, event.method)
    for name, value in event.headers:
        # RFC 9112 §3.2: "A server MUST respond with a 400 (Bad Request) status code to any [...] request message that
        # contains [...] a Host header field with an invalid field value."
        if name == b"host" and not is_authority(value.decode("iso-8859-1")):
            raise Refused(HTTPStatus.BAD_REQUEST, "the Host header is no host name or address", event.method)


def _declared_length(event: h11.Request) -> int:
    """Return the length that a request declares for its body, in bytes; 0 where it sends chunks."""
    length, is_chunked = None, False
    for name, value in event.headers:
        if name == b"content-length":
            length = int(value)
        elif name == b"transfer-encoding":
            is_chunked = True
    if is_chunked and length is not None:
        # RFC 9112 §6.3: "Such a message might indicate an attempt to perform request smuggling or response splitting
        # and ought to be handled as an error."
        raise malformed(h11.RemoteProtocolError("both Content-Length and Transfer-Encoding are given"), event.method)
    return length or 0


class BodyLimit(NamedTuple):
    """How long a body may be.

    Attributes:
        size: In bytes.
        name: The keyword that says so.
    """

    size: int
    name: str


def body_limit_of(request: HTTPRequest, service: HTTPService) -> BodyLimit:
    """Return how long the body of a request may be."""
    uploads = service.max_upload_size
    if uploads is not None and boundary_of(request.header("Content-Type") or ""):
        return BodyLimit(uploads, "max_upload_size")
    return BodyLimit(service.max_body_size, "max_body_size")


def check_body_size(size: int, limit: BodyLimit, method: bytes) -> None:
    """Refuse a body that is too long, or says beforehand that it will be."""
    if size > limit.size:
        text = f"the body is longer than {limit.size} bytes, which is this server's {limit.name}"
        raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, text, method)
