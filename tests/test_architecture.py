"""docs/architecture.md: what it names is there, its tables are those of the code, its laws are those that are cited."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from perfectws import transport

from .test_imports import GROUND, MAY_IMPORT, MODULES, PACKAGE

ROOT = PACKAGE.parent
PAGE = ROOT / "docs" / "architecture.md"
TEXT = PAGE.read_text(encoding="utf-8")
#: The page without its pictures.
PROSE = re.sub(r"^```\n.*?^```\n", "", TEXT, flags=re.MULTILINE | re.DOTALL)
#: The number of each law, and its text.
LAWS = re.findall(r"^### Law (\d+)\. (.+?)(?=^##)", TEXT, flags=re.MULTILINE | re.DOTALL)

#: ``path.py``, ``path.py:Class.method``, or ``:Class.method`` in the file that was named last.
REFERENCE = re.compile(r"([\w./]+\.py)?(?::(\w+(?:\.\w+)*))?")
FOLDER = re.compile(r"tests/\w+|\w+/")
CITED = re.compile(r"\blaws? (\d+(?:(?:, | and )\d+)*)", re.IGNORECASE)


def from_root(path: str) -> Path:
    """Return what the page calls ``path``: inside of the package, unless it says otherwise."""
    return ROOT / path if path.startswith(("tests/", "docs/", "perfectws/")) else PACKAGE / path


def code(text: str) -> list[str]:
    """Return what stands in backticks."""
    return re.findall(r"`([^`\n]+)`", text)


def references() -> Iterator[tuple[str, str]]:
    """Yield each file that the page names, with the name inside of it, or ``""``."""
    for block in re.split(r"\n\n|\n(?=\d+\. |- |\|)", PROSE):  # paragraphs, points, and rows of tables
        latest = ""
        for span in code(block):
            match = REFERENCE.fullmatch(span)
            if match is not None:
                latest = match[1] or latest
                yield latest, match[2] or ""


@cache
def names_in(path: Path) -> frozenset[str]:
    """Return the names that a module defines; those inside of its classes as ``Class.name``."""
    return frozenset(defined(ast.parse(path.read_text(encoding="utf-8")).body, ""))


def defined(body: list[ast.stmt], prefix: str) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix + node.name
        if isinstance(node, ast.ClassDef):
            yield from defined(node.body, f"{prefix}{node.name}.")
        if isinstance(node, ast.Assign | ast.AnnAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                yield from (prefix + each.id for each in ast.walk(target) if isinstance(each, ast.Name))


def rows(first: str) -> Iterator[list[str]]:
    """Yield the cells of each row of the tables whose first column is headed ``first``."""
    for table in re.findall(rf"^\| {first} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", PROSE, flags=re.MULTILINE):
        for row in table.splitlines():
            yield [cell.strip() for cell in row.strip("|").split(" | ")]


def laws_cited_in(text: str) -> set[str]:
    return {number for numbers in CITED.findall(text) for number in re.findall(r"\d+", numbers)}


def test_every_file_that_is_named_is_there_and_has_what_is_named_in_it() -> None:
    wrong = []
    for path, name in references():
        file = from_root(path)
        if not file.is_file() or (name and name not in names_in(file)):
            wrong.append(f"{path}:{name}")
    assert not wrong


def test_what_looks_like_a_file_is_read_as_one() -> None:
    assert all(REFERENCE.fullmatch(span) for span in code(PROSE) if ".py" in span or span.startswith(":"))


def test_every_folder_that_is_named_is_there() -> None:
    folders = [span for span in code(PROSE) if FOLDER.fullmatch(span)]
    assert folders
    assert not [folder for folder in folders if not from_root(folder).is_dir()]


def test_every_link_leads_somewhere() -> None:
    headings = re.findall(r"^#+ (.+)$", TEXT, flags=re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
    links = re.findall(r"\]\(([^)]+)\)", PROSE)
    assert links
    for link in links:
        assert link[1:] in anchors if link.startswith("#") else (PAGE.parent / link).is_file(), link


def test_every_file_of_the_package_has_one_line() -> None:
    listed = [code(file)[0] for file, _ in rows("file")]
    assert sorted(listed) == sorted(str(path.relative_to(PACKAGE)) for path in MODULES if path.stat().st_size)


def test_the_layers_are_those_that_are_enforced() -> None:
    table = {code(room)[0]: allowed_in(others) for room, others in rows("room")}
    assert table == MAY_IMPORT
    assert set(list(table)[: len(GROUND)]) == GROUND


def allowed_in(cell: str) -> set[str]:
    return set(code(cell)) | (GROUND if "the ground" in cell else set())


def test_the_contract_of_protocol_and_transport_is_the_one_of_the_code() -> None:
    block = re.search(r"^transport → protocol:(.+?)^protocol  → transport:(.+?)^```", TEXT, re.MULTILINE | re.DOTALL)
    assert block is not None
    assert set(block[1].split()) == methods_of(transport.Protocol)
    assert set(block[2].split()) == methods_of(transport.Transport)


def methods_of(contract: type) -> set[str]:
    return {name for name, member in vars(contract).items() if callable(member) and not name.startswith("_")}


def test_there_are_thirteen_laws_in_order_each_with_tests_that_hold_it() -> None:
    assert [int(number) for number, _ in LAWS] == list(range(1, 14))
    for number, law in LAWS:
        assert re.search(r"^Held by `tests/", law, flags=re.MULTILINE), number


def test_every_law_that_is_cited_is_there() -> None:
    sources = [path for folder in (PACKAGE, ROOT / "tests") for path in folder.rglob("*.py")]
    cited = {number: str(path) for path in sources for number in laws_cited_in(path.read_text(encoding="utf-8"))}
    assert cited
    assert not {number: path for number, path in cited.items() if number not in dict(LAWS)}


def test_a_test_file_that_is_about_a_law_stands_under_it() -> None:
    wrong = []
    for path in (ROOT / "tests").rglob("test_*.py"):
        about = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        name = str(path.relative_to(ROOT))
        wrong += [f"law {number}: {name}" for number in laws_cited_in(about) if f"`{name}`" not in dict(LAWS)[number]]
    assert not wrong
