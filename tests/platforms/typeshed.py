"""What typeshed says of a platform: which names a module has there. Read from the stubs that mypy brings."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path


def _stubs() -> Path:
    spec = find_spec("mypy")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "typeshed" / "stdlib"


STUBS = _stubs()


def names(module: str, platform: str, inside: str | None = None) -> frozenset[str]:
    """Return the public names of a module on a platform, or of a class ``inside`` of it: none where it is not there."""
    statements = _there(_parsed(module).body, platform)
    if inside is not None:
        bodies = [each.body for each in statements if isinstance(each, ast.ClassDef) and each.name == inside]
        statements = (each for body in bodies for each in _there(body, platform))
    return frozenset(name for each in statements for name in _defined(each) if not name.startswith("_"))


def lacking(module: str, platform: str, inside: str | None = None) -> frozenset[str]:
    """Return the names that are there on Linux and not on another platform."""
    return names(module, "linux", inside) - names(module, platform, inside)


@cache
def is_missing(module: str, platform: str) -> bool:
    """Return whether Linux has a module of the standard library, and another platform has none of its names."""
    path = _path(module)
    if module not in sys.stdlib_module_names or not path.is_file() or "sys.platform" not in _text(path):
        return False
    return bool(names(module, "linux")) and not names(module, platform)


def _path(module: str) -> Path:
    package = STUBS / module / "__init__.pyi"
    return package if package.is_file() else STUBS / f"{module}.pyi"


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def _parsed(module: str) -> ast.Module:
    return ast.parse(_text(_path(module)))


def _there(body: Iterable[ast.stmt], platform: str) -> Iterator[ast.stmt]:
    """Yield the statements that count on a platform, with this version of Python."""
    for statement in body:
        if isinstance(statement, ast.If):
            holds = _holds(statement.test, platform)
            yield from _there(statement.body if holds else statement.orelse, platform)
        else:
            yield statement


def _holds(test: ast.expr, platform: str) -> bool:
    """Tell whether a condition holds: stubs compare `sys.platform` and `sys.version_info` with constants."""
    if isinstance(test, ast.BoolOp):
        parts = [_holds(part, platform) for part in test.values]
        return all(parts) if isinstance(test.op, ast.And) else any(parts)
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return not _holds(test.operand, platform)
    assert isinstance(test, ast.Compare), ast.unparse(test)
    (operator,), (right,) = test.ops, test.comparators
    expected = ast.literal_eval(right)
    match ast.unparse(test.left), operator:
        case "sys.platform", ast.Eq():
            return bool(platform == expected)
        case "sys.platform", ast.NotEq():
            return bool(platform != expected)
        case "sys.version_info", ast.GtE():
            return bool(sys.version_info >= expected)
        case "sys.version_info", ast.Lt():
            return bool(sys.version_info < expected)
        case _:
            raise ValueError(f"a stub asks {ast.unparse(test)}")


def _defined(statement: ast.stmt) -> Iterator[str]:
    """Yield the names that a statement of a stub gives: an import only where it renames, or says the name twice."""
    if isinstance(statement, ast.Import | ast.ImportFrom):
        yield from (alias.asname for alias in statement.names if alias.asname)
    elif isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        yield statement.name
    elif isinstance(statement, ast.Assign | ast.AnnAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        yield from (target.id for target in targets if isinstance(target, ast.Name))
