"""Which proxy the environment names: as curl reads it. What stands here of names and of IPv4 was asked of curl 7.88."""

from __future__ import annotations

import pytest

from perfectws import InvalidURL
from perfectws.client.proxies import parse_proxy, proxy_for
from perfectws.client.url import WebSocketURL


def chosen(url: str) -> str | None:
    proxy = proxy_for(WebSocketURL.parse(url), True)
    return None if proxy is None else f"{proxy.scheme}://{proxy.host}:{proxy.port}"


@pytest.mark.parametrize(
    ("environment", "plain", "secure"),
    [
        ({}, None, None),
        ({"http_proxy": "http://a:1"}, "http://a:1", None),
        ({"https_proxy": "http://a:1"}, None, "http://a:1"),
        ({"HTTPS_PROXY": "http://a:1"}, None, "http://a:1"),
        ({"HTTP_PROXY": "http://a:1"}, None, None),  # a CGI script gets a client's header so
        ({"all_proxy": "http://a:1"}, "http://a:1", "http://a:1"),
        ({"ALL_PROXY": "socks5://a"}, "socks5://a:1080", "socks5://a:1080"),
        ({"ws_proxy": "http://a:1", "http_proxy": "http://b:2"}, "http://a:1", None),
        ({"WS_PROXY": "http://a:1", "http_proxy": "http://b:2"}, "http://a:1", None),
        ({"wss_proxy": "http://a:1", "https_proxy": "http://b:2"}, None, "http://a:1"),
        ({"http_proxy": "http://a:1", "all_proxy": "http://b:2"}, "http://a:1", "http://b:2"),
        ({"http_proxy": "", "all_proxy": "http://b:2"}, "http://b:2", "http://b:2"),
        ({"http_proxy": "a:1"}, "http://a:1", None),
        ({"http_proxy": "a"}, "http://a:1080", None),
        ({"http_proxy": "https://a"}, "https://a:443", None),
        ({"http_proxy": "HTTP://A:1/path"}, "http://a:1", None),
    ],
)
def test_the_proxy_is_named_by_the_scheme_s_variable_or_the_general_one(
    environment: dict[str, str], plain: str | None, secure: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert (chosen("ws://example.com/"), chosen("wss://example.com/")) == (plain, secure)


@pytest.mark.parametrize(
    ("no_proxy", "host", "is_excepted"),
    [
        ("*", "example.com", True),
        (" * ", "example.com", False),
        ("example.com", "example.com", True),
        ("example.com", "www.example.com", True),
        (".example.com", "www.example.com", True),
        (".example.com", "example.com", True),
        ("example.com.", "example.com", True),
        ("Example.COM", "example.com", True),
        ("example.com", "example.com.", True),
        ("example.com", "nonexample.com", False),
        ("www.example.com", "example.com", False),
        ("a.de, b.de ,c.de", "b.de", True),
        ("a.de b.de c.de", "c.de", True),
        (",,", "example.com", False),
        (".", "example.com", False),
        ("a*", "abc", False),
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.10", False),
        ("192.0.2.0/24", "192.0.2.77", True),
        ("192.0.2.0/24", "192.0.3.1", False),
        ("192.0.2.0/99", "192.0.2.1", False),
        ("192", "192.0.2.1", False),
        ("2001:db8::1", "[2001:db8::1]", True),
        ("[2001:db8::1]", "[2001:db8:0::1]", True),
        ("2001:db8::/32", "[2001:db8::77]", True),
        ("2001:db8::/32", "[2001:db9::1]", False),
        ("192.0.2.0/24", "[2001:db9::1]", False),
    ],
)
@pytest.mark.parametrize("variable", ["no_proxy", "NO_PROXY"])
def test_no_proxy_names_hosts_domains_and_networks(
    variable: str, no_proxy: str, host: str, is_excepted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("all_proxy", "http://a:1")
    monkeypatch.setenv(variable, no_proxy)
    assert (chosen(f"ws://{host}/") is None) == is_excepted


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "a.localhost", "127.0.0.1", "127.9.9.9", "[::1]"])
def test_this_machine_is_reached_directly(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", "http://a:1")
    assert chosen(f"ws://{host}/") is None
    assert chosen("ws+unix:///run/chat.sock") is None
    assert chosen("ws://notlocalhost/") == "http://a:1"


def test_a_proxy_s_user_and_password_are_read_and_not_shown() -> None:
    proxy = parse_proxy("http://a%40b:c%3Ad@proxy.example:8080")
    assert (proxy.user, proxy.password) == ("a@b", "c:d")
    assert proxy.text == "http://a%40b:***@proxy.example:8080"
    with pytest.raises(InvalidURL) as refused:
        parse_proxy("a:secret@host:port")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("host", ["a..b", ".", "a" * 64, f"{'a.' * 127}b", "a%00b\0"])
def test_a_proxy_whose_host_can_be_none_is_no_proxy(host: str) -> None:
    with pytest.raises(InvalidURL, match="is no host name"):
        parse_proxy(f"http://{host}:8080")


@pytest.mark.parametrize("place", ["[::1]x", "x[::1]", "[::1]x:8080", "[::1]8080"])
def test_what_is_beside_a_proxy_s_brackets_is_not_overlooked(place: str) -> None:
    with pytest.raises(InvalidURL, match="is no URL of a proxy"):
        parse_proxy(f"http://{place}")
    assert parse_proxy("http://[::1]:8080").host == "::1"
