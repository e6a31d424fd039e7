"""Routes that can never be reached: found by a few paths each, and compared with all paths that there are."""

from __future__ import annotations

from http import HTTPMethod
from itertools import product
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfectws import HTTPRequest, HTTPResponse, Route, Routes
from perfectws.cli.shadowing import placed_routes, shadowed_routes


def handle(request: HTTPRequest, response: HTTPResponse) -> None:
    response.next()


def shadowed(routes: Routes) -> list[tuple[str, str | None]]:
    return [(route.pattern, None if by is None else by.pattern) for route, by in shadowed_routes(routes)]


@pytest.mark.parametrize(
    ("patterns", "says"),
    [
        (["/a", "/b", "/a/b", "/{x}/c", "/*/d", "/**"], []),
        (["/{name}", "/about"], [("/about", "/{name}")]),
        (["/about", "/{name}"], [("/about", "/{name}")]),  # variables come first, whatever the order
        (["/users/{id}", "/users/me", "/users/me/mail"], [("/users/me", "/users/{id}")]),
        (["/{a}", "/{b}"], [("/{b}", "/{a}")]),
        (["/{a}/x", "/{b}/y"], []),
        (["/same", "/same"], [("/same", "/same")]),
        (["/Case", "/case"], [("/Case", "/case")]),
        (["/{a}", "/*"], []),  # "/*" is reached by "/"
        (["/a/**", "/a/b/c"], []),
        (["/a/{x}", "/a/**"], []),
        (["/a", "/a/"], []),
        (["/", "/**"], []),
    ],
)
def test_a_route_behind_another_is_found_and_what_takes_its_requests(
    patterns: list[str], says: list[tuple[str, str]]
) -> None:
    assert shadowed(Routes(routes=[Route("GET", each, handle) for each in patterns])) == says


def test_methods_are_kept_apart_and_one_that_is_left_is_enough() -> None:
    routes = Routes()
    routes.add("GET", "/{name}", handle)
    routes.add("POST", "/about", handle)
    routes.add(methods=["GET", "PUT"], uri="/about", handler=handle)
    assert shadowed(routes) == []
    routes.add("PUT", "/{name}", handle)
    assert shadowed(routes) == [("/about", "/{name}")]


def test_a_route_of_its_own_outdoes_one_of_a_nested_routes() -> None:
    inner = Routes("/api", handle, [Route("GET", "/a", handle)])
    routes = Routes(routes=[Route("GET", "/api/a", handle), inner])
    (found,) = shadowed_routes(routes)
    assert found.route.route is inner.contents.routes[0]
    assert found.by is not None
    assert found.by.route is routes.contents.routes[0]


def test_every_route_is_placed_below_what_it_is_added_to() -> None:
    inner = Routes("/b", routes=[Route("GET", "c", handle)])
    routes = Routes("/a", routes=[inner, Route("GET", "/", handle)])
    assert [each.pattern for each in placed_routes(routes)] == ["/a/b/c", "/a/"]


COMPONENTS = st.lists(st.sampled_from(["a", "b", "{v}", "{w}", "*"]), max_size=3)
PATTERNS = st.builds(
    lambda names, end: "/" + "/".join([*names, *end]) + ("/" if names and not end and len(names) == 2 else ""),
    COMPONENTS,
    st.sampled_from([[], ["**"]]),
)
#: All that those patterns can tell apart.
PATHS = [
    "/" + "/".join(names) + end
    for size in range(6)
    for names in product("abc", repeat=size)
    for end in ("", "/")[: size + 1]
]


class Asked:
    has_url_variables = True
    method = HTTPMethod.GET

    def __init__(self) -> None:
        self.url_variables: dict[str, str] = {}


@settings(max_examples=20, deadline=None)
@given(st.lists(PATTERNS, min_size=1, max_size=5), st.lists(PATTERNS, max_size=2))
def test_asking_for_every_path_finds_the_same(own: list[str], nested: list[str]) -> None:
    def of(patterns: list[str]) -> list[Route]:
        return [Route("GET", each, lambda request, response: None) for each in patterns]

    routes = Routes(routes=[*of(own), Routes("/a", routes=of(nested))])
    navigator = routes.navigator
    reached = {
        handlers[-1]
        for path in PATHS
        if (handlers := navigator.find_handlers(path, cast(HTTPRequest, Asked()))) is not None
    }
    every = placed_routes(routes)
    assert {each.route for each, _ in shadowed_routes(routes)} == {
        each.route for each in every if each.route.handler not in reached
    }
