"""Dates as RFC 9110 §5.6.7 writes them."""

import time
from datetime import UTC, datetime
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfectws.http import dates
from perfectws.http.dates import parse_http_date


def test_the_rfcs_own_example_is_written_and_read() -> None:
    assert dates.http_date(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT"
    assert parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT") == 784111777


@pytest.mark.parametrize("seconds", [-62135596800, -1, 0, 0.9, 951782400, 1.7e9, 253402300799])
def test_dates_are_written_as_pythons_email_package_writes_them(seconds: float) -> None:
    assert dates.http_date(seconds) == formatdate(seconds, usegmt=True)


@pytest.mark.parametrize("seconds", [253402300800, -62135596801])
def test_a_year_that_http_cannot_write_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="the years 1 to 9999"):
        dates.http_date(seconds)


def test_the_two_obsolete_forms_are_read() -> None:
    assert parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT") == 784111777
    assert parse_http_date("Sun Nov  6 08:49:37 1994") == 784111777
    assert parse_http_date("Wed Nov 16 08:49:37 1994") == 784111777 + 10 * 86400


def test_a_year_of_two_digits_is_at_most_fifty_years_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.gmtime(1.6e9)  # in 2020
    monkeypatch.setattr(time, "gmtime", lambda: now)
    years = {}
    for year in (0, 20, 70, 71, 99):
        seconds = parse_http_date(f"Sunday, 06-Nov-{year:02} 08:49:37 GMT")
        assert seconds is not None
        years[year] = datetime.fromtimestamp(seconds, UTC).year
    assert years == {0: 2000, 20: 2020, 70: 2070, 71: 1971, 99: 1999}


@given(st.integers(-62135596800, 253402300799))
def test_what_was_written_is_read(seconds: int) -> None:
    assert parse_http_date(dates.http_date(seconds)) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "Sun, 99 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "0",
        "Sun, 06 Nov 99999999 0:0:0 GMT",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 06 Nov 1994 08:49:37 -0500",
        "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov \u0661\u0669\u0669\u0664 08:49:37 GMT",
    ],
)
def test_what_is_no_date_is_none(text: str) -> None:
    assert parse_http_date(text) is None


def test_the_current_date_is_made_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = 784111777.0
    monkeypatch.setattr(time, "time", lambda: moment)
    first = dates.current_http_date()
    assert first == "Sun, 06 Nov 1994 08:49:37 GMT"
    assert dates.current_http_date() is first
    moment += 1
    assert dates.current_http_date() == "Sun, 06 Nov 1994 08:49:38 GMT"
