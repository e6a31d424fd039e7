"""A request's head that is read past h11: h11 reads the same, and the peer gets the same answer, to the byte.

The first bytes say what the handler answers; the rest is what the client sends.
"""

from __future__ import annotations

from perfectws import HTTPRequest, HTTPResponse
from perfectws.errors import LocalProtocolError
from perfectws.http.response import RequestHandler

from ..properties.plain_and_h11 import PassingFilter, compare_head, converse
from .data import Data

STATUSES = [200, 200, 200, 201, 204, 205, 206, 301, 304, 400, 404, 426, 500, 503, 299, 999]
NAMES = ["Content-Type", "X", "date", "Content-Length", "Connection", "Transfer-Encoding", "Host", "Upgrade", "server"]
VALUES = ["", "text/plain", "close", "keep-alive", "chunked", "3", "0", "a\tb", "ä€", "x" * 300, "identity", "1, 1"]
BODIES = [b"", b"abc", b"x", b"x" * 70_000]


def target(data: bytes) -> None:
    """Read a head in both ways, and let it be answered in both."""
    source = Data(data)
    handler = answering(source)
    situation = ({"response_filters": ((PassingFilter(), 0),)} if source.flag() else {}, source.flag())
    head = source.rest()
    compare_head(head)
    fast = converse(head, handler, situation, by_h11=False)
    assert fast == converse(head, handler, situation, by_h11=True), "the peer sees which way it was read"


def answering(source: Data) -> RequestHandler:
    """Return a handler that answers as the bytes say; a header that is refused where it is set is left out."""
    status, body = source.choice(STATUSES), source.choice(BODIES)
    fields = [(source.choice(NAMES), source.choice(VALUES)) for _ in range(source.number() % 4)]
    ways = source.number()

    def answer(request: HTTPRequest, response: HTTPResponse) -> None:
        for name, value in fields:
            try:
                response.add_header(name, value)
            except LocalProtocolError:
                pass
        response.is_streaming = bool(ways & 1)
        response.set_body(body)
        if ways & 2:
            response.push()
        response.completed(status)

    return answer
