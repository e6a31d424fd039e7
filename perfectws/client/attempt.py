"""One attempt to open a WebSocket: dial, through a proxy perhaps, shake hands, and follow redirects.

All of it within ``open_timeout``.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from ..callbacks import context_in
from ..errors import ConnectionRejected, ConnectionTimeout, HandshakeError
from ..net.dialing import Route, dial, dial_unix
from ..net.loop import Loop
from ..transport import Transport
from ..websocket.connection import WebSocketConnection
from .opening import OpeningConnection
from .order import Order
from .proxies import proxy_for
from .redirects import MAX_REDIRECTS, offer_to, redirected, too_many
from .url import WebSocketURL


class Attempt:
    """One attempt.

    Args:
        loop: The loop that is to drive the connection.
        url: Where to.
        order: What was asked for.
        begin: ``begin(connection)`` begins the session, before the first frame is taken.
    """

    def __init__(
        self, loop: Loop, url: WebSocketURL, order: Order, begin: Callable[[WebSocketConnection], object]
    ) -> None:
        self._loop = loop
        self._url = url
        self._offer = order.offer
        self._order = order
        self._begin = begin
        #: What it is about, for the message of a timeout.
        self._stage = ""
        self._opening: OpeningConnection | None = None

    async def open(self) -> WebSocketConnection:
        """Return the connection once it is open. Raises `HandshakeError`."""
        with trio.move_on_after(self._order.open_timeout):
            return await self._open()
        if self._opening is not None and self._opening.rejection is not None:
            raise self._opening.rejection
        text, seconds = self._url.text, self._order.open_timeout
        raise ConnectionTimeout(f"{text}: not open after {seconds} seconds: {self._stage}")

    async def _open(self) -> WebSocketConnection:
        hops = 0
        while True:
            self._opening = None
            self._opening = await self._dial()
            self._stage = "the server took the connection, but did not answer the opening handshake"
            try:
                return await self._opening.opened()
            except ConnectionRejected as refusal:
                target = redirected(self._url, refusal) if self._order.follow_redirects else None
                if target is None:
                    raise
                if hops == MAX_REDIRECTS:
                    raise too_many(refusal) from None
            hops += 1
            self._offer = offer_to(target, self._url, self._offer)
            self._url = target

    async def _dial(self) -> OpeningConnection:
        url, order = self._url, self._order
        try:
            if url.is_unix:
                self._stage = f"{url.host} did not take the connection"
                return await dial_unix(self._loop, url.host, self._make_protocol)
            route = Route(url.host, url.port, order.ssl_context, url.is_secure, proxy_for(url, order.proxy))
            way = "" if route.proxy is None else f", through the proxy {route.proxy.text}"
            self._stage = f"{url.host} did not take the connection{way}"
            return await dial(self._loop, route, self._make_protocol)
        except ConnectionRejected as refusal:  # a proxy's
            raise ConnectionRejected(f"{url.text}: {refusal}", refusal.status, refusal.headers, refusal.body) from None
        except HandshakeError as error:
            raise HandshakeError(f"{url.text}: {error}") from error.__cause__

    def _make_protocol(self, transport: Transport) -> OpeningConnection:
        order, context = self._order, context_in(self._loop)
        return OpeningConnection(transport, self._loop, self._url, self._offer, order.options, context, self._begin)
