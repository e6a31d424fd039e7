"""Routes that no request can reach, since another one takes what is meant for them.

A navigator tries the ways in one order, whatever the request. So a route is reached, or none of its requests is: it is
enough to ask for a path that has in it the route's own literals, and names that are no literal anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, cast

from ..http.methods import Method
from ..http.patterns import VARIABLE, pattern_components
from ..http.request import HTTPRequest
from ..http.response import HTTPResponse
from ..http.routing import Route, RouteNavigator, Routes
from .names import handler_name


class Placed:
    """A route with its whole pattern; as a handler, it stands for the route's.

    Attributes:
        route: The route.
        components: Those of its pattern.
    """

    def __init__(self, route: Route, base_uri: str) -> None:
        self.route = route
        self.components = pattern_components(f"{base_uri}/{route.uri}")

    @property
    def pattern(self) -> str:
        """Its pattern."""
        return f"/{'/'.join(self.components)}".replace("//", "/")

    def __call__(self, request: HTTPRequest, response: HTTPResponse) -> None:
        """Do nothing: nobody asks."""


def title_of(placed: Placed) -> str:
    """Return a route's methods and its pattern, for people."""
    methods = {*map(str, placed.route.methods)}
    return f"{'|'.join(sorted(methods)) if len(methods) < 4 else 'any method of'} {placed.pattern}"


class Shadowed(NamedTuple):
    """A route that is never reached, and the one that takes its requests."""

    route: Placed
    by: Placed | None


def unreachable(routes: Routes) -> Iterator[str]:
    """Yield a sentence for each route that no request can reach."""
    for shadowed, by in shadowed_routes(routes):
        taker = "" if by is None else f": its requests go to {title_of(by)}, {handler_name(by.route.handler)}"
        yield f"{title_of(shadowed)}, {handler_name(shadowed.route.handler)}, can never be reached{taker}"


def shadowed_routes(routes: Routes) -> list[Shadowed]:
    """Return the routes that no request can reach, by whatever method."""
    placed: list[Placed] = []
    navigator = _placed(routes, "", placed).navigator
    paths = _Paths(placed)
    found = []
    for each in placed:
        takers = [_takers(navigator, each, method, paths) for method in each.route.methods]
        if all(each not in some for some in takers):
            found.append(Shadowed(each, next((taker for some in takers for taker in some), None)))
    return found


def placed_routes(routes: Routes) -> list[Placed]:
    """Return all routes, each with its whole pattern."""
    placed: list[Placed] = []
    _placed(routes, "", placed)
    return placed


def _placed(routes: Routes, base_uri: str, placed: list[Placed]) -> Routes:
    """Return the same routes with themselves as their handlers, which are added to ``placed``."""
    contents = routes.contents
    base_uri += routes.base_uri
    copy = Routes(routes.base_uri, None if routes.handler is None else _pass_on)
    for nested in contents.nested:
        copy.add(_placed(nested, base_uri, placed))
    for route in contents.routes:
        placed.append(Placed(route, base_uri))
        copy.add(Route(methods=route.methods, uri=route.uri, handler=placed[-1]))
    return copy


def _pass_on(request: HTTPRequest, response: HTTPResponse) -> None:
    response.next()


class _Asked:
    """A request, as far as a navigator looks at it."""

    has_url_variables = True  # nothing is to be remembered

    def __init__(self, method: Method) -> None:
        self.method = method
        self.url_variables: dict[str, str] = {}


def _takers(navigator: RouteNavigator, placed: Placed, method: Method, paths: _Paths) -> list[Placed]:
    """Return the routes that requests go to which are meant for one."""
    takers = []
    for path in paths.of(placed):
        handlers = navigator.find_handlers(path, cast(HTTPRequest, _Asked(method)))
        if handlers:
            takers.append(cast(Placed, handlers[-1]))
    return takers


class _Paths:
    """Paths that a route matches, and as few others as can be.

    Args:
        placed: All routes.
    """

    def __init__(self, placed: list[Placed]) -> None:
        names = [name for each in placed for name in each.components]
        #: A name that is none of theirs: it is longer.
        self._name = "x" * (max(map(len, names), default=0) + 1)
        self._longest = max((len(each.components) for each in placed), default=0)

    def of(self, placed: Placed) -> Iterator[str]:
        """Yield some for one of them: where a wildcard ends it, of every length that makes a difference."""
        names = placed.components
        if names[-1:] == ["**"]:
            names = names[:-1]
            for count in range(1, self._longest + 2):
                yield from self._both(names + [self._name] * count)
            yield from self._both(names)
        else:
            yield self._path(names)
        while names[-1:] == ["*"]:  # at the end it may stand for nothing
            names = names[:-1]
            yield from self._both(names)

    def _both(self, names: list[str]) -> Iterator[str]:
        yield self._path(names)
        yield self._path([*names, "/"])

    def _path(self, names: list[str]) -> str:
        parts = [self._name if name == "*" or VARIABLE.fullmatch(name) else name for name in names]
        return "/" + "/".join(parts).replace("//", "/")
