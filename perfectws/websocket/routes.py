"""`Routes` as Vapor has them too, with WebSockets and groups among them: what `perfectws.Routes` is."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPMethod
from typing import TypeVar, Unpack, overload

from ..errors import RouteError
from ..http import routing
from ..http.filters import (
    REQUEST_FILTER,
    FilterGroups,
    FilterPriority,
    HTTPRequestFilter,
    RequestFiltering,
    with_filters,
)
from ..http.patterns import from_vapor
from ..http.request import HTTPRequest
from ..http.response import Handled, HTTPResponse, RequestHandler
from ..http.several import Several
from .options import WebSocketKeywords
from .socket import WebSocket
from .upgrade_handler import OnUpgrade, ShouldUpgrade, UpgradeHandler

HandlerT = TypeVar("HandlerT", bound=RequestHandler)
HandledT = TypeVar("HandledT", bound=Handled)
OnUpgradeT = TypeVar("OnUpgradeT", bound=OnUpgrade)
R = TypeVar("R")


class Routes(routing.Routes):
    __doc__ = routing.Routes.__doc__

    @overload
    def web_socket(
        self,
        uri: str,
        on_upgrade: None = None,
        *,
        should_upgrade: ShouldUpgrade | None = None,
        subprotocols: Several[str] = (),
        **options: Unpack[WebSocketKeywords],
    ) -> Callable[[OnUpgradeT], OnUpgradeT]: ...
    @overload
    def web_socket(
        self,
        uri: str,
        on_upgrade: Callable[[HTTPRequest, WebSocket], R],
        *,
        should_upgrade: ShouldUpgrade | None = None,
        subprotocols: Several[str] = (),
        **options: Unpack[WebSocketKeywords],
    ) -> Callable[[HTTPRequest, WebSocket], R]: ...
    def web_socket(
        self,
        uri: str,
        on_upgrade: Callable[[HTTPRequest, WebSocket], R] | None = None,
        *,
        should_upgrade: ShouldUpgrade | None = None,
        subprotocols: Several[str] = (),
        **options: Unpack[WebSocketKeywords],
    ) -> Callable[[HTTPRequest, WebSocket], R] | Callable[[OnUpgradeT], OnUpgradeT]:
        """Accept WebSockets at a URI.

        Args:
            uri: The pattern, as for `add`, in which a variable may be written ``:name`` too.
            on_upgrade: Gets each WebSocket; may be ``async def``. Without it, what is returned is a decorator.
            should_upgrade: Decides on each request; may be ``async def``. Without it, all are accepted.
            subprotocols: Those that we speak, the preferred one first. A client that offers only others gets 400, one
                that offers none a session without one; ``socket.subprotocol`` tells.
            **options: The limits and choices of `WebSocketOptions`, by name: ``max_frame_size``, and more.

        Returns:
            ``on_upgrade``.

        Calls back:
            ``should_upgrade(request)`` once per valid handshake: a mapping of headers for the 101 accepts it, ``None``
            refuses it with 403. A ``Sec-WebSocket-Protocol`` among them is the subprotocol that we speak.

            ``on_upgrade(request, socket)`` once it is accepted. Nothing is delivered before it has returned, or first
            waits; messages for which it sets no handler are dropped.

        Raises:
            RouteError: The pattern is malformed.

        Source: Vapor 4's ``app.webSocket(_:maxFrameSize:shouldUpgrade:onUpgrade:)``. ``maxFrameSize`` is 16 KiB there.
        """

        def add_on_upgrade(function: OnUpgradeT) -> OnUpgradeT:
            if not callable(function):
                raise RouteError(f"on_upgrade is a function with the arguments (request, socket), not {function!r}")
            handler = UpgradeHandler(function, should_upgrade, subprotocols, **options)
            self.add(HTTPMethod.GET, from_vapor(uri), handler)
            return function

        return add_on_upgrade if on_upgrade is None else add_on_upgrade(on_upgrade)

    # Vapor's spelling of `add`

    @property
    def get(self) -> AddRoute:
        """Add a route for GET: ``routes.get("users/:id", handler)``, or ``@routes.get("users/:id")``.

        Source: Vapor 4's ``app.get(_:use:)``. Vapor differs: a handler here is given the response as well.
        """
        return AddRoute(self, HTTPMethod.GET)

    @property
    def post(self) -> AddRoute:
        """Add a route for POST. Source: Vapor 4's ``app.post(_:use:)``."""
        return AddRoute(self, HTTPMethod.POST)

    @property
    def put(self) -> AddRoute:
        """Add a route for PUT. Source: Vapor 4's ``app.put(_:use:)``."""
        return AddRoute(self, HTTPMethod.PUT)

    @property
    def patch(self) -> AddRoute:
        """Add a route for PATCH. Source: Vapor 4's ``app.patch(_:use:)``."""
        return AddRoute(self, HTTPMethod.PATCH)

    @property
    def delete(self) -> AddRoute:
        """Add a route for DELETE. Source: Vapor 4's ``app.delete(_:use:)``."""
        return AddRoute(self, HTTPMethod.DELETE)

    def grouped(
        self, prefix: str = "", *filters: HTTPRequestFilter | tuple[HTTPRequestFilter, FilterPriority]
    ) -> Routes:
        """Return routes that begin with ``prefix`` and whose requests pass ``filters`` before their handlers.

        They are part of these routes: add to them as to any. Only what is added to them passes the filters, whatever
        else begins with the same prefix; WebSockets too.

        Args:
            prefix: The pattern that they begin with; a variable may be written ``:name`` too.
            *filters: What each request passes, in this order: HALT completes the response as it is, EXECUTE leaves out
                the rest. Pairs of a filter and its `FilterPriority` go by priority.

        Raises:
            RouteError: The pattern is malformed.
            TypeError: What is given is no filter.

        Source: Vapor 4's ``grouped(_:)``, with paths and with middleware; here the filters are Perfect's.
        """
        group = type(self)(from_vapor(prefix))
        if filters:
            pairs = [each if isinstance(each, tuple) else (each, FilterPriority.HIGH) for each in filters]
            group._before = (PassFilters(with_filters((), pairs, REQUEST_FILTER)),)
        self.add(group)
        return group


class AddRoute:
    """What adds a route for one method: `Routes.get` and its kin."""

    __slots__ = ("_method", "_routes")

    def __init__(self, routes: Routes, method: HTTPMethod) -> None:
        self._routes = routes
        self._method = method

    @overload
    def __call__(self, uri: str, handler: None = None) -> Callable[[HandlerT], HandlerT]: ...
    @overload
    def __call__(
        self, uri: str, handler: Callable[[HTTPRequest, HTTPResponse], HandledT]
    ) -> Callable[[HTTPRequest, HTTPResponse], HandledT]: ...
    def __call__(
        self, uri: str, handler: Callable[[HTTPRequest, HTTPResponse], HandledT] | None = None
    ) -> Callable[[HTTPRequest, HTTPResponse], HandledT] | Callable[[HandlerT], HandlerT]:
        """Add the route.

        Args:
            uri: The pattern, as for `Routes.add`, in which a variable may be written ``:name`` too.
            handler: Any callable with the arguments ``(request, response)``; it may be ``async``. Without it, what is
                returned is a decorator.

        Returns:
            ``handler``.

        Raises:
            RouteError: The pattern is malformed, or the handler cannot be called.
        """
        if handler is None:
            return self._routes.add(self._method, from_vapor(uri))
        self._routes.add(self._method, from_vapor(uri), handler)
        return handler


class PassFilters:
    """A handler that passes on what has passed the filters of a group.

    Args:
        filters: The filters.

    Attributes:
        filters: The same.
    """

    __slots__ = ("filters",)

    def __init__(self, filters: FilterGroups[HTTPRequestFilter]) -> None:
        self.filters = filters

    def __call__(self, request: HTTPRequest, response: HTTPResponse) -> None:
        """Handle a request, as what runs before a route's handler."""
        RequestFiltering(self.filters, response, HTTPResponse.next).advance()
