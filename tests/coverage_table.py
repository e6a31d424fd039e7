"""Writes docs/coverage.md from coverage.py's report: how much of each package the tests reach. See ``.ci/coverage``.

What is reached in all is recorded in docs/results.json too.
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any

from benchmarks import recorded

PAGE = """\
# Coverage

What the tests reach of perfectws, by line and by branch, the programs that they start included. `bash .ci/coverage`
measures it, writes this page, and fails below 97 % in all. Measured on {date} by coverage.py {version} with Python
{python}.

| package | lines | branches | in all |
|---|---:|---:|---:|
"""


@dataclass
class Reached:
    """How much of some files was reached."""

    lines: int = 0
    all_lines: int = 0
    branches: int = 0
    all_branches: int = 0

    @classmethod
    def of(cls, files: Iterable[dict[str, Any]]) -> Reached:
        """Sum coverage.py's summaries up."""
        total = cls()
        for file in files:
            total.lines += file["covered_lines"]
            total.all_lines += file["num_statements"]
            total.branches += file["covered_branches"]
            total.all_branches += file["num_branches"]
        return total

    def row(self, name: str) -> str:
        """Return the table's row."""
        lines = f"{self.lines:,} of {self.all_lines:,}"
        branches = f"{self.branches:,} of {self.all_branches:,}" if self.all_branches else "–"
        return f"| {name} | {lines} | {branches} | {self.percent:.2f} % |"

    @property
    def percent(self) -> float:
        """How much it is in all, of a hundred."""
        return 100 * (self.lines + self.branches) / ((self.all_lines + self.all_branches) or 1)


def package_of(path: str) -> str:
    """Return the package that a file is in, as it is imported."""
    return ".".join(PurePath(path).parent.parts)


def page(report: dict[str, Any]) -> str:
    """Return docs/coverage.md for a report of coverage.py's."""
    summaries = {path: file["summary"] for path, file in report["files"].items()}
    packages: dict[str, list[dict[str, Any]]] = {}
    for path, summary in summaries.items():
        packages.setdefault(package_of(path), []).append(summary)
    rows = [Reached.of(files).row(f"`{package}`") for package, files in sorted(packages.items())]
    rows.append(Reached.of(summaries.values()).row("**all**"))
    today = datetime.now(UTC).date()
    head = PAGE.format(date=today, version=report["meta"]["version"], python=platform.python_version())
    return head + "\n".join(rows) + "\n"


def record(report: dict[str, Any]) -> None:
    """Write what was reached in all to where the pages find it."""
    reached = Reached.of(file["summary"] for file in report["files"].values())
    counts = {**asdict(reached), "percent": round(reached.percent, 2)}
    recorded.record("coverage", "bash .ci/coverage", counts, packages=["coverage"])


def main(path: str) -> None:
    """Write the page, and record."""
    with open(path, encoding="utf-8") as file:
        report = json.load(file)
    sys.stdout.write(page(report))
    record(report)


if __name__ == "__main__":
    main(sys.argv[1])
