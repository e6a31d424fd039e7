"""Perfect 1: routes that are set by subscript, and modules that the server initialises. ::

    def perfect_server_module_init():
        Routing.Handler.register_globally()
        Routing.Routes["*"] = lambda response: StaticFileHandler()
        Routing.Routes["GET", "/echo"] = lambda response: WebSocketHandler(handler_producer=produce)

``python -m perfectws serve MODULE`` calls that function and serves what it has set.

Source: ``Routing.swift`` of Perfect 1's PerfectLib.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import update_wrapper
from typing import Protocol, TypeAlias

from ..checks.signatures import check_callable
from ..errors import RouteError
from ..http import routing
from ..http.methods import Method, parse_method
from ..http.request import HTTPRequest
from ..http.response import Handled, HTTPResponse, RequestHandler, not_found
from ..http.routing import Route, RouteNavigator


class PageHandler(Protocol):
    """What a route's factory returns: a `StaticFileHandler`, a `WebSocketHandler`, or any object with this member.

    Source: Perfect 1's ``RequestHandler``.
    """

    def handle_request(self, request: HTTPRequest, response: HTTPResponse, /) -> Handled:
        """Answer a request; may be ``async def``."""


#: Called with the response: returns what handles the request.
HandlerFactory: TypeAlias = Callable[[HTTPResponse], PageHandler]
#: A path, or several, for every method; or a method and a path, or several.
RouteKey: TypeAlias = "str | Sequence[str] | tuple[Method, str | Sequence[str]]"


class RouteMap:
    """The routes that are set by subscript.

    A path, a list of paths, or a method and one of these, is given what makes the handler of each request: a function
    that takes the response. Routes for one method come before those for every method.

    Raises:
        RouteError: The path is malformed, or the value is no such function.

    Source: Perfect 1's ``RouteMap``.
    """

    def __init__(self) -> None:
        self._routes: list[tuple[Method | None, Route]] = []
        self._navigators: list[RouteNavigator] | None = None

    def __setitem__(self, key: RouteKey, factory: HandlerFactory) -> None:
        if not callable(factory):
            raise RouteError(f"a route is given a function that takes the response, not {factory!r}")
        check_callable(factory, "a route's factory", "response")
        method, paths = _split(key)
        for path in [paths] if isinstance(paths, str) else paths:
            handler = _made_by(factory)
            self._routes.append((method, Route(method, f"/{path}".replace("//", "/"), handler)))
        self._navigators = None

    def clear(self) -> None:
        """Forget every route. Perfect has no such function; tests want it."""
        self._routes.clear()
        self._navigators = None

    @property
    def routes(self) -> list[Route]:
        """The routes that are set, in the order in which they are tried; perfectws's own."""
        return [route for _, route in sorted(self._routes, key=lambda each: each[0] is None)]

    def find(self, request: HTTPRequest) -> RequestHandler | None:
        """Return the handler of a request, ``None`` if there is none."""
        if self._navigators is None:
            with_method = [route for method, route in self._routes if method is not None]
            without = [route for method, route in self._routes if method is None]
            self._navigators = [routing.Routes(routes=routes).navigator for routes in (with_method, without)]
        request.url_variables = {}  # those of the route that leads here
        for navigator in self._navigators:
            handler = navigator.find_handler(request.uri, request)
            if handler is not None:
                return handler
        return None


class Routing:
    """A name space: the routes that are set, and the handler that finds them.

    Source: Perfect 1's ``Routing``.
    """

    #: The routes.
    Routes = RouteMap()
    #: Whether `Handler.register_globally` was called.
    is_registered = False

    class Handler:
        """The request handler that gives each request to the route that is set for it."""

        @staticmethod
        def register_globally() -> None:
            """Let a server that is started by ``python -m perfectws serve`` serve the routes that are set."""
            Routing.is_registered = True

        def __call__(self, request: HTTPRequest, response: HTTPResponse) -> Handled:
            """Handle a request, as a route's handler."""
            return (Routing.Routes.find(request) or not_found)(request, response)

        def handle_request(self, request: HTTPRequest, response: HTTPResponse) -> None:
            """Handle a request, as Perfect's ``handleRequest(request:response:)``."""
            response.call_soon(self)


def global_routes() -> routing.Routes:
    """Return routes that lead to those that are set by subscript, if they are registered globally."""
    routes = routing.Routes()
    if Routing.is_registered:
        routes.add(uri="/**", handler=Routing.Handler())
    return routes


def _split(key: RouteKey) -> tuple[Method | None, str | Sequence[str]]:
    if isinstance(key, tuple):
        if len(key) != 2:
            raise RouteError(f"a route's key is a path, or a method and a path, not {key!r}")
        try:
            return parse_method(key[0]), key[1]
        except ValueError as error:
            raise RouteError(str(error)) from None
    return None, key


def _made_by(factory: HandlerFactory) -> RequestHandler:
    def handle(request: HTTPRequest, response: HTTPResponse) -> Handled:
        handler = factory(response)
        if not hasattr(handler, "handle_request"):
            raise TypeError(
                f"the route's function returned {handler!r}, which has no handle_request(request, response)"
            )
        return handler.handle_request(request, response)

    update_wrapper(handle, factory, updated=())  # people are shown by whose name it is called
    return handle
