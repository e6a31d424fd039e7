"""DESIGN section 3: imports point one way. Read from the source, whatever is executed when."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import perfectws

PACKAGE = Path(perfectws.__file__).parent

#: The layers, from the ground up: a module may import from its own layer and from those below.
LAYERS = [
    {"errors", "log_limit"},
    {"callbacks"},
    {"deadline", "futures", "transport"},
    {"http"},
    {"websocket"},
    {"rooms"},
    {"net"},
]
GROUND = {name for layer in LAYERS for name in layer}
MODULES = sorted(PACKAGE.rglob("*.py"))


def layer_of(module: str) -> int:
    """Return how high ``perfectws.<module>`` stands; what builds on ``net`` is the top."""
    name = module.partition(".")[0]
    return next((height for height, layer in enumerate(LAYERS) if name in layer), len(LAYERS))


def name_of(path: Path) -> str:
    """Return a module's name inside the package."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


def imports_of(path: Path) -> Iterator[str]:
    """Yield the absolute name of every module that is imported, except for typing only."""
    tree = ast.parse(path.read_text())
    for_typing = {
        node
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and ast.unparse(branch.test) == "TYPE_CHECKING"
        for statement in branch.body
        for node in ast.walk(statement)
    }
    package = ["perfectws", *path.relative_to(PACKAGE).parent.parts]
    for node in ast.walk(tree):
        if node in for_typing:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from ([module] if node.module else [f"{module}.{alias.name}" for alias in node.names])


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_import_points_downwards(path: Path) -> None:
    own = name_of(path)
    if own == "__init__":
        return
    for imported in imports_of(path):
        head, _, inside = imported.partition(".")
        if head == "perfectws" and inside:
            assert layer_of(inside) <= layer_of(own), f"{own} imports {inside}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_net_and_what_builds_on_it_import_trio(path: Path) -> None:
    own = name_of(path)
    if own.partition(".")[0] in {"http", "websocket", "errors", "callbacks", "transport"}:
        foreign = {imported.partition(".")[0] for imported in imports_of(path)}
        assert "trio" not in foreign, own
        assert "socket" not in foreign, own
        assert "asyncio" not in foreign, own


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_the_public_face_is_imported_by_nobody_inside(path: Path) -> None:
    if name_of(path) != "cli.main":
        assert "perfectws" not in set(imports_of(path))


def test_all_names_that_the_public_face_lists_are_there_and_sorted_into_no_private_ones() -> None:
    for name in vars(perfectws)["__all__"]:
        assert not name.startswith("_")
        assert getattr(perfectws, name) is not None


def test_the_layers_are_those_that_exist() -> None:
    names = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in MODULES}
    assert names >= GROUND
