"""RFC 9112 §2 to §5: the head of a request."""

from __future__ import annotations

import pytest

from perfectws.transport import HIGH_WATER

from ..conftest import Connect
from .asked import Asked


async def test_2_2_a_request_is_octets_whatever_its_values_are_encoded_in(serve: Connect) -> None:
    """ "MUST parse an HTTP message as a sequence of octets in an encoding that is a superset of US-ASCII"."""
    asked = await Asked.on(serve)
    values = ["Ċčഊ", "\xff\xfe"]  # the first would have line ends in it in UTF-16, and the second is no UTF-8
    for value in values:
        octets = value.encode("utf-8" if value == values[0] else "latin-1")
        assert await asked.send("GET / HTTP/1.1", f"A: {octets.decode('latin-1')}") == 200
        await asked.peer.read_body()
    assert [request.header("A") for request in asked.requests] == values


@pytest.mark.parametrize(
    ("first", "field"),
    [
        ("GET /a\rb HTTP/1.1", "A: b"),
        ("GET / HTTP/1.1", "A: b\rC: d"),
        ("GET / HTTP/1.1", "A\r: b"),
        ("GET / HTTP/1.1\r", "A: b"),
    ],
)
async def test_2_2_a_bare_cr_is_refused(serve: Connect, first: str, field: str) -> None:
    """ "such a bare CR MUST consider that element to be invalid or replace each bare CR with SP"."""
    asked = await Asked.on(serve)
    await asked.send(first, field)
    await asked.assert_refused(400)


@pytest.mark.parametrize("space", [" ", "\t", "  \t"])
async def test_2_2_whitespace_before_the_first_field_is_refused(serve: Connect, space: str) -> None:
    """ "A recipient that receives whitespace between the start-line and the first header field MUST either reject the
    message".
    """
    asked = await Asked.on(serve)
    await asked.send("GET / HTTP/1.1", host=f"{space}Host: test")
    await asked.assert_refused(400)


@pytest.mark.parametrize("form", ["/", "http://test/"])
async def test_3_a_target_that_is_too_long_gets_414(serve: Connect, form: str) -> None:
    """ "a request-target longer than any URI it wishes to parse MUST respond with a 414 (URI Too Long)"."""
    asked = await Asked.on(serve)
    await asked.send(f"GET {form}{'a' * HIGH_WATER} HTTP/1.1")
    await asked.assert_refused(414)


async def test_3_2_a_request_without_a_host_gets_400(serve: Connect) -> None:
    """ "MUST respond with a 400 (Bad Request) status code to any HTTP/1.1 request message that lacks a Host header
    field".
    """
    asked = await Asked.on(serve)
    await asked.send("GET / HTTP/1.1", "A: b", host=None)
    await asked.assert_refused(400)


@pytest.mark.parametrize("second", ["Host: test", "host: other", "HOST:"])
async def test_3_2_a_request_with_two_hosts_gets_400(serve: Connect, second: str) -> None:
    """ "MUST respond with a 400 (Bad Request) [...] to any request message that contains more than one Host"."""
    asked = await Asked.on(serve)
    await asked.send("GET / HTTP/1.1", second)
    await asked.assert_refused(400)


@pytest.mark.parametrize("value", ["a b", "a/b", "u@a", "a:b", "a:65536", "[::1", "a, b", "a\\b", "http://a"])
async def test_3_2_a_host_that_is_none_gets_400(serve: Connect, value: str) -> None:
    """ "MUST respond with a 400 (Bad Request) [...] a Host header field with an invalid field value"."""
    asked = await Asked.on(serve)
    await asked.send("GET / HTTP/1.1", host=f"Host: {value}")
    await asked.assert_refused(400)


@pytest.mark.parametrize("target", ["http://right.example:81/a?q", "HTTP://right.example:81/a?q"])
async def test_3_2_2_the_host_of_an_absolute_target_takes_the_place_of_the_field(serve: Connect, target: str) -> None:
    """ "MUST ignore the received Host header field (if any) and instead use the host information of the
    request-target".
    """
    asked = await Asked.on(serve)
    assert await asked.send(f"GET {target} HTTP/1.1", host="Host: wrong.example") == 200
    assert asked.requests[0].headers.get_all("Host") == ["right.example:81"]


@pytest.mark.parametrize("target", ["http://test/a", "http://test:80/a", "https://test/a", "http://[::1]/a"])
async def test_3_2_2_an_absolute_target_is_accepted(serve: Connect, target: str) -> None:
    """ "A server MUST accept the absolute-form in requests"."""
    asked = await Asked.on(serve)
    assert await asked.send(f"GET {target} HTTP/1.1") == 200
    assert await asked.peer.read_body() == b"/a "


@pytest.mark.parametrize("field", ["A : b", "A\t: b", "Content-Length : 0", "A \t : b"])
async def test_5_1_whitespace_before_the_colon_gets_400(serve: Connect, field: str) -> None:
    """ "A server MUST reject, with [...] 400 (Bad Request), any [...] message that contains whitespace between a
    header field name and colon".
    """
    asked = await Asked.on(serve)
    await asked.send("GET / HTTP/1.1", field)
    await asked.assert_refused(400)


@pytest.mark.parametrize("fold", ["\r\n ", "\r\n\t", " \r\n \t ", "\r\n \r\n "])
async def test_5_2_a_folded_field_is_read_as_one_line(serve: Connect, fold: str) -> None:
    """ "A server that receives an obs-fold [...] MUST either reject the message [...] or replace each received
    obs-fold".
    """
    asked = await Asked.on(serve)
    assert await asked.send("GET / HTTP/1.1", f"A: b{fold}c: d") == 200
    value = asked.requests[0].header("A")
    assert value is not None
    assert value.split() == ["b", "c:", "d"]
    assert not {"\r", "\n"} & set(value)
    assert asked.requests[0].header("c") is None
