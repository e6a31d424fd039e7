"""Where Redis is: each form of the URL is understood, and a wrong one is refused with what to write."""

from __future__ import annotations

from typing import Any

import pytest

from perfectws.rooms.redis.url import RedisURL


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://host", {"addresses": (("host", 6379),), "db": 0, "is_secure": False, "username": None}),
        ("redis://host:1/7", {"addresses": (("host", 1),), "db": 7, "password": None}),
        ("redis://host/?db=3", {"db": 3}),
        ("redis://[::1]:7000", {"addresses": (("::1", 7000),)}),
        ("rediss://ada:s%40cret@host/0", {"is_secure": True, "username": "ada", "password": "s@cret"}),
        ("redis://:secret@host", {"username": None, "password": "secret"}),
        ("redis://ada:p@ss@host", {"username": "ada", "password": "p@ss", "addresses": (("host", 6379),)}),
        ("unix:///run/redis.sock", {"path": "/run/redis.sock", "addresses": (), "db": 0}),
        ("unix://ada:secret@/run/re%20dis.sock?db=2", {"path": "/run/re dis.sock", "db": 2, "password": "secret"}),
        (
            "redis+sentinel://:secret@a,b:7/1?service=chat",
            {"addresses": (("a", 26379), ("b", 7)), "service": "chat", "db": 1, "password": "secret"},
        ),
        ("rediss+sentinel://a?service=chat&db=1", {"is_secure": True, "service": "chat", "db": 1}),
    ],
)
def test_a_url_says_where_redis_is(url: str, expected: dict[str, Any]) -> None:
    parsed = RedisURL.parse(url)._asdict()
    assert {name: parsed[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("host:6379", "is no URL of Redis: write redis://"),
        ("http://host", "is no URL of Redis: write redis://"),
        ("redis://", "names no host"),
        ("redis://host:port", "is no URL"),
        ("redis://host/name", "has the database 'name'"),
        ("redis://host/1?db=1", "twice"),
        ("redis://host?timeout=1", "has an option 'timeout'"),
        ("redis://host/0#1", "has a #"),
        ("redis://ho st", "a space"),
        ("unix://socket", "names no socket"),
        ("unix://", "names no socket"),
        ("redis+sentinel://a/0", "add \\?service=name"),
        ("redis+sentinel://a,,b/0?service=chat", "names no host"),
        ("redis://[::1", "is no URL"),
    ],
)
def test_a_wrong_url_is_refused_with_what_to_write(url: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        RedisURL.parse(url)


@pytest.mark.parametrize(
    "url",
    [
        "redis://ada:pa/secret@host",
        "redis://:1234/secret@host",
        "redis://ada:pa?secret@host",
        "redis://ada:pa#secret@host/0",
        "redis://ada:pa[secret@host",
        "redis://ada:secret\N{FULLWIDTH COMMERCIAL AT}@host",
        "redis://ada:secret @host",
        "redis://ada:secret@host:port",
        "http://ada:secret@host",
    ],
)
def test_no_refusal_shows_a_password(url: str) -> None:
    with pytest.raises(ValueError, match=r"\*\*\*") as caught:
        RedisURL.parse(url)
    assert "secret" not in str(caught.value)


def test_a_password_that_is_not_encoded_is_told() -> None:
    with pytest.raises(ValueError, match="write %2F"):
        RedisURL.parse("redis://ada:pa/ss@host")


def test_no_message_shows_the_password() -> None:
    assert RedisURL.parse("redis://ada:secret@host").text == "redis://ada:***@host"
    with pytest.raises(ValueError, match="ada") as caught:
        RedisURL.parse("redis://ada:secret@host/x")
    assert "secret" not in str(caught.value)


def test_what_is_no_string_is_refused() -> None:
    with pytest.raises(TypeError, match="is a str, not bytes"):
        RedisURL.parse(b"redis://host")  # type: ignore[arg-type]
