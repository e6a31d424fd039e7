"""Whether a client connects again after a failure, and when."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import NamedTuple, TypeVar

from ..checks.quantities import SIZE
from ..checks.signatures import check_callable
from ..errors import ConnectionRejected, InvalidURL, LocalProtocolError
from ..http.dates import parse_http_date
from ..http.headers import Headers
from ..websocket.connecting import QUEUE, Backoff
from ..websocket.socket import ConnectKeywords

CallbackT = TypeVar("CallbackT", bound=Callable[..., object])

#: The rejections of which another attempt may make an acceptance, besides those of the server's own (5xx).
_PASSING = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})


def may_pass(error: Exception) -> bool:
    """Tell whether another attempt may end otherwise than with ``error``: what is asked where no predicate is given."""
    if isinstance(error, ConnectionRejected):
        return error.status >= 500 or error.status in _PASSING or retry_after(error) is not None
    return not isinstance(error, InvalidURL)


def retry_after(error: Exception) -> float | None:
    """Return how long the server asks us to wait, in seconds; ``None`` if it says nothing. Source: RFC 9110 §10.2.3."""
    text = Headers(error.headers).get("Retry-After") if isinstance(error, ConnectionRejected) else None
    if text is None:
        return None
    if text.isascii() and text.isdigit():
        return float(text)
    date = parse_http_date(text)
    return None if date is None else max(0.0, date - time.time())


#: What is about connecting again among the arguments of `connect`.
_KEYWORDS = frozenset({"reconnect", "should_retry", "on_drop", "on_retry", "on_give_up", "queue"})


class Retrying(NamedTuple):
    """How a client connects again, as it was asked for.

    Attributes:
        backoff: How long it waits.
        should_retry: Whether it does after a failure; may be ``async def``.
        on_drop, on_retry, on_give_up: What the application is told.
        queue: How many bytes of messages wait for the next connection.
    """

    backoff: Backoff
    should_retry: Callable[[Exception], object]
    on_drop: Callable[[int, str], object] | None
    on_retry: Callable[[int, float, Exception], object] | None
    on_give_up: Callable[[Exception], object] | None
    queue: int

    @classmethod
    def of(cls, keywords: ConnectKeywords, has_on_upgrade: bool) -> Retrying | None:
        """Take what is about it out of the arguments of `connect`; ``None`` if it is not asked for."""
        if _KEYWORDS.isdisjoint(keywords):
            return None
        reconnect = keywords.pop("reconnect", False)
        if not isinstance(reconnect, bool | Backoff):
            raise TypeError(f"reconnect is True, False or a Backoff, not {reconnect!r}")
        needless = keywords.keys() & (_KEYWORDS - {"reconnect"})
        if needless and not reconnect:
            raise LocalProtocolError(f"{min(needless)}= is for reconnect=, which is not asked for")
        if not reconnect:
            return None
        if not has_on_upgrade:
            raise LocalProtocolError("reconnect= needs on_upgrade, which is given each new WebSocket")
        queue = keywords.pop("queue", QUEUE)
        SIZE.check("queue", queue)
        return cls(
            Backoff() if reconnect is True else reconnect,
            _checked(keywords.pop("should_retry", None), "should_retry", "error") or may_pass,
            _checked(keywords.pop("on_drop", None), "on_drop", "code", "reason"),
            _checked(keywords.pop("on_retry", None), "on_retry", "attempt", "seconds", "error"),
            _checked(keywords.pop("on_give_up", None), "on_give_up", "error"),
            queue,
        )


def _checked(callback: CallbackT | None, name: str, *parameters: str) -> CallbackT | None:
    if callback is not None:
        check_callable(callback, name, *parameters)
    return callback


class Waits:
    """The waits of one client, and how often it has tried in vain.

    Attributes:
        failures: How many attempts in a row have failed.
        retries: How many attempts were made, or are to be made, since a connection was open.
    """

    def __init__(self, backoff: Backoff) -> None:
        self._backoff = backoff
        self._delays: Iterator[float] = backoff.delays()
        self.failures = 0
        self.retries = 0

    @property
    def are_over(self) -> bool:
        """Whether it has tried often enough."""
        return self._backoff.attempts is not None and self.failures >= self._backoff.attempts

    def opened(self) -> None:
        """Begin to count anew: a connection is open."""
        self.failures = self.retries = 0

    def lasted(self, seconds: float) -> None:
        """Begin the row of waits anew, if a connection has lasted for long enough."""
        if seconds >= self._backoff.longest:
            self.begin_anew()

    def begin_anew(self) -> None:
        """Begin the row of waits anew."""
        self._delays = self._backoff.delays()

    def next_wait(self, error: Exception) -> float:
        """Return how long to wait before the next attempt, in seconds."""
        self.retries += 1
        return max(next(self._delays), retry_after(error) or 0)
