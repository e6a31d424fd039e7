"""What a test's WebSocket may be asked for, in place of all that `WebSocket.connect` may."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from ..checks.spelling import check_names
from ..http.headers import Headers
from ..http.several import Several
from ..websocket.connecting import HeaderFields
from ..websocket.options import WebSocketKeywords
from ..websocket.socket import ConnectKeywords
from .cookies import encoded
from .request import HOST, check_path


class SocketKeywords(WebSocketKeywords, total=False):
    """The keyword arguments of a test's WebSocket, which `AsyncTestServer.connect` describes."""

    headers: HeaderFields
    subprotocols: Several[str]
    cookies: Mapping[str, str]
    follow_redirects: bool
    remote_address: str
    timeout: float


_KEYWORDS = frozenset(SocketKeywords.__annotations__)


def url_of(path: str, is_secure: bool) -> str:
    """Return the URL of a path of the server that is tested. Raises `ValueError` if it is none."""
    check_path(path)
    return f"{'wss' if is_secure else 'ws'}://{HOST}{path}"


def connect_keywords(keywords: SocketKeywords, jar: dict[str, str]) -> ConnectKeywords:
    """Return what `WebSocket.connect` is to be given, with the cookies of a jar. Raises `TypeError`."""
    check_names(keywords, _KEYWORDS, "a test's connect")
    given = cast(ConnectKeywords, {name: value for name, value in keywords.items() if name not in _OURS})
    cookies = encoded({**jar, **keywords.get("cookies", {})})
    fields = keywords.get("headers", ())
    headers = Headers(fields.items() if isinstance(fields, Mapping) else fields)
    if cookies and "Cookie" not in headers:
        given["cookies"] = cookies
    given["proxy"] = None
    # A test counts the pings and pongs that it asks for; nor need it watch whether the server lives.
    given.setdefault("ping_interval", None)
    return given


#: Those that are not for `WebSocket.connect`, or not as they are.
_OURS = ("remote_address", "timeout", "cookies")
