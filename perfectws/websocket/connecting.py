"""What `WebSocket.connect` takes besides the limits and choices of the WebSocket."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from ..callbacks import CallbackLoop
from ..checks.quantities import FACTOR, SECONDS_ABOVE_0, Kind

#: Seconds from `WebSocket.connect` to the server's 101.
OPEN_TIMEOUT = 10.0

HeaderFields = Mapping[str, str] | Iterable[tuple[str, str]]


class EventLoopHandle(Protocol):
    """What ``on=`` may be besides a nursery: an `EventLoop`."""

    @property
    def loop(self) -> CallbackLoop:
        """The loop behind it. Raises `LocalProtocolError` unless it runs."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long a client that reconnects waits before each attempt.

    The waits grow by ``factor`` up to ``longest``; each is shortened by a random part of up to a half, so that a
    thousand clients of a server that was restarted do not all come back at once. A connection that lasted for
    ``longest`` begins the row anew.

    Attributes:
        first: The first wait, in seconds.
        factor: What each wait is multiplied by for the next.
        longest: The longest wait, in seconds.
    """

    first: float = 0.5
    factor: float = 2.0
    longest: float = 30.0

    def __post_init__(self) -> None:
        for name, kind in _KINDS.items():
            kind.check(f"reconnect: {name}", getattr(self, name))
        if self.first > self.longest:
            raise ValueError(f"reconnect: first is at most longest, not {self}")

    def delays(self) -> Iterator[float]:
        """Yield the waits, in seconds, without an end."""
        delay = self.first
        while True:
            yield delay * random.uniform(0.5, 1.0)
            delay = min(delay * self.factor, self.longest)


#: What each of a `Backoff` may be.
_KINDS: Mapping[str, Kind] = {"first": SECONDS_ABOVE_0, "factor": FACTOR, "longest": SECONDS_ABOVE_0}
