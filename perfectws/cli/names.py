"""What people are shown for a handler or a filter: the name that it has in their code."""

from __future__ import annotations

from functools import partial
from inspect import unwrap
from typing import Any

from ..server.perfect1 import Routing
from ..server.static_files import StaticFileHandler
from ..websocket.routes import PassFilters
from ..websocket.session_handler import WebSocketHandler
from ..websocket.upgrade_handler import UpgradeHandler


def name_of(thing: Any) -> str:
    """Return ``module:qualname``: a function's own, of any other object its type's."""
    thing = unwrap(thing)
    if isinstance(thing, partial):
        return name_of(thing.func)
    owner = getattr(thing, "__self__", None)
    if owner is not None and not isinstance(owner, type):  # a method of an object, whose class may have inherited it
        kind = type(owner)
        return f"{kind.__module__}:{kind.__qualname__}.{getattr(thing, '__name__', '?')}"
    named = thing if hasattr(thing, "__qualname__") else type(thing)
    return f"{named.__module__}:{named.__qualname__}{_line_of_lambda(named)}"


def _line_of_lambda(thing: Any) -> str:
    """Return the line of what has no name of its own."""
    code = getattr(thing, "__code__", None)
    return f" (line {code.co_firstlineno})" if code is not None and thing.__name__ == "<lambda>" else ""


def handler_name(handler: object) -> str:
    """Return a handler's name; where it hands on what it gets, that of whom it hands it to."""
    match handler:
        case UpgradeHandler():
            return f"{name_of(handler.on_upgrade)} (WebSocket)"
        case WebSocketHandler():
            return f"{name_of(handler.handler_producer)} (WebSocket)"
        case StaticFileHandler():
            return "files"
        case Routing.Handler():
            return "Routing.Routes"
    return name_of(handler)


def filter_names(handler: object) -> list[str]:
    """Return the names of the filters that a handler stands for which passes on; else its own."""
    if isinstance(handler, PassFilters):
        return [name_of(each) for each, _ in handler.filters]
    return [name_of(handler)]
