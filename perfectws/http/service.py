"""`HTTPService`: what all connections of one server have in common."""

from __future__ import annotations

from typing import Unpack

from ..log_limit import LogLimit
from ..per_address import PerAddress
from .filters import FilterGroups, HTTPRequestFilter, HTTPResponseFilter
from .forwarding import TrustedProxies
from .limits import HTTPLimits, LimitKeywords
from .response import RequestHandler, not_found
from .routing import RouteNavigator

#: Where static files come from unless something else is said. Source: Perfect's ``./webroot``.
DOCUMENT_ROOT = "./webroot"


class HTTPService(HTTPLimits):
    """What is served, and within which limits, which are fixed from now on.

    Args:
        navigator: Finds the handlers of a request.
        server_name: The canonical name of the server, for ``request.server_name``.
        document_root: The directory that static files come from, for ``request.document_root``.
        not_found: Handles a request that no route matches.
        request_filters: The filters that a request passes, in order.
        response_filters: The filters that a response passes, in order.
        proxies: The proxies that are believed about the client; ``None`` for none.
        server: What serves: handlers that tell of it know what it is.
        **limits: Those of `HTTPLimits`.

    Attributes:
        log_limit: Logs what peers do wrong.
        per_address: The connections of each client's address; ``None`` unless they are limited.

    Raises:
        ValueError: A limit cannot have this value; the message names it.
    """

    def __init__(
        self,
        navigator: RouteNavigator,
        server_name: str = "",
        document_root: str = DOCUMENT_ROOT,
        not_found: RequestHandler = not_found,
        request_filters: FilterGroups[HTTPRequestFilter] = (),
        response_filters: FilterGroups[HTTPResponseFilter] = (),
        proxies: TrustedProxies | None = None,
        server: object = None,
        **limits: Unpack[LimitKeywords],
    ) -> None:
        super().__init__(**limits)
        self.navigator = navigator
        self.server_name = server_name
        self.document_root = document_root
        self.not_found = not_found
        self.request_filters = request_filters
        self.response_filters = response_filters
        self.proxies = TrustedProxies(()) if proxies is None else proxies
        self.server = server
        self.log_limit = LogLimit()
        most = self.max_connections_per_address
        self.per_address = None if most is None else PerAddress(most, self.proxies.trusts)
