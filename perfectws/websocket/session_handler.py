"""`WebSocketHandler` and `WebSocketSessionHandler`: Perfect's way to serve WebSockets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from inspect import isawaitable
from typing import Any, Protocol, TypeAlias, Unpack, cast
from weakref import WeakSet

from ..checks.signatures import check_callable
from ..http.binary import named
from ..http.request import HTTPRequest
from ..http.response import Handled, HTTPResponse
from .options import WebSocketKeywords, WebSocketOptions
from .server_handshake import (
    PROTOCOLS_NOT_SUPPORTED,
    Offer,
    Refusal,
    Session,
    choose_subprotocol,
    open_session,
    read_offer,
    refuse,
)
from .socket import WebSocket

#: The members of a session handler as Swift spells them.
_SWIFT_MEMBERS = {"socketProtocol": "socket_protocol", "handleSession": "handle_session(request, socket)"}


class SessionHandler(Protocol):
    """What a producer returns: a `WebSocketSessionHandler`, or any object with its two members."""

    @property
    def socket_protocol(self) -> str | None:
        """The subprotocol that the session speaks, or ``None``."""

    def handle_session(self, request: HTTPRequest, socket: WebSocket, /) -> object:
        """Begin the session."""


class WebSocketSessionHandler:
    """What handles the session of one socket. Derive from it, or write any object with these two members.

    Attributes:
        socket_protocol: The subprotocol that the session speaks, or ``None``; a property will do too.

    Source: Perfect's protocol of this name.
    """

    #: `Any` for type checkers, but not declared so. With ``str | None`` mypy would refuse a property of a subclass, and
    #: pyright an attribute; by a declaration pyright would go for every subclass, and take any attribute for right. The
    #: type of the subclass's own is held against `SessionHandler`, where a producer returns it.
    socket_protocol = cast(Any, None)

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        for name, meant in _SWIFT_MEMBERS.items():
            if name in vars(cls):
                raise TypeError(f"{cls.__qualname__} has {name}, which nobody asks for: a session handler has {meant}")

    def handle_session(self, request: HTTPRequest, socket: WebSocket, /) -> object:
        """Begin the session; may be ``async def``. Called once the handshake is accepted.

        Args:
            request: The request that opened the socket.
            socket: The socket. Nothing is delivered before this returns, or first waits if it is async.

        A sync session lives on until either side closes; an async one that returns with no read pending and no
        handler set is closed with 1000.
        """
        raise NotImplementedError(f"{type(self).__name__} must define handle_session(request, socket)")


#: Called with (request, protocols): returns what handles the session, or ``None`` to refuse; may be ``async def``.
HandlerProducer: TypeAlias = Callable[
    [HTTPRequest, list[str]], "SessionHandler | Awaitable[SessionHandler | None] | None"
]


class WebSocketHandler:
    """A request handler that accepts WebSockets and gives each to a session handler.

    It may be used as a route's handler itself: ``routes.add("GET", "/echo", WebSocketHandler(producer))``.

    Args:
        handler_producer: Makes the session handler of a request.
        **options: The limits and choices of `WebSocketOptions`, by name.

    Calls back:
        ``handler_producer(request, protocols)`` once per valid handshake, with the subprotocols that the client
        offers. ``None`` refuses with 400, as does a handler whose ``socket_protocol`` is not among those offered.
        One that cannot be called as documented is an error (500), before the handshake is accepted.

    Source: Perfect's ``WebSocketHandler(handlerProducer:)``.
    """

    def __init__(self, handler_producer: HandlerProducer, **options: Unpack[WebSocketKeywords]) -> None:
        check_callable(handler_producer, "handler_producer", "request", "protocols")
        self._produce = handler_producer
        self._options = WebSocketOptions.of(**options)

    @property
    def handler_producer(self) -> HandlerProducer:
        """What makes the session handlers; perfectws's own."""
        return self._produce

    def __call__(self, request: HTTPRequest, response: HTTPResponse) -> None:
        """Handle a request, as a route's handler."""
        self.handle_request(request, response)

    def handle_request(self, request: HTTPRequest, response: HTTPResponse) -> None:
        """Answer an opening handshake: with a session, or with an error that says what is wrong with it.

        Source: Perfect's ``handleRequest(request:response:)``, RFC 6455 §4.2.2.
        """
        response.call_soon(self._negotiate)

    def _negotiate(self, request: HTTPRequest, response: HTTPResponse) -> Handled:
        offer = read_offer(request, self._options.origins)
        if isinstance(offer, Refusal):
            refuse(response, offer)
            return None
        handler = self._produce(request, list(offer.protocols))
        if isawaitable(handler):
            return self._await_handler(handler, offer, response)
        self._open(handler, offer, response)
        return None

    async def _await_handler(
        self, handler: Awaitable[SessionHandler | None], offer: Offer, response: HTTPResponse
    ) -> None:
        self._open(await handler, offer, response)

    def _open(self, handler: SessionHandler | None, offer: Offer, response: HTTPResponse) -> None:
        if handler is None:
            refuse(response, PROTOCOLS_NOT_SUPPORTED)
            return
        if type(handler) not in _checked:
            _check_handler(handler)
        supported = handler.socket_protocol
        if supported is not None and not isinstance(supported, str):
            raise TypeError(f"the socket_protocol of a session handler is a str or None, not {named(supported)}")
        subprotocol = choose_subprotocol(offer.protocols, () if supported is None else (supported,))
        if isinstance(subprotocol, Refusal):
            refuse(response, subprotocol)
            return

        begin = partial(handler.handle_session, response.request)
        open_session(response, offer, subprotocol, Session(type(handler).__qualname__, begin, self._options, True))


#: The classes whose instances need not be looked at any more: one of them was, and all are called alike.
_checked: WeakSet[type] = WeakSet()


def _check_handler(handler: Any) -> None:
    if isinstance(handler, type):
        raise TypeError(
            f"the handler producer returned the class {handler.__qualname__}: return {handler.__qualname__}()"
        )
    if hasattr(handler, "socketProtocol"):
        raise TypeError(f"{handler!r} has socketProtocol, which nobody asks for: a session handler has socket_protocol")
    if not callable(getattr(handler, "handle_session", None)) or not hasattr(handler, "socket_protocol"):
        raise TypeError(
            f"the handler producer returned {handler!r}, which is no WebSocketSessionHandler: it needs socket_protocol "
            "and handle_session(request, socket)"
        )
    kind = type(handler)
    if getattr(kind, "handle_session", None) is WebSocketSessionHandler.handle_session:
        raise TypeError(f"{kind.__qualname__} must define handle_session(request, socket)")
    check_callable(handler.handle_session, f"handle_session of {kind.__qualname__}", "request", "socket")
    if hasattr(kind, "handle_session"):  # else each instance has one of its own
        _checked.add(kind)
