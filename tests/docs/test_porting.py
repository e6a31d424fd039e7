"""The pages on porting: every member of the Swift packages has its place, and what stands beside it is there."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import perfectws
from perfectws import (
    Future,
    HTTPRequest,
    HTTPResponse,
    HTTPServer,
    LaunchContext,
    MimeReader,
    Promise,
    Route,
    Routes,
    Timer,
    WebSocket,
)

from .pages import DOCS, name_of
from .swift_names import NAMES

PORTING = DOCS / "porting"
PAGES = sorted(PORTING.rglob("*.md"))
#: What the variables in the Python column are.
ROOTS: dict[str, Any] = {
    "context": LaunchContext,
    "future": Future,
    "promise": Promise,
    "request": HTTPRequest,
    "response": HTTPResponse,
    "route": Route,
    "routes": Routes,
    "server": HTTPServer,
    "socket": WebSocket,
    "timer": Timer,
    "upload": MimeReader.BodySpec,
    "ws": WebSocket,
}
#: Attributes that only an object has, as its class's docstring says.
OF_OBJECTS = re.compile(r"^        (\w+(?:, \w+)*): ", re.MULTILINE)


def rows(page: Path) -> Iterator[list[str]]:
    """Yield the cells of each row of the tables whose first column is headed *Swift*."""
    text = page.read_text(encoding="utf-8")
    for table in re.findall(r"^\| Swift \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", text, flags=re.MULTILINE):
        for row in table.splitlines():
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", row.strip("|"))]


@pytest.mark.parametrize(("package", "folder"), NAMES, ids=str)
def test_every_member_of_a_swift_package_has_its_place(package: str, folder: str) -> None:
    cells = [cell for page in (PORTING / folder).glob("*.md") for row in rows(page) for cell in row]
    known = {name for cell in cells for code in re.findall(r"`([^`]+)`", cell) for name in re.findall(r"\w+", code)}
    assert [name for name in NAMES[package, folder].split() if name not in known] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_stands_beside_swift_is_there(page: Path) -> None:
    names = [name for row in rows(page) for name in re.findall(r"`([A-Za-z_]\w*(?:\.\w+)+)", row[1])]
    assert [name for name in names if not is_there(name)] == []


def is_there(dotted: str) -> bool:
    """Tell whether a dotted name of the Python column is one of perfectws's, or of nobody that is known here."""
    root, member, *_ = dotted.split(".")
    thing = ROOTS.get(root, getattr(perfectws, root, None) if root[0].isupper() else None)
    return thing is None or hasattr(thing, member) or member in attributes_of(thing)


def attributes_of(thing: type) -> set[str]:
    """Return the attributes that a class's docstrings tell of."""
    docs = "\n".join(each.__doc__ or "" for each in thing.__mro__)
    return {name for names in OF_OBJECTS.findall(docs) for name in names.split(", ")}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_mirrors_a_member_of_swift_s_names_its_source(page: Path) -> None:
    names = {name for row in rows(page) for name in re.findall(r"`([A-Za-z_]\w*(?:\.\w+)+)", row[1])}
    assert sorted(name for name in names if not has_source(name)) == []


def has_source(dotted: str) -> bool:
    """Tell whether a name's docstring, or that of its class, has a *Source*; if it is one of ours at all."""
    root, member, *_ = dotted.split(".")
    thing = ROOTS.get(root, getattr(perfectws, root, None) if root[0].isupper() else None)
    if not getattr(thing, "__module__", "").startswith("perfectws"):
        return True
    docs = (thing.__doc__ or "", getattr(inspect.getattr_static(thing, member, None), "__doc__", None) or "")
    return any("Source:" in doc for doc in docs)


def test_every_row_says_what_to_write_or_why_there_is_nothing() -> None:
    poor = [(name_of(page), row[0]) for page in PAGES for row in rows(page) if not any(row[1:])]
    assert poor == []
