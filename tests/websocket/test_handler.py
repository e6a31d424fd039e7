"""`WebSocketHandler` in a server: laws 1, 4 and 11, over every transport."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import trio

from perfectws import (
    HTTPCookie,
    HTTPRequest,
    HTTPResponse,
    Routes,
    WebSocket,
    WebSocketHandler,
    WebSocketSessionHandler,
)
from perfectws.checks import signatures
from perfectws.websocket import session_handler
from perfectws.websocket.options import WebSocketOptions

from ..conftest import Connect, Handler
from ..peer import HANDSHAKE_ACCEPT, HANDSHAKE_KEY, Peer

NOT_SUPPORTED = b"WebSocket protocols not supported.\n"


def greet(request: HTTPRequest, socket: WebSocket) -> None:
    socket.send_string_message("hello")


def routes_of(handler: Any, method: str | None = "GET") -> Routes:
    routes = Routes()
    if method is None:
        routes.add(uri="/", handler=handler)
    else:
        routes.add(method, "/", handler)
    return routes


async def shake(connect: Connect, handler: Any, *headers: tuple[str, str]) -> Peer:
    peer = await connect.to(routes_of(handler))
    await peer.handshake(headers=list(headers))
    return peer


async def is_greeted(peer: Peer) -> bool:
    return await peer.receive_text() == "hello" and (await peer.close_handshake()).close_code == 1000


class TestAccepting:
    async def test_a_handler_may_be_the_handler_of_a_route(self, connect: Connect) -> None:
        peer = await shake(connect, WebSocketHandler(lambda request, protocols: Handler(greet)))
        assert peer.status == 101
        assert peer.headers["sec-websocket-accept"] == HANDSHAKE_ACCEPT
        assert peer.headers["upgrade"].lower() == "websocket"
        assert peer.headers["connection"].lower() == "upgrade"
        assert "content-length" not in peer.headers
        assert await is_greeted(peer)

    async def test_or_be_asked_by_one_as_in_perfect(self, connect: Connect) -> None:
        def handle(request: HTTPRequest, response: HTTPResponse) -> None:
            WebSocketHandler(handler_producer=lambda request, protocols: Handler(greet)).handle_request(
                request=request, response=response
            )

        assert await is_greeted(await shake(connect, handle))

    async def test_a_producer_may_be_async(self, connect: Connect) -> None:
        async def produce(request: HTTPRequest, protocols: list[str]) -> Handler:
            await trio.lowlevel.checkpoint()
            return Handler(greet, "echo")

        peer = await shake(connect, WebSocketHandler(produce), ("Sec-WebSocket-Protocol", "chat, echo"))
        assert peer.headers["sec-websocket-protocol"] == "echo"
        assert await is_greeted(peer)

    async def test_the_session_handler_may_derive_from_the_protocol(self, connect: Connect) -> None:
        class Greeter(WebSocketSessionHandler):
            def handle_session(self, request: HTTPRequest, socket: WebSocket) -> None:
                greet(request, socket)

        assert await is_greeted(await shake(connect, WebSocketHandler(lambda *_: Greeter())))

    async def test_one_session_handler_may_serve_many_sockets(self, connect: Connect) -> None:
        greeter = Handler(greet)
        routes = routes_of(WebSocketHandler(lambda *_: greeter))
        for _ in range(2):
            peer = await connect.to(routes)
            await peer.handshake()
            assert await is_greeted(peer)

    async def test_the_producer_gets_the_request_and_what_is_offered(self, connect: Connect) -> None:
        got: list[Any] = []

        def produce(request: HTTPRequest, protocols: list[str]) -> Handler:
            got.append((request.path, request.header("X-Name"), protocols))
            return Handler(greet)

        headers = [("Sec-WebSocket-Protocol", "a, b"), ("Sec-WebSocket-Protocol", "c"), ("X-Name", "Kyle")]
        peer = await shake(connect, WebSocketHandler(produce), *headers)
        assert "sec-websocket-protocol" not in peer.headers
        assert await is_greeted(peer)
        assert got == [("/", "Kyle", ["a", "b", "c"])]

    async def test_the_producer_is_not_called_from_inside_handle_request(self, connect: Connect) -> None:
        order: list[str] = []

        def produce(request: HTTPRequest, protocols: list[str]) -> Handler:
            order.append("producer")
            return Handler(greet)

        def handle(request: HTTPRequest, response: HTTPResponse) -> None:
            WebSocketHandler(produce).handle_request(request, response)
            order.append("handle_request returned")

        assert await is_greeted(await shake(connect, handle))
        assert order == ["handle_request returned", "producer"]

    async def test_headers_and_cookies_of_the_response_are_in_the_101(self, connect: Connect) -> None:
        def handle(request: HTTPRequest, response: HTTPResponse) -> None:
            response.set_header("X-Room", "kitchen").add_cookie(HTTPCookie("session", "42"))
            response.set_header("Content-Type", "text/plain").set_header("Upgrade", "h2c")
            WebSocketHandler(lambda *_: Handler(greet)).handle_request(request, response)

        peer = await shake(connect, handle)
        assert peer.status == 101
        assert peer.headers["x-room"] == "kitchen"
        assert peer.headers["set-cookie"].startswith("session=42")
        assert peer.headers["upgrade"].lower() == "websocket"
        assert await is_greeted(peer)

    async def test_the_request_is_still_there_in_the_session(self, connect: Connect) -> None:
        seen: list[Any] = []

        def session(request: HTTPRequest, socket: WebSocket) -> None:
            @socket.on_text
            def received(socket: WebSocket, text: str) -> None:
                assert socket.request is request
                seen.append((request.header("x-name"), request.cookies, request.param("room"), request.method))
                socket.send("seen")

        peer = await connect.to(routes_of(WebSocketHandler(lambda *_: Handler(session))))
        await peer.handshake("/?room=kitchen", [("X-Name", "Kyle"), ("Cookie", "a=1; b=2")])
        await peer.send_text("look")
        assert await peer.receive_text() == "seen"
        assert seen == [("Kyle", [("a", "1"), ("b", "2")], "kitchen", "GET")]


class TestRefusing:
    @staticmethod
    async def refused(peer: Peer, status: int) -> bytes:
        assert peer.status == status
        assert peer.headers["content-type"] == "text/plain; charset=utf-8"
        return await peer.read_body()

    async def test_a_producer_that_returns_none_refuses(self, connect: Connect) -> None:
        peer = await shake(connect, WebSocketHandler(lambda *_: None))
        assert await self.refused(peer, 400) == NOT_SUPPORTED

    async def test_an_async_producer_that_returns_none_refuses(self, connect: Connect) -> None:
        async def produce(request: HTTPRequest, protocols: list[str]) -> None:
            await trio.lowlevel.checkpoint()

        assert await self.refused(await shake(connect, WebSocketHandler(produce)), 400) == NOT_SUPPORTED

    async def test_a_client_that_offers_only_other_subprotocols_is_refused(self, connect: Connect) -> None:
        handler = WebSocketHandler(lambda *_: Handler(greet, "echo"))
        peer = await shake(connect, handler, ("Sec-WebSocket-Protocol", "chat, superchat"))
        assert await self.refused(peer, 400) == NOT_SUPPORTED

    async def test_one_that_offers_none_gets_a_session_without(self, connect: Connect) -> None:
        peer = await shake(connect, WebSocketHandler(lambda *_: Handler(greet, "echo")))
        assert "sec-websocket-protocol" not in peer.headers
        assert await is_greeted(peer)

    async def test_a_plain_get_is_told_what_this_is_and_the_connection_lives_on(self, connect: Connect) -> None:
        peer = await connect.to(routes_of(WebSocketHandler(lambda *_: Handler(greet))))
        await peer.stream.send_all(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        await peer.read_head()
        assert b"WebSocket" in await self.refused(peer, 400)
        await peer.handshake()
        assert await is_greeted(peer)

    @pytest.mark.parametrize("request_line", [b"POST / HTTP/1.1", b"GET / HTTP/1.0"])
    async def test_another_method_or_version_of_http_is_a_400(self, connect: Connect, request_line: bytes) -> None:
        peer = await connect.to(routes_of(WebSocketHandler(lambda *_: Handler(greet)), method=None))
        lines = [request_line, b"Host: test", b"Upgrade: websocket", b"Connection: Upgrade"]
        lines += [b"Sec-WebSocket-Key: " + HANDSHAKE_KEY.encode(), b"Sec-WebSocket-Version: 13", b"", b""]
        await peer.stream.send_all(b"\r\n".join(lines))
        await peer.read_head()
        assert b"GET and HTTP/1.1" in await self.refused(peer, 400)

    async def test_a_wrong_version_gets_426_and_the_right_one(self, connect: Connect) -> None:
        peer = await connect.to(routes_of(WebSocketHandler(lambda *_: Handler(greet))))
        lines = ["GET / HTTP/1.1", "Host: test", "Upgrade: websocket", "Connection: Upgrade"]
        lines += [f"Sec-WebSocket-Key: {HANDSHAKE_KEY}", "Sec-WebSocket-Version: 8", "", ""]
        await peer.stream.send_all("\r\n".join(lines).encode())
        await peer.read_head()
        assert peer.headers["sec-websocket-version"] == "13"
        assert peer.headers["upgrade"] == "websocket"
        assert peer.headers["connection"].lower() == "upgrade"
        assert b"13" in await self.refused(peer, 426)

    async def test_an_origin_that_is_not_allowed_is_a_403(self, connect: Connect) -> None:
        handler = WebSocketHandler(lambda *_: Handler(greet), origins=["https://here.example"])
        await self.refused(await shake(connect, handler, ("Origin", "https://there.example")), 403)
        await self.refused(await shake(connect, handler), 403)
        assert await is_greeted(await shake(connect, handler, ("Origin", "https://here.example")))

    async def test_a_producer_is_not_called_for_what_is_no_handshake(self, connect: Connect) -> None:
        called: list[object] = []
        peer = await connect.to(routes_of(WebSocketHandler(lambda *arguments: called.append(arguments))))
        await peer.stream.send_all(b"GET / HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\n\r\n")
        await peer.read_head()
        assert peer.status == 400
        assert called == []


class TestFailing:
    """Law 4: before the upgrade, a 500"""

    @staticmethod
    async def failed(connect: Connect, producer: Any, caplog: pytest.LogCaptureFixture, text: str) -> None:
        routes = routes_of(WebSocketHandler(producer))
        routes.add("GET", "/sane", WebSocketHandler(lambda *_: Handler(greet)))
        peer = await connect.to(routes)
        await peer.handshake()
        assert peer.status == 500
        body = await peer.read_body()
        assert b"Traceback" not in body
        [record] = [record for record in caplog.records if record.name == "perfectws" and record.exc_info]
        assert record.exc_info is not None
        assert text in repr(record.exc_info[1])
        await peer.handshake("/sane")
        assert await is_greeted(peer)

    async def test_a_producer_that_raises(self, connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
        def produce(request: HTTPRequest, protocols: list[str]) -> Handler:
            raise KeyError("mine")

        await self.failed(connect, produce, caplog, "mine")

    async def test_an_async_producer_that_raises(self, connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
        async def produce(request: HTTPRequest, protocols: list[str]) -> Handler:
            await trio.lowlevel.checkpoint()
            raise KeyError("mine")

        await self.failed(connect, produce, caplog, "mine")

    @pytest.mark.parametrize("wrong", ["echo", 42, object(), greet, True])
    async def test_a_producer_that_returns_no_session_handler(
        self, connect: Connect, caplog: pytest.LogCaptureFixture, wrong: object
    ) -> None:
        await self.failed(connect, lambda *_: wrong, caplog, "no WebSocketSessionHandler")

    async def test_a_producer_that_returns_the_class(self, connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
        await self.failed(connect, lambda *_: WebSocketSessionHandler, caplog, "return WebSocketSessionHandler()")

    @pytest.mark.parametrize("kind", [WebSocketSessionHandler, object])
    @pytest.mark.parametrize(
        "session", [lambda self, socket: None, lambda self: None, lambda self, request, socket, more: None]
    )
    async def test_a_session_handler_that_cannot_be_called(
        self, connect: Connect, caplog: pytest.LogCaptureFixture, kind: type, session: Callable[..., object]
    ) -> None:
        wrong = type("Wrong", (kind,), {"socket_protocol": None, "handle_session": session})
        for _ in range(2):  # it is not taken for checked
            expected = "handle_session of Wrong is a callable that takes (request, socket)"
            await self.failed(connect, lambda *_: wrong(), caplog, expected)
            caplog.clear()

    async def test_a_session_handler_that_does_not_say_how(
        self, connect: Connect, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Empty(WebSocketSessionHandler):
            pass

        await self.failed(connect, lambda *_: Empty(), caplog, "Empty must define handle_session(request, socket)")

    async def test_one_that_has_a_method_of_its_own_that_cannot_be_called(
        self, connect: Connect, caplog: pytest.LogCaptureFixture
    ) -> None:
        own: list[Any] = [
            SimpleNamespace(socket_protocol=None, handle_session=lambda request, socket: None),
            SimpleNamespace(socket_protocol=None, handle_session=lambda socket: None),
        ]
        assert (await shake(connect, WebSocketHandler(lambda *_: own[0]))).status == 101
        await self.failed(connect, lambda *_: own[1], caplog, "takes (request, socket)")

    @pytest.mark.parametrize("protocol", [5, ["chat"], b"chat"])
    async def test_a_subprotocol_that_is_no_string(
        self, connect: Connect, caplog: pytest.LogCaptureFixture, protocol: object
    ) -> None:
        wrong: Any = SimpleNamespace(socket_protocol=protocol, handle_session=greet)
        await self.failed(connect, lambda *_: wrong, caplog, "socket_protocol of a session handler is a str or None")

    async def test_a_class_is_looked_at_once(self, memory_connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
        looked_at: list[str] = []
        check = signatures.check_callable

        def check_and_note(callback: object, what: str, *parameters: str) -> None:
            looked_at.append(what)
            check(callback, what, *parameters)

        class One(Handler):
            pass

        class Other(Handler):
            pass

        handlers = [One(greet), Other(greet), One(greet), Other(greet)]
        serve = WebSocketHandler(lambda *_: handlers.pop())
        monkeypatch.setattr(session_handler, "check_callable", check_and_note)
        for _ in range(4):
            assert (await shake(memory_connect, serve)).status == 101
        assert [what.rsplit(".", 1)[1] for what in looked_at] == ["Other", "One"]

    async def test_a_session_that_raises_closes_its_socket_with_1011(
        self, connect: Connect, caplog: pytest.LogCaptureFixture
    ) -> None:
        def session(request: HTTPRequest, socket: WebSocket) -> None:
            raise KeyError("mine")

        peer = await shake(connect, WebSocketHandler(lambda *_: Handler(session)))
        assert peer.status == 101
        assert (await peer.receive_close()).close_code == 1011
        assert "KeyError: 'mine'" in caplog.text


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "error", "text"),
        [
            ({"max_frame_size": 0}, ValueError, "max_frame_size"),
            ({"max_frame_size": "1"}, ValueError, "max_frame_size"),
            ({"max_frame_size": None}, ValueError, "max_frame_size"),
            ({"max_message_size": -1}, ValueError, "max_message_size"),
            ({"max_fragments": 1.5}, ValueError, "max_fragments"),
            ({"max_write_buffer": 0}, ValueError, "max_write_buffer"),
            ({"ping_interval": 0}, ValueError, "ping_interval"),
            ({"ping_interval": "20"}, ValueError, "ping_interval"),
            ({"ping_interval": float("nan")}, ValueError, "ping_interval"),
            ({"ping_timeout": -1}, ValueError, "ping_timeout"),
            ({"write_timeout": 0}, ValueError, "write_timeout"),
            ({"close_timeout": -1}, ValueError, "close_timeout"),
            ({"close_timeout": None}, ValueError, "close_timeout"),
            ({"compression": {"level": 11}}, ValueError, "level"),
            ({"compression": {"levle": 6}}, TypeError, "compression"),
            ({"compression": "yes"}, TypeError, "compression"),
            ({"origins": "https://here.example"}, TypeError, "origins"),
            ({"origins": re.compile("https://.*")}, TypeError, "origins"),
            ({"origins": [b"https://here.example"]}, TypeError, "origins"),
            ({"origins": [re.compile(b"https://.*")]}, TypeError, "origins"),
            ({"max_size": 1}, TypeError, "max_size"),
        ],
    )
    def test_a_wrong_option_raises_at_once_and_is_named(
        self, options: dict[str, Any], error: type[Exception], text: str
    ) -> None:
        with pytest.raises(error, match=text):
            WebSocketHandler(lambda *_: None, **options)

    def test_every_option_may_be_given(self) -> None:
        options: dict[str, Any] = {
            "max_frame_size": 1,
            "max_message_size": 2,
            "max_fragments": 3,
            "max_write_buffer": 4,
            "ping_interval": 0.5,
            "ping_timeout": None,
            "write_timeout": 30,
            "close_timeout": 0,
            "compression": {"level": 1},
            "origins": ["https://here.example", re.compile("https://.*")],
        }
        made = WebSocketOptions.of(**options)
        assert made.compression is not None
        assert made.compression.level == 1
        assert made.origins == tuple(options["origins"])
        assert all(
            getattr(made, name) == value for name, value in options.items() if name not in ("compression", "origins")
        )

    @pytest.mark.parametrize("producer", [None, "produce", Handler(greet)])
    def test_a_producer_that_is_no_callable_raises_at_once(self, producer: Any) -> None:
        with pytest.raises(TypeError, match="handler_producer"):
            WebSocketHandler(producer)
