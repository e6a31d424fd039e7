"""The house: who may import whom, in one table. Read from the source, whatever is executed when.

An import inside a function counts as much as one at the top, and one behind ``TYPE_CHECKING`` too.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import perfectws

PACKAGE = Path(perfectws.__file__).parent

GROUND = {
    "errors",
    "checks",
    "log_limit",
    "per_address",
    "suspension",
    "counts",
    "callbacks",
    "deadline",
    "patience",
    "futures",
    "transport",
}
#: The rooms of the house, from the ground up, and what each may import besides itself.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "checks": set(),
    "log_limit": set(),
    "per_address": {"log_limit"},
    "suspension": set(),
    "counts": set(),
    "callbacks": {"errors", "suspension", "counts"},
    "deadline": {"callbacks"},
    "patience": {"callbacks"},
    "futures": {"errors", "checks", "suspension", "callbacks"},
    "transport": {"callbacks"},
    "http": GROUND,
    "websocket": GROUND | {"http"},
    "rooms": GROUND | {"http", "websocket"},
    "net": GROUND,
    "client": GROUND | {"http", "websocket", "rooms", "net"},
    "server": GROUND | {"http", "websocket", "rooms", "net", "client"},
    "cli": GROUND | {"http", "websocket", "rooms", "net", "client", "server"},
    "testing": GROUND | {"http", "websocket", "net", "client", "server", "cli"},
    "__init__": GROUND | {"http", "websocket", "rooms", "net", "client", "server"},
    "__main__": {"cli"},
}
#: The rooms in which nothing but bytes, callbacks and futures moves.
PURE = {*GROUND, "http", "websocket", "rooms"}

MODULES = sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    """Return a module's name inside the package; a package's own is its ``__init__``."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def room_of(module: str) -> str:
    """Return the room that a module stands in: a package, or a file on the top floor."""
    return module.partition(".")[0]


NAMES = {name_of(path) for path in MODULES}


def absolute_imports(path: Path) -> Iterator[str]:
    """Yield the absolute name of everything that a module imports, wherever the import stands."""
    package = ["perfectws", *path.relative_to(PACKAGE).parent.parts]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def own_imports(path: Path) -> set[str]:
    """Return the modules of perfectws that a module imports."""
    found: set[str] = set()
    for imported in absolute_imports(path):
        head, _, inside = imported.partition(".")
        if head != "perfectws":
            continue
        module = inside
        while module and module not in NAMES and f"{module}.__init__" not in NAMES:
            module = module.rpartition(".")[0]
        found.add(module if module in NAMES else f"{module}.__init__" if module else "__init__")
    return found


def foreign_imports(path: Path) -> set[str]:
    """Return the packages besides perfectws that a module imports, but for those that are named for types only."""
    return {imported.partition(".")[0] for imported in absolute_imports(path)} - {"perfectws"}


def test_the_table_names_the_rooms_that_there_are() -> None:
    assert {room_of(name) for name in NAMES} <= MAY_IMPORT.keys()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_import_is_one_that_the_table_allows(path: Path) -> None:
    room = room_of(name_of(path))
    allowed = MAY_IMPORT[room] | {room}
    for imported in own_imports(path):
        # The version, which the command line and clients tell, is all that anybody inside takes from the public face.
        is_version = imported == "__init__" and room in ("cli", "client")
        assert room_of(imported) in allowed or is_version, f"{name_of(path)} imports {imported}"


def test_there_is_no_circle_of_modules() -> None:
    graph = {name_of(path): own_imports(path) - {name_of(path)} for path in MODULES if name_of(path) != "__init__"}
    list(TopologicalSorter(graph).static_order())  # raises a CycleError that names the circle


@pytest.mark.parametrize("path", [path for path in MODULES if room_of(name_of(path)) in PURE], ids=name_of)
def test_what_is_pure_does_no_input_and_output(path: Path) -> None:
    assert not foreign_imports(path) & {"asyncio", "select", "selectors", "socket", "socketserver"}


def test_protocols_load_no_trio() -> None:
    """As h11 and wsproto do not: bytes in, bytes out, whatever runs the tasks."""
    modules = [f"perfectws.{name}" for name in sorted(NAMES) if room_of(name) in PURE]
    code = f"import sys\nfor name in {modules!r}: __import__(name)\nsys.exit('trio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=PACKAGE.parent, timeout=60, check=False).returncode == 0


def test_the_top_floor_has_few_rooms() -> None:
    assert len([path for path in MODULES if path.parent == PACKAGE]) <= 12


def test_all_names_that_the_public_face_lists_are_there_and_are_not_private() -> None:
    for name in vars(perfectws)["__all__"]:
        assert not name.startswith("_")
        assert getattr(perfectws, name) is not None
