"""Request methods have one spelling each."""

from http import HTTPMethod
from typing import Any

import pytest

from perfectws.http.methods import ALL_METHODS, parse_method, received_method


def test_a_known_method_is_a_member_in_either_case() -> None:
    assert parse_method("get") is HTTPMethod.GET
    assert parse_method("Get") is HTTPMethod.GET
    assert parse_method(HTTPMethod.POST) is HTTPMethod.POST


def test_an_unknown_method_is_its_name_in_upper_case() -> None:
    assert parse_method("propfind") == "PROPFIND"


@pytest.mark.parametrize("name", ["", "/echo", "GET POST", 5, None])
def test_what_cannot_be_a_method_is_refused(name: Any) -> None:
    with pytest.raises(ValueError, match="is not a request method"):
        parse_method(name)


def test_a_method_that_arrives_is_case_sensitive() -> None:
    assert received_method(b"GET") is HTTPMethod.GET
    assert received_method(b"get") == "get"
    assert received_method(b"PROPFIND") == "PROPFIND"


def test_perfects_nine_methods_are_all_methods() -> None:
    names = {"OPTIONS", "GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "TRACE", "CONNECT"}
    assert {method.value for method in ALL_METHODS} == names
