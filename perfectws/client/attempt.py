"""One attempt to open a WebSocket: ask the application, dial, through a proxy perhaps, shake hands, follow redirects.

All of it within ``open_timeout``. What waits in trio has a cancel scope; the handshake, for which nearly every attempt
waits alone, needs none.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, cast

import trio

from ..callbacks import CallbackOwner, context_in
from ..errors import ConnectionRejected, ConnectionTimeout, HandshakeError
from ..net.dialing import dial_unix
from ..net.loop import Loop
from ..transport import DialedTransport, Transport
from ..websocket.connection import WebSocketConnection
from .asking import ask
from .counted_transport import CountedTransport
from .handshake import ClientOffer
from .opening import BrokenOff, OpeningConnection
from .order import Order
from .redirects import MAX_REDIRECTS, is_same_origin, not_followed, offer_to, redirected
from .url import WebSocketURL

T = TypeVar("T")


class Attempt:
    """One attempt.

    Args:
        loop: The loop that is to drive the connection.
        owner: Whose callbacks those are that are asked what is asked for.
        order: What was asked for.
        begin: ``begin(connection)`` begins the session, before the first frame is taken.

    Attributes:
        name: What errors and the log call it: the URL, with those of redirects.
        transport: What counts the output, of a client that connects again; once it is connected.
    """

    def __init__(
        self, loop: Loop, owner: CallbackOwner, order: Order, begin: Callable[[WebSocketConnection], object]
    ) -> None:
        self.name = "the WebSocket"
        self.transport: CountedTransport | None = None
        self._loop = loop
        self._owner = owner
        self._order = order
        self._begin = begin
        #: What it is about, for the message of a timeout.
        self._stage = ""
        self._place = order.place
        self._url: WebSocketURL
        self._offer: ClientOffer
        self._opening: OpeningConnection | None = None
        #: Of the wait under way, if that is one of trio's.
        self._scope: trio.CancelScope | None = None
        self._is_broken_off = self._is_given_up = False

    def give_up(self) -> None:
        """Let `open` return ``None``, soon."""
        self._is_given_up = True
        self._break_off()

    def _break_off(self) -> None:
        self._is_broken_off = True
        if self._scope is not None:
            self._scope.cancel()
        elif self._opening is not None:
            self._opening.break_off()

    async def open(self) -> WebSocketConnection | None:
        """Return the connection once it is open, ``None`` if it was given up before. Raises `HandshakeError`."""
        timer = self._loop.call_later(self._owner, self._order.open_timeout, self._break_off)
        try:
            await self._ask_for_all()
            return await self._open()
        except BrokenOff:
            pass
        finally:
            timer.cancel()
        if self._is_given_up:
            return None
        if self._opening is not None and self._opening.rejection is not None:
            raise self._opening.rejection
        raise ConnectionTimeout(f"{self.name}: not open after {self._order.open_timeout} seconds: {self._stage}")

    async def _ask_for_all(self) -> None:
        order = self._order
        self._set_url(order.parse_url(await self._ask_for("to", order.to)))
        if order.offer is not None:
            self._offer = order.offer
            return
        headers = await self._ask_for("headers", order.headers)
        self._offer = order.offer_of(headers, await self._ask_for("subprotocols", order.subprotocols))

    async def _ask_for(self, name: str, asked_for: object) -> Any:
        """Return what is asked for, or what the application's function says that it is, this time."""
        if not callable(asked_for):
            return asked_for
        self._stage = f"{name}() did not return"
        try:
            return await self._waiting(ask(self._loop, self._owner, asked_for))
        except BrokenOff:
            raise
        except Exception as error:
            raise HandshakeError(f"{self.name}: {name}() raised {type(error).__name__}: {error}") from error

    async def _waiting(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Return what ``coroutine``, which waits in trio, returns. Raises `BrokenOff`."""
        with trio.CancelScope() as self._scope:
            try:
                return await coroutine
            finally:
                self._scope = None
        raise BrokenOff

    def _set_url(self, url: WebSocketURL) -> None:
        self._url, self.name = url, url.text

    async def _open(self) -> WebSocketConnection:
        hops = 0
        while True:
            self._opening = None
            if self._is_broken_off:
                raise BrokenOff
            self._opening = await self._dial()
            self._stage = "the server took the connection, but did not answer the opening handshake"
            try:
                return await self._opening.opened()
            except ConnectionRejected as refusal:
                target = redirected(self._url, refusal, self._offer) if self._order.follow_redirects else None
                if target is None:
                    raise
                if hops == MAX_REDIRECTS:
                    raise not_followed(refusal, f"{MAX_REDIRECTS} redirects are enough") from None
                if self._place.sock is not None:
                    raise not_followed(refusal, "sock= is one connection") from None
            hops += 1
            if not is_same_origin(target, self._url):
                self._place = self._place.elsewhere()
            self._offer = offer_to(target, self._url, self._offer)
            self._set_url(target)

    async def _dial(self) -> OpeningConnection:
        url = self._url
        try:
            if url.is_unix and self._place.sock is None:
                self._stage = f"{url.host} did not take the connection"
                return await self._waiting(dial_unix(self._loop, url.host, self._make_protocol))
            route = self._place.route_to(url)
            way = "" if route.proxy is None else f", through the proxy {route.proxy.text}"
            self._stage = f"{route.host} did not take the connection{way}"
            dialed = self._order.dial(self._loop, route, self._make_protocol)
            return await self._waiting(dialed) if isinstance(dialed, Coroutine) else dialed
        except ConnectionRejected as refusal:  # a proxy's
            raise ConnectionRejected(f"{url.text}: {refusal}", refusal.status, refusal.headers, refusal.body) from None
        except HandshakeError as error:
            raise HandshakeError(f"{url.text}: {error}") from error.__cause__

    def _make_protocol(self, dialed: DialedTransport) -> OpeningConnection:
        transport: Transport = dialed
        if self._order.retrying is not None:
            self.transport = CountedTransport(dialed)
            transport = cast(Transport, self.transport)
        context, options = context_in(self._loop), self._order.options
        return OpeningConnection(transport, self._loop, self._url, self._offer, options, context, self._begin)
