"""What `WebSocket.connect` returns and takes, and the seam to what does the dialing, which is not this package's."""

from __future__ import annotations

import random
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Unpack

import outcome

from ..callbacks import CallbackLoop
from ..errors import LocalProtocolError
from ..futures import Future
from .options import WebSocketKeywords

if TYPE_CHECKING:
    import trio

    from .socket import WebSocket

#: Seconds from `WebSocket.connect` to the server's 101.
OPEN_TIMEOUT = 10.0

HeaderFields = Mapping[str, str] | Iterable[tuple[str, str]]


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
        if not 0 < self.first <= self.longest or not self.factor >= 1:
            raise ValueError(f"reconnect: a Backoff has 0 < first <= longest and factor >= 1, not {self}")

    def delays(self) -> Iterator[float]:
        """Yield the waits, in seconds, without an end."""
        delay = self.first
        while True:
            yield delay * random.uniform(0.5, 1.0)
            delay = min(delay * self.factor, self.longest)


class Connecting(Future["WebSocket"]):
    """The future of a WebSocket that is being opened.

    Source: what websocket-kit's ``connect`` returns, which has no `cancel`.
    """

    __slots__ = ("_cancel",)

    def __init__(self, loop: CallbackLoop, cancel: Callable[[], object]) -> None:
        super().__init__(loop)
        self._cancel = cancel

    @classmethod
    def failed(cls, loop: CallbackLoop, error: Exception) -> Connecting:
        """Return one that has failed."""
        future = cls(loop, _nothing)
        future._resolve(outcome.Error(error))
        return future

    def cancel(self) -> None:
        """Give up: an attempt under way fails, and none is made again. From any thread.

        A WebSocket that is open stays so.
        """
        self._cancel()


class EventLoopHandle(Protocol):
    """What ``on=`` may be besides a nursery: an `EventLoop`."""

    @property
    def loop(self) -> CallbackLoop:
        """The loop behind it. Raises `LocalProtocolError` unless it runs."""


class Connect(Protocol):
    """What `WebSocket.connect` calls, with its own arguments."""

    def __call__(
        self,
        to: str,
        *,
        on: trio.Nursery | EventLoopHandle | None,
        headers: HeaderFields,
        subprotocols: Sequence[str],
        ssl_context: ssl.SSLContext | None,
        open_timeout: float,
        reconnect: bool | Backoff,
        proxy: str | None,
        on_upgrade: Callable[[WebSocket], object] | None,
        **options: Unpack[WebSocketKeywords],
    ) -> Connecting: ...


def _nothing() -> None:
    """Cancel what was never begun."""


_connect: Connect | None = None


def set_connect(connect: Connect) -> None:
    """Let `WebSocket.connect` dial with ``connect``."""
    global _connect
    _connect = connect


def get_connect() -> Connect:
    """Return what dials."""
    if _connect is None:
        raise LocalProtocolError("nothing here can dial: import perfectws, not its parts")
    return _connect
