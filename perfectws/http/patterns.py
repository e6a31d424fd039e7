"""The patterns of routes: components between slashes, each a literal, ``{name}``, ``*``, or at the end ``**``."""

from __future__ import annotations

import re

from ..errors import RouteError

VARIABLE = re.compile(r"\{([^{}]+)\}")


def pattern_components(pattern: str) -> list[str]:
    """Return the components of a pattern; a slash at its end is one of them."""
    names = [name for name in pattern.split("/") if name]
    return [*names, "/"] if names and pattern[-1] == "/" else names


def check_pattern(pattern: str) -> str:
    """Return ``pattern``. Raises `RouteError` if it is malformed."""
    if not isinstance(pattern, str):
        raise RouteError(f"the URI of a route is a str, not {pattern!r}")
    if "?" in pattern or "#" in pattern:
        raise RouteError(f"{pattern!r}: a route matches a path only; read the query from request.query_params")
    components = [name for name in pattern_components(pattern) if name != "/"]
    for name in components:
        _check_component(name, pattern)
    if "**" in components[:-1] or ("**" in components and pattern[-1:] == "/"):
        raise RouteError(f"{pattern!r}: ** can only be the last component; write * for one component in between")
    return pattern


def _check_component(name: str, pattern: str) -> None:
    if ("{" in name or "}" in name) and not VARIABLE.fullmatch(name):
        # Perfect differs: it takes such a component for a literal, which no request can ever match.
        raise RouteError(f"{pattern!r}: a variable has a name and is a whole component, such as {{name}}; not {name!r}")
    if name.startswith(":"):
        raise RouteError(
            f"{pattern!r}: {name!r} is Vapor's spelling of {{{name[1:]}}}: write that, or add it by routes.get(), or "
            "its kin, or routes.web_socket()"
        )
    if "*" in name and name not in ("*", "**"):
        raise RouteError(f"{pattern!r}: * is a whole component, or ** the last one; not {name!r}")


def check_base_uri(base_uri: str) -> str:
    """Return the pattern that others begin with, without a slash at its end. Raises `RouteError` if it is malformed."""
    names = pattern_components(check_pattern(base_uri))
    if "**" in names:
        raise RouteError(f"{base_uri!r}: nothing can follow **, so it cannot be part of a base_uri")
    return "".join(f"/{name}" for name in names if name != "/")


def from_vapor(pattern: str) -> str:
    """Return the pattern of a path as Vapor writes it: ``":name"`` is ``"{name}"``, the rest is the same."""
    if not isinstance(pattern, str):
        raise RouteError(f"the path of a route is a str, not {pattern!r}")
    return "/".join(f"{{{name[1:]}}}" if name.startswith(":") else name for name in pattern.split("/"))
