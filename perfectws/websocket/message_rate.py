"""How fast a peer may send: an allowance of messages, and a reader that gives no more of them than that.

The allowance is a bucket of tokens: each data frame takes one, time puts them back, and there are never more than
``burst``. A fragment counts as a message does: a message in a thousand pieces costs as much as a thousand.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from types import NoneType
from typing import Any, NamedTuple

from ..checks.quantities import Kind
from .deflate import Deflate
from .frame_reader import FrameReader
from .frames import Frame
from .opcodes import OpcodeType

#: While messages wait for the allowance, so many seconds' worth of it are gathered at once, at least one message.
GATHERED_SECONDS = 0.05
#: What sums of seconds may lack because of rounding, in messages.
_ROUNDING = 1e-6

#: What may be given for ``message_rate``.
MessageRate = float | tuple[float, float]


class Rate(NamedTuple):
    """How fast a peer may send.

    Attributes:
        per_second: Messages, in the long run.
        burst: Messages at once.
    """

    per_second: float
    burst: float


def rate_of(given: MessageRate) -> Rate:
    """Return what ``message_rate`` says: without a burst, a second's messages may come at once."""
    return Rate(*given) if isinstance(given, tuple) else Rate(given, max(1.0, given))


def _is_number(value: object, least: float) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and isfinite(value) and value >= least  # type: ignore[arg-type, operator]


def _is_rate(value: Any) -> bool:
    if value is None:
        return True
    per_second, burst = (value[0], value[1]) if isinstance(value, tuple) and len(value) == 2 else (value, 1)
    return _is_number(per_second, 1e-6) and _is_number(burst, 1)


RATE_OR_NONE = Kind(
    "a number of messages per second above 0, or (number, burst), the burst at least 1, or None",
    (int, float, tuple, NoneType),
    _is_rate,
)


class Allowance:
    """The messages that a peer may send now.

    Args:
        rate: How fast it may send.
        time: Returns the time, in seconds.

    Attributes:
        is_exceeded: Whether it has sent more than it may, and has not kept quiet since for long enough to have a whole
            burst again.
    """

    __slots__ = ("_rate", "_then", "_time", "_tokens", "is_exceeded")

    def __init__(self, rate: Rate, time: Callable[[], float]) -> None:
        self._rate = rate
        self._time = time
        self._tokens = float(rate.burst)
        self._then = time()
        self.is_exceeded = False

    def count(self) -> int:
        """Return how many messages may come at once."""
        now, rate = self._time(), self._rate
        self._tokens += (now - self._then) * rate.per_second
        self._then = now
        if self._tokens >= rate.burst:
            self._tokens = float(rate.burst)
            self.is_exceeded = False
        return int(self._tokens + _ROUNDING)

    def take(self, messages: int) -> None:
        """Let messages pass that may."""
        self._tokens -= messages

    def seconds_to_wait(self) -> float:
        """Return when it is worth while to read on, in seconds from now."""
        per_second, burst = self._rate
        wanted = min(burst, max(1.0, per_second * GATHERED_SECONDS))
        return max(0.0, (wanted - self._tokens) / per_second)


class RatedFrameReader(FrameReader):
    """A `FrameReader` that withholds data frames for which there is no allowance. Control frames ahead of them pass.

    Args:
        allowance: What may come.
        is_client, max_frame_size, max_message_size, max_fragments, deflate: As of `FrameReader`.

    Attributes:
        is_withholding: Whether the last frame that was asked for was withheld.
    """

    #: Each frame counts.
    _may_join = False

    __slots__ = ("_allowance", "is_withholding")

    def __init__(
        self,
        allowance: Allowance,
        is_client: bool,
        max_frame_size: int,
        max_message_size: int,
        max_fragments: int,
        deflate: Deflate | None = None,
    ) -> None:
        super().__init__(is_client, max_frame_size, max_message_size, max_fragments, deflate)
        self._allowance = allowance
        self.is_withholding = False

    def lone_frame(self, data: bytes) -> Frame | None:
        """Return the message that ``data`` is, as `FrameReader.lone_frame` does, if it may come."""
        frame = super().lone_frame(data) if self._allowance.count() else None
        if frame is not None:
            self._allowance.take(1)
        return frame

    def next_frames(self, most: int, most_bytes: int) -> list[Frame]:
        """Return the next frames, as `FrameReader.next_frames` does, as many as may come."""
        allowed = self._allowance.count()
        if not allowed or self._skips:
            return []
        self.is_withholding = False
        frames = super().next_frames(min(most, allowed), most_bytes)
        self._allowance.take(len(frames))
        return frames

    def next_frame(self) -> Frame | None:
        """Return the next complete frame that may come, or ``None``. Raises `FrameError`."""
        self.is_withholding = not (self._skips or self._allowance.count()) and self._is_data_next()
        if self.is_withholding:
            return None
        frame = super().next_frame()
        if frame is not None and frame[0] < OpcodeType.CLOSE:
            self._allowance.take(1)
        return frame

    def _is_data_next(self) -> bool:
        if self._payload is not None:
            return self._payload.opcode < OpcodeType.CLOSE
        return self._position < len(self._buffer) and self._buffer[self._position] & 0x0F < OpcodeType.CLOSE
