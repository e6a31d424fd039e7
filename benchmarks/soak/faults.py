"""What a process logs as an error: in a soak only what was meant to go wrong may."""

from __future__ import annotations

import logging
import sys
from typing import Any

#: So many of the records are told in words.
_TOLD = 5


class Intended(Exception):
    """What handlers raise that are there to raise."""


class Faults(logging.Handler):
    """Keeps what is logged as an error, unless it was meant to go wrong."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        self.count = 0
        self.first: list[str] = []
        self.intended = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record."""
        if record.exc_info is not None and isinstance(record.exc_info[1], Intended):
            self.intended += 1
            return
        self.count += 1
        if len(self.first) < _TOLD:
            self.first.append(self.format(record))
            sys.stderr.write(self.first[-1] + "\n")

    def as_json(self) -> dict[str, Any]:
        """Return it for the other process."""
        return {"count": self.count, "first": self.first, "intended": self.intended}
