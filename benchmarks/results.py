"""What was measured, in medians over the rounds, and in ratios within a round."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from statistics import median
from typing import Any

from .machine import processor, versions_of
from .measure import Figures
from .scenarios import Scenario
from .servers import Server

#: Whose CPU time the others' is given in.
REFERENCE = "picows-uvloop"
_PACKAGES = (
    *("trio", "wsproto", "h11", "picows", "uvloop", "websockets", "aiohttp", "uvicorn", "httptools"),
    *("hypercorn", "trio-websocket", "tornado", "socketify"),
)


@dataclass
class Outcome:
    """One server in one scenario.

    Attributes:
        server: The server.
        rounds: The figures by round; a round that failed has none.
        reason: Why there are none at all: it cannot do this, or it failed.
        failed: Whether it failed, so that the command does too.
    """

    server: Server
    rounds: dict[int, Figures] = field(default_factory=dict)
    reason: str | None = None
    failed: bool = False

    def median(self, name: str) -> float | None:
        """Return the median of a figure over the rounds."""
        values = [value for figures in self.rounds.values() if (value := getattr(figures, name)) is not None]
        return median(values) if values else None

    @property
    def checked(self) -> int:
        """How many messages came back, each of them checked."""
        return sum(figures.count for figures in self.rounds.values())


@dataclass
class Block:
    """One scenario, and how every server did."""

    scenario: Scenario
    outcomes: dict[str, Outcome] = field(default_factory=dict)

    def ratio(self, name: str, to: str = REFERENCE, of: str = "cpu_us") -> float | None:
        """Return the median over the rounds of one server's figure over another's in the same round."""
        if name not in self.outcomes or to not in self.outcomes:
            return None
        ours, theirs = self.outcomes[name].rounds, self.outcomes[to].rounds
        ratios = []
        for number in ours.keys() & theirs.keys():
            mine, reference = getattr(ours[number], of), getattr(theirs[number], of)
            if mine is not None and reference:
                ratios.append(mine / reference)
        return median(ratios) if ratios else None


@dataclass
class Results:
    """All that one command measured.

    Attributes:
        blocks: The scenarios, in the order in which they were begun.
        date: When it began.
        targets: What each target asked for and found.
        was_stopped: Whether it was interrupted, so that there may be less than was asked for.
    """

    blocks: list[Block] = field(default_factory=list)
    date: datetime = field(default_factory=datetime.now)
    targets: list[dict[str, Any]] = field(default_factory=list)
    was_stopped: bool = False

    @property
    def failures(self) -> list[str]:
        """What failed, in words."""
        return [
            f"{block.scenario.name}, {outcome.server.name}: {outcome.reason}"
            for block in self.blocks
            for outcome in block.outcomes.values()
            if outcome.failed
        ]

    def as_json(self) -> dict[str, Any]:
        """Return all of it, for a file."""
        return {
            "date": self.date.isoformat(timespec="seconds"),
            "machine": machine(),
            "versions": versions(),
            "reference": REFERENCE,
            "scenarios": {block.scenario.name: _block_as_json(block) for block in self.blocks},
            "targets": self.targets,
        }


def _block_as_json(block: Block) -> dict[str, Any]:
    servers = {name: _outcome_as_json(block, outcome) for name, outcome in block.outcomes.items()}
    return asdict(block.scenario) | {"servers": servers}


def _outcome_as_json(block: Block, outcome: Outcome) -> dict[str, Any]:
    medians = {item.name: outcome.median(item.name) for item in fields(Figures) if item.name != "count"}
    return {
        "title": outcome.server.title,
        "reason": outcome.reason,
        "checked": outcome.checked,
        "ratio": block.ratio(outcome.server.name),
        "median": medians,
        "rounds": {str(number): asdict(figures) for number, figures in outcome.rounds.items()},
    }


def in_one_line(reason: str) -> str:
    """Shorten a reason to its beginning and, where that is not all, its end: of a traceback what was raised."""
    lines = [line.strip() for line in reason.splitlines() if line.strip()]
    shown = lines if len(lines) <= 1 else [lines[0], lines[-1]]
    return " … ".join(line[:100] for line in shown)


def machine() -> str:
    """Say what it was measured on."""
    return f"{processor()}, {os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}"


def versions(packages: Iterable[str] = _PACKAGES) -> dict[str, str]:
    """Return the versions of what is installed."""
    return versions_of(packages)
