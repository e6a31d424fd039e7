"""The dictionaries that `HTTPHandler` and `HTTPFilter` make handlers and filters of.

A configuration passes the whole dictionary of a route or a filter, with the keys that are its own (Perfect's way); code
writes one out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..checks.spelling import unknown_key
from ..errors import LocalProtocolError

#: What a configuration reads of the dictionary of a route, and of that of a filter.
ROUTE_KEYS = ("method", "methods", "uri", "uris", "handler")
FILTER_KEYS = ("type", "priority", "name")


def checked(data: Mapping[str, Any] | None, *known: str, what: str, beside: tuple[str, ...]) -> Mapping[str, Any]:
    """Return a dictionary, an empty one for ``None``, none of whose keys would be read by nobody.

    Args:
        data: The dictionary.
        *known: The keys that are read of it.
        what: Who reads them, for people.
        beside: The keys that a configuration reads: `ROUTE_KEYS` or `FILTER_KEYS`.

    Raises:
        LocalProtocolError: It has another key.
        TypeError: It is no dictionary.
    """
    if data is None:
        return {}
    if not isinstance(data, Mapping):
        raise TypeError(f"{what} takes a dictionary, not {data!r}")
    if wrong := unknown_key((key for key in data if key not in beside), known):
        raise LocalProtocolError(f"{what}: {wrong}")
    return data
