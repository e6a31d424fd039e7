"""Which conditions a representation meets, and in which order they are asked (RFC 9110 §13)."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfectws.http.dates import http_date
from perfectws.http.preconditions import failed_precondition, range_applies
from perfectws.http.request import HTTPRequest

ETAG, MODIFIED = '"1-2"', 784111777
SAME, BEFORE, AFTER = (http_date(MODIFIED + seconds) for seconds in (0, -1, 1))
MET, NOT_MODIFIED, FAILED = None, 304, 412


def judged(*headers: tuple[str, str], method: str = "GET") -> int | None:
    return failed_precondition(HTTPRequest(method, "/", headers), ETAG, MODIFIED)


def test_without_conditions_there_is_nothing_to_meet() -> None:
    assert judged() is MET


@pytest.mark.parametrize(
    ("tags", "status"),
    [
        (ETAG, MET),
        ("*", MET),
        (f'"x", {ETAG}', MET),
        (f'"x",{ETAG},', MET),
        (f'"a, b" , {ETAG}', MET),
        ('"x"', FAILED),
        ("W/" + ETAG, FAILED),
        (f'W/"x", W/{ETAG}', FAILED),
        ("", FAILED),
        ("1-2", FAILED),
        ('"*"', FAILED),
        ('"1-2', FAILED),
        ('"a,"1-2",b"', FAILED),
        ("'1-2'", FAILED),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
def test_if_match_compares_strongly(tags: str, status: int | None, method: str) -> None:
    assert judged(("If-Match", tags), method=method) == status


@pytest.mark.parametrize(
    ("tags", "is_known"),
    [
        (ETAG, True),
        ("W/" + ETAG, True),
        ("*", True),
        (f'"x", W/{ETAG}', True),
        ('"x"', False),
        ('W/"x"', False),
        ("w/" + ETAG[:-1], False),
        ("", False),
        ("1-2", False),
        (f'"x, {ETAG[1:]}', False),
    ],
)
@pytest.mark.parametrize(("method", "status"), [("GET", NOT_MODIFIED), ("HEAD", NOT_MODIFIED), ("PUT", FAILED)])
def test_if_none_match_compares_weakly(tags: str, is_known: bool, method: str, status: int) -> None:
    assert judged(("If-None-Match", tags), method=method) == (status if is_known else MET)


def test_a_list_may_stand_on_several_lines() -> None:
    assert judged(("If-Match", '"x"'), ("If-Match", ETAG)) is MET
    assert judged(("If-None-Match", '"x"'), ("if-none-match", ETAG)) == NOT_MODIFIED


@pytest.mark.parametrize(
    ("date", "unmodified", "since"),
    [
        (SAME, MET, NOT_MODIFIED),
        (AFTER, MET, NOT_MODIFIED),
        (BEFORE, FAILED, MET),
        ("Sunday, 06-Nov-94 08:49:36 GMT", FAILED, MET),
        ("Sun Nov  6 08:49:37 1994", MET, NOT_MODIFIED),
        ("yesterday", MET, MET),
        ("", MET, MET),
        (f"{BEFORE}, {BEFORE}", MET, MET),
        ("Sun, 06 Nov 1994 08:49:36 +0000", MET, MET),
    ],
)
def test_what_is_no_date_is_no_condition(date: str, unmodified: int | None, since: int | None) -> None:
    assert judged(("If-Unmodified-Since", date)) == unmodified
    assert judged(("If-Modified-Since", date)) == since


def test_if_modified_since_is_for_what_is_read() -> None:
    assert judged(("If-Modified-Since", SAME), method="HEAD") == NOT_MODIFIED
    assert judged(("If-Modified-Since", SAME), method="PUT") is MET
    assert judged(("If-Unmodified-Since", BEFORE), method="PUT") == FAILED


# Each condition, where it holds and where it fails.
MATCH = {None: None, True: ETAG, False: '"x"'}
UNMODIFIED = {None: None, True: SAME, False: BEFORE}
NONE_MATCH = {None: None, True: '"x"', False: ETAG}
SINCE = {None: None, True: BEFORE, False: SAME}


@pytest.mark.parametrize("holds", list(product((None, True, False), repeat=4)))
def test_the_order_is_that_of_the_rfc(holds: tuple[bool | None, ...]) -> None:
    names = ("If-Match", "If-Unmodified-Since", "If-None-Match", "If-Modified-Since")
    values = [table[each] for table, each in zip((MATCH, UNMODIFIED, NONE_MATCH, SINCE), holds, strict=True)]
    headers = [(name, value) for name, value in zip(names, values, strict=True) if value is not None]
    match, unmodified, none_match, since = holds
    if (match if match is not None else unmodified) is False:
        expected: int | None = FAILED
    elif (none_match if none_match is not None else since) is False:
        expected = NOT_MODIFIED
    else:
        expected = MET
    assert judged(*headers) == expected
    assert judged(*reversed(headers)) == expected


@pytest.mark.parametrize(
    ("validator", "applies"),
    [
        (ETAG, True),
        (SAME, True),
        ('"x"', False),
        ("W/" + ETAG, False),
        (BEFORE, False),
        (AFTER, False),
        ("*", False),
        (f"{ETAG}, {ETAG}", False),
        ("", False),
    ],
)
def test_if_range_must_name_this_very_representation(validator: str, applies: bool) -> None:
    assert range_applies(HTTPRequest(headers=[("If-Range", validator)]), ETAG, MODIFIED) is applies


def test_without_if_range_a_range_applies() -> None:
    assert range_applies(HTTPRequest(), ETAG, MODIFIED)


@given(st.text(alphabet='W/",* 12-\u00e4', max_size=30))
def test_no_list_makes_it_raise(tags: str) -> None:
    assert judged(("If-Match", tags)) in (MET, FAILED)
    assert judged(("If-None-Match", tags)) in (MET, NOT_MODIFIED)
