from __future__ import annotations

import pytest

from perfectws import InvalidURL
from perfectws.client.url import WebSocketURL


@pytest.mark.parametrize(
    ("url", "host", "port", "is_secure", "target", "authority"),
    [
        ("ws://example.com", "example.com", 80, False, "/", "example.com"),
        (f"ws://{'x' * 63}.de./", f"{'x' * 63}.de.", 80, False, "/", f"{'x' * 63}.de."),
        ("WS://Example.COM/", "example.com", 80, False, "/", "example.com"),
        ("ws://example.com:8080/a/b", "example.com", 8080, False, "/a/b", "example.com:8080"),
        ("ws://example.com:80/a", "example.com", 80, False, "/a", "example.com"),
        ("wss://example.com", "example.com", 443, True, "/", "example.com"),
        ("wss://example.com:80", "example.com", 80, True, "/", "example.com:80"),
        ("ws://example.com?foo=bar&bar=baz", "example.com", 80, False, "/?foo=bar&bar=baz", "example.com"),
        ("ws://[::1]:81/x", "::1", 81, False, "/x", "[::1]:81"),
        ("ws://[fe80::1%25eth0]/", "fe80::1%eth0", 80, False, "/", "[fe80::1]"),
        ("ws://[FE80::1%25Eth0]:81/x", "fe80::1%Eth0", 81, False, "/x", "[fe80::1]:81"),
        ("wss://[fe80::1%252]", "fe80::1%2", 443, True, "/", "[fe80::1]"),
        ("ws://[fe80::1%2525]/", "fe80::1%25", 80, False, "/", "[fe80::1]"),
        ("ws://[fe80::1%25eth0.1]/", "fe80::1%eth0.1", 80, False, "/", "[fe80::1]"),
        ("ws://[fe80::1%eth0]/", "fe80::1%eth0", 80, False, "/", "[fe80::1]"),
        ("ws://127.0.0.1", "127.0.0.1", 80, False, "/", "127.0.0.1"),
        ("ws://exämple.com/ü?é=%20", "xn--exmple-cua.com", 80, False, "/%C3%BC?%C3%A9=%20", "xn--exmple-cua.com"),
    ],
)
def test_a_url_is_taken_apart(url: str, host: str, port: int, is_secure: bool, target: str, authority: str) -> None:
    parsed = WebSocketURL.parse(url)
    assert (parsed.host, parsed.port, parsed.is_secure) == (host, port, is_secure)
    assert (parsed.target, parsed.authority, parsed.authorization) == (target, authority, None)


@pytest.mark.parametrize("url", ["ws+unix:///run/chat.sock:/a?b=c", "ws+unix:/run/chat.sock:/a?b=c"])
def test_a_unix_socket_is_named_before_the_path(url: str) -> None:
    parsed = WebSocketURL.parse(url)
    assert (parsed.host, parsed.is_unix, parsed.target, parsed.authority) == (
        "/run/chat.sock",
        True,
        "/a?b=c",
        "localhost",
    )


def test_a_user_and_a_password_become_basic_credentials_and_the_password_is_not_shown() -> None:
    parsed = WebSocketURL.parse("wss://Aladdin:open%20sesame@example.com/")
    assert parsed.authorization == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="  # RFC 7617 §2
    assert parsed.text == "wss://Aladdin:***@example.com/"
    assert parsed.authority == "example.com"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ws://a..b/", "is no host name: it has at most 253 characters, and between two dots 1 to 63"),
        ("ws://.a/", "is no host name"),
        (f"ws://{'x' * 64}.de/", "is no host name"),
        (f"ws://{'é' * 60}/", "is no host name"),
        (f"ws://{'a.' * 127}b/", "is no host name"),
        ("ws://h/\ud800", "lone surrogate"),
        ("", "begins with ws://"),
        ("w`:", "begins with ws://"),
        ("http://example.com", "begins with ws://"),
        ("example.com", "begins with ws://"),
        ("ws://", "names no host"),
        ("ws:///path", "names no host"),
        ("ws://example.com:99999", "Port out of range"),
        ("ws://example.com:http", "Port could not be cast"),
        ("ws://[::1", "brackets stand around"),
        ("ws://[::1]x/", "brackets stand around"),
        ("ws://x[::1]/", "brackets stand around"),
        ("wss://[::1]x:8443/", "brackets stand around"),
        ("ws://[::1]8080/", "brackets stand around"),
        ("ws://u:p@[::1]x/", "malformed"),
        ("ws://[fe80::1%25]/", "is no zone"),
        ("ws://[fe80::1%]/", "no URL"),
        ("ws://example.com/a b", "a space"),
        ("ws://example.com/a\r\nX-Evil: 1", "a control character"),
        ("ws://example.com/#x", "no fragment"),
        ("ws://example.com/?q#x", "no fragment"),
        ("ws://example.com/?q#", "no fragment"),
        ("ws://a%3Ab:c@example.com/", "cannot hold a colon"),
        ("ws+unix:chat.sock", "absolute path"),
    ],
)
def test_a_url_of_no_web_socket_is_refused_with_the_reason(url: str, reason: str) -> None:
    with pytest.raises(InvalidURL, match=reason):
        WebSocketURL.parse(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://user:secret@h",
        "ws://user:secret@h:1:1",
        "ws://user:secret@h/#",
        "ws://u:secret@",
        "ws://u:secret/rest@h",
        "ws://u:pass/secret@h",
        "ws://u:secret?x@h",
        "ws://u:secret#x@h/",
        "ws://u:pass@secret@h:x/",
        "ws:u:secret@h",
        "u:secret@h",
        "ws://u:secret\N{FULLWIDTH COMMERCIAL AT}@h/",
        "ws://u:secret [@h",
        "ws://h:x/?token=secret",
        "ws://h/a b?secret",
        "ws://h/#access_token=secret",
        "ws+unix:relative?secret",
    ],
)
def test_no_refusal_shows_a_password(url: str) -> None:
    with pytest.raises(InvalidURL) as refused:
        WebSocketURL.parse(url)
    assert "secret" not in str(refused.value)


def test_an_at_sign_in_the_path_is_no_password() -> None:
    assert WebSocketURL.parse("ws://localhost:8080/@vite/hmr").text == "ws://localhost:8080/@vite/hmr"
    assert WebSocketURL.parse("ws://user:x@h/x:y@z").text == "ws://user:***@h/x:y@z"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("wss://h/a?token=secret", "wss://h/a?***"),
        ("wss://h?secret", "wss://h?***"),
        ("wss://secret@h/", "wss://***@h/"),
        ("wss://secret:@h/?secret", "wss://***@h/?***"),
        ("ws+unix:///run/a.sock:/b?secret", "ws+unix:///run/a.sock:/b?***"),
    ],
)
def test_a_query_is_not_shown_nor_a_user_without_a_password_since_they_are_tokens(url: str, shown: str) -> None:
    assert WebSocketURL.parse(url).text == shown
