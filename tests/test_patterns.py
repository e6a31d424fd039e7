"""No group of a regular expression is possessive: where one fails in its midst, Python before 3.11.5 goes on there.

What fails must leave all where it was (python/cpython#106052); `a%0` was a host, and `x;` an extension. A single
character, or a set of them, may be: that cannot fail in its midst.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator

import pytest

import perfectws

_POSSESSIVE = (re._constants.POSSESSIVE_REPEAT, re._constants.ATOMIC_GROUP)  # type: ignore[attr-defined]
_SINGLE = {"LITERAL", "NOT_LITERAL", "IN", "ANY", "RANGE"}


def patterns() -> Iterator[tuple[str, re.Pattern[str] | re.Pattern[bytes]]]:
    """Yield the regular expressions of perfectws, each with the module that has it."""
    for module in pkgutil.walk_packages(perfectws.__path__, "perfectws."):
        if not module.name.endswith("__main__"):
            for value in vars(importlib.import_module(module.name)).values():
                for each in value.values() if isinstance(value, dict) else [value]:
                    pattern = getattr(each, "__self__", each)
                    if isinstance(pattern, re.Pattern):
                        yield module.name, pattern


def possessive_groups(pattern: str | bytes) -> list[object]:
    """Return the possessive groups of a regular expression, as Python's own parser has them."""
    found: list[object] = []

    def look(node: object) -> None:
        if isinstance(node, re._parser.SubPattern):  # type: ignore[attr-defined]
            for operator, argument in node:
                if operator in _POSSESSIVE and not is_single(argument):
                    found.append(argument)
                look(argument)
        elif isinstance(node, (list, tuple)):
            for each in node:
                look(each)

    look(re._parser.parse(pattern))  # type: ignore[attr-defined]
    return found


def is_single(argument: object) -> bool:
    """Tell whether what is repeated is one character, or one of a set."""
    item = argument[-1] if isinstance(argument, tuple) else argument
    return len(item) == 1 and str(item[0][0]) in _SINGLE  # type: ignore[arg-type, index]


def test_no_group_is_possessive() -> None:
    found = list(patterns())
    assert len(found) > 30
    assert [(module, pattern.pattern) for module, pattern in found if possessive_groups(pattern.pattern)] == []


@pytest.mark.parametrize(
    ("pattern", "count"),
    [("[ab]++c", 0), ("a*+", 0), ("(?:ab)*+", 1), ("x(?:a|%[0-9])++", 1), ("(?>ab)", 1), ("((?:a;)?+b)*", 1)],
)
def test_one_that_is_would_be_found(pattern: str, count: int) -> None:
    assert len(possessive_groups(pattern)) == count
