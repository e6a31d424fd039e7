"""What `WebSocket.connect` is asked for, checked: so that what is wrong is raised where it was written."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias, TypeVar, cast

from ..checks.quantities import SECONDS_ABOVE_0, SIZE
from ..checks.signatures import check_callable
from ..checks.spelling import check_names
from ..errors import InvalidURL, LocalProtocolError
from ..http.several import Several
from ..net.proxying import Proxy
from ..websocket.connecting import OPEN_TIMEOUT, QUEUE, Backoff, HeaderFields
from ..websocket.options import WebSocketKeywords, WebSocketOptions
from ..websocket.socket import ConnectKeywords, WebSocket
from .handshake import ClientOffer
from .proxies import proxy_choice
from .retrying import Retrying, may_pass
from .url import WebSocketURL

#: Called with the socket; may be ``async def``.
OnUpgrade: TypeAlias = Callable[[WebSocket], object]
CallbackT = TypeVar("CallbackT", bound=Callable[..., object])

_KEYWORDS = frozenset(ConnectKeywords.__annotations__)


class Order(NamedTuple):
    """What `connect` is asked for, checked.

    Attributes:
        to, headers, subprotocols: What is asked for, or functions that are asked for it before each attempt.
        options: The limits and choices of the WebSocket.
        ssl_context: How TLS is done; ``None`` as the system does it.
        proxy: What to connect through; ``True`` for what the environment says, ``False`` for nothing.
        follow_redirects: Whether an attempt goes on where a server sends it.
        open_timeout: How long one attempt may take, in seconds.
        retrying: How to connect again; ``None`` makes one attempt only.
        on_upgrade: What handles the WebSocket, if the application gave it.
    """

    to: str | Callable[[], object]
    headers: HeaderFields | Callable[[], object]
    subprotocols: Several[str] | Callable[[], object]
    options: WebSocketOptions
    ssl_context: ssl.SSLContext | None
    proxy: Proxy | bool
    follow_redirects: bool
    open_timeout: float
    retrying: Retrying | None
    on_upgrade: OnUpgrade | None

    @classmethod
    def of(cls, to: str | Callable[[], object], keywords: ConnectKeywords) -> Order:
        """Check the arguments of `connect`. Raises `TypeError`, `ValueError` or `LocalProtocolError`."""
        check_names(keywords, _KEYWORDS, "WebSocket.connect")
        on_upgrade = keywords.pop("on_upgrade", None)
        if on_upgrade is not None:
            check_callable(on_upgrade, "on_upgrade", "socket")
        open_timeout = keywords.pop("open_timeout", OPEN_TIMEOUT)
        SECONDS_ABOVE_0.check("open_timeout", open_timeout)
        retrying = _retrying(keywords, on_upgrade is not None)
        proxy = proxy_choice(keywords.pop("proxy", True))
        follow_redirects = keywords.pop("follow_redirects", True)
        if not isinstance(follow_redirects, bool):
            raise TypeError(f"follow_redirects is True or False, not {follow_redirects!r}")
        ssl_context = keywords.pop("ssl_context", None)
        _check_ssl_context(ssl_context)
        headers, subprotocols = keywords.pop("headers", ()), keywords.pop("subprotocols", ())
        if not callable(headers):
            headers = tuple(headers.items() if isinstance(headers, Mapping) else headers)
        options = WebSocketOptions.of(**cast(WebSocketKeywords, keywords))  # which is what is left of them
        order = cls(
            *(to, headers, subprotocols, options, ssl_context, proxy),
            *(follow_redirects, open_timeout, retrying, on_upgrade),
        )
        order._check()
        return order

    def _check(self) -> None:
        """Check what is asked for, unless that is told only before each attempt."""
        for name, value in (("to", self.to), ("headers", self.headers), ("subprotocols", self.subprotocols)):
            if callable(value):
                check_callable(value, name)
        if not isinstance(self.to, str) and not callable(self.to):
            raise TypeError(f"to= is a URL, a str, or a function that returns one, not {self.to!r}")
        self.offer(
            () if callable(self.headers) else self.headers, () if callable(self.subprotocols) else self.subprotocols
        )

    def offer(self, headers: HeaderFields, subprotocols: Several[str]) -> ClientOffer:
        """Return what the handshake asks for. Raises `TypeError` or `LocalProtocolError`."""
        fields = headers.items() if isinstance(headers, Mapping) else headers
        return ClientOffer.of(fields, subprotocols, self.options.compression)

    def parse_url(self, text: object) -> WebSocketURL:
        """Take a URL apart. Raises `InvalidURL`, also where the rest of the order makes no sense with it."""
        if not isinstance(text, str):
            raise InvalidURL(f"a URL is a str, not {text!r}")
        url = WebSocketURL.parse(text)
        is_proxy = isinstance(self.proxy, Proxy)
        if is_proxy and url.is_unix:
            raise InvalidURL(f"{url.text!r} is a Unix socket, which no proxy leads to")
        encrypts = url.is_secure or (is_proxy and cast(Proxy, self.proxy).is_secure)
        if self.ssl_context is not None and not encrypts:
            raise InvalidURL(f"{url.text!r} is not encrypted, and has no use for an ssl_context: write wss://")
        return url


def _retrying(keywords: ConnectKeywords, has_on_upgrade: bool) -> Retrying | None:
    reconnect = keywords.pop("reconnect", False)
    if not isinstance(reconnect, bool | Backoff):
        raise TypeError(f"reconnect is True, False or a Backoff, not {reconnect!r}")
    needless = keywords.keys() & {"should_retry", "on_drop", "on_retry", "on_give_up", "queue"}
    if needless and not reconnect:
        raise LocalProtocolError(f"{min(needless)}= is for reconnect=, which is not asked for")
    if not reconnect:
        return None
    if not has_on_upgrade:
        raise LocalProtocolError("reconnect= needs on_upgrade, which is given each new WebSocket")
    queue = keywords.pop("queue", QUEUE)
    SIZE.check("queue", queue)
    return Retrying(
        Backoff() if reconnect is True else reconnect,
        _callback(keywords.pop("should_retry", None), "should_retry", "error") or may_pass,
        _callback(keywords.pop("on_drop", None), "on_drop", "code", "reason"),
        _callback(keywords.pop("on_retry", None), "on_retry", "attempt", "seconds", "error"),
        _callback(keywords.pop("on_give_up", None), "on_give_up", "error"),
        queue,
    )


def _callback(callback: CallbackT | None, name: str, *parameters: str) -> CallbackT | None:
    if callback is not None:
        check_callable(callback, name, *parameters)
    return callback


def _check_ssl_context(context: object) -> None:
    if context is None:
        return
    if not isinstance(context, ssl.SSLContext):
        raise TypeError(f"ssl_context is an ssl.SSLContext, as of ssl.create_default_context(), not {context!r}")
    if context.protocol == ssl.PROTOCOL_TLS_SERVER:
        raise LocalProtocolError("ssl_context is that of a server: a client's is ssl.create_default_context()")
