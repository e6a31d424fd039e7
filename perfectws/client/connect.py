"""Clients: how `WebSocket.connect` opens a WebSocket, and opens it again after each drop if it is told to.

One trio task of the loop does it: dial, shake hands, hand over to the `WebSocketConnection`. Without ``reconnect`` it
ends there; with it, it waits for the connection's end, then for a while, and begins anew::

    dial ──► handshake ──► the WebSocket is open ──the application closed it──► the end
      ▲          │                │
      └──wait────┴─failed─────────┘ it dropped
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import NamedTuple, TypeAlias, Unpack, cast
from weakref import ReferenceType, ref

import outcome
import trio

from ..callbacks import CallbackOwner, context_in, logger
from ..checks.quantities import PORT_OR_NONE, SECONDS_ABOVE_0
from ..checks.signatures import check_callable
from ..checks.spelling import check_names
from ..errors import ConnectionRejected, ConnectionTimeout, HandshakeError, InvalidURL, LocalProtocolError
from ..net.dialing import default_ssl_context, dial, dial_unix
from ..net.loop import Loop
from ..transport import Transport
from ..websocket.connecting import OPEN_TIMEOUT, Backoff, EventLoopHandle
from ..websocket.connection import WebSocketConnection
from ..websocket.options import WebSocketKeywords, WebSocketOptions
from ..websocket.socket import Connecting, ConnectKeywords, ConnectOptions, dial_with
from ..websocket.socket import WebSocket as WebSocket  # the public name: with it comes what connects
from .event_loop import loop_for
from .handshake import ClientOffer
from .opening import OpeningConnection
from .url import WebSocketURL

#: Called with the socket; may be ``async def``.
OnUpgrade: TypeAlias = Callable[[WebSocket], object]

#: What would be something else than a part of the host in a URL.
_NOT_IN_HOST = re.compile(r"[/?#@\[\]\\\s]")
_KEYWORDS = frozenset(ConnectKeywords.__annotations__)
#: The rejections of which another attempt may make an acceptance, besides those of the server's own (5xx).
_PASSING = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})


class HTTPClient:
    """Vapor 3's way to open a WebSocket.

    Source: Vapor 3's ``HTTPClient``, of which there is only this.
    """

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
            The future of the WebSocket, whose frames wait for the first ``on_*`` or ``read_*``.

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


def connect(to: str, **keywords: Unpack[ConnectKeywords]) -> Connecting:
    """Open a WebSocket: see `WebSocket.connect`, which this is."""
    on = keywords.pop("on", None)
    order = Order.of(to, keywords)
    loop = loop_for(on)
    try:
        url = _parse_url(to, order.ssl_context)
    except InvalidURL as error:
        return Connecting.failed(loop, error)
    return Connector(loop, url, order).begin()


class Order(NamedTuple):
    """What `connect` is asked for, checked.

    Attributes:
        offer: What the handshake asks for.
        options: The limits and choices of the WebSocket.
        ssl_context: How TLS is done; ``None`` as the system does it.
        open_timeout: How long one attempt may take, in seconds.
        backoff: How long to wait before the next; ``None`` makes only one.
        on_upgrade: What handles the WebSocket, if the application gave it.
    """

    offer: ClientOffer
    options: WebSocketOptions
    ssl_context: ssl.SSLContext | None
    open_timeout: float
    backoff: Backoff | None
    on_upgrade: OnUpgrade | None

    @classmethod
    def of(cls, to: object, keywords: ConnectKeywords) -> Order:
        """Check the arguments of `connect`. Raises `TypeError`, `ValueError` or `LocalProtocolError`."""
        if not isinstance(to, str):
            raise TypeError(f"to= is a URL, a str, not {to!r}")
        check_names(keywords, _KEYWORDS, "WebSocket.connect")
        on_upgrade = keywords.pop("on_upgrade", None)
        if on_upgrade is not None:
            check_callable(on_upgrade, "on_upgrade", "socket")
        open_timeout = keywords.pop("open_timeout", OPEN_TIMEOUT)
        SECONDS_ABOVE_0.check("open_timeout", open_timeout)
        reconnect = keywords.pop("reconnect", False)
        if not isinstance(reconnect, bool | Backoff):
            raise TypeError(f"reconnect is True, False or a Backoff, not {reconnect!r}")
        if reconnect and on_upgrade is None:
            raise LocalProtocolError("reconnect= needs on_upgrade, which is given each new WebSocket")
        if keywords.pop("proxy", None) is not None:
            raise LocalProtocolError("proxy= is not supported yet: connect directly, or through a tunnel")
        ssl_context = keywords.pop("ssl_context", None)
        _check_ssl_context(ssl_context)
        headers, subprotocols = keywords.pop("headers", ()), keywords.pop("subprotocols", ())
        options = WebSocketOptions.of(**cast(WebSocketKeywords, keywords))  # which is what is left of them
        fields = headers.items() if isinstance(headers, Mapping) else headers
        offer = ClientOffer.of(fields, subprotocols, options.compression)
        backoff = Backoff() if reconnect is True else reconnect or None
        return cls(offer, options, ssl_context, open_timeout, backoff, on_upgrade)


def _check_ssl_context(context: object) -> None:
    if context is None:
        return
    if not isinstance(context, ssl.SSLContext):
        raise TypeError(f"ssl_context is an ssl.SSLContext, as of ssl.create_default_context(), not {context!r}")
    if context.protocol == ssl.PROTOCOL_TLS_SERVER:
        raise LocalProtocolError("ssl_context is that of a server: a client's is ssl.create_default_context()")


def _parse_url(text: str, ssl_context: ssl.SSLContext | None) -> WebSocketURL:
    url = WebSocketURL.parse(text)
    if ssl_context is not None and not url.is_secure:
        raise InvalidURL(f"{url.text!r} is not encrypted, and has no use for an ssl_context: write wss://")
    return url


class Connector(CallbackOwner):
    """One `connect`: its attempts, and what becomes of its future."""

    def __init__(self, loop: Loop, url: WebSocketURL, order: Order) -> None:
        super().__init__(context_in(loop))
        #: That of the first WebSocket, as long as anybody holds it.
        self._future: ReferenceType[Connecting] | None = None
        #: The same, held by us: the application has given callbacks, and need not hold it. ``None`` once it is
        #: resolved: an error in it has a traceback that refers to us.
        self._kept: Connecting | None = None
        self._loop = loop
        self._url = url
        self._order = order
        self._scope = trio.CancelScope()
        self._has_opened = False
        self._is_over = False
        #: What an attempt is about, for the message of a timeout.
        self._stage = ""

    def begin(self) -> Connecting:
        """Begin, from any thread, and return the future of the first WebSocket."""
        is_taken = self._order.on_upgrade is not None
        future = Connecting(self._loop, self, is_taken)
        self._future = ref(future)
        if is_taken:
            self._kept = future
        self._loop.call_soon(self, self._start)
        return future

    def keep(self, future: Connecting) -> None:
        """Hold the future until it is resolved."""
        self._kept = future
        if future.is_done:  # meanwhile
            self._kept = None

    def abandon(self, opened: WebSocket | None) -> None:
        """Give up what nobody can get any more.

        This is called as the future is collected, perhaps in the middle of something else: so it only asks.
        """
        if not self._is_over or (opened is not None and not opened.is_closed):
            with suppress(LocalProtocolError):  # the loop was left behind by a fork
                self._loop.ask(self, self._abandon, opened)

    def _abandon(self, opened: WebSocket | None) -> None:
        self._scope.cancel()
        if opened is not None:
            opened.close()

    def cancel(self) -> None:
        """Make no attempt any more. From any thread."""
        self._loop.call_soon(self, self._scope.cancel)

    def _start(self) -> None:
        try:
            self._loop.tasks.start_soon(self._run)
        except RuntimeError:
            self._is_over = True
            self._fail(HandshakeError(f"{self._url.text}: the event loop has ended"))
        else:
            self._loop.hold()

    def _fail(self, error: Exception) -> None:
        self._resolve(outcome.Error(error))

    def _resolve(self, result: outcome.Outcome[WebSocket]) -> bool:
        """Resolve the future, unless it is; tell whether there was anybody to hold it."""
        future = None if self._future is None else self._future()
        if future is not None:
            future._resolve(result)
        self._kept = None
        return future is not None

    async def _run(self) -> None:
        try:
            with self._scope:
                if self._order.backoff is None:
                    await self._open()
                else:
                    await self._stay_open(self._order.backoff)
        except HandshakeError as error:
            self._fail(error)
        except Exception as error:
            self.callback_failed(error)
            self._fail(error)
        finally:
            if not self._has_opened:  # nor failed: it was cancelled, or its loop was
                self._fail(HandshakeError(f"{self._url.text}: given up before the WebSocket was open"))
            self._is_over = True
            self._loop.release()

    # One attempt

    async def _open(self) -> WebSocketConnection:
        opening: OpeningConnection | None = None
        with trio.move_on_after(self._order.open_timeout):
            opening = await self._dial()
            self._stage = "the server took the connection, but did not answer the opening handshake"
            return await opening.opened()
        if opening is not None and opening.rejection is not None:
            raise opening.rejection
        raise ConnectionTimeout(f"{self._url.text}: not open after {self._order.open_timeout} seconds: {self._stage}")

    async def _dial(self) -> OpeningConnection:
        url, order = self._url, self._order

        def make_protocol(transport: Transport) -> OpeningConnection:
            context = context_in(self._loop)
            return OpeningConnection(
                transport, self._loop, url, order.offer, order.options, context, self._session_begins
            )

        self._stage = f"{url.host} did not take the connection"
        try:
            if url.is_unix:
                return await dial_unix(self._loop, url.host, make_protocol)
            context = (order.ssl_context or default_ssl_context()) if url.is_secure else None
            return await dial(self._loop, url.host, url.port, make_protocol, context)
        except HandshakeError as error:
            raise HandshakeError(f"{url.text}: {error}") from error.__cause__

    def _session_begins(self, connection: WebSocketConnection) -> None:
        self._has_opened = True
        self._loop.hold()
        connection.on_close.when_complete(lambda _: self._loop.release())
        if self._order.on_upgrade is None:
            connection.start_without_session()
            if not self._succeed(connection):
                connection.socket.close()
            return
        if self._order.backoff is not None:
            connection.on_close_requested = self._scope.cancel
        connection.start(lambda: self._upgrade(connection), closes_after=False)

    def _upgrade(self, connection: WebSocketConnection) -> object:
        assert self._order.on_upgrade is not None
        try:
            return self._order.on_upgrade(connection.socket)
        finally:
            self._loop.call(connection, self._succeed, connection)

    def _succeed(self, connection: WebSocketConnection) -> bool:
        return self._resolve(outcome.Value(connection.socket))

    # One attempt after the other

    async def _stay_open(self, backoff: Backoff) -> None:
        delays = backoff.delays()
        while True:
            began = trio.current_time()
            try:
                connection = await self._open()
                await connection.gone
                reason = f"{self._url.text}: {connection.closed_error()}"
            except HandshakeError as error:
                if _is_final(error):
                    self._give_up(error)
                    return
                reason = str(error)
            else:
                if trio.current_time() - began >= backoff.longest:
                    delays = backoff.delays()
            delay = next(delays)
            logger.warning("%s; connecting again in %.1f seconds", reason, delay)
            await trio.sleep(delay)

    def _give_up(self, error: HandshakeError) -> None:
        if self._has_opened:
            logger.error("%s; not connecting again", error)
        self._fail(error)


def _is_final(error: HandshakeError) -> bool:
    """Tell whether another attempt would end the same way."""
    return isinstance(error, ConnectionRejected) and error.status < 500 and error.status not in _PASSING


dial_with(connect)
