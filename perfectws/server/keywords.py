"""What describes a server: the keyword arguments of `HTTPServer.launch` and its like.

The limits are among them, by the names of `perfectws.http.limits`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from ..checks.quantities import FILE_MODE_OR_NONE, PORT
from ..checks.spelling import check_names
from ..http.filters import RequestFilters, ResponseFilters
from ..http.limits import LimitKeywords
from ..http.routing import Route, Routes
from ..http.several import Several
from ..net.activation import DESCRIPTOR, descriptor_of, is_passed
from ..net.unix_sockets import unix_path
from ..websocket.upgrade_handler import WebSocketUpgrader

if TYPE_CHECKING:
    from .tls_configuration import TLSConfiguration


class PlainServerKeywords(LimitKeywords, total=False):
    """The keyword arguments that describe one server, but for TLS."""

    name: str
    address: str
    port: int
    unix_mode: int | None
    routes: Routes | Iterable[Route | Routes]
    document_root: str | os.PathLike[str]
    request_filters: RequestFilters
    response_filters: ResponseFilters
    upgraders: Iterable[WebSocketUpgrader]
    trusted_proxies: Several[str]


class ServerKeywords(PlainServerKeywords, total=False):
    """The keyword arguments that describe one server."""

    tls_config: TLSConfiguration


ServerT = TypeVar("ServerT")

KEYWORDS = frozenset(ServerKeywords.__annotations__)


def check_keywords(keywords: Mapping[str, Any]) -> None:
    """Raise `TypeError` if they describe no server; the message says what is wrong with them."""
    check_names(keywords, KEYWORDS, "a server")
    if "port" not in keywords and needs_port(keywords.get("address")):
        raise TypeError("a server needs port=: 8181, say, or 0 for any that is free; or address='unix:/run/chat.sock'")
    if not {"routes", "document_root", "upgraders"} & keywords.keys():
        raise TypeError("a server needs something to serve: routes=, document_root= or upgraders=")


def needs_port(address: object) -> bool:
    """Tell whether an address is one of a host, which has ports."""
    return unix_path(address) is None and not is_passed(address)


def check_one_form(servers: object, data: object, path: object, keywords: object) -> None:
    """Raise `TypeError` unless `HTTPServer.launch` is given servers in one form."""
    if [bool(servers), data is not None, path is not None, bool(keywords)].count(True) != 1:
        raise TypeError(
            "launch() takes either servers, or configuration_data=, or configuration_path=, or keywords such as name=, "
            "port= and routes="
        )


def check_place(address: object, port: object, unix_mode: int | None) -> None:
    """Raise `TypeError` or `ValueError` unless a server could listen there."""
    if not isinstance(address, str):
        raise TypeError(f"address is a str, not {address!r}")
    if address.startswith(DESCRIPTOR):
        descriptor_of(address)
    PORT.check("port", port)
    FILE_MODE_OR_NONE.check("unix_mode", unix_mode)
    if unix_mode is not None and unix_path(address) is None:
        raise ValueError(f"unix_mode is for an address='unix:/run/chat.sock', not for {address!r}")


def check_root(document_root: str | None) -> None:
    """Raise `ValueError` unless files could be served from there; ``None`` is no place."""
    if document_root is not None and not os.path.isdir(document_root):
        raise ValueError(f"document_root {document_root!r} is no directory")


def checked_upgraders(upgraders: Iterable[WebSocketUpgrader]) -> list[WebSocketUpgrader]:
    """Return upgraders as a list. Raises `TypeError` if they are none."""
    found = list(upgraders) if isinstance(upgraders, Iterable) else None
    if found is None or not all(isinstance(each, WebSocketUpgrader) for each in found):
        raise TypeError(f"upgraders is a list of what HTTPServer.web_socket_upgrader(…) returns, not {upgraders!r}")
    return found


def flat(servers: Iterable[ServerT | Iterable[ServerT]], kind: type[ServerT]) -> list[ServerT]:
    """Return servers that were given one by one or in lists. Raises `TypeError` if one is none."""
    found: list[Any] = []
    for each in servers:
        found += [each] if isinstance(each, kind) or not isinstance(each, Iterable) else each
    for server in found:
        if not isinstance(server, kind):
            raise TypeError(f"launch() takes servers, each made by HTTPServer.server(…), not {server!r}")
    return found
