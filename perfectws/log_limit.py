"""`LogLimit`: what happens again and again is logged once, and then counted."""

from __future__ import annotations

import logging
from math import inf
from time import monotonic

logger = logging.getLogger("perfectws")

#: How long further warnings of one kind are only counted, in seconds, unless another time is asked for.
INTERVAL = 600.0


class LogLimit:
    """Lines about what peers do wrong, or what they use up: at most one of each kind per interval.

    A peer can do anything as often as it likes; the log must not grow with it.

    Args:
        level: That of the lines, one of `logging`'s.
        interval: How long further lines of one kind are only counted, in seconds.
    """

    __slots__ = ("_counts", "_interval", "_level", "_logged_at")

    def __init__(self, level: int = logging.WARNING, interval: float = INTERVAL) -> None:
        self._level = level
        self._interval = interval
        self._logged_at: dict[str, float] = {}
        self._counts: dict[str, int] = {}

    def log(self, kind: str, message: str, *args: object) -> None:
        """Log ``message % args``, unless one of its kind was logged just before.

        Args:
            kind: What is counted as the same. There are to be few of them.
            message: For `logging.Logger.log`.
            *args: As above.
        """
        now = monotonic()
        if now - self._logged_at.get(kind, -inf) < self._interval:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            return
        self._logged_at[kind] = now
        unlogged = self._counts.pop(kind, 0)
        if unlogged:
            message, args = f"{message} (and %d times more since this was last said)", (*args, unlogged)
        logger.log(self._level, message, *args)
