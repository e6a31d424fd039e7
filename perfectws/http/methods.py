"""Request methods: one spelling for each, however the application writes it."""

from __future__ import annotations

from http import HTTPMethod as HTTPMethod  # a public name of ours too
from typing import TypeAlias

from .headers import is_token

#: A member of `http.HTTPMethod`, or the name of a method that it does not know, in upper case.
Method: TypeAlias = HTTPMethod | str

#: The methods of a route that names none.
ALL_METHODS: tuple[HTTPMethod, ...] = tuple(HTTPMethod)

_BY_NAME: dict[str, HTTPMethod] = {method.value: method for method in HTTPMethod}


def parse_method(method: Method) -> Method:
    """Return the canonical form of what an application calls a method: ``"get"`` becomes ``HTTPMethod.GET``.

    Raises:
        ValueError: It cannot be the name of a method.

    Source: Perfect's ``HTTPMethod.from(string:)``; an unknown name is its ``.custom``.
    """
    if type(method) is HTTPMethod:
        return method
    if isinstance(method, str) and method.startswith("."):
        raise ValueError(f"{method!r} is Swift's spelling of a request method: write {method[1:].upper()!r}")
    if not isinstance(method, str) or not is_token(method):
        raise ValueError(f"{method!r} is not a request method: write http.HTTPMethod.GET, or its name 'GET'")
    name = method.upper()
    return _BY_NAME.get(name, name)


def received_method(name: bytes) -> Method:
    """Return the method of a request that arrived. RFC 9110 §9.1: "The method token is case-sensitive"."""
    text = name.decode("ascii")
    return _BY_NAME.get(text, text)
