"""The tests that hold a promise: ``python -m tests.promises 6`` runs them, and without a name it says which there are.

The laws stand in docs/architecture.md, each with its tests below it; the limits in docs/reliability.md, each with its
tests beside it. pytest gets what else it is given.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
LAWS = ROOT / "docs" / "architecture.md"
PROMISES = ROOT / "docs" / "reliability.md"

_SECTION = re.compile(r"^### (?:Law (\d+)\. )?(.+?)\n(.+?)(?=^##)", re.MULTILINE | re.DOTALL)
_HELD = re.compile(r"^Held by (.+?)(?:\n\n|\Z)", re.MULTILINE | re.DOTALL)
_ROW = re.compile(r"^\| ([^|]+) \|.* `python -m tests\.promises (\w+)` \|.*$", re.MULTILINE)
_TEST = re.compile(r"`(tests/[\w/]+\.py)`")


class Promise(NamedTuple):
    """A law, or a limit.

    Attributes:
        name: Its number, or a word.
        title: What it says, in a line.
        tests: The files of the tests that hold it.
    """

    name: str
    title: str
    tests: tuple[str, ...]


def read_promises() -> dict[str, Promise]:
    """Return all promises by their names."""
    laws = laws_of(LAWS.read_text(encoding="utf-8"))
    return {**limits_of(PROMISES.read_text(encoding="utf-8")), **laws}


def laws_of(text: str) -> dict[str, Promise]:
    """Return the laws of a page, and what stands beside them."""
    laws = {}
    for number, title, body in _SECTION.findall(text.partition("\n## 2.")[0] + "\n##"):
        held = _HELD.search(body)
        if held is not None:
            name = number or title.partition(",")[0].lower()
            laws[name] = Promise(name, title, tuple(_TEST.findall(held[1])))
    return laws


def limits_of(text: str) -> dict[str, Promise]:
    """Return what the rows of a page promise that name the command."""
    return {row[2]: Promise(row[2], row[1], tuple(dict.fromkeys(_TEST.findall(row[0])))) for row in _ROW.finditer(text)}


def make_parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.promises", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("name", nargs="?", choices=list(read_promises()), help="the number of a law, or a limit")
    return parser


def main(arguments: list[str]) -> int:
    """Do as the command line says; return the exit status."""
    options, others = make_parser().parse_known_args(arguments)
    promises = read_promises()
    if options.name is None:
        for promise in promises.values():
            sys.stdout.write(f"{promise.name}: {promise.title}\n    {' '.join(promise.tests)}\n")
        return 0
    command = [sys.executable, "-m", "pytest", *promises[options.name].tests, *others]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
