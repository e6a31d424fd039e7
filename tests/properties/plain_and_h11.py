"""The same head, and the same conversation, as they are read where a request is plain, and by h11."""

from __future__ import annotations

from http import HTTPMethod
from typing import Any, cast
from unittest import mock

import h11

from perfectws.http import request_head, response_head
from perfectws.http.filters import HTTPResponseFilter
from perfectws.http.input import Input
from perfectws.http.request import HTTPRequest
from perfectws.http.request_head import RequestHead, read_head, read_plain
from perfectws.http.service import HTTPService
from tests.http.fakes import FakeTransport, Server, everything

SERVICE = HTTPService(None)  # type: ignore[arg-type]  # nothing is routed


def edit(data: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    """Replace pieces of ``data`` by others."""
    for place, size, piece in edits:
        start = place % (len(data) + 1)
        data = data[:start] + piece + data[start + size :]
    return data


def is_one_head(data: bytes) -> bool:
    """Tell whether ``data`` is what is cut out of the input as a head."""
    received = Input()
    received += data
    return received.cut_head() == data


def read(data: bytes, *, by_h11: bool) -> RequestHead:
    """Return a head as it is read where the request is plain, or else by h11."""
    received, transport = Input(), cast(Any, FakeTransport())
    received += data
    with mock.patch.object(request_head, "read_plain", (lambda raw: None) if by_h11 else read_plain):
        head = read_head(received, transport, SERVICE)
    assert head is not None
    assert (head.parser is not None) is by_h11
    return head


def attributes(request: HTTPRequest) -> dict[str, Any]:
    names = ["method", "uri", "protocol_version", "remote_address", "server_address", "server_name", "is_secure"]
    return {name: getattr(request, name) for name in names} | {"headers": list(request.headers)}


def compare_head(data: bytes) -> bool:
    """Fail unless a plain head means to h11 what it means to us. Return whether it is one."""
    if not is_one_head(data) or read_plain(data) is None:
        return False
    ours, theirs = read(data, by_h11=False), read(data, by_h11=True)
    for parser in (ours.parsed(), theirs.parsed()):
        assert parser.their_state in (h11.DONE, h11.MIGHT_SWITCH_PROTOCOL)  # type: ignore[attr-defined]  # not in its __all__
        assert parser.our_state is h11.SEND_RESPONSE
        assert parser.their_http_version == b"1.1"
        assert not parser.they_are_waiting_for_100_continue
        assert parser.trailing_data == (b"", False)
    assert (ours.method, ours.has_body, ours.exchange) == (theirs.method, theirs.has_body, theirs.exchange)
    assert (ours.method, ours.has_body) == (b"GET", False)
    assert attributes(ours.request) == attributes(theirs.request)
    assert ours.request.method is HTTPMethod.GET
    for head in (ours, theirs):
        head.request.compact()
    assert attributes(ours.request) == attributes(theirs.request)
    return True


class PassingFilter(HTTPResponseFilter):
    """Lets everything through as it is."""


def converse(data: bytes, handler: Any, situation: Any, *, by_h11: bool) -> tuple[bytes, bool, bool]:
    """Return what the peer gets for ``data`` and whether the connection goes on."""
    keywords, stops = situation
    with (
        mock.patch.object(request_head, "read_plain", (lambda raw: None) if by_h11 else read_plain),
        mock.patch.object(response_head, "current_http_date", return_value="Sun, 06 Nov 1994 08:49:37 GMT"),
    ):
        server = Server(everything(handler), **keywords)
        server.receive(data)
        if stops:
            server.protocol.shut_down()
        server.loop.run()
    return bytes(server.transport.sent), server.transport.is_open, server.transport.is_aborted
