"""What stands for bytes, wherever an application gives some."""

from __future__ import annotations

from array import array
from typing import Any

import pytest

from perfectws import HTTPRequest, HTTPResponse
from perfectws.http.binary import bytes_of


@pytest.mark.parametrize(
    "data",
    [
        b"\x01\x02\xff",
        bytearray(b"\x01\x02\xff"),
        memoryview(b"\x01\x02\xff"),
        memoryview(b"\x01\0\x02\0\xff")[::2],
        array("B", [1, 2, 255]),
        [1, 2, 255],
        (1, 2, 255),
    ],
    ids=lambda data: type(data).__name__,
)
def test_bytes_are_taken_in_any_form(data: Any) -> None:
    assert bytes_of(data, "this takes bytes") == b"\x01\x02\xff"


def test_a_list_of_none_is_no_bytes() -> None:
    assert bytes_of([], "this takes bytes") == b""


@pytest.mark.parametrize(
    ("data", "error", "says"),
    [
        ("text", TypeError, "this takes bytes, not str 'text'"),
        (5, TypeError, "this takes bytes, not int 5"),
        (None, TypeError, "this takes bytes, not NoneType None"),
        (bytes, TypeError, "this takes bytes, not the class bytes"),
        ("x" * 1000, TypeError, "this takes bytes, not str '" + "x" * 59),
        ([1, 256], ValueError, "this takes bytes, or a list of ints from 0 to 255, which 256 is not"),
        ([-1], ValueError, "this takes bytes, or a list of ints from 0 to 255, which -1 is not"),
        ([1, "2"], TypeError, "this takes bytes, or a list of ints from 0 to 255, which '2' is not"),
        ([1.0], TypeError, "this takes bytes, or a list of ints from 0 to 255, which 1.0 is not"),
    ],
)
def test_what_is_no_bytes_is_refused_and_named(data: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error) as refused:
        bytes_of(data, "this takes bytes")
    assert str(refused.value) == says


def test_bodies_of_requests_and_responses_take_them_too() -> None:
    request = HTTPRequest(body=[104, 105])
    assert request.post_body_string == "hi"
    request.post_body_bytes = [1, 2]
    assert request.post_body_bytes == b"\x01\x02"
    response = HTTPResponse(request).set_body([1]).append_body([2, 3]).append_body("é")
    assert response.body_bytes == b"\x01\x02\x03\xc3\xa9"
    with pytest.raises(
        TypeError, match=r"a body is a str or bytes \(set_body\(json=…\) takes other things\), not dict"
    ):
        response.set_body({})  # type: ignore[arg-type]
