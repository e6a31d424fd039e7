"""``proxy=``: real proxies with and without passwords, TLS inside the tunnel, and proxies that misbehave."""

from __future__ import annotations

import base64
import ssl
from pathlib import Path
from urllib.parse import quote

import pytest
import trio

from perfectws import (
    ConnectionRejected,
    ConnectionTimeout,
    HandshakeError,
    HTTPClient,
    InvalidURL,
    LocalProtocolError,
    WebSocket,
)
from perfectws.net import proxying

from ..certificates import server_context
from .conftest import PATIENCE
from .proxies import PASSWORD, USER, held_proxy, microsocks, tinyproxy
from .raw_server import RawServer
from .served import echo, port_of, served
from .tls_server import TLSServer, tls_server

LOGIN = f"{USER}:{quote(PASSWORD)}@"


async def converse(url: str, **options: object) -> None:
    """Open a WebSocket, have messages echoed, and close it."""
    async with trio.open_nursery() as nursery:
        ws = await WebSocket.connect(to=url, on=nursery, **options)  # type: ignore[call-overload]
        for message in ["hello", "x" * 100_000]:
            ws.send(message)
            assert await ws.receive() == message
        await ws.close()
        assert ws.close_code == 1000


@pytest.mark.parametrize("with_password", [False, True])
async def test_an_http_proxy_is_asked_to_connect(transport: str, tmp_path: Path, with_password: bool) -> None:
    login = LOGIN if with_password else ""
    async with served(echo) as url, tinyproxy(tmp_path, with_password) as port:
        await converse(url, proxy=f"http://{login}127.0.0.1:{port}")
        await converse(url, proxy=f"{login}127.0.0.1:{port}")  # as curl has it


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
@pytest.mark.parametrize("with_password", [False, True])
async def test_a_socks_proxy_is_asked_to_connect(transport: str, scheme: str, with_password: bool) -> None:
    login = LOGIN if with_password else ""
    async with served(echo) as url, microsocks(with_password) as port:
        await converse(url, proxy=f"{scheme}://{login}127.0.0.1:{port}")
        await converse(url.replace("127.0.0.1", "localhost"), proxy=f"{scheme}://{login}127.0.0.1:{port}")


async def serve_tls(server: TLSServer) -> None:
    connection = await server.accept()
    await connection.upgrade()
    for _ in range(2):
        frame = await connection.receive()
        await connection.send(frame.opcode, frame.payload)
    frame = await connection.receive_close()
    await connection.send(frame.opcode, frame.payload)
    await connection.stream.aclose()


@pytest.mark.parametrize("kind", ["http", "socks5h"])
async def test_tls_is_spoken_inside_the_tunnel(tmp_path: Path, trusting: ssl.SSLContext, kind: str) -> None:
    proxied = tinyproxy(tmp_path) if kind == "http" else microsocks()
    with trio.fail_after(PATIENCE):
        async with tls_server("localhost") as server, proxied as port, trio.open_nursery() as nursery:
            nursery.start_soon(serve_tls, server)
            url = f"wss://localhost:{server.port}/"
            await converse(url, proxy=f"{kind}://127.0.0.1:{port}", ssl_context=trusting)
    assert server.names == ["localhost"]


@pytest.mark.parametrize("scheme", ["ws", "wss"])
async def test_the_way_to_an_https_proxy_is_encrypted_and_what_is_inside_too(
    trusting: ssl.SSLContext, scheme: str
) -> None:
    with trio.fail_after(PATIENCE):
        async with served(echo) as url, tls_server("inside.example") as server, trio.open_nursery() as nursery:
            nursery.start_soon(serve_tls, server)
            target = server.port if scheme == "wss" else port_of(url)
            async with held_proxy(target, server_context("localhost")) as proxy:
                to = f"{scheme}://inside.example/"
                await converse(to, proxy=f"https://localhost:{proxy.port}", ssl_context=trusting)
            nursery.cancel_scope.cancel()
    assert proxy.targets == [f"inside.example:{443 if scheme == 'wss' else 80}"]


async def test_the_proxy_looks_the_name_up_and_gets_the_password_which_the_server_does_not(
    transport: str, raw_server: RawServer
) -> None:
    async with held_proxy(raw_server.port) as proxy, trio.open_nursery() as nursery:
        future = HTTPClient.web_socket(
            "nowhere.invalid", on=nursery, path="/a", proxy=f"http://{LOGIN}127.0.0.1:{proxy.port}"
        )
        connection = await raw_server.accept()
        await connection.upgrade()
        await future
        nursery.cancel_scope.cancel()
    assert proxy.targets == ["nowhere.invalid:80"]
    assert proxy.credentials == ["Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()]
    assert connection.headers["host"] == "nowhere.invalid"
    assert not {"authorization", "proxy-authorization"} & connection.headers.keys()


async def test_the_address_of_version_6_stands_in_brackets(raw_server: RawServer) -> None:
    async with held_proxy(raw_server.port) as proxy, trio.open_nursery() as nursery:
        future = WebSocket.connect("ws://[2001:db8::1]:81/", on=nursery, proxy=f"http://127.0.0.1:{proxy.port}")
        await (await raw_server.accept()).upgrade()
        await future
        nursery.cancel_scope.cancel()
    assert proxy.targets == ["[2001:db8::1]:81"]


# What proxies refuse


async def refused(url: str, proxy: str, **options: object) -> HandshakeError:
    async with trio.open_nursery() as nursery:
        with pytest.raises(HandshakeError) as caught:
            await WebSocket.connect(to=url, on=nursery, proxy=proxy, **options)  # type: ignore[call-overload]
    assert "sesame" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("login", ["", f"{USER}:wrong@"])
async def test_a_407_of_the_proxy_is_told_as_its_own(tmp_path: Path, login: str) -> None:
    async with served(echo) as url, tinyproxy(tmp_path, with_password=True) as port:
        error = await refused(url, f"http://{login}127.0.0.1:{port}")
    assert isinstance(error, ConnectionRejected)
    assert error.status == (407 if not login else 401)  # as tinyproxy has it
    assert f"the proxy http://{USER + ':***@' if login else ''}127.0.0.1:{port} answered 40" in str(error)
    assert any(name.lower() == "proxy-authenticate" for name, _ in error.headers) or login
    assert error.body


@pytest.mark.parametrize("login", ["", f"{USER}:wrong@"])
async def test_what_a_socks_proxy_refuses_is_told_with_its_reason(login: str) -> None:
    async with served(echo) as url, microsocks(with_password=True) as port:
        error = await refused(url, f"socks5://{login}127.0.0.1:{port}")
    assert f"the proxy socks5://{USER + ':***@' if login else ''}127.0.0.1:{port} does not connect to" in str(error)
    assert "authentication" in str(error)


async def test_a_host_that_the_proxy_cannot_reach_is_told(tmp_path: Path, raw_server: RawServer) -> None:
    url = raw_server.url
    await raw_server._listener.aclose()
    async with tinyproxy(tmp_path) as http, microsocks() as socks:
        error = await refused(url, f"http://127.0.0.1:{http}")
        assert isinstance(error, ConnectionRejected)
        assert error.status == 500
        error = await refused(url, f"socks5h://127.0.0.1:{socks}")
        assert "refused" in str(error)


@pytest.mark.parametrize("scheme", ["http", "https", "socks5", "socks4a"])
async def test_a_proxy_that_is_not_there_is_told(scheme: str, raw_server: RawServer) -> None:
    await raw_server._listener.aclose()
    error = await refused("ws://server.invalid/", f"{scheme}://{LOGIN}127.0.0.1:{raw_server.port}")
    assert f"the proxy {scheme}://{USER}:***@127.0.0.1:{raw_server.port} cannot be reached" in str(error)
    assert "refused" in str(error)


ANSWERS: dict[str, tuple[bytes, str]] = {
    "a body that never ends": (
        b"HTTP/1.1 407 Proxy Authentication Required\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nwho\r\n",
        "answered 407 Proxy Authentication Required instead of connecting to server.invalid:80: who",
    ),
    "a redirect": (b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", "answered 302 Found"),
    "a long reason": (b"HTTP/1.1 502 " + b"a" * 60_000 + b"\r\nContent-Length: 0\r\n\r\n", "answered 502 " + "a" * 200),
    "a long line": (b"a" * 60_000 + b"\r\n\r\n", "does not answer CONNECT as HTTP does"),
    "no HTTP": (b"SSH-2.0-x\r\n\r\n", "does not answer CONNECT as HTTP does"),
    "too much": (b"HTTP/1.1 200 OK\r\n\r\nmore", "it sent more than its answer"),
    "extensions without an end": (
        b"HTTP/1.1 407 No\r\nTransfer-Encoding: chunked\r\n\r\n" + (b"1;" + b"e" * 10_000 + b"\r\nx\r\n") * 1000,
        "answered 407 No instead of connecting to server.invalid:80: " + "x" * 26,
    ),
    "heads without an end": (
        (b"HTTP/1.1 103 Early Hints\r\nLink: " + b"x" * 10_000 + b"\r\n\r\n") * 1000,
        "does not answer CONNECT as HTTP does: it has more than 262144 bytes, and no end",
    ),
    "a head without an end": (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000, "does not answer CONNECT as HTTP does"),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_a_proxy_that_answers_wrongly_is_told_with_what_it_said(
    raw_server: RawServer, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxying, "REFUSAL_TIMEOUT", 1000 if "without an end" in name else 0.05)
    data, text = ANSWERS[name]

    async def answer() -> None:
        connection = await raw_server.accept()
        await connection.read_request()
        try:
            await connection.stream.send_all(data)
        except trio.BrokenResourceError:
            pass  # the client has had enough

    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer)
        error = await refused("ws://server.invalid/", f"http://127.0.0.1:{raw_server.port}")
    assert text in str(error)
    assert len(str(error)) < 200 + 200


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_a_proxy_that_ends_without_an_answer_is_told(raw_server: RawServer, scheme: str) -> None:
    async def end() -> None:
        connection = await raw_server.accept()
        await connection.stream.receive_some()
        await connection.stream.aclose()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(end)
        error = await refused("ws://server.invalid/", f"{scheme}://127.0.0.1:{raw_server.port}")
    assert f"the proxy {scheme}://127.0.0.1:{raw_server.port}" in str(error)


@pytest.mark.parametrize("scheme", ["http", "https", "socks5"])
async def test_open_timeout_bounds_the_way_through_a_proxy_that_says_nothing(
    raw_server: RawServer, scheme: str
) -> None:
    proxy = f"{scheme}://127.0.0.1:{raw_server.port}"
    error = await refused("ws://server.invalid/", proxy, open_timeout=0.1)
    assert isinstance(error, ConnectionTimeout)
    assert f"through the proxy {proxy}" in str(error)


async def test_socks_without_python_socks_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxying, "find_spec", lambda name: None)
    monkeypatch.setenv("all_proxy", "socks5://127.0.0.1")
    async with trio.open_nursery() as nursery:
        with pytest.raises(LocalProtocolError, match=r"pip install 'perfectws\[proxy\]'"):
            WebSocket.connect("ws://server.invalid/", on=nursery, proxy="socks5://127.0.0.1")
        with pytest.raises(HandshakeError, match=r"pip install 'perfectws\[proxy\]'"):
            await WebSocket.connect("ws://server.invalid/", on=nursery)


async def test_a_unix_socket_is_reached_through_no_proxy() -> None:
    async with trio.open_nursery() as nursery:
        with pytest.raises(InvalidURL, match="no proxy leads to"):
            await WebSocket.connect("ws+unix:///run/chat.sock", on=nursery, proxy="http://localhost:1")


async def test_the_proxy_of_the_environment_is_used_but_never_for_this_machine(
    raw_server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with held_proxy(raw_server.port) as proxy, served(echo) as url, trio.open_nursery() as nursery:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        await converse(url)
        await converse(url.replace("127.0.0.1", "localhost"))
        assert proxy.targets == []
        future = WebSocket.connect("ws://server.invalid/", on=nursery)
        await (await raw_server.accept()).upgrade()
        await future
        assert proxy.targets == ["server.invalid:80"]
        with pytest.raises(HandshakeError, match=r"cannot connect to server\.invalid:80"):
            await WebSocket.connect("ws://server.invalid/", on=nursery, proxy=None)
        monkeypatch.setenv("http_proxy", "gopher://ann:sesame@127.0.0.1")
        with pytest.raises(HandshakeError, match=r"http_proxy in the environment: .* is no URL of a proxy") as caught:
            await WebSocket.connect("ws://server.invalid/", on=nursery)
        assert "sesame" not in str(caught.value)
        nursery.cancel_scope.cancel()
