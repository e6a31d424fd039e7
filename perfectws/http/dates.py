"""Dates, written and read as HTTP does (RFC 9110 §5.6.7)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from functools import cache

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


#: RFC 9110 §5.6.7: IMF-fixdate, and the obsolete rfc850-date and asctime-date.
_TIME = r"(?P<time>[0-9]{2}:[0-9]{2}:[0-9]{2})"
_MONTH = rf"(?P<month>{'|'.join(_MONTHS)})"
_FORMS = (
    rf"(?:{'|'.join(_DAYS)}), (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT",
    rf"[A-Z][a-z]+day, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT",
    rf"(?:{'|'.join(_DAYS)}) {_MONTH} (?P<day>[ 0-9][0-9]) {_TIME} (?P<year>[0-9]{{4}})",
)


@cache
def _forms() -> list[re.Pattern[str]]:
    """Return those, compiled when the first date is read."""
    return [re.compile(form) for form in _FORMS]


def parse_http_date(text: str) -> int | None:
    """Return the seconds since the epoch that a date stands for, in any form that HTTP has had; ``None`` if in none."""
    match = next((match for form in _forms() if (match := form.fullmatch(text))), None)
    if match is None:
        return None
    from datetime import UTC, datetime  # which a server loads before it serves

    year, month, day = int(match["year"]), _MONTHS.index(match["month"]) + 1, int(match["day"])
    hour, minute, second = map(int, match["time"].split(":"))
    try:
        moment = datetime(_whole_year(match["year"], year), month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return int(moment.timestamp())


def _whole_year(text: str, year: int) -> int:
    """Return a year of two digits as one of four."""
    if len(text) == 4:
        return year
    now = time.gmtime().tm_year
    # RFC 9110 §5.6.7: one that "appears to be more than 50 years in the future" is the most recent past one instead.
    near = now - now % 100 + year
    return near - 100 if near > now + 50 else near
