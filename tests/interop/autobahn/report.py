"""What the suite says of one testee: it exits with 0 whatever happens, so its report is what counts."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: How a case may have ended, or its close, without a fault of the testee's.
RIGHT = {"OK", "INFORMATIONAL"}


@dataclass(frozen=True)
class Report:
    """The results of one testee.

    Attributes:
        agent: The testee.
        wanted: The cases that were to be run, in order.
        results: The result of each case that was.
        folder: Where the suite has put its files.
    """

    agent: str
    wanted: list[str]
    results: dict[str, dict[str, Any]]
    folder: Path

    @classmethod
    def read(cls, folder: Path, agent: str, wanted: list[str]) -> Report:
        """Read what the suite has written; a report that is not there has no results."""
        index = folder / "index.json"
        reports = json.loads(index.read_text()) if index.exists() else {}
        return cls(agent, wanted, reports.get(agent, {}), folder)

    @property
    def counts(self) -> Counter[str]:
        """How many cases ended how, those that were not run as MISSING."""
        return Counter(self.verdict(case) for case in self.wanted)

    def verdict(self, case: str) -> str:
        """Return how a case ended; how its close did, if that is all that is wrong."""
        result = self.results.get(case)
        if result is None:
            return "MISSING"
        behaviour, close = result["behavior"], result["behaviorClose"]
        return f"CLOSE {close}" if behaviour in RIGHT and close not in RIGHT else behaviour

    @property
    def wrong(self) -> list[str]:
        """The cases that are neither OK nor informational."""
        return [case for case in self.wanted if self.verdict(case) not in RIGHT]

    @property
    def is_right(self) -> bool:
        """Whether all was run, and all is as it should be."""
        return bool(self.wanted) and not self.wrong

    def explain(self, case: str) -> str:
        """Say what the suite found."""
        result = self.results.get(case)
        if result is None:
            return f"{case}: no result"
        details = json.loads((self.folder / result["reportfile"]).read_text())
        return f"{case}: {self.verdict(case)}: {details['result']} {details['resultClose']}"

    def __str__(self) -> str:
        counts = self.counts
        summary = ", ".join(f"{counts[verdict]} {verdict}" for verdict in sorted(counts, key=lambda v: -counts[v]))
        lines = [f"{self.agent}: {summary or 'no case'} of {len(self.wanted)}"]
        lines += [f"    {self.explain(case)}" for case in self.wrong]
        return "\n".join(lines)
