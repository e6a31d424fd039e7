"""The cookies of a test's client: one jar for the server, without paths."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from urllib.parse import quote, unquote

from ..http.headers import Headers


def cookies_in(headers: Headers) -> dict[str, str | None]:
    """Return the cookies that an answer sets, decoded, by their names; ``None`` for those that it takes away."""
    found: dict[str, str | None] = {}
    for line in headers.get_all("Set-Cookie"):
        pair, *attributes = line.split(";")
        name, _, value = pair.partition("=")
        found[unquote(name.strip())] = None if _has_ended(attributes) else unquote(value.strip())
    return found


def _has_ended(attributes: list[str]) -> bool:
    named = {}
    for attribute in attributes:
        name, _, value = attribute.partition("=")
        named[name.strip().lower()] = value.strip()
    # RFC 6265 §5.3: "Max-Age" comes first, whatever "Expires" says.
    if "max-age" in named:
        return named["max-age"].startswith(("-", "0"))
    try:
        return parsedate_to_datetime(named["expires"]).timestamp() <= time.time()
    except (KeyError, ValueError):
        return False


def keep_cookies(jar: dict[str, str], headers: Headers) -> None:
    """Put what an answer sets into ``jar``, and take out of it what the answer takes away."""
    for name, value in cookies_in(headers).items():
        if value is None:
            jar.pop(name, None)
        else:
            jar[name] = value


def encoded(cookies: dict[str, str]) -> dict[str, str]:
    """Return cookies as they travel, percent-encoded as `HTTPCookie` has them."""
    return {quote(name, safe=""): quote(value, safe="") for name, value in cookies.items()}
