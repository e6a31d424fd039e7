"""``python -m perfectws routes MODULE[:NAME]``: the tree of routes, with their handlers and filters."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from ..errors import PerfectWSError
from ..http.methods import ALL_METHODS
from ..http.patterns import pattern_components
from ..http.routing import Route, Routes
from ..server.perfect1 import Routing
from ..server.server import HTTPServer
from ..server.static_files import StaticFileHandler
from .arguments import add_module
from .loading import BrokenModule, Served, load
from .names import filter_names, handler_name, name_of
from .output import show, tell

#: What stands before a branch, before the last one, and before what hangs on them.
_BRANCH, _LAST, _ON, _UNDER_LAST = "├── ", "└── ", "│   ", "    "
_OTHERWISE = "(all else)"


class Row(NamedTuple):
    """A row of what is printed."""

    pattern: str
    methods: str = ""
    handler: str = ""
    filters: str = ""


class Node(NamedTuple):
    """A row, and what hangs on it."""

    row: Row
    children: Sequence[Node] = ()


def add_routes(commands: Any) -> None:
    """Add the command to the parser's."""
    command = commands.add_parser(
        "routes",
        help="show the routes that a module defines",
        usage="python -m perfectws routes MODULE[:NAME]",
        description="Import a module, and print the tree of its routes: methods, pattern, handler, and what a request "
        "passes before that. Of those of one pattern the last counts; what no request can reach, check tells. Exit "
        "code 1: it cannot be served.",
        allow_abbrev=False,
    )
    add_module(command)
    command.set_defaults(run=show_routes)


def show_routes(options: argparse.Namespace) -> int:
    """Print the tree of routes, and return the exit code."""
    try:
        served = load(options.module, "python -m perfectws routes")
    except BrokenModule as error:
        tell(f"{error.report}\n{error}")
        return 1
    except PerfectWSError as error:
        tell(str(error))
        return 1
    show(tree_of(served))
    return 0


def tree_of(served: Served) -> Iterator[str]:
    """Yield the lines of what is printed."""
    if isinstance(served, Routes):
        yield from _table([*_rows(_nodes(served))])
        return
    kind = "HTTP" if served.ssl is None else "HTTPS"
    yield f"{kind} server {served.server_name!r} on {served.listens_on}"
    if served.served.filters:
        yield f"every request passes: {', '.join(map(name_of, served.served.filters))}"
    yield ""
    yield from _table([*_rows(_nodes(served.served.routes)), *_rows_behind(served)])


def _table(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the rows, with their columns one below the other."""
    if not rows:
        yield "no routes"
        return
    titles = Row("PATTERN", "METHODS", "HANDLER", "FILTERS" if any(row.filters for row in rows) else "")
    every = [titles, *rows]
    widths = [max(map(len, column)) for column in zip(*every, strict=True)]
    for row in every:
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()


def _rows(nodes: Iterable[Node]) -> Iterator[Row]:
    """Yield the rows of a forest, whose roots hang on nothing."""
    for node in nodes:
        yield node.row
        yield from _rows_below(node, "")


def _rows_below(node: Node, stem: str) -> Iterator[Row]:
    for number, child in enumerate(node.children, 1):
        branch, below = (_BRANCH, _ON) if number < len(node.children) else (_LAST, _UNDER_LAST)
        yield child.row._replace(pattern=stem + branch + child.row.pattern)
        yield from _rows_below(child, stem + below)


# The routes


def _nodes(routes: Routes, base_uri: str = "", filters: Sequence[str] = ()) -> list[Node]:
    """Return a node for each route in a `Routes`, and one for each `Routes` in it that has a pattern of its own.

    Args:
        routes: The routes.
        base_uri: The pattern of the `Routes` around them.
        filters: What their requests have passed before.
    """
    contents = routes.contents
    base_uri += routes.base_uri
    passed = [*filters, *(name for each in contents.before for name in filter_names(each))]
    if routes.handler is not None:
        passed.append(name_of(routes.handler))
    nodes = [_node(route, base_uri, ", ".join(passed)) for route in contents.routes]
    for nested in contents.nested:
        children = _nodes(nested, base_uri, passed)
        if children and nested.base_uri:
            children = [Node(Row(_pattern(base_uri + nested.base_uri)), children)]
        nodes += children
    return nodes


def _node(route: Route, base_uri: str, filters: str) -> Node:
    row = Row(_pattern(f"{base_uri}/{route.uri}"), _methods(route), _described(route), filters)
    is_perfect1 = isinstance(route.handler, Routing.Handler)
    return Node(row, [_node(each, "", filters) for each in Routing.Routes.routes] if is_perfect1 else ())


def _described(route: Route) -> str:
    handler = route.handler
    if isinstance(handler, StaticFileHandler) and handler.document_root is not None:
        return f"files of {handler.document_root}"
    return handler_name(handler)


def _rows_behind(server: HTTPServer) -> Iterator[Row]:
    """Yield what answers where no route does."""
    for upgrader in server.served.upgraders:
        yield Row(_OTHERWISE, "GET", handler_name(upgrader))
    if server.served.document_root is not None:
        yield Row(_OTHERWISE, "GET, HEAD", f"files of {server.served.document_root}")


def _pattern(text: str) -> str:
    names = pattern_components(text)
    return "/" + "/".join(each for each in names if each != "/") + ("/" if names[-1:] == ["/"] else "")


def _methods(route: Route) -> str:
    return "any" if {*route.methods} == {*ALL_METHODS} else ", ".join(map(str, route.methods))
