"""Whether a server should be sent clients, and if not, why."""

from __future__ import annotations

from typing import Protocol, cast

from .figures import ServerFigures
from .stopping import StopRequest


class Asked(Protocol):
    """A server that is asked whether it is ready: `HTTPServer`."""

    @property
    def stop_request(self) -> StopRequest | None:
        """What tells it to stop, while it runs."""

    @property
    def has_room(self) -> bool:
        """Whether one more connection would be served."""

    @property
    def own_figures(self) -> ServerFigures:
        """What this process does."""


def why_not_ready(server: object, with_brokers: bool) -> list[str]:
    """Return the reasons why a server is not ready, in a word each.

    Args:
        server: The server that a response belongs to; ``None`` in a test, where none is.
        with_brokers: Whether brokers are to be connected, too.
    """
    if server is None:
        return []
    asked = cast(Asked, server)
    stop, broker = asked.stop_request, asked.own_figures.broker
    reasons = {
        "stopping": stop is None or stop.is_made,
        "full": not asked.has_room,
        "broker": with_brokers and broker is not None and not broker.is_connected,
    }
    return [reason for reason, holds in reasons.items() if holds]
