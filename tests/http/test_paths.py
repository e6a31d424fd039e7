"""Targets and paths."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfectws.http.paths import is_target, join_components, path_components, split_target


@pytest.mark.parametrize(
    ("path", "components"),
    [
        ("", []),
        ("/", ["/"]),
        ("//", ["/"]),
        ("/a", ["/", "a"]),
        ("/a/", ["/", "a", "/"]),
        ("//a///b//", ["/", "a", "b", "/"]),
        ("a/", ["a", "/"]),
        ("/a%20b/c%2Fd", ["/", "a b", "c/d"]),
        ("/%ff", ["/", "\ufffd"]),
        ("/gr%C3%BCn", ["/", "grün"]),
        ("*", ["*"]),
    ],
)
def test_a_path_has_the_components_that_perfect_gives_it(path: str, components: list[str]) -> None:
    assert path_components(path) == components


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/a?b=c?d", "/a", "b=c?d"),
        ("/a", "/a", ""),
        ("http://host:80/a?b", "/a", "b"),
        ("http://host", "/", ""),
        ("http://host?x=/y", "/", "x=/y"),
        ("/a?u=http://x", "/a", "u=http://x"),
        ("/http://x", "/http://x", ""),
        ("*", "*", ""),
    ],
)
def test_a_target_is_a_path_and_a_query(target: str, path: str, query: str) -> None:
    assert split_target(target) == (path, query)


@given(st.lists(st.text(min_size=1).filter(lambda name: name != "/" and name.isprintable())), st.booleans())
def test_components_are_joined_into_a_path_that_has_the_same_components(names: list[str], slash: bool) -> None:
    components = ["/", *names] + (["/"] if slash and names else [])
    assert path_components(join_components(components)) == components


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "//a",
        "/a?b",
        "/a/../b",
        "/http://x",
        "http://a",
        "http://a/b?c",
        "HTTP://a?b",
        "https://[::1]:80/",
        "ws://a/chat",
        "x+y.z-1://a/",
    ],
)
def test_a_path_and_an_absolute_uri_may_be_asked_for(target: str) -> None:
    assert is_target(target, "GET")


@pytest.mark.parametrize(
    "target",
    [
        "",
        "*",
        "a",
        "?a",
        ".evil.test/a",
        "@evil.test/a",
        ":80@evil.test/",
        "\\evil.test",
        "evil.test:80",
        "http:",
        "http:/a",
        "http://",
        "http:///a",
        "http://?a",
        "http://:80/",
        "http://user@a/",
        "http://a:b/",
        "http://a\\b/",
        "://a/",
        "1http://a/",
        "mailto:a@b",
        "x?http://a/",
    ],
)
def test_nothing_else_may(target: str) -> None:
    assert not is_target(target, "GET")


def test_the_server_as_a_whole_is_for_options_only() -> None:
    assert is_target("*", "OPTIONS")
    assert not is_target("**", "OPTIONS")
    assert not is_target("*", "POST")
