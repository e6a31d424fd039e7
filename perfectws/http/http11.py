"""`HTTPConnection`: bytes into requests, responses into bytes, on h11.

What h11 keeps for one request and its response, this keeps for the connection::

     ┌─────────── the response is sent, and the connection is kept ────────────┐
     ▼                                                                         │
    IDLE ──a part of a head──▶ HEAD ──its end──▶ BODY ──its end──▶ HANDLING ───┴──else──▶ CLOSED
                                                                       └──switch_protocols──▶ SWITCHED

A head that comes whole leaves HEAD out, a request without a body leaves BODY out. A bad request, a deadline and a peer
that leaves end every phase in CLOSED. Each phase has its deadline, which `_enter` sets and nothing else; HANDLING has
one once the peer has ended its side (`_watch_peer`).

Either way goes through each of its rooms once::

    received: transport ──▶ Input ──▶ read_head ──▶ (RequestBody) ──▶ (RequestFiltering) ──▶ handlers
    sent:     HTTPResponse ──▶ send ──▶ (ResponseFiltering) ──▶ encode_response ──▶ transport

One request is served at a time. What the peer sends meanwhile (pipelined requests, or the first bytes of the protocol
that it wants to switch to) waits in the input, up to `READ_AHEAD` bytes; then reading pauses. Each head is cut out of
the input, so that its size is known exactly and the raw bytes can be kept; a body is fed to h11 as it comes. h11 judges
both, and says after the response whether the connection may be used again. A plain request (see
`perfectws.http.request_head`) h11 is told of only if its response is less plain.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context
from enum import Enum
from functools import partial
from http import HTTPStatus
from weakref import ref

import outcome

from ..callbacks import CallbackLoop, CallbackOwner, logger
from ..deadline import Deadline
from ..errors import LocalProtocolError
from ..patience import Patience, Watch
from ..per_address import PerAddress
from ..transport import HIGH_WATER, FileSender, Protocol, Transport
from .access_log import Exchange
from .filters import RequestFiltering, ResponseFiltering
from .headers import Headers
from .input import Input
from .mime_reader import MimeReader
from .request_body import RequestBody
from .request_head import Refused, RequestHead, read_head
from .response import HTTPResponse, ResponseState, TakeOver
from .response_head import count_body, encode_refusal, encode_response, encode_switch
from .service import HTTPService

#: Bytes that may wait behind a request that is being served.
READ_AHEAD = 16 * 1024


class Phase(Enum):
    """What a connection is doing; see above."""

    IDLE = "waiting for a request"
    HEAD = "inside a request's head"
    BODY = "inside a request's body"
    HANDLING = "a request is with its handlers"
    SWITCHED = "another protocol has the transport"
    CLOSED = "nothing is read or answered any more"


#: Named once: in Python 3.11 to find a member of an enum takes far longer than to find a global.
_IDLE, _HEAD, _BODY, _HANDLING, _SWITCHED, _CLOSED = Phase
_, _STARTED, _COMPLETED, _SWITCHED_OVER, _LOST = ResponseState


#: How long an idle TLS connection is kept for the peer's closure alert, in seconds: ours goes out meanwhile.
_CLOSURE_LINGER = 0.1


def _no_response() -> None:
    """Stand for the response where there is none."""


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
        "_file_watch",
        "_filtering",
        "_head",
        "_input",
        "_is_paused",
        "_is_retiring",
        "_is_stopping",
        "_output",
        "_peer_is_done",
        "_phase",
        "_progress",
        "_response",
        "_successor",
        "_unsent",
        "_waiting",
        "loop",
        "service",
        "transport",
    )

    def __init__(
        self, transport: Transport, loop: CallbackLoop, service: HTTPService, context: Context | None = None
    ) -> None:
        CallbackOwner.__init__(self, context)  # which costs half of `super`
        self.transport = transport
        self.loop = loop
        self.service = service
        self._phase = _IDLE
        self._input = Input()
        self._head: RequestHead | None = None
        self._body: RequestBody | None = None
        #: The response under way: those hold it who are to complete it. Once nobody does, it says so.
        self._response: Callable[[], HTTPResponse | None] = _no_response
        self._filtering: ResponseFiltering | None = None
        self._exchange: Exchange | None = None
        self._successor: Protocol | None = None
        self._waiting: list[tuple[HTTPResponse, Callable[[bool], object]]] = []
        #: What had not left for the peer when it became idle, and what watches how it leaves if it is much.
        self._unsent = 0
        self._output: Patience | None = None
        #: What does while the kernel sends a file, of which nothing waits with us.
        self._file_watch: Watch | None = None
        #: How far the response had got when the peer was last found to have ended its side.
        self._progress: int | None = None
        self._is_paused = False
        self._is_stopping = self._is_retiring = False
        self._peer_is_done = False
        self._deadline = Deadline(loop, self, self._deadline_passed)
        self._deadline.set(service.header_timeout)  # not as long as between two requests: nothing was asked yet

    # The transport calls these.

    def data_received(self, data: bytes) -> None:
        """Take bytes that arrived. See `perfectws.transport.Protocol`."""
        if self._phase is _CLOSED:
            return
        self._input += data
        self._advance()

    def eof_received(self) -> None:
        """Take the end of the peer's output; what it asked for, it still gets."""
        self._peer_is_done = True
        if self._phase in (_IDLE, _HEAD, _BODY):
            self._advance()
        elif self._phase is _HANDLING:
            self._begin_watch()

    def resume_writing(self) -> None:
        """Go on with what waited for room in the output."""
        self._call_waiting(True)
        if self._phase in (_IDLE, _HEAD):
            self.loop.call(self, self._advance)

    def connection_lost(self, error: Exception | None) -> None:
        """Settle what waits for the connection, which is gone."""
        self._end(_CLOSED)
        self._call_waiting(False)
        response = self._response()
        self._response = _no_response
        if response is not None:
            response.move_on(_LOST)

    def _call_waiting(self, ok: bool) -> None:
        waiting, self._waiting = self._waiting, []
        for response, callback in waiting:
            self.loop.call(response, callback, ok)

    def shut_down(self) -> None:
        """End when the request under way is answered, since the server stops; if there is none, at once."""
        self._is_stopping = True
        if self._phase is _IDLE and not self._input:
            self._close_idle()

    def retire(self) -> None:
        """End when the next request is answered: one that is on its way must not find the connection closed."""
        self._is_stopping = self._is_retiring = True

    def shed(self) -> None:
        """Break the response off: too much waits in all connections together."""
        self._abort(ConnectionAbortedError("the write buffers of the server are full"))

    def _close_idle(self) -> None:
        """Close without waiting for the peer's end, which an idle browser keeps back: it has all that we sent."""
        if self.transport.buffered_amount:
            self.close()
        elif self.transport.is_secure:
            # RFC 9112 §9.8: "Servers MUST attempt to initiate an exchange of closure alerts [...] before closing".
            self._end(_CLOSED)
            self.transport.close(_CLOSURE_LINGER)
        else:
            self._abort()

    def callback_failed(self, error: Exception) -> None:
        """Take an exception of our own: it costs this connection and nothing else."""
        logger.error("HTTP connection from %s failed", self.transport.remote_address, exc_info=error)
        self._abort(error)

    def _enter(self, phase: Phase) -> None:
        """Begin a phase, or begin it anew since the peer has got on in it: the phase decides how long it may take."""
        self._phase = phase
        if phase is _HANDLING and (self._peer_is_done or self._is_paused):
            self._begin_watch()  # while nothing is read, that the peer ends its side is seen only if asked for
        elif phase is _HANDLING:
            self._deadline.clear()  # not the peer's time: a handler may take as long as it likes
        elif phase is _HEAD:
            self._deadline.set(self.service.header_timeout)
        elif phase is _BODY and self._body is not None:
            self._deadline.set(_earlier(self.service.keep_alive_timeout, self._body.seconds_left(self.loop.time())))
        else:
            self._deadline.set(self.service.keep_alive_timeout)
            self._unsent = self.transport.buffered_amount

    def _begin_watch(self) -> None:
        self._progress = None
        self._watch_peer()

    def _watch_peer(self) -> None:
        """Drop a peer that has ended its side, and gets nothing of its response for ``half_close_timeout``.

        It may have ended its side only, and still read the answer, or be gone: nothing tells before something is sent.
        """
        ended = self._peer_is_done or self.transport.peer_has_ended()
        progress = self.transport.progress() if ended else None
        seconds = self.service.half_close_timeout
        if progress is not None and progress == self._progress:
            self._abort(ConnectionAbortedError(f"the peer had ended its side, and got nothing for {seconds} seconds"))
        else:
            self._progress = progress
            self._deadline.set(seconds)

    # Requests.

    def _advance(self) -> None:
        """Go on with the input as far as it reaches."""
        try:
            if (self._phase is _IDLE or self._phase is _HEAD) and self.transport.buffered_amount < HIGH_WATER:
                self._read_head()
            if self._body is not None and not self._body.is_resting:
                self._read_body(self._body)
            if self._is_paused or len(self._input) >= READ_AHEAD:
                self._balance_reading()
        except Refused as refused:
            self._refuse(refused)
        except Exception as error:
            self.callback_failed(error)

    def _balance_reading(self) -> None:
        is_full = len(self._input) >= READ_AHEAD and self._is_waiting
        if is_full and not self._is_paused:
            self._is_paused = True
            self.transport.pause_reading()
            if self._phase is _HANDLING:
                self._begin_watch()
        elif self._is_paused and not is_full:
            self._resume_reading()

    @property
    def _is_waiting(self) -> bool:
        """Whether what has arrived waits for us: the response before, room in the output, the next turn, the disk."""
        if self._phase in (_IDLE, _HEAD):
            # A peer that sends requests and reads no responses must not fill the output.
            return self.transport.buffered_amount >= HIGH_WATER
        return self._phase is _HANDLING or (self._body is not None and self._body.is_resting)

    @property
    def _method(self) -> bytes:
        """The method of the request under way, as far as it is known."""
        return b"" if self._head is None else self._head.method

    def _resume_reading(self) -> None:
        if self._is_paused:
            self._is_paused = False
            self.transport.resume_reading()

    def _read_head(self) -> None:
        head = read_head(self._input, self.transport, self.service)
        if head is not None:
            self._take_head(head)
        elif self._peer_is_done:
            self.close()
        elif self._input and self._phase is _IDLE:
            self._enter(_HEAD)

    def _take_head(self, head: RequestHead) -> None:
        self.loop.counts.requests += 1
        self._head, self._exchange = head, head.exchange
        if head.has_body:
            self._body = RequestBody(head, self.service, self.loop.time())
        else:
            self._dispatch(head)

    def _read_body(self, body: RequestBody) -> None:
        body.read(self._input)
        if body.is_complete:
            self._body_received()
            return
        self._enter(_BODY)
        if body.store is not None:
            self.loop.call_in_thread(self, body.store, partial(self._body_stored, body))
        elif body.has_more:
            self.loop.call_next_turn(self, self._read_on)
        else:
            self._await_body(body)

    def _body_received(self) -> None:
        assert self._head is not None
        self._body = None
        self._dispatch(self._head)

    def _read_on(self) -> None:
        if self._body is not None:
            self._body.has_more = False
            self._advance()

    def _body_stored(self, body: RequestBody, result: outcome.Outcome[object]) -> None:
        if self._body is not body:
            return  # the connection has ended meanwhile
        try:
            body.stored(result.error if isinstance(result, outcome.Error) else None)
        except Refused as refused:
            self._refuse(refused)
            return
        if body.is_complete:
            self._body_received()
        self._advance()

    def _await_body(self, body: RequestBody) -> None:
        if self._peer_is_done:
            self.close()
            return
        if go_ahead := body.go_ahead():
            self.transport.write(go_ahead)

    def _dispatch(self, head: RequestHead) -> None:
        """Give a request that is here as a whole to the filters, and then to its handlers."""
        self._enter(_HANDLING)
        if self.service.per_address is not None and self._is_one_too_many(self.service.per_address, head):
            text = "too many connections from one address"
            self._refuse(Refused(HTTPStatus.TOO_MANY_REQUESTS, text, head.method))
            return
        response = HTTPResponse(head.request, self)
        self._response = ref(response)
        if self.service.request_filters:
            RequestFiltering(self.service.request_filters, response, self._route).advance()
        else:
            self._route(response)

    def _is_one_too_many(self, clients: PerAddress, head: RequestHead) -> bool:
        """Count a request that came through a proxy, or a WebSocket that it opens, for its client, if there is room."""
        if not clients.is_proxy(self.transport.remote_address[0]):
            return False
        client = head.request.remote_address[0]
        if not clients.admits(client):
            return True
        clients.add(self.transport, client)
        return False

    def _route(self, response: HTTPResponse) -> None:
        request = response.request
        response.begin(self.service.navigator.find_handlers(request.uri, request) or (self.service.not_found,))

    # Responses. `HTTPResponse` calls these, from the loop's thread.

    @property
    def server(self) -> object:
        """What serves, for handlers that tell of it."""
        return self.service.server

    @property
    def is_filtering(self) -> bool:
        """Whether responses pass filters."""
        return bool(self.service.response_filters)

    def send(self, response: HTTPResponse, body: bytes, last: bool) -> None:
        """Send the head if that was not done, then ``body``, then the end if this is the ``last``."""
        if self._phase is not _HANDLING:
            response.move_on(_LOST)
        elif self.service.response_filters:
            self._filter(response, body, last)
        else:
            try:
                self.send_now(response, body, last)
            except LocalProtocolError:
                self._give_up(response)
                raise

    def send_now(self, response: HTTPResponse, body: bytes, last: bool) -> None:
        """Send what no filter is to see any more. Raises `LocalProtocolError` as `encode_response` does."""
        head = self._head
        assert head is not None
        data = encode_response(head, response, body, last, self._is_stopping)
        response.move_on(_COMPLETED if last else _STARTED)
        self._progress = None
        if data:
            self.transport.write(data)
            if self.transport.buffered_amount >= HIGH_WATER:
                self._watch_output()
                if self.loop.note_backlog is not None:
                    self.loop.note_backlog(len(data))
        if self._exchange is not None:
            self._exchange.sent(response.status, 0 if head.method == b"HEAD" else len(body))
        if last:
            self._response_sent(head)

    def _watch_output(self) -> None:
        """Drop a peer that takes nothing of what waits for it, for ``write_timeout``."""
        seconds = self.service.write_timeout
        if seconds is not None and (self._output is None or self._output.is_over):
            self._output = Patience(self.loop, self, self.transport, seconds, self._output_stuck, ends_when_sent=True)

    def _output_stuck(self) -> None:
        self._abort(ConnectionAbortedError(f"the peer took nothing for {self.service.write_timeout} seconds"))

    def log_access(self, response: HTTPResponse) -> None:
        """Write a line of the access log when this response is over, though the log may be off."""
        if self._exchange is None and self._phase is _HANDLING and self._head is not None:
            self._exchange = self._head.begin_exchange()

    def take_file_sender(self, response: HTTPResponse, size: int) -> FileSender | None:
        """Send the head, and return what sends the ``size`` bytes of the body from a file.

        ``None``, and nothing is sent, where filters are to see them, or the transport has no such sender.
        """
        head, sender = self._head, self.transport.file_sender
        if self._phase is not _HANDLING or head is None or sender is None or self.is_filtering:
            return None
        self.send_now(response, b"", False)
        count_body(head, size)
        seconds = self.service.write_timeout
        if seconds is not None:
            self._file_watch = Watch(self.loop, self, self.transport, seconds, self._output_stuck)
        if self._exchange is not None:
            self._exchange.sent(response.status, size)
        return sender

    def _filter(self, response: HTTPResponse, body: bytes, last: bool) -> None:
        """Give the filters a piece of the response, which its handlers take for sent."""
        if self._filtering is None:
            self._filtering = ResponseFiltering(self.service.response_filters, response, self)
        response.move_on(_COMPLETED if last else _STARTED)
        self._filtering.push(response, body, last)

    def filter_failed(self, view: HTTPResponse, error: Exception) -> None:
        """Answer 500, since a filter has failed; a response that has begun can only be broken off."""
        if view.state is ResponseState.OPEN:
            text = "the server failed to answer this request"
            self._refuse(Refused(HTTPStatus.INTERNAL_SERVER_ERROR, text, self._method))
        else:
            self._abort(error)

    def _give_up(self, response: HTTPResponse) -> None:
        """Answer 500 instead of what h11 rejects; a response that has begun can only be broken off."""
        if self._head is not None and self._head.is_unanswered:
            response.replace(HTTPStatus.INTERNAL_SERVER_ERROR, "the server made a malformed response")
        else:
            response.move_on(_LOST)
            self._abort()

    def _file_sent(self) -> None:
        if self._file_watch is not None:
            self._file_watch.cancel()
            self._file_watch = None

    def _response_sent(self, head: RequestHead) -> None:
        self._log_exchange()
        self._file_sent()
        if head.form is not None:
            self._remove_files(head.form)
        self._head = self._filtering = None
        self._response = _no_response
        clients = self.service.per_address
        if clients is not None and clients.is_proxy(self.transport.remote_address[0]):
            clients.discard(self.transport)  # an idle connection of a proxy is nobody's
        if self._is_stopping or not head.may_be_followed:
            self.close()
            return
        self._enter(_IDLE)
        if self._input or self._peer_is_done:
            self.loop.call(self, self._advance)  # not from here: a thousand pipelined requests would go as deep

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
        head = self._head
        if self._phase is not _HANDLING or head is None:
            response.move_on(_LOST)
            return
        self.transport.write(encode_switch(head, response, headers))
        response.move_on(_SWITCHED_OVER)
        self.transport.remote_address = response.request.remote_address
        response.request.compact()
        self._response = _no_response
        self._hand_over(take_over)

    def _hand_over(self, take_over: TakeOver) -> None:
        leftover, exchange = self._input.take(), self._exchange
        self._exchange = None
        self._end(_SWITCHED)
        if self._is_paused:
            self._resume_reading()
        protocol = take_over(self.transport) if exchange is None else exchange.switch(take_over, self.transport)
        self._successor = protocol
        self.transport.set_protocol(protocol)
        if leftover:
            protocol.data_received(leftover)
        if self._peer_is_done:
            protocol.eof_received()
        if self._is_retiring:
            protocol.retire()
        elif self._is_stopping:
            protocol.shut_down()

    def abandon(self, response: HTTPResponse, error: Exception) -> None:
        """End the connection, since the rest of this response will not come."""
        if self._successor is not None:
            self._successor.callback_failed(error)
        else:
            response.move_on(_LOST)
            self._abort(error)

    # Refusing and closing.

    def refuse_full(self) -> None:
        """Answer 503 before anything is asked: the server has no room for another connection."""
        self._refuse(Refused(HTTPStatus.SERVICE_UNAVAILABLE, "the server has no room for another connection"))

    def _refuse(self, refused: Refused) -> None:
        """Answer a request that cannot be served, and end the connection."""
        if self._exchange is None:
            self._exchange = refused.exchange or Exchange.begin(self.transport.remote_address, self._input)
        head, body = encode_refusal(refused.status, refused.text)
        self.transport.write(head + (b"" if refused.method == b"HEAD" else body))
        if self._exchange is not None:
            self._exchange.sent(refused.status, len(body))
        self.close()

    def close(self) -> None:
        """Send what is written, and nothing more."""
        self._end(_CLOSED)
        self.transport.close(self.service.close_timeout)

    @property
    def is_unfinished(self) -> bool:
        """Whether a response of HTTP/1.0 is under way: RFC 9112 §6.3 lets the connection's end be its end."""
        head = self._head
        return head is not None and not head.is_unanswered and head.request.protocol_version < (1, 1)

    def _abort(self, error: Exception | None = None) -> None:
        self.transport.abort(error)  # first: it asks whether a response is unfinished
        self._end(_CLOSED)

    def _end(self, phase: Phase) -> None:
        """Let go of everything that only a living HTTP connection needs."""
        self._phase = phase
        self._deadline.cancel()
        if self._output is not None:
            self._output.cancel()
        if self._file_watch is not None:
            self._file_sent()
        if self._input:
            self._input.clear()
        if self._head is not None and self._head.form is not None:
            self._remove_files(self._head.form)
        self._head = self._body = None
        if self._exchange is not None:
            self._log_exchange()
        if self._filtering is not None:
            self._filtering.end()
            self._filtering = None

    def _remove_files(self, form: MimeReader) -> None:
        """Remove what was uploaded by a request, which is over."""
        if form.has_files_on_disk:  # to remove a large one takes long
            self.loop.call_in_thread(self, form.cleanup)
        else:
            form.cleanup()

    def _log_exchange(self) -> None:
        if self._exchange is not None:
            self._exchange.log()
            self._exchange = None

    def _deadline_passed(self) -> None:
        if self._phase is _HANDLING:
            self._watch_peer()
        elif self._body is not None:
            self._refuse(self._body.late())
        elif self._phase is not _IDLE:
            self._refuse(Refused(HTTPStatus.REQUEST_TIMEOUT, "the request took too long to arrive", self._method))
        elif self._input or 0 < self.transport.buffered_amount != self._unsent:
            self._enter(_IDLE)  # the peer is still reading the answers before
        else:
            self.close()


def _earlier(first: float | None, second: float | None) -> float | None:
    """Return the smaller of two numbers of seconds, of which ``None`` is no limit."""
    return min((each for each in (first, second) if each is not None), default=None)
