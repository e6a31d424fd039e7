"""Routes as Vapor spells them: methods by name, variables with a colon, groups with filters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from perfectws import (
    FilterPriority,
    HTTPRequest,
    HTTPRequestFilter,
    HTTPResponse,
    RequestFilterResult,
    RouteError,
    Routes,
)

from ..http.fakes import Server, get

VERBS = ["get", "post", "put", "patch", "delete"]


class Notes(HTTPRequestFilter):
    """Notes its name in a header, and gives a result."""

    def __init__(self, name: str, result: RequestFilterResult = RequestFilterResult.CONTINUE) -> None:
        self.name, self.result = name, result

    def filter(
        self, request: HTTPRequest, response: HTTPResponse, callback: Callable[[RequestFilterResult], object]
    ) -> None:
        before = response.header("X-Passed")
        response.set_header("X-Passed", f"{before}, {self.name}" if before else self.name)
        callback(self.result)


def passed(routes: Routes, path: str) -> tuple[str | None, bytes]:
    (answer,) = Server(routes).ask(get(path))
    return answer.header("x-passed"), answer.body


def say(text: str) -> Callable[[HTTPRequest, HTTPResponse], None]:
    return lambda request, response: response.set_body(text).completed()


@pytest.mark.parametrize("verb", VERBS)
def test_each_method_has_a_name_that_adds_a_route_or_decorates(verb: str) -> None:
    routes = Routes()
    handler, decorated = say("a"), say("b")
    assert getattr(routes, verb)("/a/:b/c", handler) is handler
    assert getattr(routes, verb)("d")(decorated) is decorated
    request = HTTPRequest(verb)
    assert routes.navigator.find_handler("/a/x/c", request) is handler
    assert request.url_variables == {"b": "x"}
    assert routes.navigator.find_handler("/d", HTTPRequest(verb)) is decorated
    assert routes.navigator.find_handler("/d", HTTPRequest("OPTIONS")) is None


@pytest.mark.parametrize(("path", "says"), [("/:", "name"), ("/a:b/:c:", None), (5, "the path of a route is a str")])
def test_a_path_that_is_malformed_is_refused(path: Any, says: str | None) -> None:
    if says is None:
        Routes().get(path, say("x"))  # colons elsewhere are literal
        return
    with pytest.raises(RouteError, match=says):
        Routes().get(path, say("x"))
    with pytest.raises(RouteError, match=says):
        Routes().web_socket(path, lambda request, ws: None)


def test_groups_nest_and_their_filters_add_up_from_the_outside_in() -> None:
    routes = Routes()
    outer = routes.grouped("a", Notes("1"), Notes("2"))
    inner = outer.grouped("b", Notes("3"))
    outer.get("x", say("outer"))
    inner.get("x", say("inner"))
    routes.get("a/b/y", say("beside"))
    assert passed(routes, "/a/x") == ("1, 2", b"outer")
    assert passed(routes, "/a/b/x") == ("1, 2, 3", b"inner")
    assert passed(routes, "/a/b/y") == (None, b"beside")


def test_a_group_without_a_prefix_filters_what_is_added_to_it_only() -> None:
    routes = Routes()
    routes.grouped("", Notes("1")).get("a", say("inside"))
    routes.get("b", say("outside"))
    assert passed(routes, "/a") == ("1", b"inside")
    assert passed(routes, "/b") == (None, b"outside")


def test_execute_leaves_out_the_rest_of_the_groups_filters_and_priorities_count() -> None:
    routes = Routes()
    group = routes.grouped(
        "a",
        (Notes("low"), FilterPriority.LOW),
        (Notes("high", RequestFilterResult.EXECUTE), FilterPriority.HIGH),
        (Notes("skipped"), FilterPriority.HIGH),
    )
    group.get("x", say("x"))
    assert passed(routes, "/a/x") == ("high, low", b"x")


def test_halt_ends_the_request_with_the_response_as_it_is() -> None:
    routes = Routes()
    routes.grouped("a", Notes("1", RequestFilterResult.HALT), Notes("2")).get("x", say("never"))
    assert passed(routes, "/a/x") == ("1", b"")


def test_wildcards_of_a_group_pass_its_filters() -> None:
    routes = Routes()
    routes.grouped("files", Notes("1")).get("**", say("file"))
    assert passed(routes, "/files/a/b") == ("1", b"file")


def test_what_is_no_filter_is_refused() -> None:
    with pytest.raises(TypeError, match="it has no method filter"):
        Routes().grouped("a", say("x"))  # type: ignore[arg-type]  # on purpose
