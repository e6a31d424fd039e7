"""Dates, written and read as HTTP does (RFC 9110 §5.6.7)."""

from __future__ import annotations

import time
from collections.abc import Callable

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def once_per_second(make: Callable[[int], str]) -> Callable[[], str]:
    """Return a function that gives what ``make`` makes of the present second, and makes it once for each."""
    latest = (0, "")

    def current() -> str:
        nonlocal latest
        now = int(time.time())
        if latest[0] != now:
            latest = (now, make(now))  # whole, since the loops of other threads look too
        return latest[1]

    return current


def http_date(seconds: float) -> str:
    """Return a moment, in seconds since the epoch, as in ``Sun, 06 Nov 1994 08:49:37 GMT``."""
    year, month, day, hour, minute, second, weekday, *_ = time.gmtime(seconds)
    if not 1 <= year <= 9999:
        raise ValueError(f"HTTP writes the years 1 to 9999, not {year}")
    # Not strftime, which writes the names in the language of the machine.
    return f"{_DAYS[weekday]}, {day:02} {_MONTHS[month - 1]} {year:04} {hour:02}:{minute:02}:{second:02} GMT"


#: The present moment in that form.
current_http_date = once_per_second(http_date)


def parse_http_date(text: str) -> float | None:
    """Return the seconds since the epoch that a date stands for, in any form that HTTP has had; ``None`` if in none."""
    from email.utils import parsedate_to_datetime  # heavy, and needed only where files are served

    try:
        return parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, OverflowError, IndexError):
        return None
