"""The zones of link-local addresses: they belong to sockets, and to nobody else on the way."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest
import trio

from perfectws import HTTPClient, HTTPRequest, HTTPServer, LaunchFailure, Routes, TLSConfiguration, WebSocket
from perfectws.net.addresses import address_of
from perfectws.net.listeners import listen
from tests import certificates
from tests.conftest import PATIENCE

NEEDS_FORK = pytest.mark.skipif(not hasattr(os, "fork"), reason="workers are forked")
LOOPBACK, INDEX = socket.if_indextoname(1), 1


@pytest.mark.parametrize(
    ("name", "address"),
    [
        (("127.0.0.1", 80), ("127.0.0.1", 80)),
        (("::1", 80, 0, 0), ("::1", 80)),
        (("fe80::1", 80, 0, INDEX), (f"fe80::1%{LOOPBACK}", 80)),
        (("fe80::1", 80, 0, 2**31 - 1), ("fe80::1%2147483647", 80)),
        ("/run/a.sock", ("/run/a.sock", 0)),
        (b"\0abstract", ("\0abstract", 0)),
        ("", ("", 0)),
        (None, ("", 0)),
    ],
)
def test_an_address_has_its_zone_where_it_has_one(name: object, address: tuple[str, int]) -> None:
    assert address_of(name) == address


def test_a_listener_is_bound_to_the_zone_that_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    place = ("fe80::1", 0, 0, 7)
    bound: list[Any] = []

    def bind(self: socket.socket, where: Any) -> None:
        bound.append(where)
        raise OSError("there is no such address")

    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", place)])
    monkeypatch.setattr(socket.socket, "bind", bind)
    with pytest.raises(OSError, match="no such address"):
        listen("fe80::1%x", 80)
    assert bound == [("fe80::1", 80, 0, 7)]


NO_ADDRESSES = ["chat..example.org", ".", f"{'a' * 64}.example.org", "\udcff", "unix:a\0b", "unix:\ud800"]


@pytest.mark.parametrize("address", NO_ADDRESSES)
def test_what_can_be_no_address_is_an_error_of_the_system_s_kind(address: str) -> None:
    with pytest.raises(OSError, match="a path holds no zero byte" if "unix" in address else "1 to 63 characters"):
        listen(address, 0)


@pytest.mark.parametrize("address", NO_ADDRESSES)
@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=NEEDS_FORK)])
def test_a_server_at_what_can_be_no_address_is_a_launch_failure(address: str, workers: int) -> None:
    with pytest.raises(LaunchFailure, match="'shop' cannot listen on"):
        HTTPServer.launch(name="shop", address=address, port=0, routes=Routes(), workers=workers)


def link_local() -> str:
    """Return a link-local address of this machine, with its zone. What is sent there stays here."""
    try:
        lines = Path("/proc/net/if_inet6").read_text().splitlines()
    except OSError:
        lines = []
    for digits, _, _, _, flags, interface in map(str.split, lines):
        if digits.startswith("fe80") and not int(flags, 16) & 0x48:  # neither tentative nor a duplicate
            return f"{socket.inet_ntop(socket.AF_INET6, bytes.fromhex(digits))}%{interface}"
    pytest.skip("this machine has no link-local address")


@pytest.mark.parametrize("is_secure", [False, True])
async def test_a_server_and_a_client_meet_at_a_link_local_address_and_no_header_has_the_zone(is_secure: bool) -> None:
    here = link_local()
    address, _, zone = here.partition("%")
    hosts: list[str | None] = []

    def opened(request: HTTPRequest, ws: WebSocket) -> None:
        hosts.append(request.header("Host"))
        ws.send(request.remote_address[0])

    server = HTTPServer()
    server.server_address = here
    routes = Routes()
    routes.web_socket("/", opened)
    server.add_routes(routes)
    context = certificates.client_context() if is_secure else None
    if is_secure:
        server.ssl = TLSConfiguration(ssl_context=certificates.server_context(address))
    scheme = "wss" if is_secure else "ws"
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as serving:
            port = await serving.start(server.serve)
            async with trio.open_nursery() as nursery:
                for place in (f"[{address}%25{zone}]", f"[{here}]"):
                    ws = await WebSocket.connect(to=f"{scheme}://{place}:{port}/", on=nursery, ssl_context=context)
                    assert (await ws.read_string_message()).data == here
                    assert ws.remote_address == (here, port)
                    await ws.close()
                ws = await HTTPClient.web_socket(here, port, on=nursery, scheme=scheme, ssl_context=context)
                await ws.close()
            server.stop()
    assert hosts == [f"[{address}]:{port}"] * 3
