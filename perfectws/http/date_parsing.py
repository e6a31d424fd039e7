"""Reading dates, in each of the forms that HTTP has had (RFC 9110 §5.6.7). Python's parser is email's, and heavy."""

from __future__ import annotations

from email.utils import parsedate_to_datetime


def parse_http_date(text: str) -> float | None:
    """Return the seconds since the epoch that a date stands for, ``None`` if it is not one."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, OverflowError, IndexError):
        return None
