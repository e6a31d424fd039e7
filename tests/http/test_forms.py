"""Forms as URLs have them, and the parameters of a header."""

from hypothesis import given
from hypothesis import strategies as st

from perfectws.http.forms import parse_form, parse_parameters, parse_urlencoded


def test_urlencoded_pairs_are_decoded_in_order() -> None:
    assert parse_urlencoded("a=1&b=x%20y+z&a=&c&d=1=2") == [
        ("a", "1"),
        ("b", "x y z"),
        ("a", ""),
        ("c", ""),
        ("d", "1=2"),
    ]


def test_a_body_of_another_type_is_no_form() -> None:
    assert parse_form("application/json", b"a=1") == []
    assert parse_form("multipart/form-data; boundary=X", b"a=1") == []
    assert parse_form("", b"a=1") == []


def test_parameters_are_read_quoted_and_plain() -> None:
    assert parse_parameters('Text/HTML; Charset=utf-8; b="x;y"') == ("text/html", {"charset": "utf-8", "b": "x;y"})


@given(st.text(), st.binary())
def test_a_malformed_content_type_never_raises(content_type: str, body: bytes) -> None:
    parse_form(content_type, body)
