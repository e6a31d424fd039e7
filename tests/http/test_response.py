"""`HTTPResponse` without a connection: what it collects, and what it refuses."""

from http import HTTPStatus
from typing import Any

import pytest

from perfectws.errors import LocalProtocolError
from perfectws.http.cookies import HTTPCookie
from perfectws.http.request import HTTPRequest
from perfectws.http.response import HTTPResponse, ResponseState


@pytest.fixture
def response() -> HTTPResponse:
    return HTTPResponse(HTTPRequest())


def test_setters_chain(response: HTTPResponse) -> None:
    same = (
        response.set_header("A", "1")
        .add_header("A", "2")
        .set_body("x")
        .append_body(b"y")
        .add_cookie(HTTPCookie("c", "1"))
    )
    assert same is response
    assert response.header("a") == "1"
    assert response.headers.get_all("A") == ["1", "2"]
    assert response.header("Set-Cookie") == "c=1"
    assert response.header("B") is None
    assert response.body_bytes == b"xy"


def test_a_status_is_a_member_where_there_is_one_and_an_int_elsewhere(response: HTTPResponse) -> None:
    assert response.status is HTTPStatus.OK
    response.status = 404
    assert response.status is HTTPStatus.NOT_FOUND
    response.status = 799
    assert response.status == 799


@pytest.mark.parametrize("status", [0, 100, 101, 199, 1000, "200", None])
def test_what_is_no_status_of_a_response_is_refused(response: HTTPResponse, status: Any) -> None:
    with pytest.raises(LocalProtocolError, match="cannot be the status of a response"):
        response.status = status


def test_a_body_is_text_bytes_or_json(response: HTTPResponse) -> None:
    assert response.set_body("ä").body_bytes == "ä".encode()
    assert response.set_body(bytearray(b"x")).body_bytes == b"x"
    assert response.header("Content-Type") is None
    assert response.set_body(json={"a": ["ä", None]}).body_bytes == '{"a": ["ä", null]}'.encode()
    assert response.header("Content-Type") == "application/json"
    assert response.set_body(json=None).body_bytes == b"null"
    response.body_bytes = b"z"
    assert response.body_bytes == b"z"


def test_json_leaves_a_content_type_that_was_set(response: HTTPResponse) -> None:
    response.set_header("Content-Type", "application/problem+json").set_body(json={})
    assert response.headers.get_all("Content-Type") == ["application/problem+json"]


def test_a_body_of_another_type_is_refused_at_once(response: HTTPResponse) -> None:
    for call in (response.set_body, response.append_body):
        with pytest.raises(TypeError, match=r"set_body\(json=…\) takes other things"):
            call({"a": 1})  # type: ignore[arg-type]  # misuse on purpose
    with pytest.raises(LocalProtocolError, match="either a str or bytes"):
        response.set_body()
    with pytest.raises(LocalProtocolError, match="either a str or bytes"):
        response.set_body("x", json=1)


def test_a_handler_can_be_tested_without_a_connection() -> None:
    response = HTTPResponse(HTTPRequest())
    response.set_body("x").completed(HTTPStatus.CREATED)
    assert (response.status, response.body_bytes, response.state) == (201, b"x", ResponseState.COMPLETED)
    response = HTTPResponse(HTTPRequest())
    response.next()
    assert response.state is ResponseState.COMPLETED


def test_without_a_connection_nothing_can_be_pushed_or_handed_over(response: HTTPResponse) -> None:
    with pytest.raises(LocalProtocolError, match="belongs to no connection"):
        response.push()
    with pytest.raises(LocalProtocolError, match="belongs to no connection"):
        _ = response.loop
    with pytest.raises(LocalProtocolError, match="belongs to no connection"):
        response.switch_protocols([], lambda transport: transport)  # type: ignore[arg-type,return-value]  # never called


def test_a_handler_that_is_queued_without_a_connection_runs_at_once(response: HTTPResponse) -> None:
    response.call_soon(lambda request, same: same.set_body("x").completed())
    assert response.body_bytes == b"x"
