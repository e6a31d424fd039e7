"""Where a server says that it can be reached."""

from __future__ import annotations

import logging
import socket
import ssl
import sys
from pathlib import Path

import httpx
import pytest

from perfectws import HTTPServer, Routes, TLSConfiguration
from perfectws.net.reachable import reachable_hosts, url_of

from .. import certificates


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "localhost", "fe80::1%eth0"])
def test_one_address_is_itself(address: str) -> None:
    assert reachable_hosts(address) == [address]


@pytest.mark.parametrize(("address", "first"), [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("", "127.0.0.1")])
def test_every_interface_is_the_loopback_first_and_then_each_once(address: str, first: str) -> None:
    hosts = reachable_hosts(address)
    assert hosts[0] == first
    assert len(set(hosts)) == len(hosts)
    for host in hosts:
        socket.getaddrinfo(host, 80, flags=socket.AI_NUMERICHOST)  # each is an address


@pytest.mark.skipif(sys.platform != "linux", reason="how the kernel is asked is another matter elsewhere")
def test_an_interface_without_an_address_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "if_nameindex", lambda: [(1, "lo"), (2, "no such one")])
    assert reachable_hosts("0.0.0.0") == ["127.0.0.1"]


def test_an_ipv6_address_is_in_brackets() -> None:
    assert url_of("http", "::1", 8181) == "http://[::1]:8181/"
    assert url_of("https", "chat.example.org", 443) == "https://chat.example.org:443/"


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_the_start_line_has_urls_that_can_be_opened(caplog: pytest.LogCaptureFixture, secure: bool) -> None:
    routes = Routes()
    routes.get("/", lambda request, response: response.set_body("here").completed())
    caplog.set_level(logging.INFO, "perfectws")
    server = HTTPServer.server(name="chat", port=0, routes=routes)
    if secure:
        server.ssl = TLSConfiguration(ssl_context=certificates.server_context("127.0.0.1"))
    (context,) = HTTPServer.launch(server, wait=False)
    with context:
        start = f"Starting {'HTTPS' if secure else 'HTTP'} server chat on "
        (line,) = [message for message in caplog.messages if message.startswith(start)]
        urls = line.removeprefix(start).split(", ")
        assert urls[0] == f"{'https' if secure else 'http'}://127.0.0.1:{context.port}/"
        verify: ssl.SSLContext | bool = certificates.client_context() if secure else True
        assert httpx.get(urls[0], verify=verify, trust_env=False, timeout=30).text == "here"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no Unix sockets")
def test_of_a_unix_socket_it_has_the_path(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    caplog.set_level(logging.INFO, "perfectws")
    address = f"unix:{tmp_path / 'socket'}"
    with HTTPServer.launch(name="chat", address=address, routes=Routes(), wait=False):
        assert f"Starting HTTP server chat on {address}" in caplog.messages
