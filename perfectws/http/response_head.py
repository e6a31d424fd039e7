"""A response in bytes: its head, framed so that the client knows where the body ends (RFC 9112 §6), and its body."""

from __future__ import annotations

from http import HTTPStatus

import h11

from ..errors import LocalProtocolError
from .dates import current_http_date
from .headers import Headers
from .request_head import RequestHead
from .response import HTTPResponse, ResponseState, error_text

#: RFC 9110 §6.4.1: "204 (No Content) and 304 (Not Modified) responses never include content"; §15.3.6: "a server MUST
#: NOT generate content in a 205 response".
_BODILESS = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED, HTTPStatus.RESET_CONTENT)
#: Headers of a response about which h11 has rules of its own.
_JUDGED_BY_H11 = frozenset({"connection", "content-length", "host", "transfer-encoding"})
#: Headers about the body, which a 101 has not, or about the connection, which the handshake sets.
_NOT_IN_101 = frozenset({"connection", "content-encoding", "content-length", "transfer-encoding", "upgrade"})


def encode_response(head: RequestHead, response: HTTPResponse, body: bytes, last: bool, close: bool) -> bytes:
    """Return the bytes of a response: its head if it is open, then a piece of its body, then its end.

    Args:
        head: The head of the request that it answers.
        response: The response.
        body: The piece of its body.
        last: Whether it ends with the piece.
        close: Whether the connection ends with the response.

    Raises:
        LocalProtocolError: What was set on the response contradicts itself.
    """
    if last and head.parser is None and not close:
        data = _encode_plain(response, body)
        if data is not None:
            return data
    try:
        return b"".join(_encode_by_h11(head, response, body, last=last, close=close))
    except h11.LocalProtocolError as error:
        raise LocalProtocolError(f"the response to {response.request!r} cannot be sent: {error}") from error


def _encode_plain(response: HTTPResponse, body: bytes) -> bytes | None:
    """Return the whole response to a plain request as h11 would write it; ``None`` if h11 has to.

    Names and values were checked when they were set, more strictly than h11 does.
    """
    names = response.headers.names()
    if response.is_streaming or response.status in _BODILESS or not _JUDGED_BY_H11.isdisjoint(names):
        return None
    date = "" if "date" in names else f"Date: {current_http_date()}\r\n"
    reason = response.status.phrase if isinstance(response.status, HTTPStatus) else ""
    line = f"HTTP/1.1 {int(response.status)} {reason}\r\n".encode()
    rest = f"Content-Length: {len(body)}\r\n{date}\r\n".encode()
    return b"".join((line, response.headers.encode(), rest, body))


def _encode_by_h11(head: RequestHead, response: HTTPResponse, body: bytes, *, last: bool, close: bool) -> list[bytes]:
    parser = head.parsed()
    out: list[bytes] = []
    if response.state is ResponseState.OPEN:
        out += parser.send_with_data_passthrough(_frame(response, head.method, body, last=last, close=close)) or ()
    if body and _may_have_body(head.method, response.status):
        out += parser.send_with_data_passthrough(h11.Data(data=body)) or ()
    if last:
        out += parser.send_with_data_passthrough(h11.EndOfMessage()) or ()
    return out


def _frame(response: HTTPResponse, method: bytes, body: bytes, *, last: bool, close: bool) -> h11.Response:
    """Return the head of a response, framed for what is known of its body.

    Args:
        response: The response.
        method: The method of the request that it answers.
        body: The first bytes of its body.
        last: Whether they are all.
        close: Whether the connection ends with this response.

    Raises:
        h11.LocalProtocolError: The response's headers contradict each other or its body.
    """
    headers = response.headers.copy()
    if response.is_streaming:
        headers.remove("Content-Length")
    elif last and "Transfer-Encoding" not in headers:
        _check_length(headers.get("Content-Length"), response, method, len(body))
        if "Content-Length" not in headers and response.status not in _BODILESS:
            headers.set("Content-Length", str(len(body)))
    if response.status == HTTPStatus.NO_CONTENT:
        # RFC 9112 §6.1 and RFC 9110 §8.6: a 204 has neither. A 304 may have what the 200 would have.
        headers.remove("Transfer-Encoding")
        headers.remove("Content-Length")
    elif response.status == HTTPStatus.RESET_CONTENT:
        # Other than these it ends where it says so.
        headers.remove("Transfer-Encoding")
        headers.set("Content-Length", "0")
    if "Date" not in headers:
        headers.add("Date", current_http_date())
    if close:
        headers.set("Connection", "close")
    return h11.Response(
        status_code=int(response.status),
        headers=[(name.encode(), value.encode()) for name, value in headers],
        reason=response.status.phrase.encode() if isinstance(response.status, HTTPStatus) else b"",
    )


def _check_length(declared: str | None, response: HTTPResponse, method: bytes, length: int) -> None:
    # h11 would notice too, but only once it can no longer send anything else.
    if declared is not None and _may_have_body(method, response.status) and declared != str(length):
        raise h11.LocalProtocolError(f"the Content-Length is {declared}, but the body has {length} bytes")


def _may_have_body(method: bytes, status: int) -> bool:
    """Return whether bytes follow the head of a response with that status to a request with that method."""
    return method != b"HEAD" and status not in _BODILESS


class _Elsewhere:
    """A body that is sent past h11, which asks for its length only."""

    def __init__(self, size: int) -> None:
        self._size = size

    def __len__(self) -> int:
        return self._size


def count_body(head: RequestHead, size: int) -> None:
    """Let h11 know of ``size`` bytes of a body of known length that are sent past it."""
    head.parsed().send_with_data_passthrough(h11.Data(data=_Elsewhere(size)))  # type: ignore[arg-type]  # its length counts


def encode_switch(head: RequestHead, response: HTTPResponse, handshake: Headers) -> bytes:
    """Return a ``101 Switching Protocols`` with the handshake's headers, then those that the response has besides."""
    # RFC 9110 §7.8: "If a server receives both an Upgrade and an Expect header field with the "100-continue"
    # expectation [...], the server MUST send a 100 (Continue) response before sending a 101 [...] response."
    first = b"HTTP/1.1 100 Continue\r\n\r\n" if head.parser is not None and head.expects_continue else b""
    headers = handshake
    if response.has_headers:
        headers = handshake.copy()
        for name, value in response.headers:
            if name.lower() not in _NOT_IN_101 and name not in handshake:
                headers.add(name, value)
    return b"%sHTTP/1.1 101 Switching Protocols\r\n%s\r\n" % (first, headers.encode())


def encode_refusal(status: HTTPStatus, text: str) -> tuple[bytes, bytes]:
    """Return the head and the body, one line, of a response that refuses a request and ends the connection."""
    body = error_text(status, text).encode()
    head = (
        f"HTTP/1.1 {int(status)} {status.phrase}\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\n"
        f"Date: {current_http_date()}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode(), body
