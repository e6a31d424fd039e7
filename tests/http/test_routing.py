"""Routing, in the order of Perfect's guide; then what its own tests hold; then what adding a route refuses."""

from collections.abc import Callable
from http import HTTPMethod
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfectws.errors import RouteError
from perfectws.http.methods import Method
from perfectws.http.request import HTTPRequest
from perfectws.http.response import HTTPResponse
from perfectws.http.routing import ROUTE_TRAILING_WILDCARD_KEY, Route, Routes


class Handler:
    """A handler with a name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, request: HTTPRequest, response: HTTPResponse) -> None:
        raise AssertionError("routing calls no handler")

    def __repr__(self) -> str:
        return self.name


def routes_of(*patterns: str, method: Method = "GET") -> Routes:
    routes = Routes()
    for pattern in patterns:
        routes.add(method, pattern, Handler(pattern))
    return routes


def find(routes: Routes, uri: str, method: Method = "GET") -> tuple[list[str] | None, dict[str, str]]:
    """Return the names of the handlers, and the URL variables."""
    request = HTTPRequest(method, uri)
    handlers = routes.navigator.find_handlers(uri, request)
    return (None if handlers is None else [str(handler) for handler in handlers]), request.url_variables


def found(routes: Routes, uri: str, method: Method = "GET") -> str | None:
    handlers, _ = find(routes, uri, method)
    return handlers[-1] if handlers else None


class TestCreatingRoutes:
    def test_a_route_is_a_method_a_path_and_a_handler(self) -> None:
        routes = routes_of("/path/one")
        assert found(routes, "/path/one") == "/path/one"
        assert found(routes, "/path/one?a=b") == "/path/one"
        assert found(routes, "/path/two") is None
        assert found(routes, "/path") is None
        assert found(routes, "/path/one/two") is None

    def test_another_method_does_not_match(self) -> None:
        routes = routes_of("/a", method="POST")
        assert found(routes, "/a", "POST") == "/a"
        assert found(routes, "/a", "GET") is None

    def test_without_a_method_a_route_is_for_every_standard_method(self) -> None:
        routes = Routes()
        routes.add(uri="/a", handler=Handler("any"))
        for method in HTTPMethod:
            assert found(routes, "/a", method) == "any"
        assert found(routes, "/a", "PROPFIND") is None

    def test_a_method_that_http_does_not_know_routes_by_its_name(self) -> None:
        routes = routes_of("/a", method="propfind")
        assert found(routes, "/a", "PROPFIND") == "/a"

    def test_head_is_answered_by_the_route_of_get(self) -> None:
        assert found(routes_of("/a"), "/a", "HEAD") == "/a"
        routes = routes_of("/a")
        routes.add("HEAD", "/a", Handler("own"))
        assert found(routes, "/a", "HEAD") == "own"

    def test_a_base_uri_stands_before_every_route(self) -> None:
        api = routes_of("/call1")
        for base in ("/v1", "v1", "/v1/", "//v1//"):
            routes = Routes(base_uri=base)
            routes.add(api)
            assert found(routes, "/v1/call1") == "/call1"
            assert found(routes, "/call1") is None

    def test_the_guides_two_versions_differ_in_one_call(self) -> None:
        api = Routes()
        api.add(method="GET", uri="/call1", handler=Handler("API CALL 1"))
        api.add(method="GET", uri="/call2", handler=Handler("API CALL 2"))
        api1, api2 = Routes(base_uri="/v1"), Routes(base_uri="/v2")
        api1.add(api)
        api2.add(api)
        api2.add(method="GET", uri="/call2", handler=Handler("API v2 CALL 2"))
        routes = Routes()
        routes.add(api1)
        routes.add(api2)
        assert found(routes, "/v1/call1") == "API CALL 1"
        assert found(routes, "/v2/call1") == "API CALL 1"
        assert found(routes, "/v1/call2") == "API CALL 2"
        assert found(routes, "/v2/call2") == "API v2 CALL 2"

    def test_of_two_routes_for_one_uri_the_later_counts(self) -> None:
        routes = Routes()
        routes.add("GET", "/a", Handler("first"))
        routes.add("GET", "/A", Handler("second"))
        assert found(routes, "/a") == "second"


class TestNonTerminalHandlers:
    def test_a_routes_handler_runs_before_the_handler_of_the_route(self) -> None:
        routes = Routes(base_uri="/v1", handler=Handler("authorize"))
        routes.add("GET", "/call1", Handler("call1"))
        routes.add("GET", "/call2", Handler("call2"))
        assert find(routes, "/v1/call1")[0] == ["authorize", "call1"]
        assert find(routes, "/v1/call2")[0] == ["authorize", "call2"]

    def test_it_is_not_reached_on_its_own(self) -> None:
        routes = Routes(base_uri="/v1", handler=Handler("authorize"))
        routes.add("GET", "/call1", Handler("call1"))
        assert found(routes, "/v1") is None
        assert found(routes, "/v1/other") is None

    def test_handlers_nest_from_the_outside_in(self) -> None:
        inner = Routes(base_uri="/b", handler=Handler("inner"))
        inner.add("GET", "/c", Handler("c"))
        outer = Routes(base_uri="/a", handler=Handler("outer"))
        outer.add(inner)
        assert find(outer, "/a/b/c")[0] == ["outer", "inner", "c"]

    def test_a_terminal_handler_on_the_way_of_a_longer_match_does_not_run(self) -> None:
        assert find(routes_of("/v1/users", "/v1/users/foo"), "/v1/users/foo")[0] == ["/v1/users/foo"]

    def test_it_runs_only_for_the_methods_of_its_own_routes(self) -> None:
        routes = Routes(base_uri="/v1", handler=Handler("authorize"))
        routes.add("GET", "/a", Handler("a"))
        whole = Routes()
        whole.add(routes)
        whole.add("POST", "/v1/a", Handler("post"))
        assert find(whole, "/v1/a", "POST")[0] == ["post"]

    def test_it_runs_for_every_route_that_goes_through_its_base_uri(self) -> None:
        whole = Routes()
        whole.add(Routes("/v1", Handler("authorize"), [Route("GET", "/a", Handler("a"))]))
        whole.add("GET", "/v1/b", Handler("b"))
        assert find(whole, "/v1/b")[0] == ["authorize", "b"]

    def test_two_handlers_at_one_base_uri_both_run(self) -> None:
        inner = Routes(handler=Handler("inner"), routes=[Route("GET", "/a", Handler("a"))])
        outer = Routes("/v1", Handler("outer"))
        outer.add(inner)
        assert find(outer, "/v1/a")[0] == ["outer", "inner", "a"]

    def test_a_handler_at_the_root_leaves_the_route_to_the_root_alone(self) -> None:
        routes = Routes(handler=Handler("first"))
        routes.add("GET", "/", Handler("index"))
        assert find(routes, "/")[0] == ["first", "index"]

    def test_its_base_uri_may_hold_variables(self) -> None:
        routes = Routes(base_uri="/a/b/{c}", handler=Handler("base"))
        routes.add(uri="/1", handler=Handler("1"))
        routes.add("GET", "/2", Handler("2"))
        routes.add("POST", "/2", Handler("3"))
        assert find(routes, "/a/b/x/1") == (["base", "1"], {"c": "x"})
        assert find(routes, "/a/b/y/2") == (["base", "2"], {"c": "y"})
        assert find(routes, "/a/b/y/2", "POST") == (["base", "3"], {"c": "y"})


class TestVariables:
    def test_a_variable_matches_one_component_and_keeps_it(self) -> None:
        routes = routes_of("/foo/{bar}/baz")
        assert find(routes, "/foo/123/baz") == (["/foo/{bar}/baz"], {"bar": "123"})
        assert found(routes, "/foo/1/2/baz") is None
        assert found(routes, "/foo/baz") is None

    def test_its_value_is_decoded_and_keeps_its_case(self) -> None:
        assert find(routes_of("/{a}"), "/Gr%C3%BC%C3%9Fe%20%2F")[1] == {"a": "Grüße /"}

    def test_its_name_may_be_anything_but_a_brace(self) -> None:
        assert find(routes_of("/{user id}"), "/5")[1] == {"user id": "5"}

    def test_two_variables_are_told_apart_by_what_follows(self) -> None:
        routes = routes_of("/{a}/x", "/{b}/y")
        assert find(routes, "/1/y") == (["/{b}/y"], {"b": "1"})

    def test_perfects_own_examples(self) -> None:
        routes = routes_of("/fOo/{bar}/baZ/{bum}")
        assert find(routes, "/Foo/1/Baz/2")[1] == {"bar": "1", "bum": "2"}
        assert find(routes, "/Foo/ABC/Baz/abc")[1] == {"bar": "ABC", "bum": "abc"}

    def test_as_in_perfect_the_name_that_came_first_is_tried_first(self) -> None:
        first = Route(uri="/a/{x}", handler=Handler("first"))
        later = Route(uri="/a/{y}", handler=Handler("later"))
        again = Route(uri="/a/{x}", handler=Handler("again"))
        assert find(Routes(routes=[first, later]), "/a/v") == (["first"], {"x": "v"})
        assert find(Routes(routes=[first, later, again]), "/a/v") == (["again"], {"x": "v"})
        assert find(Routes(routes=[first, Routes(routes=[later])]), "/a/v") == (["later"], {"y": "v"})

    def test_as_in_perfect_a_trailing_slash_is_a_component_to_a_variable(self) -> None:
        assert find(routes_of("/foo/{bar}"), "/foo/")[1] == {"bar": "/"}


class TestWildcards:
    def test_one_asterisk_is_one_component(self) -> None:
        routes = routes_of("/foo/*/baz")
        assert found(routes, "/foo/123/baz") == "/foo/*/baz"
        assert found(routes, "/foo/bar/baz") == "/foo/*/baz"
        assert found(routes, "/foo/bar/bar/baz") is None
        assert found(routes_of("/foo/*/baz/*"), "/foo/bar/baz/bum") == "/foo/*/baz/*"

    def test_as_in_perfect_a_last_asterisk_matches_nothing_too(self) -> None:
        assert found(routes_of("/foo/*"), "/foo") == "/foo/*"
        assert found(routes_of("/foo/*"), "/foo/") == "/foo/*"

    def test_two_asterisks_match_all_that_remains_and_nothing(self) -> None:
        routes = routes_of("/foo/**")
        for uri in ("/foo/bar/baz", "/foo/bar", "/foo/", "/foo"):
            assert found(routes, uri) == "/foo/**"
        assert found(routes, "/fooo0/") is None
        assert found(routes, "/") is None

    @pytest.mark.parametrize("pattern", ["/**", "**"])
    def test_two_asterisks_alone_match_everything(self, pattern: str) -> None:
        for uri in ("/", "/a", "/a/", "/a/b/c", "*"):
            assert found(routes_of(pattern), uri) == pattern

    @pytest.mark.parametrize(
        ("uri", "rest"),
        [
            ("/foo/bar/baz", "/bar/baz"),
            ("/foo/bar/baz/", "/bar/baz/"),
            ("/foo", "/"),
            ("/foo/", "/"),
            ("/foo/a%20b", "/a b"),
        ],
    )
    def test_what_they_matched_is_kept_decoded(self, uri: str, rest: str) -> None:
        assert find(routes_of("/foo/**"), uri)[1] == {ROUTE_TRAILING_WILDCARD_KEY: rest}


class TestPriority:
    def test_variables_come_first_then_literals_then_one_asterisk_then_two(self) -> None:
        patterns = ["/a/**", "/a/*", "/a/b", "/a/{c}"]
        for count in range(4, 0, -1):
            assert found(routes_of(*patterns[:count]), "/a/b") == patterns[count - 1]

    def test_a_way_that_leads_nowhere_is_given_up_for_the_next(self) -> None:
        routes = routes_of("/{a}/x", "/lit/y", "/*/z", "/**")
        assert found(routes, "/lit/x") == "/{a}/x"
        assert found(routes, "/lit/y") == "/lit/y"
        assert found(routes, "/lit/z") == "/*/z"
        assert found(routes, "/lit/other") == "/**"
        assert find(routes, "/lit/y")[1] == {}


class TestSlashesAndCase:
    def test_literals_match_in_any_case(self) -> None:
        assert found(routes_of("/Foo/BAR"), "/fOO/bar") == "/Foo/BAR"

    def test_literals_beyond_ascii_match_decoded(self) -> None:
        assert found(routes_of("/grüße"), "/GR%C3%9C%C3%9Fe") == "/grüße"

    def test_a_trailing_slash_is_significant(self) -> None:
        assert found(routes_of("/foo/*/baz/"), "/foo/bar/baz/") == "/foo/*/baz/"
        assert found(routes_of("/foo/*/baz/"), "/foo/bar/baz") is None
        assert found(routes_of("/foo/*/baz"), "/foo/bar/baz/") is None
        routes = routes_of("/foo/bar/baz", "/foo/")
        assert found(routes, "/foo/bar/baz/") is None
        assert found(routes, "/foo/bar/baz") == "/foo/bar/baz"
        assert found(routes, "/foo/") == "/foo/"
        assert found(routes, "/foo") is None

    def test_the_root_a_slash_and_the_rest_are_told_apart(self) -> None:
        routes = routes_of("/", "/test/", "/**")
        assert found(routes, "/") == "/"
        assert found(routes, "/test/") == "/test/"
        assert found(routes, "/test") == "/**"

    def test_doubled_slashes_count_as_one(self) -> None:
        assert found(routes_of("/a//b"), "//a/b") == "/a//b"
        assert found(routes_of("a/b"), "/a///b") == "a/b"

    def test_an_empty_path_matches_nothing(self) -> None:
        assert find(routes_of("/**"), "")[0] is None


class TestAdding:
    def test_methods_and_uris_may_be_several(self) -> None:
        routes = Routes()
        routes.add(methods=["get", HTTPMethod.POST], uris=["/a", "/b"], handler=Handler("h"))
        for uri in ("/a", "/b"):
            assert found(routes, uri) == found(routes, uri, "POST") == "h"
        assert found(routes, "/a", "PUT") is None

    def test_routes_lists_and_single_routes_can_be_added(self) -> None:
        routes = Routes()
        routes.add(Route(method="GET", uri="/a", handler=Handler("a")))
        routes.add([Route(uri="/b", handler=Handler("b")), routes_of("/c")])
        assert [found(routes, uri) for uri in ("/a", "/b", "/c")] == ["a", "b", "/c"]

    def test_without_a_handler_add_is_a_decorator(self) -> None:
        routes = Routes()

        @routes.add("GET", "/a")
        def first(request: HTTPRequest, response: HTTPResponse) -> None: ...

        @routes.add(uris=["/b", "/c"])
        async def second(request: HTTPRequest, response: HTTPResponse) -> None: ...

        request = HTTPRequest()
        navigator = routes.navigator
        assert navigator.find_handler("/a", request) is first
        assert navigator.find_handler("/c", request) is second
        assert navigator.find_handler("/d", request) is None

    def test_a_navigator_is_a_snapshot(self) -> None:
        routes = routes_of("/a")
        navigator = routes.navigator
        routes.add("GET", "/b", Handler("b"))
        assert navigator.find_handler("/b", HTTPRequest()) is None
        assert found(routes, "/b") == "b"

    def test_what_is_added_to_a_nested_routes_later_counts(self) -> None:
        api, routes = Routes(), Routes("/v1")
        routes.add(api)
        api.add("GET", "/a", Handler("a"))
        assert found(routes, "/v1/a") == "a"

    @pytest.mark.parametrize("pattern", ["/**/x", "/a/**/b", "/**/", "**/**"])
    def test_nothing_can_follow_two_asterisks(self, pattern: str) -> None:
        with pytest.raises(RouteError, match=r"\*\* can only be the last component"):
            Routes().add("GET", pattern, Handler("x"))

    @pytest.mark.parametrize("pattern", ["/a//{}", "/{a", "/a}", "/user-{id}", "/{a}{b}", "/{{a}}"])
    def test_a_variable_has_a_name_and_fills_its_component(self, pattern: str) -> None:
        with pytest.raises(RouteError, match="a variable has a name and is a whole component"):
            Routes().add("GET", pattern, Handler("x"))

    @pytest.mark.parametrize("pattern", ["/***", "/*.html", "/a*"])
    def test_an_asterisk_fills_its_component(self, pattern: str) -> None:
        with pytest.raises(RouteError, match="is a whole component"):
            Routes().add("GET", pattern, Handler("x"))

    def test_a_pattern_holds_no_query(self) -> None:
        with pytest.raises(RouteError, match="query_params"):
            Routes().add("GET", "/a?b", Handler("x"))

    def test_a_base_uri_holds_no_two_asterisks(self) -> None:
        with pytest.raises(RouteError, match="nothing can follow"):
            Routes("/a/**")

    @pytest.mark.parametrize(
        ("call", "message"),
        [
            (lambda r: r.add("GET", "/a", 5), "a handler is a function with the arguments"),
            (lambda r: r.add("GET", "/a")(None), "a Route needs a uri and a handler"),
            (lambda r: Route("GET", "/a", "no"), "a handler is a function with the arguments"),  # type: ignore[arg-type]  # misuse
            (lambda r: Route("GET"), "a Route needs a uri and a handler"),
            (lambda r: Routes(handler=5), "a handler is a function with the arguments"),  # type: ignore[arg-type]  # misuse
            (lambda r: Routes([Route("GET", "/a", print)]), r"Routes\(routes=\[…\]\)"),  # type: ignore[arg-type]  # misuse
            (lambda r: r.add("/echo"), "is a URI, and the method comes first: write add"),
            (lambda r: r.add("GET"), "needs a URI and a method"),
            (lambda r: r.add("/echo", print), "is a URI, and the method comes first"),
            (lambda r: r.add("/echo", "GET", print), "is a URI, and the method comes first"),
            (lambda r: r.add("NO METHOD", "/echo", print), "is not a request method"),
            (lambda r: r.add("GET", "/a/:b", print), r"':b' is Vapor's spelling of \{b\}"),
            (lambda r: r.add("GET", 5, print), "the URI of a route is a str"),
            (lambda r: r.add("GET", "/a", print, uris=["/b"]), "either uri= or uris="),
            (lambda r: r.add("GET", "/a", print, methods=["POST"]), "either method= or methods="),
            (lambda r: r.add(methods="GET", uri="/a", handler=print), "method='GET' for a single one"),
            (lambda r: r.add("GET", uris="/a", handler=print), "uri='/a' for a single one"),
            (lambda r: r.add("GET", handler=print), "needs a URI and a method"),
            (lambda r: r.add("GET", uris=[], handler=print), "needs a URI and a method"),
            (lambda r: r.add(methods=[], uri="/a", handler=print), "needs a URI and a method"),
            (lambda r: r.add(Routes(), "/a"), "is to be added alone"),
            (lambda r: r.add(5), "5 is neither a Route nor a Routes: write add"),
            (lambda r: r.add([5]), "neither a Route nor a Routes"),
            (lambda r: r.add(r), "cannot be added to itself"),
        ],
    )
    def test_a_mistake_is_refused_at_once_in_words_that_say_what_to_do(
        self, call: Callable[[Any], object], message: str
    ) -> None:
        with pytest.raises(RouteError, match=message):
            call(Routes())

    def test_a_routes_cannot_come_to_hold_itself(self) -> None:
        inner, outer = Routes(), Routes()
        outer.add(inner)
        with pytest.raises(RouteError, match="cannot be added to itself"):
            inner.add(outer)


def matches(pattern: str, uri: str) -> bool:
    """Say, as naively as can be, whether a pattern matches a path."""
    names = [name for name in pattern.split("/") if name] + (["/"] if len(pattern) > 1 and pattern[-1] == "/" else [])
    parts = [part for part in uri.split("/") if part] + (["/"] if len(uri) > 1 and uri[-1] == "/" else [])
    for index, name in enumerate(names):
        if name == "**":
            return True
        if index >= len(parts):
            return all(rest in ("*", "**") for rest in names[index:])
        if name != "*" and name[0] != "{" and name.lower() != parts[index].lower():
            return False
    return len(parts) == len(names)


components = st.sampled_from(["a", "b", "A", "*", "{x}", "{y}"])
patterns = st.builds(
    lambda names, end: "/" + "/".join([*names, end] if end else names) + ("/" if not end and len(names) % 2 else ""),
    st.lists(components, max_size=4),
    st.sampled_from(["", "", "**"]),
)
uris = st.lists(st.sampled_from(["a", "b", "c"]), max_size=5).map("/".join).map("/{}".format)


@given(st.lists(patterns, min_size=1, max_size=5), uris, st.booleans())
def test_a_uri_is_found_just_when_one_pattern_matches_it(several: list[str], uri: str, slash: bool) -> None:
    uri += "/" if slash and uri != "/" else ""
    handlers, variables = find(routes_of(*several), uri)
    matching = [pattern for pattern in several if matches(pattern, uri)]
    if handlers is None:
        assert not matching
    else:
        assert handlers[0] in matching
        assert set(variables) <= {"x", "y", ROUTE_TRAILING_WILDCARD_KEY}


class TestUrisThatWereAskedForBefore:
    @pytest.mark.parametrize("uri", ["/a", "/a/", "/b/1", "/b/2", "/c/x/y", "/d/z", "/none", "/A", "//a", "/a?b=c"])
    def test_they_get_the_same_handlers_and_variables_again(self, uri: str) -> None:
        navigator = routes_of("/a", "/b/{id}", "/c/**", "/d/*").navigator
        requests = [HTTPRequest("GET", uri) for _ in range(3)]
        first, second, third = [navigator.find_handlers(uri, request) for request in requests]
        assert first == second == third
        assert requests[0].url_variables == requests[1].url_variables == requests[2].url_variables

    def test_methods_are_told_apart(self) -> None:
        routes = routes_of("/a")
        routes.add("POST", "/a", Handler("posted"))
        navigator = routes.navigator
        for _ in range(2):
            found = [navigator.find_handler("/a", HTTPRequest(method, "/a")) for method in ("GET", "POST", "HEAD")]
            assert [str(handler) for handler in found] == ["/a", "posted", "/a"]
            assert navigator.find_handler("/a", HTTPRequest("PUT", "/a")) is None

    def test_who_changes_the_list_changes_nobody_elses(self) -> None:
        navigator = routes_of("/a").navigator
        for _ in range(3):
            handlers = navigator.find_handlers("/a", HTTPRequest())
            assert handlers is not None
            assert len(handlers) == 1
            handlers.clear()

    def test_a_path_takes_one_place_whatever_its_queries_are(self) -> None:
        navigator = routes_of("/*").navigator
        for number in range(2000):
            assert navigator.find_handler(f"/a?{number}", HTTPRequest())
            assert navigator.find_handler(f"http://a.test/b?{number}", HTTPRequest())
        assert list(navigator._found) == [(HTTPMethod.GET, "/a"), (HTTPMethod.GET, "/b")]

    def test_a_client_cannot_fill_the_memory_with_them(self) -> None:
        navigator = routes_of("/*").navigator
        for number in range(3000):
            assert navigator.find_handler(f"/{number}", HTTPRequest())
        assert navigator.find_handler("/" + "x" * 10_000, HTTPRequest())
        assert len(navigator._found) == 1000
        assert max(len(uri) for _, uri in navigator._found) <= 200
