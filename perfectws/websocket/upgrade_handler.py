"""Vapor's way to accept a WebSocket: ``should_upgrade`` decides, ``on_upgrade`` gets it.

`UpgradeHandler` is the handler of one route (Vapor 4), `WebSocketUpgrader` what takes the WebSockets that no route does
(Vapor 3).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial, wraps
from http import HTTPStatus
from inspect import isawaitable
from typing import TypeAlias, Unpack

from ..checks.signatures import check_callable
from ..errors import LocalProtocolError
from ..http.headers import Headers
from ..http.request import HTTPRequest
from ..http.response import Handled, HTTPResponse, RequestHandler
from ..http.several import Several
from .arguments import check_subprotocols
from .options import WebSocketKeywords, WebSocketOptions
from .server_handshake import Offer, Refusal, Session, choose_subprotocol, open_session, read_offer, refuse
from .socket import WebSocket

HeaderMapping: TypeAlias = Mapping[str, str] | Iterable[tuple[str, str]]
#: Called with (request, socket), as Vapor 4 does; may be ``async def``.
OnUpgrade: TypeAlias = Callable[[HTTPRequest, WebSocket], object]
#: Called with (socket, request), as Vapor 3 does.
OnUpgrade3: TypeAlias = Callable[[WebSocket, HTTPRequest], object]
#: Called with the request: returns more headers for the 101, or ``None`` to refuse; may be ``async def``.
ShouldUpgrade: TypeAlias = Callable[[HTTPRequest], "HeaderMapping | Awaitable[HeaderMapping | None] | None"]

#: The headers of a 101 that are perfectws's own.
_OWN_HEADERS = ("Upgrade", "Connection", "Sec-WebSocket-Accept", "Sec-WebSocket-Extensions")
_PROTOCOL = "Sec-WebSocket-Protocol"

REFUSED = Refusal(HTTPStatus.FORBIDDEN, "This WebSocket is refused.")


def accept_all(request: HTTPRequest) -> HeaderMapping:
    """Accept every request, with no further header."""
    return ()


class UpgradeHandler:
    """A request handler that accepts WebSockets for ``on_upgrade``.

    Args:
        on_upgrade: Gets each WebSocket; may be ``async def``.
        should_upgrade: Decides; ``None`` accepts all.
        subprotocols: Those that we speak, the preferred one first.
        **options: The limits and choices of `WebSocketOptions`, by name.

    Attributes:
        on_upgrade: The same.

    Calls back:
        ``should_upgrade(request)`` once per valid handshake: a mapping of headers for the 101 accepts it, ``None``
        refuses it with 403. A ``Sec-WebSocket-Protocol`` among the headers is the subprotocol that we speak, whatever
        ``subprotocols`` are.

        ``on_upgrade(request, socket)`` once it is accepted. Nothing is delivered before it has returned, or first
        waits; messages for which it sets no handler are dropped.
    """

    def __init__(
        self,
        on_upgrade: OnUpgrade,
        should_upgrade: ShouldUpgrade | None = None,
        subprotocols: Several[str] = (),
        **options: Unpack[WebSocketKeywords],
    ) -> None:
        check_callable(on_upgrade, "on_upgrade", "request", "socket")
        if should_upgrade is not None:
            check_callable(should_upgrade, "should_upgrade", "request")
        self.on_upgrade = on_upgrade
        self._should_upgrade = should_upgrade or accept_all
        self._subprotocols = check_subprotocols(subprotocols)
        self._options = WebSocketOptions.of(**options)
        self._name = getattr(on_upgrade, "__qualname__", type(on_upgrade).__qualname__)

    def __call__(self, request: HTTPRequest, response: HTTPResponse) -> None:
        """Handle a request, as a route's handler."""
        self.offer(request, response, lambda: refuse(response, REFUSED))

    def offer(self, request: HTTPRequest, response: HTTPResponse, refused: Callable[[], object]) -> None:
        """Accept a request, or answer what is wrong with it.

        Calls back:
            ``refused()`` if ``should_upgrade`` refuses it, instead of any answer.
        """

        def decide(request: HTTPRequest, response: HTTPResponse) -> Handled:
            offer = read_offer(request, self._options.origins)
            if isinstance(offer, Refusal):
                refuse(response, offer)
                return None
            decision = self._should_upgrade(request)
            if isawaitable(decision):
                return self._await_decision(decision, offer, response, refused)
            self._answer(decision, offer, response, refused)
            return None

        response.call_soon(decide)

    async def _await_decision(
        self,
        decision: Awaitable[HeaderMapping | None],
        offer: Offer,
        response: HTTPResponse,
        refused: Callable[[], object],
    ) -> None:
        self._answer(await decision, offer, response, refused)

    def _answer(
        self,
        decision: HeaderMapping | None,
        offer: Offer,
        response: HTTPResponse,
        refused: Callable[[], object],
    ) -> None:
        if decision is None:
            refused()
            return
        headers = _checked_headers(decision)
        chosen = headers.get(_PROTOCOL)
        subprotocol = choose_subprotocol(offer.protocols, self._subprotocols if chosen is None else (chosen,))
        if isinstance(subprotocol, Refusal):
            refuse(response, subprotocol)
            return
        headers.remove(_PROTOCOL)
        for name, value in headers:
            response.add_header(name, value)

        begin = partial(self.on_upgrade, response.request)
        open_session(response, offer, subprotocol, Session(self._name, begin, self._options, closes_after=False))


class WebSocketUpgrader:
    """What a server offers the WebSockets to that no route takes.

    Source: Vapor 3's ``HTTPProtocolUpgrader``; see ``HTTPServer.web_socket_upgrader``.
    """

    def __init__(
        self,
        should_upgrade: ShouldUpgrade | None,
        on_upgrade: OnUpgrade3,
        subprotocols: Several[str] = (),
        **options: Unpack[WebSocketKeywords],
    ) -> None:
        check_callable(on_upgrade, "on_upgrade", "socket", "request")

        @wraps(on_upgrade)
        def upgrade(request: HTTPRequest, socket: WebSocket) -> object:
            return on_upgrade(socket, request)  # Vapor 3 names the WebSocket first, Vapor 4 the request

        self.handler = UpgradeHandler(upgrade, should_upgrade, subprotocols, **options)


def with_upgraders(upgraders: Sequence[WebSocketUpgrader], otherwise: RequestHandler) -> RequestHandler:
    """Return a handler that offers each WebSocket to ``upgraders``, one after the other, until one accepts it.

    What is no WebSocket, or is refused by all, goes to ``otherwise``.
    """
    handler = otherwise
    for upgrader in reversed(upgraders):
        handler = _offering(upgrader.handler, handler)
    return handler


def _offering(upgrade: UpgradeHandler, otherwise: RequestHandler) -> RequestHandler:
    def handle(request: HTTPRequest, response: HTTPResponse) -> Handled:
        if not request.headers.has_token("Upgrade", "websocket"):
            return otherwise(request, response)
        upgrade.offer(request, response, lambda: response.call_soon(otherwise))
        return None

    return handle


def _checked_headers(decision: HeaderMapping) -> Headers:
    fields = decision.items() if isinstance(decision, Mapping) else decision
    if isinstance(fields, str | bytes) or not isinstance(fields, Iterable):
        raise TypeError(
            f"should_upgrade returns a mapping of headers, or None to refuse, not {type(decision).__name__}"
        )
    headers = Headers(fields)
    for name in _OWN_HEADERS:
        if name in headers:
            raise LocalProtocolError(f"should_upgrade cannot set {name}: the handshake does")
    return headers
