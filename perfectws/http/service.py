"""`HTTPService`: what all connections of one server have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..log_limit import Complaints
from .filters import FilterPriority, HTTPRequestFilter, HTTPResponseFilter
from .forwarding import TrustedProxies
from .response import RequestHandler, not_found
from .routing import RouteNavigator


@dataclass(slots=True)
class HTTPService:
    """What is served, and within which limits.

    Args:
        navigator: Finds the handlers of a request.
        server_name: The canonical name of the server, for ``request.server_name``.
        document_root: The directory that static files come from, for ``request.document_root``.
        not_found: Handles a request that no route matches.
        request_filters: The filters that a request passes, in order.
        response_filters: The filters that a response passes, in order.
        max_header_size: Of a request's line and headers together, in bytes; past it 431, or 414 if the line alone is
            longer.
        max_headers: How many headers a request may have; past it 431.
        max_body_size: Of a request's body, in bytes; past it 413.
        header_timeout: How long a request's head may take, in seconds; past it 408. ``None``: for ever.
        keep_alive_timeout: How long a connection may lie idle between two requests, in seconds; past it, it is closed.
            A body that pauses for so long gets 408. ``None``: for ever.
        close_timeout: How long the last bytes may take to reach a peer that is being left, in seconds.
        proxies: The proxies that are believed about the client's address.
        complaints: Logs what peers do wrong.

    Raises:
        ValueError: A limit is no such number; the message names it.
    """

    navigator: RouteNavigator
    server_name: str = ""
    document_root: str = "./webroot"
    not_found: RequestHandler = not_found
    request_filters: Sequence[tuple[HTTPRequestFilter, FilterPriority]] = ()
    response_filters: Sequence[tuple[HTTPResponseFilter, FilterPriority]] = ()
    max_header_size: int = 64 * 1024
    max_headers: int = 100
    max_body_size: int = 1024 * 1024
    header_timeout: float | None = 10.0
    keep_alive_timeout: float | None = 75.0
    close_timeout: float = 10.0
    proxies: TrustedProxies = field(default_factory=lambda: TrustedProxies(()))
    complaints: Complaints = field(default_factory=Complaints)

    def __post_init__(self) -> None:
        for name in ("max_header_size", "max_headers", "max_body_size"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise ValueError(f"{name} is a whole number, not {value!r}")
        for name in ("header_timeout", "keep_alive_timeout"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, int | float) and value > 0):
                raise ValueError(f"{name} is a number of seconds above 0, or None, not {value!r}")
        if not isinstance(self.close_timeout, int | float) or not self.close_timeout >= 0:
            raise ValueError(f"close_timeout is a number of seconds, not {self.close_timeout!r}")
