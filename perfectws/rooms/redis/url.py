"""Where Redis is, taken from a URL: ``redis://user:password@host:port/db``, ``rediss:``, ``unix:``, or sentinels.

Source: the schemes ``redis`` and ``rediss`` as IANA lists them; ``unix`` and ``redis+sentinel`` as clients write them.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

_PORT = 6379
_SENTINEL_PORT = 26379
#: What urlsplit would silently take out, and what can stand in no URL.
_FORBIDDEN = re.compile("[\x00-\x20\x7f\ud800-\udfff]")
#: A password, which no message shows, also where it holds what should have been encoded.
_PASSWORD = re.compile(r"^([^/@]*//[^/@:]*):(?:[^/?#]*@|.*@)", re.DOTALL)
_FORMS = (
    "redis://user:password@host:6379/0, rediss://… for TLS, unix:///path/of/socket?db=0, or "
    "redis+sentinel://host:26379,host:26379/0?service=name"
)


class RedisURL(NamedTuple):
    """Where Redis is, and who asks.

    Attributes:
        text: The URL as it may be shown: without the password.
        addresses: Host and port; with Sentinel, those of the sentinels. Empty for a Unix socket.
        path: The path of a Unix socket, ``""`` for none.
        is_secure: Whether the connection is encrypted.
        service: The name that the sentinels know Redis by, ``""`` without them.
        username: Who asks, ``None`` for Redis's default user.
        password: The password, ``None`` for none.
        db: The number of the database.
    """

    text: str
    addresses: tuple[tuple[str, int], ...]
    path: str
    is_secure: bool
    service: str
    username: str | None
    password: str | None
    db: int

    @classmethod
    def parse(cls, url: str) -> RedisURL:
        """Take ``url`` apart. Raises `ValueError` with what is wrong, `TypeError` if it is no string."""
        if not isinstance(url, str):
            raise TypeError(f"the URL of Redis is a str, not {type(url).__name__}")
        shown = _PASSWORD.sub(r"\1:***@", url)
        if _FORBIDDEN.search(url):
            raise ValueError(f"{shown!r} is no URL: it holds a space, a control character or a lone surrogate")
        try:
            return _from_parts(urlsplit(url), shown)
        except _Wrong as wrong:
            raise ValueError(f"{shown!r} {wrong}") from None
        except ValueError as error:
            reason = "it is malformed" if "@" in url else error  # the error may show a part of the password
            raise ValueError(f"{shown!r} is no URL: {reason}") from None


class _Wrong(Exception):
    """What is wrong with a URL, said of it."""


def _from_parts(parts: SplitResult, shown: str) -> RedisURL:
    scheme = parts.scheme
    if scheme not in ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel"):
        raise _Wrong(f"is no URL of Redis: write {_FORMS}")
    if "@" in f"{parts.path}{parts.query}{parts.fragment}" and ":" in parts.netloc and "@" not in parts.netloc:
        raise _Wrong("has a password that holds / or ? or #: write %2F, %3F, %23")
    if parts.fragment:
        raise _Wrong("has a #: write it as %23")
    is_unix, is_sentinel = scheme == "unix", scheme.endswith("+sentinel")
    username, password, hosts = _authority(parts.netloc)
    if is_unix and (hosts or not parts.path):
        raise _Wrong("names no socket: write unix:///path/of/socket")
    service = _query(parts.query, ("service", "db") if is_sentinel else ("db",))
    if is_sentinel and not service.get("service"):
        raise _Wrong("does not say which Redis the sentinels are to name: add ?service=name")
    return RedisURL(
        text=shown,
        addresses=() if is_unix else _addresses(hosts, is_sentinel),
        path=unquote(parts.path) if is_unix else "",
        is_secure=scheme.startswith("rediss"),
        service=service.get("service", ""),
        username=username,
        password=password,
        db=_db("" if is_unix else parts.path, service.get("db")),
    )


def _authority(netloc: str) -> tuple[str | None, str | None, str]:
    """Return user, password and hosts; what is empty is none."""
    credentials, _, hosts = netloc.rpartition("@")
    username, _, password = credentials.partition(":")
    return unquote(username) or None, unquote(password) or None, hosts


def _addresses(hosts: str, is_sentinel: bool) -> tuple[tuple[str, int], ...]:
    default = _SENTINEL_PORT if is_sentinel else _PORT
    each = hosts.split(",") if is_sentinel else [hosts]
    return tuple(_address(host, default) for host in each)


def _address(host: str, default_port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{host}")
    port = parts.port  # raises ValueError
    if not parts.hostname:
        raise _Wrong("names no host: write redis://host:6379/0")
    return parts.hostname, default_port if port is None else port


def _query(query: str, known: tuple[str, ...]) -> dict[str, str]:
    options = dict(parse_qsl(query, keep_blank_values=True))
    for name in options:
        if name not in known:
            raise _Wrong(f"has an option {name!r} behind its ?: there it may say {' and '.join(known)}")
    return options


def _db(path: str, option: str | None) -> int:
    text = path.strip("/")
    if option is not None and text:
        raise _Wrong("names its database twice, in the path and behind the ?")
    text = text or option or "0"
    if not (text.isascii() and text.isdigit()):
        raise _Wrong(f"has the database {text!r}, which is a number: write /0")
    return int(text)
