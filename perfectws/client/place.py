"""Where a client connects to, and how it gets there, besides what the URL says."""

from __future__ import annotations

import socket
import ssl
from ipaddress import ip_address
from typing import NamedTuple, cast

from ..checks.quantities import PORT_OR_NONE
from ..errors import InvalidURL, LocalProtocolError
from ..net.dialing import Route
from ..net.proxying import Proxy
from ..websocket.socket import ConnectKeywords
from .proxies import proxy_choice, proxy_for
from .url import WebSocketURL, ascii_host


class Place(NamedTuple):
    """Where to connect to, and how, checked.

    Attributes:
        host, port: Where to, instead of where the URL says; ``None`` for what it says.
        sock: A socket that is connected already.
        server_hostname: What the certificate must say; ``None`` for the URL's host.
        local_address: The IP address to connect from.
        ssl_context: How TLS is done; ``None`` as the system does it.
        proxy: What to connect through; ``True`` for what the environment says, ``False`` for nothing.
    """

    host: str | None
    port: int | None
    sock: socket.socket | None
    server_hostname: str | None
    local_address: str | None
    ssl_context: ssl.SSLContext | None
    proxy: Proxy | bool

    @classmethod
    def of(cls, keywords: ConnectKeywords) -> Place:
        """Take what is about it out of the arguments of `connect`. Raises what they are refused with."""
        if _KEYWORDS.isdisjoint(keywords):
            return _ANYWHERE
        port = keywords.pop("port", None)
        PORT_OR_NONE.check("port", port)
        place = cls(
            _name("host", keywords.pop("host", None)),
            port,
            _socket(keywords.pop("sock", None)),
            _name("server_hostname", keywords.pop("server_hostname", None)),
            _address(keywords.pop("local_address", None)),
            _context(keywords.pop("ssl_context", None)),
            proxy_choice(keywords.pop("proxy", True)),
        )
        if place.sock is not None and (isinstance(place.proxy, Proxy) or place._is_elsewhere or place.local_address):
            raise LocalProtocolError("sock= is connected already: host=, port=, local_address= and proxy= say nothing")
        return place

    @property
    def _is_elsewhere(self) -> bool:
        return self.host is not None or self.port is not None

    def check(self, url: WebSocketURL) -> None:
        """Raise `InvalidURL` if this makes no sense with a URL."""
        is_proxy = isinstance(self.proxy, Proxy)
        if url.is_unix and (is_proxy or self._is_elsewhere or self.local_address is not None):
            raise InvalidURL(f"{url.text!r} is a Unix socket: no proxy leads to it, no host=, port= or local_address=")
        encrypts = url.is_secure or (is_proxy and cast(Proxy, self.proxy).is_secure)
        if self.ssl_context is not None and not encrypts:
            raise InvalidURL(f"{url.text!r} is not encrypted, and has no use for an ssl_context: write wss://")
        if self.server_hostname is not None and not url.is_secure:
            raise InvalidURL(f"{url.text!r} is not encrypted, and has no use for a server_hostname: write wss://")

    def close_sock(self) -> None:
        """Close the socket that was given, if there is one: no WebSocket is opened on it."""
        if self.sock is not None:
            self.sock.close()

    def elsewhere(self) -> Place:
        """Return what holds for a redirect to another origin: only how one gets there."""
        return self._replace(host=None, port=None, server_hostname=None)

    def route_to(self, url: WebSocketURL) -> Route:
        """Return the way to a URL. Raises `HandshakeError` if the environment names a proxy that is none."""
        return Route(
            self.host or url.host,
            self.port or url.port,
            self.ssl_context,
            url.is_secure,
            None if self.sock is not None else proxy_for(url, self.proxy),
            self.server_hostname or url.host.partition("%")[0],
            self.local_address,
            self.sock,
        )


#: What is about a place among the arguments of `connect`, and what holds when nothing is.
_KEYWORDS = frozenset(Place._fields)
_ANYWHERE = Place(None, None, None, None, None, None, proxy=True)


def _name(keyword: str, name: object) -> str | None:
    if name is None:
        return None
    if not isinstance(name, str) or not name:
        raise TypeError(f"{keyword} is a host name or an IP address, not {name!r}")
    try:
        return ascii_host(name)
    except ValueError as error:
        raise ValueError(f"{keyword}: {error}") from None


def _address(address: object) -> str | None:
    if address is None:
        return None
    try:
        ip_address(cast(str, address))
    except ValueError:
        raise ValueError(f"local_address is an IP address of this machine, a str, not {address!r}") from None
    return str(address)


def _socket(sock: object) -> socket.socket | None:
    if sock is None:
        return None
    if not isinstance(sock, socket.socket) or isinstance(sock, ssl.SSLSocket):
        raise TypeError(f"sock is a socket.socket without TLS, not {sock!r}")
    try:
        sock.getpeername()
    except OSError as error:
        raise LocalProtocolError(f"sock is not connected: {error.strerror}") from None
    return sock


def _context(context: object) -> ssl.SSLContext | None:
    if context is None:
        return None
    if not isinstance(context, ssl.SSLContext):
        raise TypeError(f"ssl_context is an ssl.SSLContext, as of ssl.create_default_context(), not {context!r}")
    if context.protocol == ssl.PROTOCOL_TLS_SERVER:
        raise LocalProtocolError("ssl_context is that of a server: a client's is ssl.create_default_context()")
    return context
