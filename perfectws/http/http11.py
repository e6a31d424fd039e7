"""`HTTPConnection`: bytes into requests, responses into bytes, on h11.

What h11 keeps for one request and its response, this keeps for the connection::

            ┌──────────────────────── the response is sent, and the connection is kept ────────────────────────┐
            ▼                                                                                                  │
    ──▶ HEAD ──a head, and a body follows──▶ BODY ──its end──▶ HANDLING ──┬──▶ (response sent) ────────────────┘
            │                                                      ▲      ├──switch_protocols──▶ SWITCHED
            └──────────────a head, and no body follows─────────────┘      └──the last response─┐
            (any) ──a bad request, a deadline, the peer leaves──▶ CLOSED ◀─────────────────────┘

One request is served at a time. What the peer sends meanwhile (pipelined requests, or the first bytes of the protocol
that it wants to switch to) waits in the input, up to `READ_AHEAD` bytes; then reading pauses. Each head is cut out of
the input here, so that its size is known exactly and the raw bytes can be kept; a body is fed to h11 as it comes. h11
judges both, and says after the response whether the connection may be used again. Only of a plain request (see
`perfectws.http.plain`) h11 learns nothing, unless its response is less plain.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context
from enum import Enum
from http import HTTPStatus

import h11

from ..callbacks import CallbackLoop, logger
from ..deadline import Deadline
from ..errors import LocalProtocolError
from ..transport import HIGH_WATER, Protocol, Transport
from .access_log import Exchange
from .filters import RequestFiltering, ResponseFiltering
from .headers import Headers
from .request import HTTPRequest
from .request_head import (
    Refused,
    check_body_size,
    check_declared_body,
    check_header_count,
    check_served,
    cut_head,
    make_plain_request,
    make_request,
    parse_head,
    read_plain,
)
from .response import HTTPResponse, ResponseState, TakeOver
from .response_head import count_body, plain_response, refusal, switching_head, write_response
from .service import HTTPService

#: Bytes that may wait behind a request that is being served.
READ_AHEAD = 16 * 1024
#: How many chunks of a body one turn takes: each takes h11 some 10 µs, however little is in it.
MAX_CHUNKS = 64


class Phase(Enum):
    """What the connection is about; see above."""

    HEAD = "waiting for a request, or inside its head"
    BODY = "inside a request's body"
    HANDLING = "a request is with its handlers"
    SWITCHED = "another protocol has the transport"
    CLOSED = "nothing is read or answered any more"


#: Named once: in Python 3.11 a look-up in an enum takes ten times as long as one of a global (0.16 µs).
_HEAD, _BODY, _HANDLING, _SWITCHED, _CLOSED = Phase


class HTTPConnection(Protocol):
    """The protocol of one connection to an HTTP/1.1 server.

    Args:
        transport: What moves the bytes; it is to feed this object.
        loop: The loop that drives it.
        service: What is served.
        context: The `contextvars.Context` in which handlers and callbacks run.

    Attributes:
        loop, service, transport: As above.

    Source: RFC 9112.
    """

    # Perfect differs: it keeps an HTTP/1.0 connection too if asked to; h11 never does.
    __slots__ = (
        "__weakref__",
        "_body",
        "_deadline",
        "_exchange",
        "_filtering",
        "_h11",
        "_has_more",
        "_input",
        "_is_paused",
        "_is_stopping",
        "_method",
        "_peer_is_done",
        "_phase",
        "_plain_head",
        "_request",
        "_response",
        "_searched",
        "_successor",
        "_waiting",
        "loop",
        "service",
        "transport",
    )

    def __init__(
        self, transport: Transport, loop: CallbackLoop, service: HTTPService, context: Context | None = None
    ) -> None:
        super().__init__(context)
        self.transport = transport
        self.loop = loop
        self.service = service
        self._phase = _HEAD
        self._input = bytearray()
        self._searched = 0  # how much of the input holds no end of a head
        self._body = bytearray()
        #: Whether h11 was given more of the body than one turn takes.
        self._has_more = False
        self._h11: h11.Connection | None = None
        #: The head of the plain request that is being served, as long as h11 need not know of it.
        self._plain_head = b""
        self._method = b""
        self._request: HTTPRequest | None = None
        self._response: HTTPResponse | None = None
        self._filtering: ResponseFiltering | None = None
        self._exchange: Exchange | None = None
        self._successor: Protocol | None = None
        self._waiting: list[tuple[HTTPResponse, Callable[[bool], object]]] = []
        self._is_paused = False
        self._is_stopping = False
        self._peer_is_done = False
        self._deadline = Deadline(loop, self, self._deadline_passed)
        self._deadline.set(service.header_timeout)

    # The transport calls these.

    def data_received(self, data: bytes) -> None:
        """Take bytes that arrived. See `perfectws.transport.Protocol`."""
        if self._phase is _CLOSED:
            return
        self._input += data
        self._advance()

    def eof_received(self) -> None:
        """Learn that the peer will send nothing more; what it asked for, it still gets."""
        self._peer_is_done = True
        if self._phase in (_HEAD, _BODY):
            self._advance()

    def resume_writing(self) -> None:
        """Learn that there is room in the output again."""
        self._call_waiting(True)
        if self._phase is _HEAD:
            self.loop.call(self, self._advance)

    def connection_lost(self, error: Exception | None) -> None:
        """Learn that the connection is gone: what waits for it is told so."""
        self._end(_CLOSED)
        self._call_waiting(False)
        if self._response is not None:
            self._response.state = ResponseState.LOST
        self._request = self._response = None

    def _call_waiting(self, ok: bool) -> None:
        waiting, self._waiting = self._waiting, []
        for response, callback in waiting:
            self.loop.call(response, callback, ok)

    def shut_down(self) -> None:
        """Learn that the server stops: the request under way is answered, an idle connection is closed at once."""
        self._is_stopping = True
        if self._phase is _HEAD and not self._input:
            self._close_idle()

    def _close_idle(self) -> None:
        """Close without waiting for the peer's end, which an idle browser keeps back: it has all that we sent."""
        if self.transport.buffered_amount:
            self.close()
        else:
            self._abort()

    def callback_failed(self, error: Exception) -> None:
        """Take an exception of our own: it costs this connection and nothing else."""
        logger.error("HTTP connection from %s failed", self.transport.remote_address, exc_info=error)
        self._abort(error)

    # Requests.

    def _advance(self) -> None:
        """Go on with the input as far as it reaches."""
        try:
            if self._phase is _HEAD and self.transport.buffered_amount < HIGH_WATER:
                self._read_head()
            if self._phase is _BODY and not self._has_more:
                self._read_body()
            self._balance_reading()
        except Refused as refused:
            self._refuse(refused.status, refused.text)
        except h11.RemoteProtocolError as error:
            text = f"this is not a valid HTTP/1.1 request: {str(error)[:200]}"
            self._refuse(HTTPStatus(error.error_status_hint), text)
        except Exception as error:
            self.callback_failed(error)

    def _balance_reading(self) -> None:
        is_waiting = (
            self._phase is _HANDLING
            or (self._phase is _BODY and self._has_more)
            # A peer that sends requests and reads no responses must not fill the output.
            or (self._phase is _HEAD and self.transport.buffered_amount >= HIGH_WATER)
        )
        is_full = is_waiting and len(self._input) >= READ_AHEAD
        if is_full and not self._is_paused:
            self._is_paused = True
            self.transport.pause_reading()
        elif self._is_paused and not is_full:
            self._resume_reading()

    def _resume_reading(self) -> None:
        if self._is_paused:
            self._is_paused = False
            self.transport.resume_reading()

    def _read_head(self) -> None:
        searched = self._searched
        head, self._searched = cut_head(self._input, searched, self.service)
        if head is not None:
            self._begin_request(head)
        elif self._peer_is_done:
            self.close()
        elif self._input and not searched:
            self._deadline.set(self.service.header_timeout)

    def _begin_request(self, head: bytes) -> None:
        self._exchange = Exchange.begin(self.transport.remote_address, head)
        check_header_count(head, self.service)
        plain = read_plain(head)
        if plain is None:
            self._parse_request(head)
            return
        self._method, self._plain_head = b"GET", head
        self._take_request(make_plain_request(*plain, head, self.transport, self.service))
        self._dispatch()

    def _parse_request(self, head: bytes) -> None:
        self._h11, event, has_body = parse_head(head, self.service)
        self._method = event.method
        self._take_request(make_request(event, head, self.transport, self.service))
        check_served(event)
        if has_body:
            check_declared_body(event, self.service)
            self._phase = _BODY
        else:
            self._dispatch()

    def _take_request(self, request: HTTPRequest) -> None:
        self._request = request
        if self._exchange is not None:
            self._exchange.peer = request.remote_address[0]

    def _parser(self) -> h11.Connection:
        """Return what h11 knows of this exchange; of a plain request it first learns here."""
        if self._h11 is None:
            self._h11 = parse_head(self._plain_head, self.service)[0]
            self._plain_head = b""
        return self._h11

    def _read_body(self) -> None:
        assert self._h11 is not None
        event: object = None
        for _ in range(MAX_CHUNKS):
            event = self._h11.next_event()
            if event is h11.NEED_DATA and self._input:
                self._h11.receive_data(bytes(self._input))
                self._input.clear()
                event = self._h11.next_event()
            if not isinstance(event, h11.Data):
                break
            self._body += event.data
            check_body_size(len(self._body), self.service)
        if isinstance(event, h11.Data):
            self._has_more = True
            self._deadline.set(self.service.keep_alive_timeout)
            self.loop.call_next_turn(self, self._read_on)
        elif isinstance(event, h11.EndOfMessage):
            self._end_body(self._h11)
        else:
            self._await_body(self._h11)

    def _read_on(self) -> None:
        self._has_more = False
        self._advance()

    def _await_body(self, conn: h11.Connection) -> None:
        if self._peer_is_done:
            self.close()
            return
        if conn.they_are_waiting_for_100_continue:
            go_on = h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue")
            self.transport.write(conn.send(go_on) or b"")
        self._deadline.set(self.service.keep_alive_timeout)

    def _end_body(self, conn: h11.Connection) -> None:
        assert self._request is not None
        self._request.post_body_bytes = bytes(self._body)
        self._body = bytearray()
        self._input += conn.trailing_data[0]
        self._dispatch()

    def _dispatch(self) -> None:
        """Give a request that is here as a whole to the filters, and then to its handlers."""
        assert self._request is not None
        self._phase = _HANDLING
        self._deadline.clear()
        self._response = HTTPResponse(self._request, self)
        if self.service.request_filters:
            RequestFiltering(self.service.request_filters, self._response, self._route).advance()
        else:
            self._route(self._response)

    def _route(self, response: HTTPResponse) -> None:
        request = response.request
        response.begin(self.service.navigator.find_handlers(request.uri, request) or (self.service.not_found,))

    # Responses. `HTTPResponse` calls these, from the loop's thread.

    @property
    def is_filtering(self) -> bool:
        """Whether responses pass filters."""
        return bool(self.service.response_filters)

    def send(self, response: HTTPResponse, body: bytes, last: bool) -> None:
        """Send the head if that was not done, then ``body``, then the end if this is the ``last``."""
        if self._phase is not _HANDLING:
            response.state = ResponseState.LOST
        elif self.service.response_filters:
            self._filter(response, body, last)
        else:
            try:
                self.send_now(response, body, last)
            except h11.LocalProtocolError as error:
                self._give_up(response)
                raise LocalProtocolError(f"the response to {response.request!r} cannot be sent: {error}") from error

    def send_now(self, response: HTTPResponse, body: bytes, last: bool) -> None:
        """Send what no filter is to see any more."""
        if not (last and self._send_plain(response, body)):
            close = self._is_stopping
            write_response(self._parser(), self.transport, self._method, response, body, last=last, close=close)
        if self._exchange is not None:
            self._exchange.sent(response.status, 0 if self._method == b"HEAD" else len(body))
        if last:
            self._response_sent()

    def _send_plain(self, response: HTTPResponse, body: bytes) -> bool:
        """Send a whole response to a plain request, if both are so simple that h11 need not know of them."""
        if not self._plain_head or self._is_stopping:
            return False
        data = plain_response(response, body)
        if data is None:
            return False
        response.state = ResponseState.COMPLETED
        self.transport.write(data)
        return True

    def hand_body_over(self, response: HTTPResponse, size: int) -> Transport:
        """Send the head, and let the caller send the ``size`` bytes of the body by the transport itself."""
        self.send_now(response, b"", False)
        assert self._h11 is not None
        count_body(self._h11, size)
        if self._exchange is not None:
            self._exchange.sent(response.status, size)
        return self.transport

    def _filter(self, response: HTTPResponse, body: bytes, last: bool) -> None:
        """Let the filters have a piece; for the handlers it is sent."""
        if self._filtering is None:
            self._filtering = ResponseFiltering(self.service.response_filters, response, self)
        response.state = ResponseState.COMPLETED if last else ResponseState.STARTED
        self._filtering.push(body, last)

    def filter_failed(self, view: HTTPResponse, error: Exception) -> None:
        """Answer 500 instead of what a filter has failed at; if it has begun, no answer is possible."""
        if view.state is ResponseState.OPEN:
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, "the server failed to answer this request")
        else:
            self._abort(error)

    def _give_up(self, response: HTTPResponse) -> None:
        """Answer 500 instead of what h11 rejects; if it has begun, no answer is possible."""
        if self._h11 is not None and self._h11.our_state is h11.SEND_RESPONSE:
            response.replace(HTTPStatus.INTERNAL_SERVER_ERROR, "the server made a malformed response")
        else:
            response.state = ResponseState.LOST
            self._abort()

    def _response_sent(self) -> None:
        self._log_exchange()
        conn, self._plain_head = self._h11, b""
        self._h11 = self._request = self._response = self._filtering = None
        is_reusable = conn is None or (conn.our_state is h11.DONE and conn.their_state is h11.DONE)
        if self._is_stopping or not is_reusable:
            self.close()
            return
        self._phase = _HEAD
        if self._input or self._peer_is_done:
            self.loop.call(self, self._advance)  # not from here: a thousand pipelined requests would go as deep
        else:
            self._deadline.set(self.service.keep_alive_timeout)

    def call_when_writable(self, response: HTTPResponse, callback: Callable[[bool], object]) -> None:
        """Queue ``callback(True)`` once the output stands below its high water, ``callback(False)`` if never."""
        if response.state is not ResponseState.STARTED:
            self.loop.call(response, callback, False)
        elif self._filtering is not None and self._filtering.is_busy:
            self._filtering.call_when_sent(callback)
        else:
            self.call_when_room(response, callback)

    def call_when_room(self, response: HTTPResponse, callback: Callable[[bool], object]) -> None:
        """Queue ``callback(True)`` once the output stands below its high water, ``callback(False)`` if never."""
        if self._waiting or self.transport.buffered_amount >= HIGH_WATER:
            self._waiting.append((response, callback))
        else:
            self.loop.call(response, callback, True)

    def switch_protocols(self, response: HTTPResponse, headers: Headers, take_over: TakeOver) -> None:
        """Send a 101 with ``headers`` and let another protocol take the transport over."""
        assert self._request is not None
        self.transport.write(switching_head(response, headers))
        response.state = ResponseState.SWITCHED
        self.transport.remote_address = self._request.remote_address
        self._request.compact()
        self._request = self._response = None
        self._hand_over(take_over)

    def _hand_over(self, take_over: TakeOver) -> None:
        leftover, exchange = bytes(self._input), self._exchange
        self._exchange = None
        self._end(_SWITCHED)
        self._resume_reading()
        protocol = take_over(self.transport) if exchange is None else exchange.switch(take_over, self.transport)
        self._successor = protocol
        self.transport.set_protocol(protocol)
        if leftover:
            protocol.data_received(leftover)
        if self._peer_is_done:
            protocol.eof_received()
        if self._is_stopping:
            protocol.shut_down()

    def abandon(self, response: HTTPResponse, error: Exception) -> None:
        """End the connection, since the rest of this response will not come."""
        if self._successor is not None:
            self._successor.callback_failed(error)
        else:
            response.state = ResponseState.LOST
            self._abort(error)

    # Refusing and closing.

    def refuse_full(self) -> None:
        """Answer 503 before anything is asked: the server has no room for another connection."""
        self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "the server has no room for another connection")

    def _refuse(self, status: HTTPStatus, text: str) -> None:
        """Answer a request that cannot be served, and end the connection."""
        if self._exchange is None:
            self._exchange = Exchange.begin(self.transport.remote_address, self._input)
        conn = self._h11 or h11.Connection(h11.SERVER)
        head, body = refusal(status, text)
        self.transport.write(conn.send(head) + (b"" if self._method == b"HEAD" else body))
        if self._exchange is not None:
            self._exchange.sent(status, len(body))
        self.close()

    def close(self) -> None:
        """Send what is written, and nothing more."""
        self._end(_CLOSED)
        self.transport.close(self.service.close_timeout)

    def _abort(self, error: Exception | None = None) -> None:
        self._end(_CLOSED)
        self.transport.abort(error)

    def _end(self, phase: Phase) -> None:
        """Let go of everything that only a living HTTP connection needs."""
        self._phase = phase
        self._deadline.cancel()
        self._input = bytearray()
        self._body = bytearray()
        self._h11 = None
        self._plain_head = b""
        self._log_exchange()
        if self._filtering is not None:
            self._filtering.end()
            self._filtering = None

    def _log_exchange(self) -> None:
        if self._exchange is not None:
            self._exchange.log()
            self._exchange = None

    def _deadline_passed(self) -> None:
        if self._phase is _BODY or self._input:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "the request took too long to arrive")
        else:
            self.close()
