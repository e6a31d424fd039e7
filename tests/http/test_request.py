"""`HTTPRequest`, as an application and its tests see it."""

from http import HTTPMethod
from typing import Any

import pytest

from perfectws.errors import LocalProtocolError
from perfectws.http.request import HTTPRequest


def test_a_request_can_be_made_in_a_test() -> None:
    request = HTTPRequest(method="get", uri="/a?b=c", headers=[("Host", "x")], body=b"body")
    assert request.method is HTTPMethod.GET
    assert request.uri == "/a?b=c"
    assert request.path == "/a"
    assert request.path_components == ["/", "a"]
    assert request.query_params == [("b", "c")]
    assert request.protocol_version == (1, 1)
    assert request.header("host") == "x"
    assert request.post_body_bytes == b"body"
    assert request.post_body_string == "body"
    assert request.url_variables == {}
    assert request.remote_address == ("", 0)
    assert request.server_address == ("", 0)
    assert request.server_name == ""
    assert request.document_root == "./webroot"
    assert repr(request) == "<HTTPRequest GET /a?***>"


@pytest.mark.parametrize("uri", [5, None, b"/a"])
def test_a_uri_that_is_no_string_is_refused(uri: Any) -> None:
    with pytest.raises(TypeError, match="uri is a str, such as"):
        HTTPRequest(uri=uri)


def test_the_path_is_percent_encoded_and_free_of_doubled_slashes() -> None:
    request = HTTPRequest(uri="//a///b%20c/%2e%2e/?x=//")
    assert request.path == "/a/b%20c/../"
    assert request.path_components == ["/", "a", "b c", "..", "/"]


def test_a_filter_may_set_another_path_and_the_query_stays() -> None:
    request = HTTPRequest(uri="/a?b=c")
    request.path = "/index.html"
    assert request.uri == "/index.html?b=c"
    assert request.path == "/index.html"
    request = HTTPRequest(uri="/a")
    request.path = "/b"
    assert request.uri == "/b"


def test_param_looks_into_the_query_first_and_then_into_the_form() -> None:
    request = HTTPRequest(
        "POST", "/?a=1&a=2", [("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")], b"a=3&b=4+5"
    )
    assert request.param("a") == "1"
    assert request.param("b") == "4 5"
    assert request.param("c") is None
    assert request.param("c", default_value="6") == "6"
    assert request.params("a") == ["1", "2", "3"]
    assert request.params(named="nothing") == []
    assert request.params() == [("a", "1"), ("a", "2"), ("a", "3"), ("b", "4 5")]
    assert request.post_params == [("a", "3"), ("b", "4 5")]


def test_a_multipart_form_gives_its_text_fields_and_keeps_its_bytes() -> None:
    body = b'--X\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--X--\r\n'
    request = HTTPRequest("POST", "/", [("Content-Type", "multipart/form-data; boundary=X")], body)
    assert request.post_params == [("a", "1")]
    assert request.post_body_bytes == body


def test_a_new_body_is_parsed_anew() -> None:
    request = HTTPRequest("POST", "/", [("Content-Type", "application/x-www-form-urlencoded")], b"a=1")
    assert request.post_params == [("a", "1")]
    request.post_body_bytes = b"a=2"
    assert request.post_params == [("a", "2")]


def test_a_body_that_is_not_utf_8_has_no_string() -> None:
    assert HTTPRequest(body=b"\xff").post_body_string is None
    assert HTTPRequest().post_body_string == ""


def test_cookies_are_pairs() -> None:
    assert HTTPRequest(headers=[("Cookie", "a=1; b=2")]).cookies == [("a", "1"), ("b", "2")]
    assert HTTPRequest().cookies == []


def test_headers_can_be_added_and_set_by_a_filter() -> None:
    request = HTTPRequest(headers=[("A", "1")])
    request.add_header("A", "2").set_header("B", "3")
    assert request.header("A") == "1, 2"
    assert list(request.headers) == [("A", "1"), ("A", "2"), ("B", "3")]
    with pytest.raises(LocalProtocolError):
        request.set_header("A", "x\r\n")


def test_scratch_pad_and_url_variables_belong_to_the_request() -> None:
    first, second = HTTPRequest(), HTTPRequest()
    first.scratch_pad["user"] = object()
    first.url_variables["a"] = "1"
    assert second.scratch_pad == {}
    assert second.url_variables == {}
    second.url_variables = {"b": "2"}
    assert second.url_variables == {"b": "2"}


def test_a_compact_request_answers_as_before() -> None:
    head = b"GET / HTTP/1.1\r\nHost: x\r\nA: 1\r\n\r\n"
    request = HTTPRequest(headers=head)
    assert request.header("a") == "1"
    assert request.headers is request.headers
    request.compact()
    assert request.header("A") == "1"
    assert request.headers is not request.headers
    assert list(request.headers) == [("Host", "x"), ("A", "1")]


def test_what_a_filter_did_survives_compaction_and_what_is_done_after_it_stays() -> None:
    request = HTTPRequest(headers=b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    request.set_header("A", "1")
    request.compact()
    request.add_header("B", "2")
    assert list(request.headers) == [("Host", "x"), ("A", "1"), ("B", "2")]


def test_a_target_in_absolute_form_has_a_path_and_a_query() -> None:
    request = HTTPRequest(uri="http://example.com/a/b?c=d")
    assert (request.path, request.query_params) == ("/a/b", [("c", "d")])
