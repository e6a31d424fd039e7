"""Whether the pump looks out for more before it goes back to trio: as long as that pays.

To come back from trio takes as long as a look-out. What is seen by looking out saves most of that way; what is not has
cost as much again, and delayed trio's other tasks. With one message in flight nearly all is seen, at a tenth of the
load nearly nothing. So an account is kept: what is seen is earned, what is not is paid. While it is empty the pump goes
to trio at once, and learns from how soon it is called back whether it would have seen anything.
"""

from __future__ import annotations

from typing import Protocol

#: How long one look-out takes at most, in seconds.
LOOK_OUT_SECONDS = 0.00003
#: What one in vain costs, in those that were not; the most that is kept; and what a new trial begins with.
VAIN, FULL, TRIAL = 2, 24, 6
#: What comes so soon after the last turn, in seconds, might have been seen.
SOON_SECONDS = 0.00004
#: How often in a row it has to come so soon before a new trial.
OFTEN = 8


class Sight(Protocol):
    """What is looked at: the reactor."""

    def becomes_ready_within(self, seconds: float) -> bool:
        """Look again and again, for at most ``seconds``, whether a pass would find something."""


class LookOut:
    """The account of one pump."""

    __slots__ = ("_balance", "_came_soon", "_rests_since")

    def __init__(self) -> None:
        self._balance = FULL
        #: How often in a row something came soon while the balance was 0.
        self._came_soon = 0
        #: When the pump had nothing to do any more, and did not look out.
        self._rests_since = 0.0

    def sees(self, reactor: Sight, now: float) -> bool:
        """Look out, if that pays, and tell whether a pass would find something.

        Args:
            reactor: Where.
            now: When the last turn was over, on the clock of `called_back`.
        """
        if not self._balance:
            self._rests_since = now
            return False
        if reactor.becomes_ready_within(LOOK_OUT_SECONDS):
            if self._balance < FULL:
                self._balance += 1
            return True
        self._balance = max(self._balance - VAIN, 0)
        return False

    def called_back(self, now: float) -> None:
        """Take notice that there is something to do again."""
        if self._balance:
            return
        self._came_soon = self._came_soon + 1 if now - self._rests_since < SOON_SECONDS else 0
        if self._came_soon == OFTEN:
            self._came_soon = 0
            self._balance = TRIAL
