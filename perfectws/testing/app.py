"""What a test may give to be served, and the `HTTPServer` that it makes."""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType
from typing import Any, TypeAlias, Unpack, cast

from ..checks.spelling import check_names
from ..cli.loading import find_served, load
from ..http.routing import Route, Routes
from ..server.keywords import KEYWORDS, PlainServerKeywords
from ..server.server import HTTPServer

#: `Routes`, or a list of `Route`; an `HTTPServer`; a module that ``python -m perfectws serve`` takes, or its name as it
#: is written there; ``None`` for what the keywords describe.
App: TypeAlias = Routes | Iterable[Route | Routes] | HTTPServer | ModuleType | str | None


def server_of(app: App, **keywords: Unpack[PlainServerKeywords]) -> HTTPServer:
    """Return the server that a test is to run.

    Raises:
        TypeError: ``app`` is nothing that can be served, or a keyword is unknown.
        LaunchFailure: There is no such module, or nothing in it to serve.
    """
    found = load(app, "a test server") if isinstance(app, str) else app
    if isinstance(found, ModuleType):
        found = find_served(found)
    if isinstance(found, HTTPServer):
        if keywords:
            names = ", ".join(f"{name}=" for name in keywords)
            raise TypeError(f"an HTTPServer is configured already: set {names} there, or give routes")
        return found
    given: dict[str, Any] = {"name": "testserver", "port": 0, **keywords}
    check_names(keywords, KEYWORDS, "a server")
    if found is not None:
        given["routes"] = _routes(found)
    return HTTPServer.server(**given)


def _routes(app: object) -> Routes | list[Route | Routes]:
    if isinstance(app, Routes):
        return app
    if isinstance(app, Iterable):
        routes = list(app)
        if routes and all(isinstance(each, Route | Routes) for each in routes):
            return cast("list[Route | Routes]", routes)
    raise TypeError(f"a test server serves Routes, a list of Route, an HTTPServer or a module, not {app!r}")
