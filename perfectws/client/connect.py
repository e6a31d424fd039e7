"""Clients: `WebSocket.connect`, and Vapor 3's way to say it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, Unpack, overload

from ..checks.quantities import PORT_OR_NONE
from ..errors import InvalidURL
from ..net.dialing import Dial, dial
from ..websocket.socket import (
    AttemptKeywords,
    Connecting,
    ConnectKeywords,
    ConnectOptions,
    Reconnecting,
    dial_with,
)
from ..websocket.socket import WebSocket as WebSocket  # the public name: with it comes what connects
from .connector import Connector
from .event_loop import loop_for
from .order import Order

if TYPE_CHECKING:
    import trio

    from ..websocket.connecting import Backoff, EventLoopHandle, Target

#: What would be something else than a part of the host in a URL.
_NOT_IN_HOST = re.compile(r"[/?#@\[\]\\\s]")


class HTTPClient:
    """Vapor 3's way to open a WebSocket.

    Source: Vapor 3's ``HTTPClient``, of which there is only this.
    """

    @overload
    @staticmethod
    def web_socket(
        hostname: str,
        port: int | None = None,
        path: str = "/",
        on: trio.Nursery | EventLoopHandle | None = None,
        scheme: str = "ws",
        *,
        reconnect: Literal[True] | Backoff,
        **options: Unpack[AttemptKeywords],
    ) -> Reconnecting: ...
    @overload
    @staticmethod
    def web_socket(
        hostname: str,
        port: int | None = None,
        path: str = "/",
        on: trio.Nursery | EventLoopHandle | None = None,
        scheme: str = "ws",
        **options: Unpack[ConnectOptions],
    ) -> Connecting: ...
    @staticmethod
    def web_socket(
        hostname: str,
        port: int | None = None,
        path: str = "/",
        on: trio.Nursery | EventLoopHandle | None = None,
        scheme: str = "ws",
        **options: Unpack[ConnectOptions],
    ) -> Connecting:
        """Open a WebSocket.

        Args:
            hostname: A host name or an IP address.
            port: The port; ``None`` is 80, or 443 with ``wss``.
            path: The path, and perhaps a query.
            on: Where it runs, as for `WebSocket.connect`.
            scheme: ``ws``, or ``wss`` for TLS.
            **options: Any other argument of `WebSocket.connect`.

        Returns:
            The future of the WebSocket, whose frames wait for the first ``on_*`` or ``read_*``; with ``reconnect=``
            a `Reconnecting`, which sends too.

        Raises:
            InvalidURL: ``hostname`` holds more than a host. What else can be wrong is as for `WebSocket.connect`.

        Source: Vapor 3's ``HTTPClient.webSocket(scheme:hostname:port:path:on:)``.
        """
        PORT_OR_NONE.check("port", port)
        if not isinstance(hostname, str) or _NOT_IN_HOST.search(hostname):
            raise InvalidURL(f"hostname is a host name or an IP address alone, not {hostname!r}: see port= and path=")
        host = f"[{hostname.replace('%', '%25')}]" if ":" in hostname else hostname
        place = host if port is None else f"{host}:{port}"
        return connect(f"{scheme}://{place}/{path.removeprefix('/')}", on=on, **options)


def connect(to: Target, **keywords: Unpack[ConnectKeywords]) -> Connecting:
    """Open a WebSocket: see `WebSocket.connect`, which this is."""
    return connect_by(dial, to, keywords)


def connect_by(dial: Dial, to: Target, keywords: ConnectKeywords) -> Connecting:
    """Do the same over what ``dial`` opens; perfectws's own."""
    on = keywords.pop("on", None)
    order = Order.of(to, keywords, dial)
    loop = loop_for(on)
    name = "the WebSocket"
    if not callable(to):
        try:
            name = order.parse_url(to).text
        except InvalidURL as error:
            order.place.close_sock()
            return order.kind_of_future.failed(loop, error)
    return Connector(loop, name, order).begin()


dial_with(connect)
