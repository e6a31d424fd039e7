"""What may stand in ``Host``."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfectws.http.authority import is_authority

from .fakes import Server, echo_path, everything

RIGHT = [
    "",
    ":",
    ":80",
    "x",
    "X.example",
    "example.com.",
    "example.com:80",
    "example.com:",
    "example.com:0",
    "example.com:65535",
    "a_b",
    "xn--bcher-kva.example",
    "b%C3%BCcher",
    "a!$&'()*+,;=-._~z",
    "127.0.0.1",
    "127.0.0.1:8181",
    "[::1]",
    "[::1]:443",
    "[fe80::1]:",
    "[::ffff:192.0.2.1]",
    "[v1.a:b]",
]
WRONG = [
    "a b",
    "a\tb",
    "a,b c",
    "a/b",
    "a?b",
    "a#b",
    "a\\b",
    "user@a",
    "user:password@a",
    "a:b",
    "a:80:80",
    "a:-1",
    "a:+1",
    "a:65536",
    "a:99999",
    "a:" + "1" * 5000,
    "a:\u0661",
    "a%",
    "a%2",
    "a%zz",
    "<a>",
    '"a"',
    "b\xfccher",
    "http://a",
    "[",
    "[]",
    "[::1",
    "::1",
    "[::1]80",
    "[::1]:x",
    "[::1]:70000",
    "[1::2::3]",
    "[127.0.0.1]",
    "[fe80::1%eth0]",
    "[fe80::1%25eth0]",
    "[x]",
    "[v1.]",
    "a[::1]",
]


@pytest.mark.parametrize("text", RIGHT)
def test_a_host_and_perhaps_a_port_is_one(text: str) -> None:
    assert is_authority(text)


@pytest.mark.parametrize("text", WRONG)
def test_nothing_else_is(text: str) -> None:
    assert not is_authority(text)


@given(st.text(alphabet="ab:.[]%0123456789@/\\ v-", max_size=12))
def test_none_holds_what_would_end_it_in_a_url(text: str) -> None:
    if is_authority(text):
        assert not set(text) & set("@/\\ ?#")


def asked(*lines: bytes) -> int:
    """Return the status of the answer to a request with these lines."""
    server = Server(everything(echo_path))
    (answer,) = server.ask(b"\r\n".join([*lines, b"", b""]), lines[0].split()[0].decode())
    assert server.transport.is_open is (answer.status == 200 and b"HTTP/1.1" in lines[0])
    return answer.status


class TestRequests:
    # A request whose every other line is plain, and some that h11 reads.
    @pytest.mark.parametrize("first", [b"GET / HTTP/1.1", b"HEAD / HTTP/1.1", b"GET / HTTP/1.0"])
    @pytest.mark.parametrize("host", ["x", "example.com:80", "[::1]:80"])
    def test_a_valid_host_is_served(self, first: bytes, host: str) -> None:
        assert asked(first, b"Host: " + host.encode()) == 200

    @pytest.mark.parametrize("first", [b"GET / HTTP/1.1", b"HEAD / HTTP/1.1", b"GET / HTTP/1.0"])
    @pytest.mark.parametrize("host", [text for text in WRONG if len(text) < 100])
    def test_any_other_gets_400(self, first: bytes, host: str) -> None:
        assert asked(first, b"Host: " + host.encode()) == 400

    @pytest.mark.parametrize(
        "lines",
        [
            [b"GET / HTTP/1.1"],
            [b"GET / HTTP/1.1", b"Host: x", b"Host: x"],
            [b"GET / HTTP/1.1", b"Host: x", b"host: y"],
            [b"GET / HTTP/1.0", b"Host: x", b"Host: y"],
            [b"GET / HTTP/1.1", b"Host: x", b" y"],
            [b"GET http://a/ HTTP/1.1", b"Host: a b"],
        ],
    )
    def test_nor_is_none_or_more_than_one(self, lines: list[bytes]) -> None:
        assert asked(*lines) == 400

    def test_only_http_1_0_may_have_none_and_it_may_be_empty(self) -> None:
        assert asked(b"GET / HTTP/1.0") == 200
        assert asked(b"GET / HTTP/1.1", b"Host:") == 200
