"""The names of `perfectws.testing`: the same for type checkers and for Python, and none that pytest takes for tests."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from perfectws import testing

FACE: Any = testing


def test_type_checkers_see_the_names_that_there_are() -> None:
    tree = ast.parse(Path(FACE.__file__).read_text(encoding="utf-8"))
    (declared,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = [alias.asname for node in declared.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert sorted(filter(None, seen)) == FACE.__all__


def test_each_is_there_and_another_is_not() -> None:
    assert set(FACE.__all__) <= set(dir(FACE))
    for name in FACE.__all__:
        assert getattr(FACE, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        FACE.Nothing  # noqa: B018


def test_pytest_takes_none_of_the_classes_for_tests() -> None:
    classes = [getattr(FACE, name) for name in FACE.__all__ if isinstance(getattr(FACE, name), type)]
    assert [each.__name__ for each in classes if each.__name__.startswith("Test") and each.__test__] == []
