"""What type checkers make of perfectws: they find nothing in `good.py`, nor in the examples of the documentation, and
all that is marked in `mistakes.py`.

mypy, and pyright, which is behind many an editor, each in its strict mode. Neither fetches anything.
"""

from __future__ import annotations

import ast
import io
import json
import re
import subprocess
import sys
import tokenize
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
GOOD, MISTAKES = HERE / "good.py", HERE / "mistakes.py"
PYRIGHT = HERE / "node_modules" / "pyright" / "index.js"
#: Seconds that a checker may take.
PATIENCE = 300

#: Examples are written without annotations, and are checked all the same.
RELAXED = "# pyright: standard\n# mypy: allow-untyped-defs, allow-untyped-calls, allow-untyped-decorators\n"
PROGRAM = re.compile(r"^```python\n(.+?)^```", re.MULTILINE | re.DOTALL)
#: What pyright says of code whose types it does not know, or that has no effect: that finds no mistake.
ASIDE = re.compile("reportUnknown|reportUnused")


class Error(NamedTuple):
    """What a checker has found.

    Attributes:
        file: The file in which it is.
        line: Its first line, from 1 on.
        rule: The name that the checker has for such an error.
        text: What it says.
    """

    file: Path
    line: int
    rule: str
    text: str


def mypy(files: list[Path]) -> list[Error]:
    """Return what mypy finds in files, with what it knows of the rest from its last run."""
    lines = output_of(sys.executable, "-m", "mypy", "--strict", "--output=json", *files).splitlines()
    return [
        Error(ROOT / found["file"], found["line"], found["code"] or "", found["message"])
        for found in map(json.loads, lines)
        if found["severity"] == "error"
    ]


def pyright(files: list[Path]) -> list[Error]:
    """Return what pyright finds in files, each of which says how strict it is to be."""
    report = json.loads(output_of("node", PYRIGHT, "--outputjson", "--pythonpath", sys.executable, *files))
    assert report["summary"]["filesAnalyzed"] == len(files)
    return [
        Error(Path(found["file"]), found["range"]["start"]["line"] + 1, found.get("rule", ""), found["message"])
        for found in report["generalDiagnostics"]
        if found["severity"] == "error"
    ]


def output_of(*command: str | Path) -> str:
    """Return what a checker prints, which ends with 1 if it finds an error, and with more if it cannot work."""
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert ended.returncode in (0, 1), ended.stderr or ended.stdout
    return ended.stdout


def examples(folder: Path) -> list[Path]:
    """Write each Python program of the documentation to a file."""
    files = []
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for number, program in enumerate(PROGRAM.findall(page.read_text("utf-8"))):
            files.append(folder / f"{page.stem.lower()}_{number}.py")
            files[-1].write_text(RELAXED + program, "utf-8")
    return files


class Findings(NamedTuple):
    """What one checker has found in all files.

    Attributes:
        examples: The documentation's programs.
        errors: Everything, in whatever file.
    """

    examples: list[Path]
    errors: list[Error]

    def in_file(self, path: Path) -> list[Error]:
        """Return the errors in one file."""
        return [error for error in self.errors if error.file == path]


@pytest.fixture(scope="module", params=[mypy, pyright], ids=lambda checker: checker.__name__)
def findings(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Findings:
    """Let each checker in turn look at all files, once."""
    check: Callable[[list[Path]], list[Error]] = request.param
    programs = examples(tmp_path_factory.mktemp("examples"))
    return Findings(programs, check([GOOD, MISTAKES, *programs]))


def first_lines(source: str) -> dict[int, int]:
    """Return for each line the first line of the statement around it: of a function or a class only the head counts."""
    first: dict[int, int] = {}
    for node in ast.walk(ast.parse(source)):  # what is around comes before what is inside
        if isinstance(node, ast.stmt):
            begin = begin_of(node)
            for line in range(begin, end_of_head(node, source.splitlines()) + 1):
                first.setdefault(line, begin)
    return first


def begin_of(node: ast.stmt) -> int:
    """Return a statement's first line, decorators included."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def end_of_head(node: ast.stmt, lines: list[str]) -> int:
    """Return a statement's last line; of one with a body the last before it, unless it begins on the same line."""
    body: list[ast.stmt] = getattr(node, "body", [])
    if not body:
        return node.end_lineno or node.lineno
    shares_line = lines[body[0].lineno - 1][: body[0].col_offset].strip()
    return body[0].lineno if shares_line else begin_of(body[0]) - 1


def marked_lines(source: str) -> set[int]:
    """Return the lines that have a mark."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {
        token.start[0] for token in tokens if token.type == tokenize.COMMENT and token.string.startswith("# mistake")
    }


def test_what_people_type_is_right(findings: Findings) -> None:
    assert findings.in_file(GOOD) == []


def test_each_mistake_is_found_and_nothing_else(findings: Findings) -> None:
    source = MISTAKES.read_text("utf-8")
    first = first_lines(source)
    marked = {first[line] for line in marked_lines(source)}
    found = {first[error.line]: error for error in findings.in_file(MISTAKES)}
    judged = {first[error.line] for error in findings.in_file(MISTAKES) if not ASIDE.match(error.rule)}
    assert len(marked) > 250
    assert [f"{line}: {source.splitlines()[line - 1].strip()}" for line in sorted(marked - judged)] == []
    assert [error for line, error in sorted(found.items()) if line not in marked] == []


def test_the_examples_of_the_documentation_are_right(findings: Findings) -> None:
    assert "readme_0.py" in [path.name for path in findings.examples]
    assert [error for error in findings.errors if error.file not in (GOOD, MISTAKES)] == []


def test_a_mark_stands_for_the_statement_around_it() -> None:
    source = "@a(\n  1)\ndef f(\n  b,\n) -> c: pass\nclass D:\n  x = [\n    1,\n  ]\n\n  @e\n  def g(self): ...\n"
    assert first_lines(source) == {1: 1, 2: 1, 3: 1, 4: 1, 5: 1, 6: 6, 7: 7, 8: 7, 9: 7, 11: 11, 12: 11}
