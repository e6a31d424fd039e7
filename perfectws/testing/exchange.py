"""One request over a pipe, and the answer: h11 on the client's side."""

from __future__ import annotations

import h11
import trio

from ..http.headers import Headers
from .request import PlainRequest
from .response import TestResponse

#: The most bytes of one read.
_READ_SIZE = 64 * 1024
#: How long an answer's head may be, in bytes.
_MAX_HEAD = 64 * 1024


async def exchange(stream: trio.abc.Stream, request: PlainRequest) -> TestResponse:
    """Send ``request``, and return the answer once it is whole.

    Raises:
        ConnectionError: The server ended the connection before, or answered something else than HTTP.
    """
    parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD)
    fields = [(name.encode(), value.encode()) for name, value in request.headers]
    head = parser.send(h11.Request(method=request.method, target=request.target, headers=fields)) or b""
    body = parser.send(h11.Data(data=request.body)) if request.body else b""
    data = head + (body or b"") + (parser.send(h11.EndOfMessage()) or b"")
    async with stream, trio.open_nursery() as nursery:
        nursery.start_soon(_send, stream, data)  # beside the reading: an answer may come before all is taken
        answer = await _answer(stream, parser)
        nursery.cancel_scope.cancel()
    if isinstance(answer, Exception):  # raised here: a nursery would make a group of it
        raise answer
    return answer


async def _send(stream: trio.abc.Stream, data: bytes) -> None:
    try:
        await stream.send_all(data)
    except trio.BrokenResourceError:
        pass  # the server wants no more: its answer says why


async def _answer(stream: trio.abc.Stream, parser: h11.Connection) -> TestResponse | Exception:
    head: h11.Response | h11.InformationalResponse | None = None
    body = bytearray()
    while True:
        try:
            event = parser.next_event()
        except h11.RemoteProtocolError as error:
            return ConnectionError(f"the server ended the connection in the middle of its answer: {error}")
        match event:
            case h11.NEED_DATA:
                parser.receive_data(await _read(stream))
            case h11.Response():
                head = event
            case h11.Data(data=data):
                body += data
            case h11.InformationalResponse(status_code=101):
                return _response(event, b"")  # whatever comes behind it is no HTTP
            case h11.EndOfMessage() if head is not None:
                return _response(head, bytes(body))
            case h11.ConnectionClosed():
                return ConnectionError("the server ended the connection without an answer")


async def _read(stream: trio.abc.Stream) -> bytes:
    try:
        return bytes(await stream.receive_some(_READ_SIZE))
    except trio.BrokenResourceError:
        return b""


def _response(head: h11.Response | h11.InformationalResponse, body: bytes) -> TestResponse:
    fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers.raw_items()]
    received = Headers.received([(name.lower(), name, value) for name, value in fields])
    return TestResponse(head.status_code, received, body)
