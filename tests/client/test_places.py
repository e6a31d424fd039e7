"""Where a client connects to, and from, and who it says that it is."""

from __future__ import annotations

import socket
import ssl
from typing import Any

import pytest
import trio

import perfectws
from perfectws import (
    ConnectionRejected,
    HandshakeError,
    HTTPClient,
    InvalidURL,
    LocalProtocolError,
    WebSocket,
)

from .conftest import PATIENCE
from .proxies import held_proxy
from .raw_server import RawConnection, RawServer
from .served import echo, port_of, served
from .tls_server import tls_server


async def accepted(raw_server: RawServer, nursery: trio.Nursery, **options: Any) -> tuple[RawConnection, WebSocket]:
    future = WebSocket.connect(on=nursery, **{"to": raw_server.url, **options})
    connection = await raw_server.accept()
    await connection.upgrade()
    return connection, await future


async def test_host_and_port_say_where_and_the_url_what(transport: str, raw_server: RawServer) -> None:
    async with trio.open_nursery() as nursery:
        connection, ws = await accepted(
            raw_server, nursery, to="ws://chat.example:8080/room?a=b", host="127.0.0.1", port=raw_server.port
        )
        assert connection.request_line == "GET /room?a=b HTTP/1.1"
        assert connection.headers["host"] == "chat.example:8080"
        assert ws.remote_address == ("127.0.0.1", raw_server.port)
        nursery.cancel_scope.cancel()


async def test_the_certificate_must_say_what_the_url_or_server_hostname_says(trusting: ssl.SSLContext) -> None:
    async def serve() -> None:
        while True:
            nursery.start_soon(answer, await server.listener.accept())

    async def answer(stream: trio.SSLStream[trio.SocketStream]) -> None:
        connection = RawConnection(stream)
        try:
            await connection.upgrade()
            await connection.receive_eof()
        except (EOFError, trio.BrokenResourceError):
            pass
        finally:
            await trio.aclose_forcefully(stream)

    async def connect(url: str, **options: Any) -> None:
        options = {"host": "127.0.0.1", "port": server.port, "ssl_context": trusting, **options}
        await WebSocket.connect(to=url, on=nursery, **options)

    with trio.fail_after(PATIENCE):
        async with tls_server("chat.example") as server, trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            await connect("wss://chat.example/")
            await connect("wss://127.0.0.1/", server_hostname="chat.example")
            with pytest.raises(HandshakeError, match=r"Hostname mismatch.*'other.example'"):
                await connect("wss://chat.example/", server_hostname="other.example")
            nursery.cancel_scope.cancel()
    assert server.names == ["chat.example", "chat.example", "other.example"]


async def test_a_proxy_is_asked_for_the_host_that_is_given(raw_server: RawServer) -> None:
    async with held_proxy(raw_server.port) as proxy, trio.open_nursery() as nursery:
        options = {"host": "back.example", "port": 81, "proxy": f"http://127.0.0.1:{proxy.port}"}
        await accepted(raw_server, nursery, to="ws://front.example/", **options)
        nursery.cancel_scope.cancel()
    assert proxy.targets == ["back.example:81"]


async def test_a_redirect_to_another_origin_leaves_host_and_port_behind(raw_server: RawServer) -> None:
    async with RawServer.listen() as other, trio.open_nursery() as nursery:
        future = WebSocket.connect(to="ws://front.example/", on=nursery, host="127.0.0.1", port=raw_server.port)
        for location in ("/same", other.url):
            connection = await raw_server.accept()
            await connection.read_request()
            head = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
            await connection.stream.send_all(head.encode())
        await (await other.accept()).upgrade()
        assert (await future).remote_address == ("127.0.0.1", other.port)
        nursery.cancel_scope.cancel()


async def test_a_local_address_is_where_it_comes_from(transport: str, raw_server: RawServer) -> None:
    async with trio.open_nursery() as nursery:
        connection, _ = await accepted(raw_server, nursery, local_address="127.0.0.9")
        assert isinstance(connection.stream, trio.SocketStream)
        assert connection.stream.socket.getpeername()[0] == "127.0.0.9"
        with pytest.raises(HandshakeError, match="cannot connect to"):
            await WebSocket.connect(to=raw_server.url, on=nursery, local_address="192.0.2.1")
        nursery.cancel_scope.cancel()


async def test_the_addresses_of_a_name_are_tried_until_one_answers(raw_server: RawServer) -> None:
    """RFC 8305: one that does not answer holds up the others for a moment only."""

    class Resolver(trio.abc.HostnameResolver):
        async def getaddrinfo(self, host: Any, port: Any, *args: Any) -> Any:
            if host == b"many.example":
                addresses = ["127.0.0.2", "127.0.0.3", "127.0.0.1"]
                return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, int(port))) for each in addresses]
            return await trio.to_thread.run_sync(socket.getaddrinfo, host, port, *args)

        async def getnameinfo(self, sockaddr: Any, flags: int) -> Any:
            raise NotImplementedError

    trio.socket.set_custom_hostname_resolver(Resolver())
    async with trio.open_nursery() as nursery:
        _, ws = await accepted(raw_server, nursery, to=f"ws://many.example:{raw_server.port}/")
        assert ws.remote_address == ("127.0.0.1", raw_server.port)
        nursery.cancel_scope.cancel()


# A socket of one's own


async def test_a_socket_that_is_connected_is_used_and_closed(transport: str) -> None:
    async with served(echo) as url:
        sock = socket.create_connection(("127.0.0.1", port_of(url)))
        async with trio.open_nursery() as nursery:
            ws = await WebSocket.connect(to="ws://somewhere.example/", on=nursery, sock=sock)
            ws.send("hello")
            assert await ws.receive() == "hello"
            await ws.close()
    assert sock.fileno() == -1


async def test_one_end_of_a_pair_will_do(transport: str) -> None:
    ours, theirs = socket.socketpair()
    server = RawConnection(trio.SocketStream(trio.socket.from_stdlib_socket(theirs)))
    with trio.fail_after(PATIENCE):
        async with server.stream, trio.open_nursery() as nursery:
            future = WebSocket.connect(to="ws://pair.example/", on=nursery, sock=ours)
            await server.upgrade()
            await future
            assert server.headers["host"] == "pair.example"
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize("how", ["rejected", "redirected", "cancelled", "wrong URL"])
async def test_a_socket_on_which_nothing_opens_is_closed(transport: str, raw_server: RawServer, how: str) -> None:
    sock = socket.create_connection(("127.0.0.1", raw_server.port))
    async with trio.open_nursery() as nursery:
        if how == "wrong URL":
            with pytest.raises(InvalidURL):
                await WebSocket.connect(to="http://x", on=nursery, sock=sock)
        elif how == "cancelled":
            future = WebSocket.connect(to="ws://x", on=nursery, sock=sock)
            future.cancel()
            with pytest.raises(HandshakeError, match="given up"):
                await future
        else:
            future = WebSocket.connect(to="ws://x", on=nursery, sock=sock)
            connection = await raw_server.accept()
            await connection.read_request()
            status = "302 Found\r\nLocation: /there" if how == "redirected" else "403 No"
            await connection.stream.send_all(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
            with pytest.raises(ConnectionRejected, match="sock= is one connection" if how == "redirected" else "403"):
                await future
    assert sock.fileno() == -1


# Who it says that it is


async def test_the_user_agent_is_ours_unless_the_application_says_another(raw_server: RawServer) -> None:
    async with trio.open_nursery() as nursery:
        connection, _ = await accepted(raw_server, nursery)
        assert connection.headers["user-agent"] == f"perfectws/{perfectws.__version__}"
        connection, _ = await accepted(raw_server, nursery, headers={"user-agent": "bot/1"})
        assert connection.headers["user-agent"] == "bot/1"
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("cookies", [{"id": "a=b", "lang": "d e"}, [("id", "a=b"), ("lang", "d e")]])
async def test_cookies_are_one_header(raw_server: RawServer, cookies: Any) -> None:
    async with trio.open_nursery() as nursery:
        connection, _ = await accepted(raw_server, nursery, cookies=cookies, headers=lambda: {"X-A": "1"})
        assert connection.headers["cookie"] == "id=a=b; lang=d e"
        connection, _ = await accepted(raw_server, nursery, cookies={})
        assert "cookie" not in connection.headers
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"cookies": {"a": "b; c=d"}}, LocalProtocolError),
        ({"cookies": {"a b": "c"}}, LocalProtocolError),
        ({"cookies": {"a": "b\r\nX: y"}}, LocalProtocolError),
        ({"cookies": {"a": 1}}, TypeError),
        ({"to": "ws://[::1]x/"}, InvalidURL),
        ({"cookies": {"a": "b"}, "headers": {"Cookie": "c=d"}}, LocalProtocolError),
        ({"host": ""}, TypeError),
        ({"host": 5}, TypeError),
        ({"port": 0}, ValueError),
        ({"port": 70_000}, ValueError),
        ({"server_hostname": ""}, TypeError),
        ({"server_hostname": "a" * 300}, ValueError),
        ({"server_hostname": "a..b"}, ValueError),
        ({"server_hostname": ".x"}, ValueError),
        ({"server_hostname": "a\0b"}, ValueError),
        ({"server_hostname": "\ud800"}, ValueError),
        ({"host": "a b"}, ValueError),
        ({"host": "a..b"}, ValueError),
        ({"local_address": "localhost"}, ValueError),
        ({"local_address": ("127.0.0.1", 0)}, ValueError),
        ({"sock": 5}, TypeError),
        ({"host": "h", "to": "ws+unix:///run/chat.sock"}, InvalidURL),
        ({"local_address": "127.0.0.1", "to": "ws+unix:///run/chat.sock"}, InvalidURL),
        ({"server_hostname": "h"}, InvalidURL),
    ],
)
async def test_what_is_given_wrongly_is_refused(wrong: dict[str, Any], error: type[Exception]) -> None:
    async with trio.open_nursery() as nursery:
        with pytest.raises(error):
            await WebSocket.connect(on=nursery, **{"to": "ws://h", **wrong})


@pytest.mark.parametrize("name", ["headers", "cookies"])
@pytest.mark.parametrize(
    ("given", "kind"),
    [(5, "int"), (None, "NoneType"), ("ab", "str"), (["ab"], "str"), ((5,), "int"), ([("a", "b"), ("a",)], "tuple")],
)
async def test_what_are_no_pairs_are_told_what_pairs_are(name: str, given: Any, kind: str) -> None:
    async with trio.open_nursery() as nursery:
        with pytest.raises(TypeError, match=rf"{name} are a mapping, or pairs such as .*, not {kind}$"):
            WebSocket.connect(to="ws://h", on=nursery, **{name: given})


async def test_a_socket_of_no_use_is_refused(raw_server: RawServer) -> None:
    async with trio.open_nursery() as nursery:
        with socket.socket() as unconnected, pytest.raises(LocalProtocolError, match="sock is not connected"):
            WebSocket.connect(to="ws://h", on=nursery, sock=unconnected)
        with socket.create_connection(("127.0.0.1", raw_server.port)) as sock:
            for more in ({"host": "h"}, {"proxy": "http://h"}, {"local_address": "127.0.0.1"}, {"reconnect": True}):
                with pytest.raises(LocalProtocolError, match="sock= is"):
                    WebSocket.connect(
                        to="ws://h",
                        on=nursery,
                        sock=sock,
                        on_upgrade=lambda ws: None,
                        **more,
                    )


async def test_vapor_s_form_takes_them_too(raw_server: RawServer) -> None:
    async with trio.open_nursery() as nursery:
        future = HTTPClient.web_socket(
            "127.0.0.1", raw_server.port, on=nursery, cookies={"a": "b"}, local_address="127.0.0.9"
        )
        connection = await raw_server.accept()
        await connection.upgrade()
        await future
        assert connection.headers["cookie"] == "a=b"
        nursery.cancel_scope.cancel()
