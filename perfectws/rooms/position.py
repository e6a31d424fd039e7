"""How far a log has got, as it is written in URLs and in messages."""

from __future__ import annotations

import re
from typing import NamedTuple

#: No number is longer: that of a Redis stream has 64 bits.
_WRITTEN = re.compile(r"(\d{1,20})-(\d{1,20})", re.ASCII)


class Position(NamedTuple):
    """A place in the log of a room: behind all entries up to this one.

    Attributes:
        epoch: Which log it is: one that was lost and begun anew has a later epoch. 0 is that of no log.
        number: How many entries the log had by then, those that were trimmed included.
    """

    epoch: int
    number: int

    def __str__(self) -> str:
        return f"{self.epoch}-{self.number}"

    @property
    def next(self) -> Position:
        """The position behind the entry that follows."""
        return Position(self.epoch, self.number + 1)

    @classmethod
    def parse(cls, text: str) -> Position | None:
        """Return the position that a client says it has; ``None`` for what is none: it may say anything."""
        match = _WRITTEN.fullmatch(text)
        return None if match is None else cls(int(match[1]), int(match[2]))


#: Where nothing is known of the log. Nothing can be recovered from there.
NOWHERE = Position(0, 0)
