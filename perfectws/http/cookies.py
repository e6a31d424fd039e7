"""Cookies: read from a request, set by a response."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote, unquote

from ..checks.quantities import FINITE_SECONDS
from ..errors import LocalProtocolError
from .dates import http_date

if TYPE_CHECKING:
    from datetime import datetime, timedelta

#: What would end a cookie's attribute, or the header.
_FORBIDDEN_IN_ATTRIBUTE = re.compile(r"[;\x00-\x1f\x7f]")


class SameSite(Enum):
    """Whether other sites' requests carry the cookie.

    Source: RFC 6265bis; Perfect's ``HTTPCookie.SameSite``.
    """

    #: Only when they lead the user to this site.
    LAX = "Lax"
    #: Never.
    STRICT = "Strict"
    #: Always; browsers demand ``secure`` with it. (Perfect has no such case.)
    NONE = "None"


#: The last moment that HTTP can write, in seconds since the epoch: the year 9999 ends.
_LATEST = 253_402_300_799


def _date(seconds: float) -> str:
    """Return a moment as HTTP writes it, or the nearest to it that can be written and that clients understand."""
    return http_date(max(0, min(seconds, _LATEST)))


@dataclass(frozen=True, slots=True)
class Expiration:
    """When a cookie ends.

    Source: Perfect's ``HTTPCookie.Expiration``. Its ``.session`` is `Expiration.SESSION`, or ``None``.
    """

    attributes: str
    from_now: float | None = None

    #: With the browser's session.
    SESSION: ClassVar[Expiration]

    @classmethod
    def relative_seconds(cls, seconds: float) -> Expiration:
        """End that many seconds after the cookie was set."""
        FINITE_SECONDS.check("seconds", seconds)
        return cls("", float(seconds))

    @classmethod
    def absolute_seconds(cls, seconds: float) -> Expiration:
        """End at a moment, in seconds since the epoch."""
        FINITE_SECONDS.check("seconds", seconds)
        return cls(f"; Expires={_date(seconds)}")

    @classmethod
    def absolute_date(cls, date: str) -> Expiration:
        """End at a date that is written as HTTP writes it."""
        return cls(f"; Expires={_checked('expires', date)}")

    def encode(self) -> str:
        """Return the attributes that say so, each with its semicolon in front."""
        if self.from_now is None:
            return self.attributes
        # A client whose clock is wrong obeys Max-Age; one that is very old knows Expires only.
        seconds = int(max(-_LATEST, min(self.from_now, _LATEST)))
        return f"; Expires={_date(time.time() + seconds)}; Max-Age={seconds}"


Expiration.SESSION = Expiration("")


@dataclass(frozen=True, slots=True)
class HTTPCookie:
    """A cookie for `HTTPResponse.add_cookie`.

    Args:
        name: Its name; percent-encoded where needed.
        value: Its value; percent-encoded where needed, so that any text comes back from ``request.cookies``.
        domain: The domain it is for; by default the host that set it.
        expires: When it ends: an `Expiration`, a `datetime.timedelta` from now or a `datetime.datetime`; by default
            with the browser's session.
        path: The path it is for.
        secure: Whether it travels over TLS only.
        http_only: Whether scripts are kept from it.
        same_site: Whether other sites' requests carry it.

    Raises:
        LocalProtocolError: The name is empty, or an attribute holds a semicolon or a control character.

    Source: RFC 6265 §4.1; Perfect's ``HTTPCookie``.
    """

    name: str
    value: str
    domain: str | None = None
    expires: Expiration | timedelta | datetime | None = None
    path: str | None = None
    secure: bool | None = None
    http_only: bool | None = None
    same_site: SameSite | None = None

    def __post_init__(self) -> None:
        if not self.name:
            raise LocalProtocolError("a cookie needs a name")
        _checked("domain", self.domain or "")
        _checked("path", self.path or "")

    def encode(self) -> str:
        """Return the value of the ``Set-Cookie`` header."""
        line = f"{quote(self.name, safe='')}={quote(self.value, safe='')}{_expires(self.expires)}"
        if self.path is not None:
            line += f"; Path={self.path}"
        if self.domain is not None:
            line += f"; Domain={self.domain}"
        if self.secure:
            line += "; Secure"
        if self.http_only:
            line += "; HttpOnly"
        return line if self.same_site is None else f"{line}; SameSite={self.same_site.value}"


def parse_cookies(header: str) -> list[tuple[str, str]]:
    """Return the names and values in a ``Cookie`` header, decoded, in order. Source: RFC 6265 §5.4."""
    cookies = []
    for pair in header.split(";"):
        # Perfect differs: it drops a cookie whose value holds an equals sign, as Base64 often does.
        name, equals, value = pair.partition("=")
        if equals and name.strip():
            cookies.append((unquote(name.strip(), errors="replace"), unquote(value.strip(), errors="replace")))
    return cookies


def _expires(expires: Expiration | timedelta | datetime | None) -> str:
    if expires is None:
        return ""
    if isinstance(expires, Expiration):
        return expires.encode()

    from datetime import timedelta  # loaded already where one is given

    if isinstance(expires, timedelta):
        return Expiration.relative_seconds(expires.total_seconds()).encode()
    return Expiration.absolute_seconds(expires.timestamp()).encode()


def _checked(attribute: str, text: str) -> str:
    if _FORBIDDEN_IN_ATTRIBUTE.search(text):
        raise LocalProtocolError(f"a cookie's {attribute} cannot hold a semicolon or a control character: {text!r}")
    return text
