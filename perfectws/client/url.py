"""The address of a WebSocket, taken apart: where to connect, and what to ask for there.

Source: RFC 6455 §3, RFC 3986; ``ws+unix:`` is Node's ``ws``.
"""

from __future__ import annotations

import re
from base64 import b64encode
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import SplitResult, quote, unquote, urlsplit

from ..errors import InvalidURL
from ..net.quoting import quoted

#: The schemes, each with its default port and whether it is encrypted.
_SCHEMES = {"ws": (80, False), "wss": (443, True)}
_UNIX_SCHEME = "ws+unix:"
#: What urlsplit would silently take out, and what can stand in no URL.
_FORBIDDEN = re.compile("[\x00-\x20\x7f\ud800-\udfff]")
#: What may be the name, or the number, of a network interface.
_ZONE = re.compile(r"[^\s/%\[\]]+", re.ASCII)
#: The longest host name, and the longest part between its dots. Source: RFC 1035 §2.3.4.
_MAX_NAME, _MAX_LABEL = 253, 63
#: A query, or a fragment, which holds tokens as well.
_QUERY = re.compile(r"([?#]).*", re.DOTALL)
#: Where a URL's authority ends.
_AUTHORITY_END = re.compile(r"[/?#]|$")
_BRACKETS = "brackets stand around an IPv6 address, and around all of it"
#: What brackets may stand around, and what behind it. RFC 3986 §3.2.2: IP-literal = "[" ( IPv6address / IPvFuture ) "]"
_BRACKETED = re.compile(r"\[[^\[\]]*:[^\[\]]*\](:.*)?", re.DOTALL)
#: All of ASCII that may stand in a request target: what the caller has encoded stays as it is.
_TARGET_SAFE = "%/?:@!$&'()*+,;=-._~[]|^`{}\"<>\\"


class WebSocketURL(NamedTuple):
    """A URL of the scheme ``ws:``, ``wss:`` or ``ws+unix:``.

    Attributes:
        text: The URL as it may be shown: without the password and the query.
        host: The host to connect to: a name, in its ASCII form, or an IP address without brackets, with the zone of a
            link-local one (``fe80::1%eth0``); or a Unix path.
        port: The port to connect to; 0 for a Unix socket.
        is_secure: Whether the connection is encrypted.
        is_unix: Whether ``host`` is the path of a Unix socket.
        target: The request target: the path and the query.
        authority: The value of the ``Host`` header. It has no zone, which means something on this machine only.
        authorization: The value of the ``Authorization`` header, ``None`` if the URL has no credentials.
    """

    text: str
    host: str
    port: int
    is_secure: bool
    is_unix: bool
    target: str
    authority: str
    authorization: str | None

    @classmethod
    def parse(cls, url: str) -> WebSocketURL:
        """Take ``url`` apart. Raises `InvalidURL`, with what is wrong."""
        # What has an @ may have a password, which need not be kept.
        return cls._parse(url) if "@" in url else _parse_and_remember(url)

    @classmethod
    def _parse(cls, url: str) -> WebSocketURL:
        shown = shown_url(url)
        if _FORBIDDEN.search(url):
            raise InvalidURL(f"{shown!r} is no URL: it holds a space, a control character or a lone surrogate")
        if url.lower().startswith(_UNIX_SCHEME):
            return cls._parse_unix(url)
        try:
            parts = split_url(url)
            port = parts.port
        except ValueError as error:
            # The error may show a part of the password.
            reason = "it is malformed" if "@" in url else quoted(str(error))
            raise InvalidURL(f"{shown!r} is no URL: {reason}") from None
        if "#" in _without_password(url):
            # RFC 6455 §3: "Fragment identifiers are meaningless in the context of WebSocket URIs and MUST NOT be used"
            raise InvalidURL(f"{shown!r}: a WebSocket's URL has no fragment; write # as %23")
        return cls._from_parts(parts, port, shown)

    @classmethod
    def _from_parts(cls, parts: SplitResult, port: int | None, shown: str) -> WebSocketURL:
        if parts.scheme not in _SCHEMES:
            raise InvalidURL(f"{shown!r} is no URL of a WebSocket: it begins with ws:// or wss://")
        if not parts.hostname:
            raise InvalidURL(f"{shown!r} names no host")
        default_port, is_secure = _SCHEMES[parts.scheme]
        if ":" in parts.hostname:
            address, zone = _split_zone(parts.hostname, shown)
            host, named = address + zone, f"[{address}]"
        else:
            host = named = _host_name(parts.hostname, shown)
        return cls(
            text=shown,
            host=host,
            port=default_port if port is None else port,
            is_secure=is_secure,
            is_unix=False,
            target=_target(parts.path, parts.query),
            authority=named if port in (None, default_port) else f"{named}:{port}",
            authorization=_authorization(parts, shown),
        )

    @classmethod
    def _parse_unix(cls, url: str) -> WebSocketURL:
        rest, shown = url[len(_UNIX_SCHEME) :].removeprefix("//"), quoted(_without_query(url))
        path, _, target = rest.partition(":")
        if not path.startswith("/"):
            raise InvalidURL(
                f"{shown!r}: after ws+unix:// comes the absolute path of a socket, then : and the URL's path"
            )
        resource, _, query = target.partition("?")
        return cls(shown, unquote(path), 0, False, True, _target(resource, query), "localhost", None)


#: A client of many connections has few URLs.
_parse_and_remember = lru_cache(maxsize=32)(WebSocketURL._parse)


def split_url(url: str) -> SplitResult:
    """Take a URL apart, as `urlsplit` does, of which not each version looks at what is beside brackets.

    Raises:
        ValueError: It is none.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ValueError(_BRACKETS if str(error) == "Invalid IPv6 URL" else str(error)) from None
    place = parts.netloc.rpartition("@")[2]
    if "[" in place and not _BRACKETED.fullmatch(place):
        raise ValueError(_BRACKETS)
    return parts


def shown_url(url: str) -> str:
    """Return ``url`` as it may be shown: without the password, and without the query, in which there may be a token.

    It may be a redirect's, so that is no more of it than of whatever else a stranger says.
    """
    return quoted(_without_query(_without_password(url)))


def _without_password(url: str) -> str:
    """Return it without the password, also where that holds what should have been encoded.

    A user without a password is a token as well.
    """
    start = url.find("//") + 2 if "//" in url else 0
    authority = url[start : _AUTHORITY_END.search(url, start).start()]  # type: ignore[union-attr]  # there is an end
    _, colon, port = authority.partition(":")
    if "@" in authority:
        end = start + authority.rindex("@")
    elif "@" in url and colon and not port.isdecimal():
        end = url.rindex("@")
    else:
        return url
    user, _, password = url[start:end].partition(":")
    return f"{url[:start]}{user}:***{url[end:]}" if password else f"{url[:start]}***{url[end:]}"


def _without_query(url: str) -> str:
    return _QUERY.sub(r"\1***", url, count=1)


def _split_zone(host: str, shown: str) -> tuple[str, str]:
    """Return an IPv6 address, and its zone with the ``%`` before it, or ``""``.

    Source: RFC 6874 §2: ``IPv6address "%25" ZoneID``; §3 lets people write the ``%`` alone.
    """
    address, percent, zone = host.partition("%")
    if not percent:
        return address, ""
    name = unquote(zone.removeprefix("25"))
    if not _ZONE.fullmatch(name):
        raise InvalidURL(
            f"{shown!r}: {quoted(zone)!r} is no zone: write the interface behind %25, as in [fe80::1%25eth0]"
        )
    return address, f"%{name}"


def _host_name(host: str, shown: str) -> str:
    try:
        return ascii_host(host)
    except ValueError as error:
        raise InvalidURL(f"{shown!r}: {error}") from None


def ascii_host(host: str) -> str:
    """Return a host's name, or IP address, in its ASCII form. Raises `ValueError`, with what is wrong."""
    shown = repr(quoted(host))
    try:
        name = host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise ValueError(f"{shown} is no host name: {error}") from None
    labels = name.removesuffix(".").split(".")  # the last dot stands for the root
    if len(name) > _MAX_NAME or not all(0 < len(label) <= _MAX_LABEL for label in labels):
        raise ValueError(
            f"{shown} is no host name: it has at most {_MAX_NAME} characters, and between two dots 1 to {_MAX_LABEL}"
        )
    if _FORBIDDEN.search(name):
        raise ValueError(f"{shown} is no host name: it holds a space or a control character")
    return name


def _target(path: str, query: str) -> str:
    target = quote(path, safe=_TARGET_SAFE) or "/"
    return f"{target}?{quote(query, safe=_TARGET_SAFE)}" if query else target


def _authorization(parts: SplitResult, shown: str) -> str | None:
    if parts.username is None:
        return None
    user, password = unquote(parts.username), unquote(parts.password or "")
    if ":" in user:
        # RFC 7617 §2: "a user-id containing a colon character is invalid"
        raise InvalidURL(f"{shown!r}: a user's name cannot hold a colon")
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode("ascii")
