"""Where a redirect leads, and whether it is followed.

Source: RFC 9110 §15.4. RFC 6455 §4.1 leaves it to the client: "the client [...] MAY follow the redirects".
"""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urldefrag, urljoin

from ..errors import ConnectionRejected, InvalidURL
from ..http.headers import Headers
from .handshake import ClientOffer
from .url import WebSocketURL, shown_url

#: How many redirects one attempt follows.
MAX_REDIRECTS = 5
_STATUSES = frozenset(
    {
        HTTPStatus.MOVED_PERMANENTLY,
        HTTPStatus.FOUND,
        HTTPStatus.SEE_OTHER,
        HTTPStatus.TEMPORARY_REDIRECT,
        HTTPStatus.PERMANENT_REDIRECT,
    }
)
#: A server knows itself by the schemes of HTTP.
_SCHEMES = {"http:": "ws:", "https:": "wss:", "ws:": "ws:", "wss:": "wss:"}


def redirected(url: WebSocketURL, refusal: ConnectionRejected, offer: ClientOffer) -> WebSocketURL | None:
    """Return where a server's refusal of an offer leads; ``None`` if it is no redirect.

    The text of what is returned names each hop, for the errors that may follow.

    Raises:
        ConnectionRejected: It leads where no client may follow; the message says why.
    """
    location = Headers(refusal.headers).get("Location") if refusal.status in _STATUSES else None
    if location is None:
        return None
    try:
        target = _resolved(url, location)
    except InvalidURL as error:
        raise not_followed(refusal, str(error)) from None
    if target.is_unix:
        raise not_followed(refusal, "a server cannot send its clients to a Unix socket")
    if url.is_secure and not target.is_secure:
        raise not_followed(refusal, "what is asked for by wss: would go on unencrypted")
    if is_same_origin(url, target):
        target = target._replace(host=url.host, authorization=target.authorization or url.authorization)
    elif offer.subprotocols:
        # One of them may be a token, as a page has to send it. Without them a server may speak another protocol.
        raise not_followed(refusal, "subprotocols= may hold a token, which goes to no other origin: connect there")
    return target._replace(text=f"{url.text} → {refusal.status} → {target.text}")


def _resolved(url: WebSocketURL, location: str) -> WebSocketURL:
    base = f"{'wss' if url.is_secure else 'ws'}://{url.authority}{url.target}"
    try:
        scheme, colon, rest = urldefrag(urljoin(base, location)).url.partition(":")
    except ValueError:
        raise InvalidURL(f"{shown_url(location)!r} is no URL") from None
    return WebSocketURL.parse(_SCHEMES.get(scheme.lower() + colon, scheme + colon) + rest)


def is_same_origin(one: WebSocketURL, other: WebSocketURL) -> bool:
    """Tell whether both have the scheme, the host and the port in common. Source: RFC 6454 §5."""
    return (one.is_secure, _named(one), one.port) == (other.is_secure, _named(other), other.port)


def _named(url: WebSocketURL) -> str:
    """Return the host as servers know it: without its zone."""
    return url.host.partition("%")[0].lower()


def offer_to(target: WebSocketURL, url: WebSocketURL, offer: ClientOffer) -> ClientOffer:
    """Return what is offered behind a redirect: the application's headers are for their own origin alone."""
    return offer if is_same_origin(url, target) else offer._replace(headers=())


def not_followed(refusal: ConnectionRejected, reason: str) -> ConnectionRejected:
    """Return the error of a redirect that is not followed."""
    return ConnectionRejected(f"{refusal}; not followed: {reason}", refusal.status, refusal.headers, refusal.body)
