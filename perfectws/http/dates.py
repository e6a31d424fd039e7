"""Dates, written and read as HTTP does (RFC 9110 §5.6.7)."""

from __future__ import annotations

import time

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_latest = (0, "")


def http_date(seconds: float) -> str:
    """Return a moment, in seconds since the epoch, as in ``Sun, 06 Nov 1994 08:49:37 GMT``."""
    year, month, day, hour, minute, second, weekday, *_ = time.gmtime(seconds)
    if not 1 <= year <= 9999:
        raise ValueError(f"HTTP writes the years 1 to 9999, not {year}")
    # Not strftime, which writes the names in the language of the machine.
    return f"{_DAYS[weekday]}, {day:02} {_MONTHS[month - 1]} {year:04} {hour:02}:{minute:02}:{second:02} GMT"


def current_http_date() -> str:
    """Return the present moment in that form; made once per second."""
    global _latest
    now = int(time.time())
    if _latest[0] != now:
        _latest = (now, http_date(now))
    return _latest[1]


def parse_http_date(text: str) -> float | None:
    """Return the seconds since the epoch that a date stands for, in any form that HTTP has had; ``None`` if in none."""
    from email.utils import parsedate_to_datetime  # heavy, and needed by those only who serve files

    try:
        return parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, OverflowError, IndexError):
        return None
