"""What the load has sent, what was answered, and what it did to the server."""

from __future__ import annotations

from collections import Counter
from typing import Any

#: So many of the failures are told in words.
_TOLD = 20


class Tally:
    """The books of one load.

    Attributes:
        sent: Honest messages and requests, by the kind of session; in a room, times the members that are to get them.
        answered: Those that were answered with what they said, in order.
        failures: What an honest session has met that it should not have, and who was kept that should not have been.
        attacks: What hostile peers have done, and how often.
    """

    def __init__(self) -> None:
        self.sent = Counter[str]()
        self.answered = Counter[str]()
        self.attacks = Counter[str]()
        self.failures: list[str] = []
        self.failed = 0

    def fail(self, text: str) -> None:
        """Note what should not have been."""
        self.failed += 1
        if len(self.failures) < _TOLD:
            self.failures.append(text)

    def check(self, kind: str, found: object, expected: object) -> None:
        """Count an answer; a wrong one is as good as none."""
        if found == expected:
            self.answered[kind] += 1
        else:
            self.fail(f"{kind}: {_short(expected)} was answered by {_short(found)}")

    def as_json(self) -> dict[str, Any]:
        """Return it for the other process."""
        return {
            "sent": self.sent,
            "answered": self.answered,
            "attacks": self.attacks,
            "failures": self.failures,
            "failed": self.failed,
        }


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:60]}… ({len(text)} characters)"
