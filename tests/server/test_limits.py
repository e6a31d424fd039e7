"""The table of limits: that everything which names them follows it."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any, get_type_hints

import pytest

from perfectws import HTTPServer, LaunchFailure, Routes
from perfectws.http.limits import LIMITS, HTTPLimits, Limit, LimitKeywords, SettableLimits
from perfectws.http.service import HTTPService
from perfectws.server.configuration import parse_configuration
from perfectws.server.keywords import KEYWORDS
from tests.server.conftest import PATIENCE, raw

POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b"


def test_the_keywords_have_the_names_and_the_types_of_the_table() -> None:
    assert get_type_hints(LimitKeywords) == get_type_hints(HTTPLimits)
    assert LIMITS.keys() == LimitKeywords.__annotations__.keys() <= KEYWORDS


def test_each_is_an_attribute_of_a_server_with_the_default_of_the_table() -> None:
    assert {name for name, each in vars(SettableLimits).items() if isinstance(each, Limit)} == LIMITS.keys()
    server = HTTPServer()
    assert {name: getattr(server, name) for name in LIMITS} == vars(HTTPLimits())


def test_what_is_set_counts_for_that_server_only_whether_by_attribute_or_by_keyword() -> None:
    by_attribute, by_keyword = HTTPServer(), HTTPServer.server(port=0, routes=Routes(), max_body_size=7)
    by_attribute.max_body_size = 7
    assert by_attribute.max_body_size == by_keyword.max_body_size == 7
    assert HTTPServer().max_body_size == HTTPLimits().max_body_size != 7


def test_an_attribute_that_is_set_is_what_connections_go_by() -> None:
    routes = Routes()
    routes.add("POST", "/", lambda request, response: response.completed())
    server = HTTPServer()
    server.server_name, server.server_address, server.max_body_size = "test", "127.0.0.1", 3
    server.add_routes(routes)
    (context,) = HTTPServer.launch(server, wait=False)
    try:
        with raw(context) as connection:
            assert b" 200 " in connection.ask(POST % (3, b"abc"))[0]
            assert b" 413 " in connection.ask(POST % (4, b"abcd"))[0]
    finally:
        assert context.terminate().wait(PATIENCE)


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("value", ["1", True, -1, float("nan")])
def test_a_value_that_cannot_be_is_refused_by_name_and_nothing_is_bound(name: str, value: object) -> None:
    limits: Any = {name: value}
    with pytest.raises(ValueError, match=rf"^{name} is a .*, not {value!r}$"):
        HTTPLimits(**limits)
    server = HTTPServer.server(name="shop", address="127.0.0.1", port=0, routes=Routes(), **limits)
    with pytest.raises(LaunchFailure, match=rf"^HTTP server 'shop' on 127.0.0.1:0: {name} is a .*, not {value!r}$"):
        server.bind()


@pytest.mark.parametrize("name", LIMITS)
def test_each_is_a_key_of_a_configuration_in_camel_case(name: str) -> None:
    first, *others = name.split("_")
    key = first + "".join(map(str.capitalize, others))
    (keywords,) = parse_configuration({"servers": [{"name": "shop", "port": 0, key: 5}]})
    assert getattr(HTTPServer.server(**keywords), name) == 5


def test_once_a_service_has_them_they_are_fixed() -> None:
    service = HTTPService(Routes().navigator, max_headers=5)
    assert service.max_headers == 5
    with pytest.raises(FrozenInstanceError):
        service.max_headers = 6  # type: ignore[misc]
