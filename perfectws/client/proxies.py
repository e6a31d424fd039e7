"""Which proxy a WebSocket is opened through: the one that is given, or the one that the environment names.

The environment is read as curl reads it: ``wss_proxy``, else ``https_proxy``, else ``all_proxy``, each in lower case or
in upper case, but for ``http_proxy``: since a CGI script gets a client's header ``Proxy`` as ``HTTP_PROXY``.

Source: curl's ``lib/url.c`` (``detect_proxy``) and ``lib/noproxy.c``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import unquote

from ..errors import HandshakeError, InvalidURL, LocalProtocolError
from ..net.proxying import SCHEMES, Proxy
from .url import WebSocketURL, ascii_host, shown_url, split_url

#: curl's: "If the port number is not specified in the proxy string, it is assumed to be 1080."
_PORT, _HTTPS_PORT = 1080, 443
#: What names the proxy of each scheme, the first that is set.
_VARIABLES = {
    False: ("ws_proxy", "WS_PROXY", "http_proxy", "all_proxy", "ALL_PROXY"),
    True: ("wss_proxy", "WSS_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"),
}
_HAS_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def proxy_choice(proxy: object) -> Proxy | bool:
    """Check what ``proxy=`` may be: ``True`` asks the environment, ``None`` uses none, a URL is that of a proxy.

    Raises:
        TypeError, InvalidURL: It is something else.
        LocalProtocolError: It needs what is not installed.
    """
    if proxy is None or isinstance(proxy, bool):
        return bool(proxy)
    if not isinstance(proxy, str):
        raise TypeError(f"proxy is a URL such as 'http://localhost:3128', True or None, not {type(proxy).__name__}")
    chosen = parse_proxy(proxy)
    if chosen.lacks is not None:
        raise LocalProtocolError(chosen.lacks)
    return chosen


def proxy_for(url: WebSocketURL, choice: Proxy | bool) -> Proxy | None:
    """Return the proxy that leads to ``url``; ``None`` if the way is direct.

    Raises:
        HandshakeError: The environment names one that is none.
    """
    if isinstance(choice, Proxy):
        return choice
    if not choice or url.is_unix or _is_loopback(url.host) or _is_excepted(url.host):
        return None
    name, text = next(_named_proxies(url), ("", ""))
    if not text:
        return None
    try:
        return parse_proxy(text)
    except InvalidURL as error:
        raise HandshakeError(f"{name} in the environment: {error}") from None


def _named_proxies(url: WebSocketURL) -> Iterator[tuple[str, str]]:
    for name in _VARIABLES[url.is_secure]:
        text = os.environ.get(name)
        if text:  # one that is set to nothing is not set
            yield name, text.strip()


def parse_proxy(text: str) -> Proxy:
    """Take a proxy's URL apart; one without a scheme is ``http:``, as curl has it. Raises `InvalidURL`."""
    url = text if _HAS_SCHEME.match(text) else f"http://{text}"
    shown = shown_url(url)
    try:
        parts = split_url(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise InvalidURL(f"{shown!r} is no URL of a proxy") from None
    scheme = parts.scheme.lower()
    if scheme not in SCHEMES:
        raise InvalidURL(f"{shown!r} is no URL of a proxy: it begins with {', '.join(sorted(SCHEMES))}")
    if not host:
        raise InvalidURL(f"{shown!r} names no host of a proxy")
    try:
        name = ascii_host(host)
    except ValueError as error:
        raise InvalidURL(f"{shown!r}: {error}") from None
    return Proxy(
        text=shown,
        scheme=scheme,
        host=name,
        port=port or (_HTTPS_PORT if scheme == "https" else _PORT),
        user=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
    )


@lru_cache(maxsize=32)  # a client of many connections has few hosts
def _is_loopback(host: str) -> bool:
    address = _address(host)
    if address is not None:
        return address.is_loopback
    # RFC 6761 §6.3: "The domain 'localhost.' and any names falling within '.localhost.'"
    return host.removesuffix(".") == "localhost" or host.removesuffix(".").endswith(".localhost")


def _is_excepted(host: str) -> bool:
    """Tell whether ``no_proxy`` names a host."""
    exceptions = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    if exceptions == "*":
        return True
    address, name = _address(host), host.removesuffix(".").lower()
    for pattern in re.split(r"[,\s]+", exceptions):
        if _covers(pattern, address) if address is not None else _names(pattern, name):
            return True
    return False


def _names(pattern: str, name: str) -> bool:
    """Tell whether ``example.com``, or ``.example.com``, is a host's name or a domain that it is in."""
    domain = pattern.removesuffix(".").removeprefix(".").lower()
    return bool(domain) and (name == domain or name.endswith(f".{domain}"))


def _covers(pattern: str, address: IPv4Address | IPv6Address) -> bool:
    """Tell whether ``192.0.2.1``, ``192.0.2.0/24`` or ``[2001:db8::1]`` is an address, or a network that has it."""
    try:
        return address in ip_network(pattern.replace("[", "").replace("]", ""), strict=False)
    except ValueError:
        return False


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        return None
