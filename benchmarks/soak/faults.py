"""What a process logs as an error: in a soak only what was meant to go wrong may."""

from __future__ import annotations

import logging
import sys
from collections import Counter
from typing import Any

#: So many of the records are told in words.
_TOLD = 5


class Intended(Exception):
    """What handlers raise that are there to raise."""


class Faults(logging.Handler):
    """Keeps what is logged as an error, unless it was meant to go wrong, and counts the warnings."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        self.count = 0
        self.first: list[str] = []
        self.intended = 0
        self.warnings = Counter[str]()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record."""
        if record.levelno < logging.ERROR:
            self.warnings[str(record.msg)] += 1
            return
        if record.exc_info is not None and isinstance(record.exc_info[1], Intended):
            self.intended += 1
            return
        self.count += 1
        if len(self.first) < _TOLD:
            self.first.append(self.format(record))
            sys.stderr.write(self.first[-1] + "\n")

    def as_json(self) -> dict[str, Any]:
        """Return it for the other process."""
        return {"count": self.count, "first": self.first, "intended": self.intended, "warnings": self.warnings}
