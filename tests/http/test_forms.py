"""Forms, urlencoded and multipart."""

from hypothesis import given
from hypothesis import strategies as st

from perfectws.http.forms import parse_form, parse_parameters, parse_urlencoded

MULTIPART = (
    b"a preamble\r\n--XX\r\n"
    b'Content-Disposition: form-data; name="a"\r\n\r\none\r\ntwo\r\n--XX\r\n'
    b'Content-Disposition: form-data; name="f"; filename="x.png"\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n--XX\r\n'
    b'content-disposition: form-data; name="say \\"hi\\""\r\n\r\n\xc3\xa4\r\n--XX\r\n'
    b"Content-Disposition: form-data\r\n\r\nnameless\r\n--XX--\r\nan epilogue\r\n--XX\r\n"
    b'Content-Disposition: form-data; name="late"\r\n\r\n1\r\n'
)


def test_urlencoded_pairs_are_decoded_in_order() -> None:
    assert parse_urlencoded("a=1&b=x%20y+z&a=&c&d=1=2") == [
        ("a", "1"),
        ("b", "x y z"),
        ("a", ""),
        ("c", ""),
        ("d", "1=2"),
    ]


def test_the_text_fields_of_a_multipart_form_are_read_and_its_files_left_out() -> None:
    fields = parse_form('multipart/form-data; boundary="XX"', MULTIPART)
    assert fields == [("a", "one\r\ntwo"), ('say "hi"', "ä")]


def test_a_body_of_another_type_is_no_form() -> None:
    assert parse_form("application/json", b"a=1") == []
    assert parse_form("multipart/form-data", MULTIPART) == []
    assert parse_form("", b"a=1") == []


def test_parameters_are_read_quoted_and_plain() -> None:
    assert parse_parameters('Text/HTML; Charset=utf-8; b="x;y"') == ("text/html", {"charset": "utf-8", "b": "x;y"})


@given(st.binary(), st.sampled_from([b"XX", b"\r\n--XX", b"--XX--"]))
def test_a_malformed_multipart_body_never_raises(body: bytes, marker: bytes) -> None:
    parse_form("multipart/form-data; boundary=XX", marker.join([body, body, body]))


@given(st.text(), st.binary())
def test_a_malformed_content_type_never_raises(content_type: str, body: bytes) -> None:
    parse_form(content_type, body)
