"""Forms, urlencoded and multipart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfectws.http.forms import MAX_PART_HEAD, MAX_PARTS, parse_form, parse_parameters, parse_urlencoded
from perfectws.http.headers import Headers

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


DISPOSITION = b'Content-Disposition: form-data; name="a"'


def test_folded_headers_of_a_part_are_read() -> None:
    body = b'--B\r\nA: b\r\n c\r\nContent-Disposition:\r\n\tform-data;\r\n  \r\n name="a"\r\n\r\nv\r\n--B--'
    assert parse_form("multipart/form-data; boundary=B", body) == [("a", "v")]


@pytest.mark.parametrize(
    "filler", [b"A: " + b"b" * MAX_PART_HEAD, b"A: b" + b"\r\n x" * MAX_PART_HEAD, b"A: b\r\n" * MAX_PART_HEAD]
)
def test_a_part_with_too_much_of_a_head_is_left_out_and_the_others_stay(
    filler: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[int] = []
    parse = Headers.parse

    def spy(head: bytes) -> Headers:
        parsed.append(len(head))
        return parse(head)

    monkeypatch.setattr(Headers, "parse", spy)
    body = b"--B\r\n" + filler + b"\r\n" + DISPOSITION + b"\r\n\r\nv\r\n--B\r\n" + DISPOSITION + b"\r\n\r\nw\r\n--B--"
    assert parse_form("multipart/form-data; boundary=B", body) == [("a", "w")]
    assert all(size <= MAX_PART_HEAD for size in parsed)


def test_the_longest_head_of_a_part_is_read() -> None:
    filler = b"A: " + b"b" * (MAX_PART_HEAD - len(DISPOSITION) - len(b"\r\n\r\nA: "))
    body = b"--B\r\n" + filler + b"\r\n" + DISPOSITION + b"\r\n\r\nv\r\n--B--"
    assert parse_form("multipart/form-data; boundary=B", body) == [("a", "v")]


def test_no_more_than_a_thousand_parts_are_read() -> None:
    body = (b"--B\r\n" + DISPOSITION + b"\r\n\r\nv\r\n") * (MAX_PARTS + 500) + b"--B--"
    assert len(parse_form("multipart/form-data; boundary=B", body)) == MAX_PARTS


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
