"""Dates as HTTP writes them (RFC 9110 §5.6.7)."""

from __future__ import annotations

import time
from email.utils import formatdate, parsedate_to_datetime

_latest = (0, "")


def http_date(seconds: float) -> str:
    """Return a moment, in seconds since the epoch, as in ``Sun, 06 Nov 1994 08:49:37 GMT``."""
    return formatdate(seconds, usegmt=True)


def current_http_date() -> str:
    """Return the present moment in that form; made once per second."""
    global _latest
    now = int(time.time())
    if _latest[0] != now:
        _latest = (now, http_date(now))
    return _latest[1]


def parse_http_date(text: str) -> float | None:
    """Return the seconds since the epoch that a date stands for, ``None`` if it is not one."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, OverflowError, IndexError):
        return None
