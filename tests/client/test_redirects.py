"""Redirects: followed, but not everywhere, and not with everything."""

from __future__ import annotations

import ssl

import pytest
import trio

from perfectws import Backoff, ConnectionRejected, ConnectionTimeout, HandshakeError, WebSocket
from perfectws.client.handshake import ClientOffer
from perfectws.client.redirects import redirected
from perfectws.client.url import WebSocketURL

from .conftest import PATIENCE
from .proxies import held_proxy
from .raw_server import RawConnection, RawServer
from .tls_server import tls_server

#: With a dot, which no random key has.
SECRETS = {"Authorization": "Bearer s.3", "Cookie": "id=s.3", "X-Token": "s.3", "Host": "s.3.example"}


async def redirect(connection: RawConnection, status: int, location: str) -> None:
    await connection.read_request()
    head = f"HTTP/1.1 {status} Elsewhere\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
    await connection.stream.send_all(head.encode())
    await connection.receive_eof()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/there?a=b", "/there?a=b"),
        ("there", "/a/there"),
        ("../there#part", "/there"),
        ("?q", "/a/b?q"),
        ("ws://127.0.0.1:{port}/there", "/there"),
        ("HTTP://127.0.0.1:{port}", "/"),
        ("//127.0.0.1:{port}/there", "/there"),
    ],
)
async def test_a_redirect_is_followed_with_all_that_was_given(
    raw_server: RawServer, status: int, location: str, target: str
) -> None:
    headers = {name: value for name, value in SECRETS.items() if name != "Authorization"}
    async with trio.open_nursery() as nursery:
        url = f"ws://ann:s3@127.0.0.1:{raw_server.port}/a/b"
        future = WebSocket.connect(to=url, on=nursery, headers=headers, subprotocols=["chat"])
        await redirect(await raw_server.accept(), status, location.format(port=raw_server.port))
        connection = await raw_server.accept()
        await connection.upgrade("Sec-WebSocket-Protocol: chat")
        ws = await future
        nursery.cancel_scope.cancel()
    assert connection.request_line == f"GET {target} HTTP/1.1"
    assert connection.headers["authorization"] == "Basic YW5uOnMz"
    assert headers.items() <= {name.title(): value for name, value in connection.headers.items()}.items()
    assert ws.subprotocol == "chat"


@pytest.mark.parametrize("with_user", [False, True])
async def test_nothing_of_the_application_s_own_goes_to_another_origin(
    transport: str, raw_server: RawServer, with_user: bool
) -> None:
    async with RawServer.listen() as other, trio.open_nursery() as nursery:
        user = "ann:s3@" if with_user else ""
        url = f"ws://{user}127.0.0.1:{raw_server.port}/"
        future = WebSocket.connect(to=url, on=nursery, headers=SECRETS)
        await redirect(await raw_server.accept(), 307, other.url)
        connection = await other.accept()
        await connection.upgrade()
        await future
        nursery.cancel_scope.cancel()
    assert "s.3" not in str(connection.headers)
    assert "authorization" not in connection.headers
    assert connection.headers["host"] == f"127.0.0.1:{other.port}"


@pytest.mark.parametrize("is_asked_for", [False, True])
async def test_who_offers_subprotocols_follows_to_no_other_origin(
    transport: str, raw_server: RawServer, is_asked_for: bool
) -> None:
    subprotocols = ["chat", "bearer.s.3"]
    async with RawServer.listen() as other, trio.open_nursery() as nursery:
        offered = (lambda: subprotocols) if is_asked_for else subprotocols
        future = WebSocket.connect(to=raw_server.url, on=nursery, subprotocols=offered)
        await redirect(await raw_server.accept(), 302, "/there")
        await redirect(await raw_server.accept(), 302, other.url)
        with pytest.raises(ConnectionRejected, match="not followed: subprotocols= may hold a token") as caught:
            await future
        connecting = trio.CancelScope(deadline=trio.current_time())
        with connecting:  # nobody has connected there
            await other.accept()
    assert connecting.cancelled_caught
    assert caught.value.status == 302
    assert ("Location", other.url) in caught.value.headers
    assert "s.3" not in str(caught.value)


def test_an_offer_of_subprotocols_is_for_its_own_origin() -> None:
    url = WebSocketURL.parse("ws://one.example/a")
    refusal = ConnectionRejected("no", 302, [("Location", "ws://two.example/")], b"")
    target = redirected(url, refusal, ClientOffer())
    assert target is not None
    assert target.authority == "two.example"
    with pytest.raises(ConnectionRejected, match="not followed"):
        redirected(url, refusal, ClientOffer(subprotocols=("chat",)))
    within = ConnectionRejected("no", 302, [("Location", "//ONE.example/b")], b"")
    assert redirected(url, within, ClientOffer(subprotocols=("chat",))) is not None


async def test_what_was_left_behind_does_not_come_back_with_the_origin(raw_server: RawServer) -> None:
    async with RawServer.listen() as other, trio.open_nursery() as nursery:
        future = WebSocket.connect(to=raw_server.url, on=nursery, headers=SECRETS)
        await redirect(await raw_server.accept(), 302, other.url)
        await redirect(await other.accept(), 302, raw_server.url)
        connection = await raw_server.accept()
        await connection.upgrade()
        await future
        nursery.cancel_scope.cancel()
    assert "s.3" not in str(connection.headers)
    assert "authorization" not in connection.headers


async def test_the_credentials_of_the_location_are_its_own(raw_server: RawServer) -> None:
    async with trio.open_nursery() as nursery:
        future = WebSocket.connect(to=raw_server.url, on=nursery)
        await redirect(await raw_server.accept(), 302, f"ws://bob:pw@127.0.0.1:{raw_server.port}/")
        connection = await raw_server.accept()
        await connection.read_request()
        await connection.stream.send_all(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")
        with pytest.raises(ConnectionRejected) as caught:
            await future
    assert connection.headers["authorization"] == "Basic Ym9iOnB3"
    assert "pw" not in str(caught.value)


async def test_the_password_of_a_location_is_not_shown(raw_server: RawServer) -> None:
    async with trio.open_nursery() as nursery:
        future = WebSocket.connect(to=raw_server.url, on=nursery, follow_redirects=False)
        await redirect(await raw_server.accept(), 302, "ws://bob:pw@127.0.0.1/")
        with pytest.raises(ConnectionRejected, match=r"302 Found, to ws://bob:\*\*\*@127.0.0.1/, instead of 101"):
            await future


async def test_five_redirects_are_followed_and_a_sixth_is_an_error_that_names_each(
    transport: str, raw_server: RawServer
) -> None:
    async with trio.open_nursery() as nursery:
        future = WebSocket.connect(to=raw_server.url, on=nursery)
        for hop in range(6):
            await redirect(await raw_server.accept(), 302, f"/{hop}")
        with pytest.raises(ConnectionRejected) as caught:
            await future
    place = raw_server.url.removesuffix("/")
    hops = " → 302 → ".join([f"{place}/", *(f"{place}/{hop}" for hop in range(5))])
    assert str(caught.value) == (
        f"{hops}: the server answered 302 Found, to /5, instead of 101; not followed: 5 redirects are enough"
    )
    assert caught.value.status == 302


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("ftp://127.0.0.1/", "begins with ws://"),
        ("ws+unix:///run/secret.sock", "Unix socket"),
        ("ws://:81/", "names no host"),
        ("ws://[::1/", "no URL"),
        ("ws://a b/", "no URL"),
        ("javascript:alert(1)", "begins with ws://"),
    ],
)
async def test_what_leads_nowhere_is_not_followed(raw_server: RawServer, location: str, reason: str) -> None:
    async with trio.open_nursery() as nursery:
        future = WebSocket.connect(to=raw_server.url, on=nursery)
        await redirect(await raw_server.accept(), 301, location)
        with pytest.raises(ConnectionRejected, match="301") as caught:
            await future
    assert "not followed: " in str(caught.value)
    assert reason in str(caught.value)


async def test_an_encrypted_way_does_not_go_on_in_the_clear(trusting: ssl.SSLContext, raw_server: RawServer) -> None:
    with trio.fail_after(PATIENCE):
        async with tls_server("localhost") as server, trio.open_nursery() as nursery:
            url = f"wss://localhost:{server.port}/"
            future = WebSocket.connect(to=url, on=nursery, ssl_context=trusting)
            connection = await server.accept()
            await connection.read_request()
            head = f"HTTP/1.1 302 Found\r\nLocation: {raw_server.url}\r\nContent-Length: 0\r\n\r\n"
            await connection.stream.send_all(head.encode())
            with pytest.raises(ConnectionRejected, match="would go on unencrypted"):
                await future
            await trio.aclose_forcefully(connection.stream)


async def test_a_plain_way_may_go_on_encrypted(trusting: ssl.SSLContext, raw_server: RawServer) -> None:
    with trio.fail_after(PATIENCE):
        async with tls_server("localhost") as server, trio.open_nursery() as nursery:
            future = WebSocket.connect(to=raw_server.url, on=nursery)
            await redirect(await raw_server.accept(), 301, f"https://localhost:{server.port}/x")
            connection = await server.accept()
            with pytest.raises(EOFError):  # who gives no context trusts the system's authorities
                await connection.read_request()
            await trio.aclose_forcefully(connection.stream)
            with pytest.raises(HandshakeError, match=r"→ 301 → wss://localhost:[0-9]+/x: TLS with localhost"):
                await future


@pytest.mark.parametrize("more", [{}, {"follow_redirects": False}])
async def test_a_redirect_without_a_location_or_that_nobody_wants_followed_is_a_rejection(
    raw_server: RawServer, more: dict[str, bool]
) -> None:
    async with trio.open_nursery() as nursery:
        future = WebSocket.connect(to=raw_server.url, on=nursery, **more)  # type: ignore[call-overload]
        connection = await raw_server.accept()
        await connection.read_request()
        location = "Location: /there\r\n" if more else ""
        await connection.stream.send_all(f"HTTP/1.1 302 Found\r\n{location}Content-Length: 0\r\n\r\n".encode())
        with pytest.raises(ConnectionRejected) as caught:
            await future
    assert caught.value.status == 302
    assert "not followed" not in str(caught.value)


async def test_open_timeout_bounds_all_hops_together(raw_server: RawServer) -> None:
    async with trio.open_nursery() as nursery:
        future = WebSocket.connect(to=raw_server.url, on=nursery, open_timeout=0.3)
        await redirect(await raw_server.accept(), 302, "/silent")
        await (await raw_server.accept()).read_request()
        with pytest.raises(ConnectionTimeout, match=r"→ 302 → ws://.*/silent: not open after 0.3 seconds"):
            await future


async def test_what_a_proxy_says_is_no_redirect_of_the_server(raw_server: RawServer) -> None:
    async def answer() -> None:
        await redirect(await raw_server.accept(), 302, "ws://elsewhere.invalid/")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer)
        with pytest.raises(ConnectionRejected, match=r"the proxy .* answered 302"):
            await WebSocket.connect(to="ws://server.invalid/", on=nursery, proxy=f"http://127.0.0.1:{raw_server.port}")


async def test_each_hop_goes_through_the_proxy_that_leads_there(raw_server: RawServer) -> None:
    async with held_proxy(raw_server.port) as proxy, trio.open_nursery() as nursery:
        url, through = "ws://one.invalid/", f"http://127.0.0.1:{proxy.port}"
        future = WebSocket.connect(to=url, on=nursery, proxy=through)
        await redirect(await raw_server.accept(), 302, "ws://two.invalid:81/")
        await (await raw_server.accept()).upgrade()
        await future
        nursery.cancel_scope.cancel()
    assert proxy.targets == ["one.invalid:80", "two.invalid:81"]


async def test_who_reconnects_begins_at_the_url_that_was_given(transport: str, raw_server: RawServer) -> None:
    async with trio.open_nursery() as nursery:
        WebSocket.connect(to=raw_server.url, on=nursery, reconnect=Backoff(0.001, 1, 0.001), on_upgrade=lambda ws: None)
        for _ in range(2):
            await redirect(await raw_server.accept(), 301, "/there")
            connection = await raw_server.accept()
            await connection.upgrade()
            assert connection.request_line == "GET /there HTTP/1.1"
            await connection.stream.aclose()
        nursery.cancel_scope.cancel()
