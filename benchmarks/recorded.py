"""What the long commands have found, in one file of the repository: ``docs/results.json``.

A command that is given ``--record`` writes its entry there, whatever it has found, and leaves the others as they are.
It names no file and no machine of whoever ran it. The pages take their figures from it
(``docs/extensions/results.py``); where a page says one itself, `tests.docs.test_results` compares.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypedDict

from .machine import description, versions_of

FILE = Path(__file__).parents[1] / "docs" / "results.json"

#: The help of ``--record``.
HELP = "write what is found into docs/results.json, from which the pages take their figures"


class Entry(TypedDict):
    """What one command has found.

    Attributes:
        command: The command that repeats it.
        date: When it began or ended, as ``2026-11-29``.
        machine: What it ran on.
        versions: What ran, by name: ``python``, ``perfectws``, and others.
        counts: What was found: numbers, and tables of them.
    """

    command: str
    date: str
    machine: str
    versions: dict[str, str]
    counts: dict[str, Any]


def read(file: Path | None = None) -> dict[str, Entry]:
    """Return what is recorded, by the name of what was done."""
    found: dict[str, Entry] = json.loads((file or FILE).read_text(encoding="utf-8"))
    return found


def record(
    name: str,
    command: str,
    counts: Mapping[str, Any],
    *,
    packages: Iterable[str] = (),
    versions: Mapping[str, str] | None = None,
    on: date | None = None,
) -> None:
    """Write the entry of one command.

    Args:
        name: What was done.
        command: The command that repeats it.
        counts: What was found.
        packages: Whose versions matter, besides Python's and perfectws's.
        versions: Those of what is not installed beside perfectws.
        on: The day; today by default.
    """
    recorded = read() if FILE.exists() else {}
    recorded[name] = {
        "command": command,
        "date": (on or datetime.now(UTC).date()).isoformat(),
        "machine": description(),
        "versions": {**versions_of(packages), **(versions or {})},
        "counts": dict(counts),
    }
    text = json.dumps(dict(sorted(recorded.items())), indent=1, ensure_ascii=False) + "\n"
    beside = FILE.with_suffix(".new")  # so that nobody finds half of it
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, FILE)
