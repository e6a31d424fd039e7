"""`HTTPResponse`: what the client gets back, made by handlers, now or later, from any thread."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from contextvars import Context
from enum import Enum
from http import HTTPStatus
from typing import Any, Protocol, TypeAlias, TypeVar, overload

from ..callbacks import CallbackLoop, CallbackOwner, logger
from ..checks.signatures import explain_call
from ..checks.spelling import explain_misspelling
from ..errors import LocalProtocolError
from ..futures import Future, Promise
from ..transport import FileSender, Transport
from ..transport import Protocol as ConnectionProtocol
from .binary import BytesLike, bytes_of
from .cookies import HTTPCookie
from .headers import Headers
from .request import HTTPRequest

#: What a callback returns: whatever it likes, or if it is async, a coroutine.
R = TypeVar("R")
#: What a handler of requests returns: nothing, or if it is async, a coroutine of nothing. The answer is the response.
Handled: TypeAlias = Awaitable[None] | None
#: Called with (request, response): the handler of a route.
RequestHandler: TypeAlias = "Callable[[HTTPRequest, HTTPResponse], Handled]"
TakeOver: TypeAlias = Callable[[Transport], ConnectionProtocol]

#: Its name in Swift.
HTTPResponseStatus = HTTPStatus

_STATUSES: dict[int, HTTPStatus] = {status.value: status for status in HTTPStatus}
_UNSET: Any = object()
#: Any thread may be the first to ask for `HTTPResponse.on_close`.
_on_close_lock = threading.Lock()


class ResponseState(Enum):
    """How far a response has come.

    ::

        OPEN ──push──▶ STARTED ──completed──▶ COMPLETED
          │ └──────────────completed──────────▲
          ├──switch_protocols──▶ SWITCHED
          └──(and STARTED) the peer leaves──▶ LOST
    """

    #: Nothing is sent: status and headers may change.
    OPEN = "open"
    #: The head is sent, the body is under way.
    STARTED = "started"
    #: All is sent.
    COMPLETED = "completed"
    #: The connection speaks another protocol now.
    SWITCHED = "switched"
    #: The connection ended first.
    LOST = "lost"


#: Named once: in Python 3.11 to find a member of an enum takes far longer than to find a global.
_OPEN, _STARTED, _COMPLETED, _SWITCHED, _LOST = ResponseState


class ResponseChannel(Protocol):
    """What a response asks of the connection that carries it, always from the loop's thread."""

    loop: CallbackLoop
    context: Context

    @property
    def server(self) -> object:
        """What serves, for handlers that tell of it; ``None`` if that is nobody."""

    @property
    def is_filtering(self) -> bool:
        """Whether responses pass filters."""

    def send(self, response: HTTPResponse, body: bytes, last: bool) -> None:
        """Send the head if that was not done, then ``body``, then the end if this is the ``last``."""

    def call_when_writable(self, response: HTTPResponse, callback: Callable[[bool], object]) -> None:
        """Queue ``callback(True)`` once the output stands below its high water, ``callback(False)`` if never."""

    def log_access(self, response: HTTPResponse) -> None:
        """Write a line of the access log when this response is over, though the log may be off."""

    def take_file_sender(self, response: HTTPResponse, size: int) -> FileSender | None:
        """Send the head, and return what sends the ``size`` bytes of the body from a file.

        ``None``, and nothing is sent, where filters are to see them, or the transport has no such sender.
        """

    def switch_protocols(self, response: HTTPResponse, headers: Headers, take_over: TakeOver) -> None:
        """Send a 101 with ``headers`` and let another protocol take the transport over."""

    def abandon(self, response: HTTPResponse, error: Exception) -> None:
        """End the connection, since the rest of this response will not come."""


class HTTPResponse(CallbackOwner):
    """The response to one request.

    Any method may be called from any thread. The setters return the response, so that calls chain. One that nobody
    refers to any more, and so can never be completed, is answered with 500. Without a connection (in a test) a response
    only collects what it is given.

    Attributes:
        request: The request that it answers.
        is_streaming: Whether the body is sent in chunks, since its length is not known. To be set before the first
            `push`.
        is_body_filtered: Whether response filters see the body too. To be set before the first `push`, by a handler
            that sends what is large as it is.
        is_final: For a response filter: whether the piece of the body that it sees is the last one.

    Source: Perfect's ``HTTPResponse``.
    """

    __slots__ = (
        "__weakref__",
        "_body",
        "_channel",
        "_handlers",
        "_headers",
        "_next_handler",
        "_on_close",
        "_status",
        "is_body_filtered",
        "is_final",
        "is_streaming",
        "request",
        "state",
    )

    def __init__(self, request: HTTPRequest, channel: ResponseChannel | None = None) -> None:
        CallbackOwner.__init__(self, Context() if channel is None else channel.context)  # which costs half of `super`
        self.request = request
        self._headers: Headers | None = None
        self.is_streaming = False
        self.is_body_filtered = True
        self.is_final = False
        self.state = _OPEN
        self._status: int = HTTPStatus.OK
        self._body: list[bytes] = []
        self._channel = channel
        self._handlers: Sequence[RequestHandler] = ()
        self._next_handler = 0
        self._on_close: Promise[None] | None = None

    @property
    def headers(self) -> Headers:
        """The header fields that were set: iterate over them for the (name, value) pairs."""
        if self._headers is None:
            self._headers = Headers()
        return self._headers

    @headers.setter
    def headers(self, headers: Headers) -> None:
        self._headers = headers

    @property
    def has_headers(self) -> bool:
        """Whether any was set; perfectws's own."""
        return self._headers is not None and len(self._headers) > 0

    @property
    def status(self) -> int:
        """The status: an `http.HTTPStatus` where that knows it, else an int from 200 to 999."""
        return self._status

    @status.setter
    def status(self, status: int) -> None:
        if not isinstance(status, int) or not 200 <= status <= 999:
            raise LocalProtocolError(
                f"{status!r} cannot be the status of a response: use an http.HTTPStatus from 200 up"
            )
        self._status = _STATUSES.get(status, status)

    def header(self, name: str) -> str | None:
        """Return the first value of the header ``name``, ``None`` if there is none."""
        values = self.headers.get_all(name)
        return values[0] if values else None

    def add_header(self, name: str, value: str) -> HTTPResponse:
        """Add the header ``name: value``, whether or not there is one of that name.

        Raises:
            LocalProtocolError: The name or the value is malformed; a line break cannot be smuggled in.
        """
        self.headers.add(name, value)
        return self

    def set_header(self, name: str, value: str) -> HTTPResponse:
        """Replace every header of that ``name`` by one with this ``value``. Raises as `add_header` does."""
        self.headers.set(name, value)
        return self

    def add_cookie(self, cookie: HTTPCookie) -> HTTPResponse:
        """Set a cookie at the client."""
        return self.add_header("Set-Cookie", cookie.encode())

    @property
    def body_bytes(self) -> bytes:
        """The part of the body that is not sent yet."""
        if len(self._body) > 1:
            self._body = [b"".join(self._body)]
        return self._body[0] if self._body else b""

    @body_bytes.setter
    def body_bytes(self, body: bytes) -> None:
        self._body = [_encode(body)]

    def set_body(self, string: str | BytesLike | None = None, *, json: Any = _UNSET) -> HTTPResponse:
        """Replace the body.

        Args:
            string: The body; a `str` is sent as UTF-8.
            json: Something to be sent as JSON instead, with ``Content-Type: application/json`` unless there is one.

        Raises:
            LocalProtocolError: Both are given, or neither.
            TypeError: It is neither text nor bytes, or cannot be written as JSON.
        """
        if (string is None) == (json is _UNSET):
            raise LocalProtocolError("give set_body() either a str or bytes, or json=…")
        if string is not None:
            self._body = [_encode(string)]
        else:
            from json import dumps  # which a server loads before it serves

            self._body = [dumps(json, ensure_ascii=False).encode()]
            if "Content-Type" not in self.headers:
                self.headers.add("Content-Type", "application/json")
        return self

    def append_body(self, string: str | BytesLike) -> HTTPResponse:
        """Add ``string`` to the body; a `str` is sent as UTF-8.

        Raises:
            TypeError: It is neither text nor bytes.
        """
        self._body.append(_encode(string))
        return self

    @overload
    def push(self, callback: None = None) -> None: ...

    @overload
    def push(self, callback: Callable[[bool], R]) -> Callable[[bool], R]: ...

    def push(self, callback: Callable[[bool], R] | None = None) -> Callable[[bool], R] | None:
        """Send the head, if that was not done, and what there is of the body; more may follow.

        The body has the length that a ``Content-Length`` header says; where there is none, it is sent in chunks.

        Args:
            callback: What to call then. Returned, so that ``@response.push`` works as a decorator.

        Calls back: ``callback(ok)``, once, when there is room for more; ``ok`` is false if the connection is gone.

        Raises:
            TypeError: ``callback`` cannot be called.
            LocalProtocolError: The headers contradict each other, or the body is longer than its ``Content-Length``.

        Source: Perfect's ``push(callback:)``.
        """
        # Perfect differs: with neither a Content-Length nor is_streaming, its first push declares its own bytes to be
        # all, and the second breaks the connection.
        if callback is not None and not callable(callback):
            raise TypeError(f"push() takes a callable that takes (ok), not {callback!r}")
        self._in_loop(self._push, self._take_body(), callback)
        return callback

    @property
    def is_filtered(self) -> bool:
        """Whether the server has response filters, which may change what is sent; perfectws's own."""
        return self._channel is not None and self._channel.is_filtering

    @property
    def is_over(self) -> bool:
        """Whether there is nothing more to do: it is complete, handed over, or the peer is gone."""
        return self.state is not _OPEN and self.state is not _STARTED

    @property
    def on_close(self) -> Future[None]:
        """The future of this response's end: it is complete, handed over, or the client is gone. Never fails.

        So a handler that answers later learns that nobody waits any more: ``response.on_close.when_complete(…)``, or
        ``await response.on_close``. A client that resets the connection is gone at once. One that has merely ended its
        side may still read the answer; it is gone once it has got nothing for ``half_close_timeout``.
        """
        with _on_close_lock:
            if self._on_close is None:
                # What its callbacks raise cannot be answered with a 500 any more; so they are not the response's own.
                owner = CallbackOwner(self.context)
                self._on_close = Promise(None if self._channel is None else self._channel.loop, owner)
            promise = self._on_close
        if self.is_over:
            promise.succeed()
        return promise.future_result

    def move_on(self, state: ResponseState) -> None:
        """Enter a state; perfectws's own."""
        self.state = state
        if self._on_close is not None and self.is_over:
            self._on_close.succeed()

    def view(self) -> HTTPResponse:
        """Return the response as its filters get it, with a body of its own; perfectws's own."""
        view = HTTPResponse(self.request)
        view.headers = self.headers.copy()
        view._status = self._status
        view.is_streaming = self.is_streaming
        view.is_body_filtered = self.is_body_filtered
        return view

    def begin(self, handlers: Sequence[RequestHandler]) -> None:
        """Let handlers answer, one after the other, each after the `next` of the one before; perfectws's own."""
        self._handlers = handlers
        self._next()

    def next(self) -> None:
        """Pass on to the next handler of this request; after the last one, this is `completed`.

        Source: Perfect's ``next()``. The handler is queued, not called from here.
        """
        self._in_loop(self._next)

    def completed(self, status: int | None = None) -> None:
        """Send what was not sent yet: the response is complete.

        A second call does no harm; it is logged, since the handler has a path too many.

        Args:
            status: The status, if it is still to be set.

        Raises:
            LocalProtocolError: The headers contradict each other, or the body is not as long as its ``Content-Length``.

        Source: Perfect's ``completed()`` and ``completed(status:)``.
        """
        if status is not None:
            self.status = status
        if self._channel is not None:
            self._in_loop(self._complete, self._take_body())
        else:
            self.move_on(_COMPLETED)

    def log_access(self) -> None:
        """Let a line of the access log be written when it is over, though the log may be off; perfectws's own."""
        if self._channel is not None:
            self._in_loop(self._channel.log_access, self)

    def take_file_sender(self, size: int) -> FileSender | None:
        """Do what `ResponseChannel.take_file_sender` does; `completed` follows.

        For the loop's thread, and perfectws's own.
        """
        if self._channel is None or self.state is not _OPEN:
            return None
        return self._channel.take_file_sender(self, size)

    def switch_protocols(self, headers: Headers | Sequence[tuple[str, str]], take_over: TakeOver) -> None:
        """Send ``101 Switching Protocols`` and hand the transport over; perfectws's own.

        Nothing happens if the peer is gone already.

        Args:
            headers: The handshake's headers; those set on the response are sent too, unless they tell of a body.
            take_over: ``take_over(transport)`` returns the protocol that is fed from then on, beginning with the bytes
                that came behind the request.

        Raises:
            LocalProtocolError: The response is sent already, or belongs to no connection.

        Source: RFC 9110 §15.2.2.
        """
        checked = headers if isinstance(headers, Headers) else Headers(headers)
        self._in_loop(self._switch_protocols, checked, take_over)

    @property
    def loop(self) -> CallbackLoop:
        """The loop of the connection, for ``on=``. Raises `LocalProtocolError` if there is no connection."""
        if self._channel is None:
            raise LocalProtocolError("this response belongs to no connection, and so to no event loop")
        return self._channel.loop

    @property
    def server(self) -> object:
        """The server that answers, ``None`` in a test; perfectws's own."""
        return None if self._channel is None else self._channel.server

    def call_soon(self, handler: RequestHandler) -> None:
        """Queue ``handler(request, response)``, sync or async, as `next` does; perfectws's own.

        Raises:
            LocalProtocolError: The handler is async, and the response belongs to no connection.
        """
        self._in_loop(self._call_soon, handler)

    def _call_soon(self, handler: RequestHandler) -> None:
        if self._channel is not None:
            self._channel.loop.call(self, handler, self.request, self)
            return
        result = handler(self.request, self)
        if isinstance(result, Coroutine):
            result.close()
            raise LocalProtocolError("this response belongs to no connection, so nothing runs its async handlers")

    def callback_failed(self, error: Exception) -> None:
        """Take an exception of one of its handlers or callbacks: a 500, or the connection's end; perfectws's own."""
        explain_misspelling(error)
        explain_call(error, "The callback of push() is called with (ok).")
        request, kind = self.request, type(error).__name__
        logger.error("%s %s: %s raised %s", request.method, request.path, self._culprit, kind, exc_info=error)
        self._fail(error)

    def _fail(self, error: Exception) -> None:
        match self.state:
            case ResponseState.OPEN:
                self.replace(HTTPStatus.INTERNAL_SERVER_ERROR, "the server failed to answer this request")
            case ResponseState.STARTED | ResponseState.SWITCHED if self._channel is not None:
                self._channel.abandon(self, error)

    def __del__(self) -> None:
        # The connection does not keep it alive: so nobody is left to complete it, and the client would wait for ever.
        if self._channel is not None and not self.is_over:
            with suppress(LocalProtocolError):  # of a process that was forked meanwhile
                self._channel.loop.call_from_thread(self, self._let_go)

    def _let_go(self) -> None:
        # At the end of this turn the connection may be found to be gone, which is why the handler has let go of it.
        self.loop.call_next_turn(self, self._forgotten)

    def _forgotten(self) -> None:
        if self.is_over:
            return
        error = LocalProtocolError(
            f"{self.request.method} {self.request.path}: {self._culprit} has let go of its response without "
            "completing it: call response.completed() on every path; what a handler returns is not sent"
        )
        logger.error("%s", error)
        self._fail(error)

    @property
    def _culprit(self) -> str:
        """Who has the response now."""
        if not self._next_handler:
            return "a request filter"
        handler = self._handlers[self._next_handler - 1]
        return f"the handler {getattr(handler, '__qualname__', type(handler).__name__)}"

    def replace(self, status: HTTPStatus, text: str) -> None:
        """Answer with a status and one line of text instead of all that was set so far; perfectws's own."""
        self.headers = Headers([("Content-Type", "text/plain; charset=utf-8")])
        self.is_streaming = False
        self.set_body(error_text(status, text)).completed(status)

    def _in_loop(self, function: Callable[..., None], *args: Any) -> None:
        channel = self._channel
        if channel is None or channel.loop.is_here():
            function(*args)
        else:
            channel.loop.ask(self, function, *args)

    def _take_body(self) -> bytes:
        body = self.body_bytes
        self._body = []
        return body

    def _push(self, body: bytes, callback: Callable[[bool], object] | None) -> None:
        channel = self._channel
        if channel is None:
            raise LocalProtocolError("this response belongs to no connection, so nothing can be pushed")
        if self._is_under_way("push"):
            channel.send(self, body, False)
        if callback is not None:
            channel.call_when_writable(self, callback)

    def _next(self) -> None:
        if self._channel is None or self._next_handler == len(self._handlers):
            self.completed()
        elif self._is_under_way("next"):
            handler = self._handlers[self._next_handler]
            self._next_handler += 1
            self._channel.loop.call(self, handler, self.request, self)

    def _complete(self, body: bytes) -> None:
        if self._channel is not None and self._is_under_way("completed"):
            self._channel.send(self, body, True)

    def _switch_protocols(self, headers: Headers, take_over: TakeOver) -> None:
        if self._channel is None:
            raise LocalProtocolError("this response belongs to no connection, so none can be handed over")
        if self.state is _OPEN:
            self._channel.switch_protocols(self, headers, take_over)
        elif self.state is not _LOST:
            raise LocalProtocolError("the protocol cannot be switched: this response is sent already")

    def _is_under_way(self, call: str) -> bool:
        if self.state is _OPEN or self.state is _STARTED:
            return True
        if self.state is not _LOST:
            logger.warning("%s %s: %s() after the response was complete", self.request.method, self.request.path, call)
        return False


def error_text(status: int, text: str) -> str:
    """Return the one line that an error response has for a body."""
    phrase = _STATUSES[status].phrase
    return f"{int(status)} {phrase}: {text}\n"


def not_found(request: HTTPRequest, response: HTTPResponse) -> None:
    """Answer 404: the handler of every request that no route matches."""
    response.replace(HTTPStatus.NOT_FOUND, f"nothing is served at {request.path[:200]}")


def _encode(body: str | BytesLike) -> bytes:
    if isinstance(body, str):
        return body.encode()
    return bytes_of(body, "a body is a str or bytes (set_body(json=…) takes other things)")
