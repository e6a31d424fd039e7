"""The line that shows how far a file has come."""

from __future__ import annotations

import sys
from time import monotonic


class Progress:
    """One line on the terminal, written again for each percent.

    Args:
        name: What is under way.
        size: How large it is, in bytes.
    """

    def __init__(self, name: str, size: int) -> None:
        self.name = name
        self.size = size
        self.began = monotonic()
        self.shown = -1

    def show(self, done: int) -> None:
        percent = 100 * done // self.size if self.size else 100
        if percent != self.shown:
            self.shown = percent
            speed = done / max(monotonic() - self.began, 0.001)
            line = (
                f"{self.name}  {percent:3} %  {megabytes(done)} of {megabytes(self.size)}, {megabytes(speed)} a second"
            )
            sys.stderr.write(f"\r{line}\x1b[K" if sys.stderr.isatty() else f"{line}\n")
            if percent == 100 and sys.stderr.isatty():
                sys.stderr.write("\n")
            sys.stderr.flush()


def megabytes(count: float) -> str:
    return f"{count / 1_000_000:.1f} MB"
