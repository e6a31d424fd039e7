"""How fast one socket may talk: in messages, and in the time that the server spends on them."""

from __future__ import annotations

from math import ceil
from time import monotonic

from .rules import Refused

BURST = 20.0  # messages at once
PER_SECOND = 4.0  # messages, in the long run
COST_PER_CHARACTER = 1 / 16_384  # messages: long ones count for more
COST_PER_SECOND_OF_WORK = 200  # messages: what costs the server 5 ms counts as one more
#: What costs not just a message: signs of life, rooms, of which one enters many at once, and trying out tokens.
COSTS = {"typing": 0.25, "beat": 0.25, "enter": 0.5, "leave": 0.25, "admin": 5.0}  # messages
#: How fast a socket is read, in frames: a message may come in pieces, but not in a thousand. Who keeps to what is above
#: does not notice.
FRAMES = (PER_SECOND * 20, BURST * 20)
PATIENCE = 100  # refusals more than messages that passed, then it is no person who talks


class TooFast(Refused):
    """A message that came too early.

    Attributes:
        retry_after: How long to wait before it is sent again, in seconds.
    """

    def __init__(self, retry_after: float) -> None:
        super().__init__("too-fast", "You are faster than the others can read. This message waits for a moment.")
        self.retry_after = retry_after


class Rate:
    """A bucket of tokens: each message takes some, time puts them back."""

    __slots__ = ("_refusals", "_time", "_tokens")

    def __init__(self) -> None:
        self._tokens = BURST
        self._time = monotonic()
        self._refusals = 0

    def take(self, length: int, kind: object = None) -> None:
        """Let a message of ``length`` characters pass, of a kind that may cost less. Raises `TooFast`."""
        self._fill()
        if self._tokens < 1:
            self._refusals += 1
            raise TooFast(ceil(100 * (1 - self._tokens) / PER_SECOND) / 100)
        cost = COSTS.get(kind, 1) if isinstance(kind, str) else 1
        self._tokens -= cost + length * COST_PER_CHARACTER
        # A page waits as long as it is asked to: then there is a message that passes for each that was refused.
        self._refusals = max(0, self._refusals - 1)

    def take_time(self, seconds: float) -> None:
        """Count the time that the server spent on a message, on one that was refused too."""
        self._tokens -= seconds * COST_PER_SECOND_OF_WORK

    def _fill(self) -> None:
        now = monotonic()
        self._tokens = min(BURST, self._tokens + (now - self._time) * PER_SECOND)
        self._time = now

    @property
    def is_hopeless(self) -> bool:
        """Whether it goes on talking, however often it is asked to wait."""
        return self._refusals >= PATIENCE
