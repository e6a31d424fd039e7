"""What was measured, beside what it must be."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field


@dataclass
class Judgement:
    """Lines of a report, and whether all is as it must be."""

    failed: list[str] = field(default_factory=list)

    def must(self, what: str, value: float, most: float, *, digits: int = 2, unit: str = "") -> None:
        """Report a figure that must not be above another."""
        self._report(what, value, f"≤ {most:g}", value <= most, digits, unit)

    def must_reach(self, what: str, value: float, least: float, *, digits: int = 2, unit: str = "") -> None:
        """Report a figure that must not be below another."""
        self._report(what, value, f"≥ {least:g}", value >= least, digits, unit)

    def tell(self, what: str, value: float, *, digits: int = 2, unit: str = "") -> None:
        """Report a figure."""
        self._report(what, value, "", True, digits, unit)

    def say(self, text: str) -> None:
        """Report something in words."""
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def _report(self, what: str, value: float, bound: str, is_right: bool, digits: int, unit: str) -> None:
        if not is_right:
            self.failed.append(what)
        self.say(f"{what:64} {value:12,.{digits}f}{unit:3} {bound:9}{'' if is_right else ' FAILED'}")
