"""`Route`, `Routes` and the `RouteNavigator`: which handlers a request goes to.

A `Routes` collects patterns and can be nested. Its `navigator` is a snapshot: a tree per method, one node per
component of a pattern, one dictionary look-up per literal component of a request. At each node the possible ways on are
tried in Perfect's order: variables, literals, ``*``, ``**``.

Source: Perfect's ``Routing.swift``, to the letter unless a comment says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http import HTTPMethod
from typing import NamedTuple, TypeVar, overload

from ..checks.signatures import check_callable
from ..errors import RouteError
from .methods import ALL_METHODS, Method, parse_method
from .paths import path_components, split_target
from .patterns import VARIABLE, check_base_uri, check_pattern, pattern_components
from .request import HTTPRequest
from .response import RequestHandler
from .several import Several

#: The key in ``request.url_variables`` of what ``**`` stands for.
ROUTE_TRAILING_WILDCARD_KEY = "_trailing_wildcard_"

HandlerT = TypeVar("HandlerT", bound=RequestHandler)

#: How many URIs a navigator remembers, and how long they may be, in characters: a client chooses them.
_MOST_FOUND = 1000
_LONGEST_FOUND = 200


class Route:
    """A pattern, the methods that it is for, and the handler of the requests that match.

    Args:
        method: The one method it is for, an `http.HTTPMethod` or its name in either case; none means every method.
        uri: The pattern: components between slashes, each a literal, a variable ``{name}``, or ``*``; ``**`` may be the
            last one. A slash at the end is significant.
        handler: Any callable with the arguments ``(request, response)``; it may be ``async``.
        methods: Several methods, instead of ``method``.

    Calls back:
        ``handler(request, response)`` for each request that matches.

    Raises:
        RouteError: The pattern is malformed, the handler cannot be called, or the arguments contradict each other.

    Source: Perfect's ``Route``.
    """

    __slots__ = ("handler", "methods", "uri")

    def __init__(
        self,
        method: Method | None = None,
        uri: str | None = None,
        handler: RequestHandler | None = None,
        *,
        methods: Several[Method] | None = None,
    ) -> None:
        if uri is None or handler is None:
            raise RouteError("a Route needs a uri and a handler: Route(method='GET', uri='/echo', handler=echo)")
        self.methods = _parse_methods(method, methods)
        self.uri = check_pattern(uri)
        self.handler: RequestHandler = _check_handler(handler)

    def __repr__(self) -> str:
        return f"<Route {'|'.join(self.methods)} {self.uri}>"


class Contents(NamedTuple):
    """What a `Routes` holds, for people to see.

    Attributes:
        routes: Its own routes.
        nested: The other `Routes` that were added to it.
        before: What runs before each handler in it, and passes on.
    """

    routes: tuple[Route, ...]
    nested: tuple[Routes, ...]
    before: tuple[RequestHandler, ...]


class Routes:
    """Routes that belong together.

    Args:
        base_uri: A pattern that all of them begin with.
        handler: Runs before the handler of any route whose URI goes through ``base_uri``, and passes on with
            ``response.next()``. It is never reached on its own.
        routes: The routes to begin with.

    Raises:
        RouteError: An argument is malformed; the message says what to write instead.

    Source: Perfect's ``Routes``.
    """

    # Perfect differs: a Swift struct is copied when it is added to another; here what is added to it later counts too.

    def __init__(
        self, base_uri: str = "", handler: RequestHandler | None = None, routes: Iterable[Route | Routes] = ()
    ) -> None:
        if not isinstance(base_uri, str):
            raise RouteError(f"a base_uri is a str, not {base_uri!r}: write Routes(routes=[…]) for a list of routes")
        self.base_uri = check_base_uri(base_uri)
        self.handler = None if handler is None else _check_handler(handler)
        self._routes: list[Route] = []
        self._nested: list[Routes] = []
        #: What runs before each handler that is added here, and passes on: a group's filters.
        self._before: tuple[RequestHandler, ...] = ()
        self._add_all(routes)

    @overload
    def add(self, method: Route | Routes | Iterable[Route | Routes], /) -> None: ...

    @overload
    def add(
        self,
        method: Method | None = None,
        uri: str | None = None,
        handler: None = None,
        *,
        methods: Several[Method] | None = None,
        uris: Several[str] | None = None,
    ) -> Callable[[HandlerT], HandlerT]: ...

    @overload
    def add(self, method: Method | None, uri: str | None, handler: RequestHandler) -> None: ...

    @overload
    def add(
        self,
        method: Method | None = None,
        uri: str | None = None,
        *,
        handler: RequestHandler,
        methods: Several[Method] | None = None,
        uris: Several[str] | None = None,
    ) -> None: ...

    def add(
        self,
        method: Method | Route | Routes | Iterable[Route | Routes] | None = None,
        uri: str | None = None,
        handler: RequestHandler | None = None,
        *,
        methods: Several[Method] | None = None,
        uris: Several[str] | None = None,
    ) -> Callable[[HandlerT], HandlerT] | None:
        """Add a route, or a `Route`, a `Routes` or a list of them.

        Of two routes of the same pattern the later one counts, but one of our own outdoes one of a nested `Routes`. A
        variable of another name makes another pattern: of those that match alike, as in Perfect, the name that came
        first is tried first, and those of a nested `Routes` come before our own.

        Args:
            method: The one method it is for; none means every method. Or what is to be added, alone.
            uri: The pattern; see `Route`.
            handler: Any callable with the arguments ``(request, response)``; it may be ``async``. Without one, a
                decorator for it is returned.
            methods: Several methods, instead of ``method``.
            uris: Several patterns, instead of ``uri``.

        Calls back:
            ``handler(request, response)`` for each request that matches.

        Raises:
            RouteError: An argument is malformed, or two contradict each other; the message says what to write instead.

        Source: Perfect's ``add(method:uri:handler:)``, ``add(method:uris:handler:)``, ``add(uri:handler:)``,
        ``add(uris:handler:)``, ``add(_:)``.
        """
        if method is not None and not isinstance(method, str):
            if (uri, handler, methods, uris) != (None, None, None, None):
                raise RouteError(f"{method!r} is to be added alone: its methods, URIs and handlers are its own")
            self._add_all(method if isinstance(method, Iterable) else [method])
            return None
        if isinstance(method, str) and "/" in method:
            raise RouteError(f"{method!r} is a URI, and the method comes first: write add('GET', {method!r}, handler)")
        patterns = [check_pattern(pattern) for pattern in _one_or_many(uri, uris)]
        names = _parse_methods(method, methods)
        if handler is not None:
            self._add_routes(names, patterns, handler)
            return None

        def add_handler(function: HandlerT) -> HandlerT:
            self._add_routes(names, patterns, function)
            return function

        return add_handler

    @property
    def navigator(self) -> RouteNavigator:
        """What finds the handlers of a request, among the routes that are here now."""
        return RouteNavigator(self)

    @property
    def contents(self) -> Contents:
        """What is here now; perfectws's own."""
        return Contents(tuple(self._routes), tuple(self._nested), self._before)

    def _add_routes(self, methods: tuple[Method, ...], patterns: list[str], handler: RequestHandler) -> None:
        self._routes += [Route(methods=methods, uri=pattern, handler=handler) for pattern in patterns]

    def _add_all(self, routes: Iterable[Route | Routes]) -> None:
        for item in routes:
            match item:
                case Route():
                    self._routes.append(item)
                case Routes() if item._contains(self):
                    raise RouteError("a Routes cannot be added to itself, nor to one that it holds")
                case Routes():
                    self._nested.append(item)
                case _:
                    raise RouteError(f"{item!r} is neither a Route nor a Routes: write add(method, uri, handler)")

    def _contains(self, other: Routes) -> bool:
        return self is other or any(nested._contains(other) for nested in self._nested)


class RouteNavigator:
    """Finds the handlers of a request.

    Source: Perfect's ``RouteNavigator``.
    """

    __slots__ = ("_found", "_roots")

    def __init__(self, routes: Routes) -> None:
        self._roots: dict[Method, _Node] = {}
        #: The handlers of paths that were asked for before, if no variable is taken from them: most come often.
        self._found: dict[tuple[Method, str], list[RequestHandler]] = {}
        self._plant(routes, "")

    def find_handler(self, uri: str, request: HTTPRequest) -> RequestHandler | None:
        """Return the handler that ends the request, ``None`` if there is none. Works as `find_handlers`."""
        handlers = self.find_handlers(uri, request)
        return handlers[-1] if handlers else None

    def find_handlers(self, uri: str, request: HTTPRequest) -> list[RequestHandler] | None:
        """Return the handlers of a request in the order of their turns, ``None`` if no route matches.

        Args:
            uri: A path, percent-encoded, perhaps with a query.
            request: Its method counts, and its ``url_variables`` are filled.

        Source: Perfect's ``findHandlers(uri:webRequest:)``.
        """
        key = (request.method, uri)
        if key in self._found:
            return self._found[key].copy()
        path = split_target(uri)[0]
        if path != uri and (found := self._found.get((request.method, path))):
            return found.copy()
        had_variables = request.has_url_variables
        handlers = self._search(path, request)
        if handlers is None or had_variables or request.has_url_variables:
            return handlers
        if len(path) <= _LONGEST_FOUND and len(self._found) < _MOST_FOUND:
            self._found[request.method, path] = handlers.copy()
        return handlers

    def _search(self, path: str, request: HTTPRequest) -> list[RequestHandler] | None:
        components = path_components(path)
        first = 1 if components[:1] == ["/"] else 0
        method = request.method
        root = self._roots.get(method)
        handlers = root.find(components, first, request) if root and components else None
        if handlers is None and method is HTTPMethod.HEAD and (root := self._roots.get(HTTPMethod.GET)) and components:
            # Perfect differs: it answers 404. RFC 9110 §9.1: "All general-purpose servers MUST support the methods GET
            # and HEAD."
            handlers = root.find(components, first, request)
        return handlers

    def _plant(self, routes: Routes, base_uri: str, before: tuple[RequestHandler, ...] = ()) -> set[Method]:
        """Add the nodes of ``routes``, and return the methods that they are for.

        Args:
            routes: The routes.
            base_uri: The pattern of the `Routes` around them.
            before: The handlers that come before each of theirs, wherever it stands.
        """
        base_uri += routes.base_uri
        before += routes._before
        methods: set[Method] = set()
        for nested in routes._nested:
            methods |= self._plant(nested, base_uri, before)
        for route in routes._routes:
            methods.update(route.methods)
            for method in route.methods:
                self._node(method, f"{base_uri}/{route.uri}").handlers = (*before, route.handler)
        if routes.handler is not None:
            for method in methods:
                # Perfect differs: a node there holds one handler, so that an outer Routes' handler makes an inner one
                # of the same base URI disappear, or the route to the base URI itself. Here all of them stay.
                self._node(method, base_uri).intermediates.insert(0, routes.handler)
        return methods

    def _node(self, method: Method, pattern: str) -> _Node:
        node = self._roots.setdefault(method, _Node())
        for component in pattern_components(pattern):
            node = node.grow(component)
        return node


class _Node:
    """One component of the patterns of one method, and the ways on from there."""

    __slots__ = ("handlers", "intermediates", "literals", "trailing_wildcard", "variables", "wildcard")

    def __init__(self) -> None:
        self.handlers: tuple[RequestHandler, ...] = ()
        self.intermediates: list[RequestHandler] = []
        self.variables: dict[str, _Node] = {}
        self.literals: dict[str, _Node] = {}
        self.wildcard: _Node | None = None
        self.trailing_wildcard: _Node | None = None

    def grow(self, component: str) -> _Node:
        """Return the node of a pattern's next component."""
        if component == "*":
            self.wildcard = self.wildcard or _Node()
            return self.wildcard
        if component == "**":
            self.trailing_wildcard = self.trailing_wildcard or _Node()
            return self.trailing_wildcard
        if variable := VARIABLE.fullmatch(component):
            return self.variables.setdefault(variable[1], _Node())
        return self.literals.setdefault(component.lower(), _Node())

    def find(self, components: list[str], index: int, request: HTTPRequest) -> list[RequestHandler] | None:
        """Return the handlers of a path's components from ``index`` on: as many calls deep as the pattern is long."""
        handlers = self._find(components, index, request)
        if handlers is not None and self.intermediates:
            handlers[:0] = self.intermediates
        return handlers

    def _find(self, components: list[str], index: int, request: HTTPRequest) -> list[RequestHandler] | None:
        if index == len(components):
            return self._find_end(components, request)
        for name, node in self.variables.items():
            handlers = node.find(components, index + 1, request)
            if handlers is not None:
                request.url_variables[name] = components[index]
                return handlers
        for way in (self.literals.get(components[index].lower()), self.wildcard):
            handlers = None if way is None else way.find(components, index + 1, request)
            if handlers is not None:
                return handlers
        return self._find_trailing(components, index, request)

    def _find_end(self, components: list[str], request: HTTPRequest) -> list[RequestHandler] | None:
        if self.handlers:
            return [*self.handlers]
        if self.intermediates:
            return None  # as in Perfect: a Routes' own handler keeps wildcards from matching its bare base URI
        handlers = None if self.wildcard is None else self.wildcard.find(components, len(components), request)
        return self._find_trailing(components, len(components), request) if handlers is None else handlers

    def _find_trailing(self, components: list[str], index: int, request: HTTPRequest) -> list[RequestHandler] | None:
        node = self.trailing_wildcard
        if node is None or not node.handlers:
            return None
        # Perfect differs: a trailing slash gives it a doubled one, "/a//".
        names = components[index:]
        ending = "/" if names[-1:] == ["/"] and len(names) > 1 else ""
        request.url_variables[ROUTE_TRAILING_WILDCARD_KEY] = "/" + "/".join(n for n in names if n != "/") + ending
        return [*node.handlers]


def _check_handler(handler: HandlerT) -> HandlerT:
    if not callable(handler):
        raise RouteError(f"a handler is a function with the arguments (request, response), not {handler!r}")
    check_callable(handler, "a route's handler", "request", "response")
    return handler


def _parse_methods(method: Method | None, methods: Several[Method] | None) -> tuple[Method, ...]:
    if isinstance(methods, str):
        raise RouteError(f"methods is a list of methods: write method={methods!r} for a single one")
    if method is not None and methods is not None:
        raise RouteError("give a route either method= or methods=, not both")
    names = ALL_METHODS if method is None and methods is None else _one_or_many(method, methods)
    try:
        return tuple([parse_method(name) for name in names])
    except ValueError as error:
        raise RouteError(f"{error}; for every method write add(uri='/echo', handler=echo)") from None


T = TypeVar("T")


def _one_or_many(one: T | None, many: Several[T] | None) -> list[T]:
    if one is not None and many is not None:
        raise RouteError("give a route either uri= or uris=, not both")
    if isinstance(many, str):
        raise RouteError(f"uris is a list of URIs: write uri={many!r} for a single one")
    values = [one] if one is not None else list(many or ())
    if not values:
        raise RouteError(
            "a route needs a URI and a method: add('GET', '/echo', echo), or add(uri='/echo', handler=echo)"
        )
    return values
