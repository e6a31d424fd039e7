"""The public names of perfectws, with their members: what the reference has to show, and docstrings to describe.

Public is what `perfectws` and `perfectws.testing` export, and every member without a leading underscore whose docstring
does not call it perfectws's own.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, NamedTuple

import perfectws
from perfectws import testing
from perfectws.checks.spelling import Misspelt

FACE: Any = perfectws
#: The names for tests of applications.
TESTING: Any = testing


class Public(NamedTuple):
    """A public name.

    Attributes:
        name: What it is called, such as ``WebSocket.close``.
        thing: What it is: a class, a function, a property…
        owner: The class that it is a member of, if it is one.
    """

    name: str
    thing: Any
    owner: type | None = None

    @property
    def function(self) -> Any:
        """What is called, if it is: the constructor of a class, the getter of a property."""
        thing = self.thing
        if isinstance(thing, type):
            return vars(thing).get("__init__")
        if isinstance(thing, property):
            return thing.fget
        function = getattr(thing, "__func__", thing)
        return inspect.unwrap(function) if callable(function) else None

    @property
    def doc(self) -> str:
        """Its docstring; that of a class stands for its constructor."""
        return inspect.cleandoc(getattr(self.thing, "__doc__", None) or "")

    @property
    def parameters(self) -> dict[str, inspect.Parameter]:
        """What it is called with, but for the object itself."""
        if self.function is None or isinstance(self.thing, property):
            return {}
        found = dict(inspect.signature(self.function).parameters)
        return {name: each for name, each in found.items() if name not in ("self", "cls") and name[0] != "_"}


def names() -> Iterator[Public]:
    """Yield every public name, each thing once, and its members; those for tests as ``testing.TestServer``."""
    seen: list[Any] = []
    for name in FACE.__all__:
        thing = getattr(perfectws, name)
        if thing not in seen:
            seen.append(thing)
            yield Public(name, thing)
            if isinstance(thing, type) and thing.__module__.startswith("perfectws"):
                yield from members(name, thing)
    for name in TESTING.__all__:
        yield Public(f"testing.{name}", getattr(TESTING, name))
        if isinstance(getattr(TESTING, name), type):
            yield from members(f"testing.{name}", getattr(TESTING, name))


def members(name: str, owner: type) -> Iterator[Public]:
    """Yield the public members of a class, those that it inherits from ours included."""
    found: dict[str, Any] = {}
    for base in owner.__mro__:
        if base.__module__.startswith("perfectws"):
            found = {**vars(base), **found}
    for member, thing in found.items():
        if member[0] != "_" and is_ours(thing):
            yield Public(f"{name}.{member}", thing, owner)


def is_ours(thing: Any) -> bool:
    """Tell whether a member is described by a docstring, and not perfectws's own."""
    if isinstance(thing, Misspelt) or "perfectws's own" in (getattr(thing, "__doc__", None) or ""):
        return False
    return isinstance(thing, property | classmethod | staticmethod | type) or inspect.isfunction(thing)
