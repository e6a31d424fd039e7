"""What `WebSocket.connect` is asked for, checked: so that what is wrong is raised where it was written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, TypeAlias, cast

from ..checks.quantities import SECONDS_ABOVE_0
from ..checks.signatures import check_callable
from ..checks.spelling import check_names
from ..errors import InvalidURL, LocalProtocolError
from ..http.several import Several
from ..net.dialing import Dial, dial
from ..websocket.connecting import OPEN_TIMEOUT, HeaderFields
from ..websocket.options import WebSocketKeywords, WebSocketOptions
from ..websocket.socket import Connecting, ConnectKeywords, Reconnecting, WebSocket
from .handshake import ClientOffer, cookie_header
from .place import Place
from .retrying import Retrying
from .url import WebSocketURL

#: Called with the socket; may be ``async def``.
OnUpgrade: TypeAlias = Callable[[WebSocket], object]

_KEYWORDS = frozenset(ConnectKeywords.__annotations__)


class Order(NamedTuple):
    """What `connect` is asked for, checked.

    Attributes:
        to, headers, subprotocols: What is asked for, or functions that are asked for it before each attempt.
        cookies: The value of the header ``Cookie``, ``None`` if that is left to ``headers``.
        offer: What the handshake asks for; ``None`` if that is told only before each attempt.
        options: The limits and choices of the WebSocket.
        place: Where to connect to, and how, besides what the URL says.
        follow_redirects: Whether an attempt goes on where a server sends it.
        open_timeout: How long one attempt may take, in seconds.
        retrying: How to connect again; ``None`` makes one attempt only.
        on_upgrade: What handles the WebSocket, if the application gave it.
        dial: What connects.
    """

    to: str | Callable[[], object]
    headers: HeaderFields | Callable[[], object]
    subprotocols: Several[str] | Callable[[], object]
    cookies: str | None
    offer: ClientOffer | None
    options: WebSocketOptions
    place: Place
    follow_redirects: bool
    open_timeout: float
    retrying: Retrying | None
    on_upgrade: OnUpgrade | None
    dial: Dial = dial

    @classmethod
    def of(cls, to: str | Callable[[], object], keywords: ConnectKeywords, dial: Dial = dial) -> Order:
        """Check the arguments of `connect`. Raises `TypeError`, `ValueError` or `LocalProtocolError`."""
        check_names(keywords, _KEYWORDS, "WebSocket.connect")
        on_upgrade = keywords.pop("on_upgrade", None)
        if on_upgrade is not None:
            check_callable(on_upgrade, "on_upgrade", "socket")
        open_timeout = keywords.pop("open_timeout", OPEN_TIMEOUT)
        SECONDS_ABOVE_0.check("open_timeout", open_timeout)
        retrying, place = Retrying.of(keywords, on_upgrade is not None), Place.of(keywords)
        if place.sock is not None and retrying is not None:
            raise LocalProtocolError("sock= is one connection: there is no other for reconnect=")
        follow_redirects = keywords.pop("follow_redirects", True)
        if not isinstance(follow_redirects, bool):
            raise TypeError(f"follow_redirects is True or False, not {follow_redirects!r}")
        headers, subprotocols = keywords.pop("headers", ()), keywords.pop("subprotocols", ())
        cookies = cookie_header(_pairs("cookies", keywords.pop("cookies", ())))
        options = WebSocketOptions.of(**cast(WebSocketKeywords, keywords))  # which is what is left of them
        _check_asked_for(to, headers, subprotocols)
        fields = headers if callable(headers) else _pairs("headers", headers)
        offer = _offer(
            () if callable(fields) else fields,
            () if callable(subprotocols) else subprotocols,
            cookies,
            options,
        )
        return cls(
            to,
            fields,
            subprotocols,
            cookies,
            None if callable(fields) or callable(subprotocols) else offer,
            options,
            place,
            follow_redirects,
            open_timeout,
            retrying,
            on_upgrade,
            dial,
        )

    @property
    def kind_of_future(self) -> type[Connecting]:
        """What is returned: who connects again sends by it too."""
        return Connecting if self.retrying is None else Reconnecting

    def offer_of(self, headers: HeaderFields, subprotocols: Several[str]) -> ClientOffer:
        """Return what the handshake asks for, once that was told. Raises `TypeError` or `LocalProtocolError`."""
        return _offer(_pairs("headers", headers), subprotocols, self.cookies, self.options)

    def parse_url(self, text: object) -> WebSocketURL:
        """Take a URL apart. Raises `InvalidURL`, also where the rest of the order makes no sense with it."""
        if not isinstance(text, str):
            raise InvalidURL(f"a URL is a str, not {type(text).__name__}")
        url = WebSocketURL.parse(text)
        self.place.check(url)
        return url


def _check_asked_for(to: object, headers: object, subprotocols: object) -> None:
    """Check the functions that are asked before each attempt. Raises `TypeError`."""
    for name, value in (("to", to), ("headers", headers), ("subprotocols", subprotocols)):
        if callable(value):
            check_callable(value, name)
    if not isinstance(to, str) and not callable(to):
        raise TypeError(f"to= is a URL, a str, or a function that returns one, not {type(to).__name__}")


def _offer(
    fields: tuple[tuple[str, str], ...], subprotocols: Several[str], cookies: str | None, options: WebSocketOptions
) -> ClientOffer:
    if cookies is not None:
        fields = (*fields, ("Cookie", cookies))
    return ClientOffer.of(fields, subprotocols, options.compression)


def _pairs(name: str, fields: HeaderFields) -> tuple[tuple[str, str], ...]:
    """Return headers, or cookies, as pairs. Raises `TypeError`."""
    if isinstance(fields, Mapping):
        return tuple(fields.items())
    pairs = tuple(fields) if isinstance(fields, Iterable) and not isinstance(fields, str | bytes) else (fields,)
    for pair in pairs:
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            wrong = type(pair).__name__
            raise TypeError(f"{name} are a mapping, or pairs such as [('name', 'value')], not {wrong}")
    return pairs
