"""Cookies out and in."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfectws.errors import LocalProtocolError
from perfectws.http.cookies import Expiration, HTTPCookie, SameSite, parse_cookies


def test_a_plain_cookie_is_a_name_and_a_value() -> None:
    assert HTTPCookie("a", "1").encode() == "a=1"


def test_every_attribute_is_written() -> None:
    cookie = HTTPCookie("a", "1", "example.com", Expiration.absolute_seconds(0), "/x", True, True, SameSite.STRICT)
    assert cookie.encode() == (
        "a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/x; Domain=example.com; Secure; HttpOnly; SameSite=Strict"
    )


def test_a_relative_end_is_written_for_clocks_right_and_wrong() -> None:
    line = HTTPCookie("a", "1", expires=Expiration.relative_seconds(60)).encode()
    assert line.startswith("a=1; Expires=")
    assert line.endswith("; Max-Age=60")
    assert HTTPCookie("a", "1", expires=timedelta(minutes=1)).encode().endswith("; Max-Age=60")


def test_an_end_may_be_a_session_a_datetime_or_a_date_as_written() -> None:
    assert HTTPCookie("a", "1", expires=Expiration.SESSION).encode() == "a=1"
    moment = datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)
    assert HTTPCookie("a", "1", expires=moment).encode() == "a=1; Expires=Sun, 06 Nov 1994 08:49:37 GMT"
    assert HTTPCookie("a", "1", expires=Expiration.absolute_date("soon")).encode() == "a=1; Expires=soon"


@pytest.mark.parametrize("path", ["/;x", "/\r\n", "\x00"])
def test_an_attribute_cannot_smuggle_another_in(path: str) -> None:
    with pytest.raises(LocalProtocolError, match="semicolon"):
        HTTPCookie("a", "1", path=path)
    with pytest.raises(LocalProtocolError, match="semicolon"):
        HTTPCookie("a", "1", domain=path)
    with pytest.raises(LocalProtocolError, match="semicolon"):
        Expiration.absolute_date(path)


def test_a_cookie_needs_a_name() -> None:
    with pytest.raises(LocalProtocolError, match="needs a name"):
        HTTPCookie("", "1")


def test_cookies_are_read_in_order_with_equals_signs_in_their_values() -> None:
    assert parse_cookies("a=1; b=x==;c = %20 ;broken;=nameless") == [("a", "1"), ("b", "x=="), ("c", " ")]


@given(st.text(min_size=1).filter(str.isprintable), st.text().filter(str.isprintable))
def test_any_text_comes_back_as_it_was_set(name: str, value: str) -> None:
    assert parse_cookies(HTTPCookie(name, value).encode()) == [(name, value)]
