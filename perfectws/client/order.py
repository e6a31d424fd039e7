"""What `WebSocket.connect` is asked for, checked: so that what is wrong is raised where it was written."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias, cast

from ..checks.quantities import SECONDS_ABOVE_0
from ..checks.signatures import check_callable
from ..checks.spelling import check_names
from ..errors import InvalidURL, LocalProtocolError
from ..net.proxying import Proxy
from ..websocket.connecting import OPEN_TIMEOUT, Backoff
from ..websocket.options import WebSocketKeywords, WebSocketOptions
from ..websocket.socket import ConnectKeywords, WebSocket
from .handshake import ClientOffer
from .proxies import proxy_choice
from .url import WebSocketURL

#: Called with the socket; may be ``async def``.
OnUpgrade: TypeAlias = Callable[[WebSocket], object]

_KEYWORDS = frozenset(ConnectKeywords.__annotations__)


class Order(NamedTuple):
    """What `connect` is asked for, checked.

    Attributes:
        offer: What the handshake asks for.
        options: The limits and choices of the WebSocket.
        ssl_context: How TLS is done; ``None`` as the system does it.
        proxy: What to connect through; ``True`` for what the environment says, ``False`` for nothing.
        follow_redirects: Whether an attempt goes on where a server sends it.
        open_timeout: How long one attempt may take, in seconds.
        backoff: How long to wait before the next; ``None`` makes only one.
        on_upgrade: What handles the WebSocket, if the application gave it.
    """

    offer: ClientOffer
    options: WebSocketOptions
    ssl_context: ssl.SSLContext | None
    proxy: Proxy | bool
    follow_redirects: bool
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
        proxy = proxy_choice(keywords.pop("proxy", True))
        follow_redirects = keywords.pop("follow_redirects", True)
        if not isinstance(follow_redirects, bool):
            raise TypeError(f"follow_redirects is True or False, not {follow_redirects!r}")
        ssl_context = keywords.pop("ssl_context", None)
        _check_ssl_context(ssl_context)
        headers, subprotocols = keywords.pop("headers", ()), keywords.pop("subprotocols", ())
        options = WebSocketOptions.of(**cast(WebSocketKeywords, keywords))  # which is what is left of them
        fields = headers.items() if isinstance(headers, Mapping) else headers
        offer = ClientOffer.of(fields, subprotocols, options.compression)
        backoff = Backoff() if reconnect is True else reconnect or None
        return cls(offer, options, ssl_context, proxy, follow_redirects, open_timeout, backoff, on_upgrade)

    def parse_url(self, text: str) -> WebSocketURL:
        """Take a URL apart. Raises `InvalidURL`, also where the rest of the order makes no sense with it."""
        url = WebSocketURL.parse(text)
        is_proxy = isinstance(self.proxy, Proxy)
        if is_proxy and url.is_unix:
            raise InvalidURL(f"{url.text!r} is a Unix socket, which no proxy leads to")
        encrypts = url.is_secure or (is_proxy and cast(Proxy, self.proxy).is_secure)
        if self.ssl_context is not None and not encrypts:
            raise InvalidURL(f"{url.text!r} is not encrypted, and has no use for an ssl_context: write wss://")
        return url


def _check_ssl_context(context: object) -> None:
    if context is None:
        return
    if not isinstance(context, ssl.SSLContext):
        raise TypeError(f"ssl_context is an ssl.SSLContext, as of ssl.create_default_context(), not {context!r}")
    if context.protocol == ssl.PROTOCOL_TLS_SERVER:
        raise LocalProtocolError("ssl_context is that of a server: a client's is ssl.create_default_context()")
