"""What `WebSocket.connect` takes besides the limits and choices of the WebSocket."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ..callbacks import CallbackLoop
from ..checks.quantities import COUNT_OR_NONE, FACTOR, SECONDS_ABOVE_0, SHARE, Kind

#: Seconds from `WebSocket.connect` to the server's 101.
OPEN_TIMEOUT = 10.0
#: How many bytes of messages wait for the next connection of a client that reconnects.
QUEUE = 1024 * 1024

HeaderFields = Mapping[str, str] | Iterable[tuple[str, str]]
#: A URL, or what says it before each attempt.
Target = str | Callable[[], str | Awaitable[str]]
#: Told of each wait: the attempt that will follow, how long it is, in seconds, and why.
OnRetry = Callable[[int, float, Exception], object]


class ConnectedSocket(Protocol):
    """A `socket.socket` that is connected. This room knows no sockets."""

    def fileno(self) -> int:
        """Return its descriptor."""

    def getpeername(self) -> Any:
        """Return the peer's address."""


class EventLoopHandle(Protocol):
    """What ``on=`` may be besides a nursery: an `EventLoop`."""

    @property
    def loop(self) -> CallbackLoop:
        """The loop behind it. Raises `LocalProtocolError` unless it runs."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long a client that reconnects waits before each attempt.

    The waits grow by ``factor`` up to ``longest``; each is shortened by a random part, so that a thousand clients of a
    server that was restarted do not all come back at once. A connection that lasted for ``longest`` begins the row
    anew. Where the server says ``Retry-After``, the wait is at least that long.

    Attributes:
        first: The first wait, in seconds.
        factor: What each wait is multiplied by for the next.
        longest: The longest wait, in seconds.
        jitter: The largest part by which a wait is shortened: 0 by nothing, 1 perhaps by all of it.
        attempts: How many attempts in a row may fail, the first included; ``None`` never gives up.
    """

    first: float = 0.5
    factor: float = 2.0
    longest: float = 30.0
    jitter: float = 0.5
    attempts: int | None = None

    def __post_init__(self) -> None:
        for name, kind in _KINDS.items():
            kind.check(f"reconnect: {name}", getattr(self, name))
        if self.first > self.longest:
            raise ValueError(f"reconnect: first is at most longest, not {self}")

    def delays(self) -> Iterator[float]:
        """Yield the waits, in seconds, without an end."""
        delay = self.first
        while True:
            yield delay * random.uniform(1 - self.jitter, 1)
            delay = min(delay * self.factor, self.longest)


#: What each of a `Backoff` may be.
_KINDS: Mapping[str, Kind] = {
    "first": SECONDS_ABOVE_0,
    "factor": FACTOR,
    "longest": SECONDS_ABOVE_0,
    "jitter": SHARE,
    "attempts": COUNT_OR_NONE,
}
