"""``should_upgrade`` and ``on_upgrade``: of routes, and of a server's upgraders."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from perfectws import HTTPRequest, HTTPResponse, HTTPServer, LocalProtocolError, RouteError, Routes, WebSocket

from ..calls import Calls, quiet
from ..conftest import Connect
from ..peer import BINARY, TEXT, Peer, frame_bytes


async def opened(connect: Connect, routes: Routes, path: str = "/", **how: Any) -> Peer:
    peer = await connect.to(routes)
    await peer.handshake(path, **how)
    return peer


async def test_web_socket_is_a_method_and_a_decorator_and_gives_the_function_back(connect: Connect) -> None:
    routes = Routes()

    def one(request: HTTPRequest, ws: WebSocket) -> None:
        ws.send(f"one {request.path}")

    assert routes.web_socket("/one", one) is one
    assert routes.web_socket("two/{name}")(one) is one
    for path in ("/one", "/two/x"):
        peer = await opened(connect, routes, path)
        assert (peer.status, await peer.receive_text()) == (101, f"one {path}")


async def test_a_handler_that_is_no_function_or_a_bad_pattern_raises() -> None:
    with pytest.raises(RouteError, match="on_upgrade"):
        Routes().web_socket("/", "handler")  # type: ignore[call-overload]
    with pytest.raises(RouteError, match=r"\*\*"):
        Routes().web_socket("/**/a", lambda request, ws: None)
    with pytest.raises(TypeError, match="should_upgrade"):
        Routes().web_socket("/", lambda request, ws: None, should_upgrade="yes")  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="max_frame_size"):
        Routes().web_socket("/", lambda request, ws: None, max_frame_size=0)
    with pytest.raises(TypeError, match="on_upgrade"):
        HTTPServer.web_socket_upgrader(lambda request: {})


async def test_max_frame_size_is_the_route_s_own(connect: Connect) -> None:
    routes = Routes()
    routes.web_socket("/", lambda request, ws: None, max_frame_size=10)
    peer = await opened(connect, routes)
    await peer.send(BINARY, b"x" * 11)
    assert (await peer.receive_close()).close_code == 1009


@pytest.mark.parametrize("is_async", [False, True])
async def test_should_upgrade_may_add_headers(connect: Connect, is_async: bool) -> None:
    asked: list[HTTPRequest] = []

    def decide(request: HTTPRequest) -> dict[str, str]:
        asked.append(request)
        return {"X-Room": request.param("room") or "", "Set-Cookie": "a=b"}

    async def decide_later(request: HTTPRequest) -> dict[str, str]:
        await trio.sleep(0)
        return decide(request)

    routes = Routes()
    got = Calls()
    routes.web_socket("/", got, should_upgrade=decide_later if is_async else decide)
    peer = await opened(connect, routes, "/?room=7")
    assert (peer.status, peer.headers["x-room"], peer.headers["set-cookie"]) == (101, "7", "a=b")
    ((request, ws),) = await got.until(1)
    assert asked == [request]
    assert ws.request is request


@pytest.mark.parametrize("is_async", [False, True])
async def test_none_refuses_with_403(connect: Connect, is_async: bool) -> None:
    async def refuse_later(request: HTTPRequest) -> None:
        await trio.sleep(0)

    routes = Routes()
    got = Calls()
    routes.web_socket("/", got, should_upgrade=refuse_later if is_async else lambda request: None)
    peer = await opened(connect, routes)
    assert peer.status == 403
    assert await peer.read_body() == b"This WebSocket is refused.\n"
    await quiet()
    assert got.got == []


async def test_what_is_no_handshake_gets_400_and_should_upgrade_is_not_asked(connect: Connect) -> None:
    asked: Any = Calls()
    routes = Routes()
    routes.web_socket("/", lambda request, ws: None, should_upgrade=asked)
    peer = await connect.to(routes)
    await peer.stream.send_all(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
    await peer.read_head()
    assert peer.status == 400
    assert asked.got == []


@pytest.mark.parametrize(("offered", "status", "chosen"), [("v1, v2", 101, "v2"), ("", 101, None), ("v3", 400, None)])
async def test_a_subprotocol_among_the_headers_is_the_one_we_speak(
    connect: Connect, offered: str, status: int, chosen: str | None
) -> None:
    routes = Routes()
    got = Calls()
    routes.web_socket("/", got, should_upgrade=lambda request: {"Sec-WebSocket-Protocol": "v2"})
    peer = await opened(connect, routes, headers=[("Sec-WebSocket-Protocol", offered)] if offered else None)
    assert (peer.status, peer.headers.get("sec-websocket-protocol")) == (status, chosen)
    if status == 101:
        ((_, ws),) = await got.until(1)
        assert ws.subprotocol == chosen


@pytest.mark.parametrize(
    ("offered", "status", "chosen"),
    [("graphql-ws, graphql-transport-ws", 101, "graphql-transport-ws"), ("", 101, None), ("mqtt", 400, None)],
)
async def test_a_route_may_name_the_subprotocols_that_it_speaks(
    connect: Connect, offered: str, status: int, chosen: str | None
) -> None:
    routes = Routes()
    got = Calls()
    routes.web_socket("/", got, subprotocols=["graphql-transport-ws", "graphql-ws"])
    peer = await opened(connect, routes, headers=[("Sec-WebSocket-Protocol", offered)] if offered else None)
    assert (peer.status, peer.headers.get("sec-websocket-protocol")) == (status, chosen)
    if status == 101:
        ((_, ws),) = await got.until(1)
        assert ws.subprotocol == chosen


async def test_what_should_upgrade_names_comes_before_the_routes_subprotocols(connect: Connect) -> None:
    routes = Routes()
    routes.web_socket(
        "/", Calls(), should_upgrade=lambda request: {"Sec-WebSocket-Protocol": "v2"}, subprotocols=["v1"]
    )
    peer = await opened(connect, routes, headers=[("Sec-WebSocket-Protocol", "v1, v2")])
    assert peer.headers.get("sec-websocket-protocol") == "v2"


@pytest.mark.parametrize(
    ("subprotocols", "error", "says"),
    [
        ("mqtt", TypeError, "a list of names"),
        (None, TypeError, "a list of names"),
        (["a b"], LocalProtocolError, r"subprotocols\[0\] cannot be the name"),
        ([5], LocalProtocolError, r"subprotocols\[0\] cannot be the name"),
        (["a", "a"], LocalProtocolError, "named twice"),
    ],
)
def test_what_are_no_subprotocols_is_refused(subprotocols: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        Routes().web_socket("/", Calls(), subprotocols=subprotocols)


@pytest.mark.parametrize("wrong", ["yes", 1, {"Upgrade": "h2c"}, {"X-A": "b\r\nX-C: d"}])
async def test_a_wrong_decision_is_logged_and_answered_with_500(
    connect: Connect, wrong: Any, caplog: pytest.LogCaptureFixture
) -> None:
    routes = Routes()
    routes.web_socket("/", lambda request, ws: None, should_upgrade=lambda request: wrong)
    peer = await opened(connect, routes)
    assert peer.status == 500
    assert len(caplog.records) == 1


async def test_an_error_in_on_upgrade_closes_with_1011(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    def on_upgrade(request: HTTPRequest, ws: WebSocket) -> None:
        raise KeyError("mine")

    routes = Routes()
    routes.web_socket("/", on_upgrade)
    peer = await opened(connect, routes)
    assert (await peer.receive_close()).close_code == 1011
    assert "KeyError: 'mine'" in caplog.text


@pytest.mark.parametrize("is_async", [False, True])
async def test_on_upgrade_never_closes_and_afterwards_drops_what_has_no_handler(
    connect: Connect, is_async: bool
) -> None:
    async def later(request: HTTPRequest, ws: WebSocket) -> None:
        got(request, ws)
        await trio.sleep(0)

    got, texts = Calls(), Calls()
    routes = Routes()
    routes.web_socket("/", later if is_async else got)
    peer = await opened(connect, routes, more=frame_bytes(TEXT, "lost"))
    ((_, ws),) = await got.until(1)
    for _ in range(200):
        await peer.send(BINARY, b"x" * 1000)
    await peer.send(0x9, b"?")
    assert (await peer.receive()).opcode == 0xA
    await quiet()
    ws.on_text(texts)
    await peer.send(TEXT, "heard")
    assert await texts.until(1) == [(ws, "heard")]
    assert ws.is_connected


async def test_a_guard_of_the_group_runs_first(connect: Connect) -> None:
    def guard(request: HTTPRequest, response: HTTPResponse) -> None:
        if request.header("X-Key") == "open":
            response.next()
        else:
            response.completed(401)

    routes = Routes("/api", guard)
    routes.web_socket("/socket", lambda request, ws: ws.send("in"))
    outer = Routes()
    outer.add(routes)
    peer = await opened(connect, outer, "/api/socket", headers=[("X-Key", "open")])
    assert await peer.receive_text() == "in"
    assert (await opened(connect, outer, "/api/socket")).status == 401


# HTTPServer.web_socket_upgrader


async def upgraders_answer(path: str, upgrade: bool = True, headers: str = "") -> tuple[Peer, int]:
    """Ask a server that has a route, and two upgraders: one for /first, one for all but /deny."""
    server = HTTPServer()
    server.server_address = "127.0.0.1"
    routes = Routes()
    routes.web_socket("/route", lambda request, ws: ws.send("route"))

    def only_first(request: HTTPRequest) -> dict[str, str] | None:
        return {} if request.path == "/first" else None

    async def all_but_deny(request: HTTPRequest) -> dict[str, str] | None:
        await trio.sleep(0)
        return None if request.path == "/deny" else {}

    server.add_routes(routes)
    server.add_upgraders(
        [
            HTTPServer.web_socket_upgrader(only_first, lambda ws, request: ws.send("first")),
            HTTPServer.web_socket_upgrader(all_but_deny, lambda ws, request: ws.send(f"second {request.path}")),
        ]
    )
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            port = await nursery.start(server.serve)
            peer = Peer(await trio.open_tcp_stream("127.0.0.1", port))
            if upgrade:
                await peer.handshake(path)
            else:
                await peer.stream.send_all(f"GET {path} HTTP/1.1\r\nHost: test\r\n{headers}\r\n".encode())
                await peer.read_head()
            text = await peer.receive_text() if peer.status == 101 else ""
            peer.headers["text"] = text
            await peer.vanish()
            server.stop()
    return peer, peer.status


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/route", 101, "route"),
        ("/first", 101, "first"),
        ("/other", 101, "second /other"),
        ("/deny", 404, ""),
    ],
)
async def test_upgraders_are_asked_in_order_for_any_path_that_no_route_has(path: str, status: int, text: str) -> None:
    peer, got = await upgraders_answer(path)
    assert (got, peer.headers["text"]) == (status, text)


async def test_upgraders_leave_what_is_no_web_socket_alone_and_judge_what_tries_to_be_one() -> None:
    assert (await upgraders_answer("/other", upgrade=False))[1] == 404
    assert (await upgraders_answer("/other", upgrade=False, headers="Upgrade: websocket\r\n"))[1] == 400
