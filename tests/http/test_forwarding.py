"""What proxies say about clients, and who is believed."""

from __future__ import annotations

import pytest

from perfectws.http.forwarding import TrustedProxies
from perfectws.http.request import HTTPRequest

PROXY = ("10.0.0.1", 4711)


def believed(
    proxies: TrustedProxies, *headers: tuple[str, str], remote: tuple[str, int] = PROXY
) -> tuple[tuple[str, int], bool]:
    request = HTTPRequest(headers=headers, remote_address=remote)
    proxies.believe(request)
    return request.remote_address, request.is_secure


def client(forwarded: str, *trusted: str, remote: tuple[str, int] = PROXY) -> str:
    proxies = TrustedProxies(trusted or ["10.0.0.0/8"])
    return believed(proxies, ("X-Forwarded-For", forwarded), remote=remote)[0][0]


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7:80", "192.0.2.7"),
        ("2001:db8::7", "2001:db8::7"),
        ("[2001:db8::7]:80", "2001:db8::7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("forged, 192.0.2.7", "192.0.2.7"),
        ("1.1.1.1, 192.0.2.7", "192.0.2.7"),
        ("192.0.2.7, 10.9.9.9", "192.0.2.7"),
        ("192.0.2.7 ,  10.9.9.9, 10.8.8.8", "192.0.2.7"),
        ("10.9.9.9", "10.9.9.9"),
        ("unknown", "10.0.0.1"),
        ("unknown, 10.9.9.9", "10.9.9.9"),
        ("", "10.0.0.1"),
        (",,,", "10.0.0.1"),
        ("999.1.1.1", "10.0.0.1"),
        ("192.0.2.7\\n", "10.0.0.1"),
    ],
)
def test_the_client_is_the_last_address_that_is_no_trusted_proxy(forwarded: str, address: str) -> None:
    assert client(forwarded) == address


def test_several_fields_count_as_one() -> None:
    proxies = TrustedProxies(["10.0.0.0/8"])
    fields = (("X-Forwarded-For", "1.1.1.1"), ("X-Forwarded-For", "192.0.2.7, 10.1.1.1"))
    assert believed(proxies, *fields)[0] == ("192.0.2.7", 0)


def test_nobody_else_is_believed() -> None:
    proxies = TrustedProxies(["10.0.0.0/8"])
    headers = (("X-Forwarded-For", "192.0.2.7"), ("X-Forwarded-Proto", "https"))
    assert believed(proxies, *headers, remote=("11.0.0.1", 1)) == (("11.0.0.1", 1), False)
    assert believed(TrustedProxies([]), *headers) == (PROXY, False)


def test_a_proxy_may_be_one_address_or_known_by_its_mapped_one() -> None:
    assert client("192.0.2.7", "10.0.0.1") == "192.0.2.7"
    assert client("192.0.2.7", "10.0.0.1", remote=("::ffff:10.0.0.1", 1)) == "192.0.2.7"
    assert client("192.0.2.7", "fe80::/10", remote=("fe80::1%eth0", 1)) == "192.0.2.7"


def test_whoever_comes_through_a_unix_socket_is_a_proxy_of_its_own_kind() -> None:
    assert client("192.0.2.7", "unix:", remote=("", 0)) == "192.0.2.7"
    assert client("192.0.2.7", "10.0.0.0/8", remote=("", 0)) == ""
    assert client("192.0.2.7", "unix:") == "10.0.0.1"


@pytest.mark.parametrize(
    ("scheme", "is_secure"), [("https", True), ("WSS", True), ("http", False), ("http, https", True), ("", False)]
)
def test_the_scheme_tells_whether_the_client_is_secure(scheme: str, is_secure: bool) -> None:
    assert believed(TrustedProxies(["10.0.0.1"]), ("X-Forwarded-Proto", scheme))[1] is is_secure


@pytest.mark.parametrize("wrong", ["proxy.example", "10.0.0.1/33", "10.0.0.1/8", ""])
def test_what_is_no_address_and_no_network_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="trusted_proxies"):
        TrustedProxies([wrong])


def test_one_address_alone_is_no_list() -> None:
    with pytest.raises(ValueError, match=r"\['10.0.0.1'\]"):
        TrustedProxies("10.0.0.1")
