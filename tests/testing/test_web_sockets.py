"""A test's WebSocket: what it sends, what it hears, and what it says when it hears something else, or nothing."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import pytest

from perfectws import (
    ConnectionClosed,
    ConnectionRejected,
    HandshakeError,
    HTTPServer,
    LocalProtocolError,
    Routes,
    WebSocket,
)
from perfectws.testing import TestServer, TestWebSocket


@pytest.fixture
def server(routes: Routes) -> Iterator[TestServer]:
    with TestServer(routes) as server:
        yield server


@pytest.fixture
def ws(server: TestServer) -> Iterator[TestWebSocket]:
    with server.connect("/echo") as ws:
        yield ws


def test_the_five_lines_of_the_issue(routes: Routes) -> None:
    with TestServer(routes) as server:
        ws = server.connect("/echo", subprotocols=["echo"])
        ws.send("hi")
        assert ws.receive() == "hi"
    assert ws.subprotocol == "echo"


def test_messages_are_what_they_were_sent_as(ws: TestWebSocket) -> None:
    ws.send("text")
    ws.send(b"\x00\xff")
    ws.send_json({"a": [1, None]})
    assert ws.receive_text() == "text"
    assert ws.receive_bytes() == b"\x00\xff"
    assert ws.receive_json() == {"a": [1, None]}


def test_another_kind_of_message_is_shown(ws: TestWebSocket) -> None:
    ws.send(b"\x00\xff")
    with pytest.raises(AssertionError, match=r"text was expected, but 2 bytes b'\\x00\\xff' came"):
        ws.receive_text()
    ws.send("x" * 300)
    with pytest.raises(AssertionError, match=f"bytes were expected, but the text '{'x' * 200}'… came"):
        ws.receive_bytes()
    ws.send("{")
    with pytest.raises(AssertionError, match=r"JSON was expected, but the text '\{' came"):
        ws.receive_json()


def test_silence_ends_with_what_a_test_needs_to_know(ws: TestWebSocket) -> None:
    ws.send("later")
    with pytest.raises(
        TimeoutError, match=r"nothing was received within 0\.5 seconds; the server's clock stands still"
    ):
        ws.receive(timeout=0.5)  # longer than a busy machine takes to begin


def test_who_has_waited_in_vain_loses_no_message(server: TestServer, ws: TestWebSocket) -> None:
    ws.send("later")
    with pytest.raises(TimeoutError) as kept:  # a traceback keeps all that it has seen
        ws.receive(timeout=0.01)
    server.advance(30)
    assert ws.receive() == "at last"
    assert kept


def test_that_nothing_comes_is_known_at_once_and_takes_nothing(ws: TestWebSocket) -> None:
    ws.send("hush")
    assert ws.receive_nothing()
    ws.send("hi")
    assert not ws.receive_nothing()
    assert not ws.receive_nothing()
    assert ws.receive() == "hi"
    ws.send("bye")
    assert ws.receive_nothing()


def test_a_close_of_the_server_has_its_code_and_reason(ws: TestWebSocket) -> None:
    ws.send("bye")
    assert ws.receive_close() == 4000
    assert (ws.close_code, ws.close_reason, ws.is_connected) == (4000, "bye", False)
    with pytest.raises(ConnectionClosed):
        ws.receive()
    with pytest.raises(ConnectionClosed):
        ws.send("too late")


def test_a_message_in_place_of_the_close_is_shown(ws: TestWebSocket) -> None:
    ws.send("still here")
    with pytest.raises(AssertionError, match="the connection's end was expected, but the text 'still here' came"):
        ws.receive_close()
    with pytest.raises(TimeoutError, match=r"the connection was not closed within 0\.01 seconds"):
        ws.receive_close(timeout=0.01)


def test_a_close_of_the_test_reaches_the_server() -> None:
    closed: list[tuple[int | None, str]] = []
    routes = Routes()

    @routes.web_socket("/")
    def opened(_: object, socket: WebSocket) -> None:
        socket.on_close.when_complete(lambda _: closed.append((socket.close_code, socket.close_reason)))

    with TestServer(routes) as server:
        server.connect().close(4001, "done")
        server.settle()
        assert closed == [(4001, "done")]
        with server.connect():
            pass
        assert closed[1:] == [(1000, "")]
        server.connect().abort()
        assert closed[2][0] == 1006
        left_open = server.connect()
    assert closed[3][0] == left_open.close_code == 1001


def test_a_stop_closes_with_1001_and_what_came_before_is_received(server: TestServer, ws: TestWebSocket) -> None:
    ws.send("hi")
    server.settle()
    server.stop()
    assert ws.receive() == "hi"
    assert ws.receive_close() == 1001


@pytest.mark.parametrize("is_ours", [True, False])
def test_whoever_stops_it_nothing_listens_from_then_on(server: TestServer, ws: TestWebSocket, is_ours: bool) -> None:
    if is_ours:
        server.stop()
    else:
        server.http_server.stop()
    assert ws.receive_close() == 1001
    with pytest.raises(ConnectionRefusedError, match="nothing listens: the test server has stopped"):
        server.get("/reflect")
    with pytest.raises(HandshakeError, match="cannot connect to testserver:80: nothing listens"):
        server.connect("/echo")


def test_an_error_of_a_callback_is_no_cause_of_that(server: TestServer) -> None:
    with server.connect("/echo") as ws:
        ws.send("boom")
        assert ws.receive_close() == 1011
    server.stop()
    with pytest.raises(ConnectionRefusedError) as refused:
        server.get("/reflect")
    assert refused.value.__cause__ is None
    server.errors.clear()


def test_a_stop_that_takes_its_time_accepts_nothing_either(routes: Routes) -> None:
    http_server = HTTPServer.server(name="x", port=0, routes=routes)
    http_server.drain = 60
    with TestServer(http_server) as server:
        ws = server.connect("/echo")
        server.stop()
        with pytest.raises(HandshakeError, match="nothing listens"):
            server.connect("/echo")
        server.advance(60)
        assert ws.receive_close() == 1001


def test_a_client_has_an_ip_address(server: TestServer) -> None:
    for address in ("nope", "", "10.0.0.1, evil", "1.2.3.4\n", 5, None):
        with pytest.raises(ValueError, match="remote_address is an IP address, a str, not"):
            server.connect("/echo", remote_address=address)  # type: ignore[arg-type]
    with server.connect("/echo", remote_address="fe80::1%x") as ws:
        ws.send("hi")
        assert ws.receive() == "hi"


def test_messages_can_be_iterated_over_until_the_close() -> None:
    routes = Routes()

    @routes.web_socket("/{code}")
    def opened(request: object, socket: WebSocket) -> None:
        assert socket.request is not None
        for number in range(30):
            socket.send(str(number))
        socket.close(int(socket.request.url_variables["code"]))

    with TestServer(routes) as server:
        assert list(server.connect("/1000")) == [str(number) for number in range(30)]
        with pytest.raises(ConnectionClosed):
            list(server.connect("/4000"))


def test_a_refusal_raises_as_the_client_does(server: TestServer) -> None:
    with pytest.raises(ConnectionRejected) as refused:
        server.connect("/refuse")
    assert refused.value.status == 403
    with pytest.raises(ConnectionRejected) as unknown:
        server.connect("/nowhere")
    assert unknown.value.status == 404


def test_a_ping_is_answered(ws: TestWebSocket) -> None:
    assert ws.ping(b"one") == b"one"
    assert ws.ping(b"two") == b"two"


def test_headers_subprotocols_and_compression_are_the_real_ones(server: TestServer) -> None:
    with server.connect("/echo", subprotocols=["other", "echo"], compression=True) as ws:
        assert ws.headers.get("Sec-WebSocket-Protocol") == "echo"
        assert "permessage-deflate" in (ws.headers.get("Sec-WebSocket-Extensions") or "")
        ws.send("x" * 10_000)
        assert ws.receive() == "x" * 10_000
    assert server.http_server.figures.bytes_received < 2_000


def test_only_the_servers_end_is_counted(server: TestServer, ws: TestWebSocket) -> None:
    ws.send("hi")
    ws.receive()
    figures = server.http_server.figures
    assert (figures.connections, figures.web_sockets, figures.messages_received, figures.messages_sent) == (1, 1, 1, 1)


def test_a_handler_sees_where_a_client_connects_from(server: TestServer) -> None:
    routes = Routes()
    routes.web_socket(
        "/", lambda request, socket: socket.send(f"{request.remote_address[0]} {request.header('Origin')}")
    )
    with TestServer(routes) as server:
        ws = server.connect(remote_address="192.0.2.7", headers={"Origin": "https://example.org"})
        assert ws.receive() == "192.0.2.7 https://example.org"


def test_several_clients_are_served_beside_each_other(server: TestServer) -> None:
    clients = [server.connect("/echo") for _ in range(20)]
    for number, client in enumerate(clients):
        client.send(str(number))
    assert [client.receive() for client in clients] == [str(number) for number in range(20)]


def test_a_client_that_hangs_is_given_up_once_time_passes(server: TestServer, ws: TestWebSocket) -> None:
    server.advance(600)
    assert server.http_server.figures.web_sockets == 1
    ws.go_silent()
    server.advance(19)
    assert server.http_server.figures.web_sockets == 1
    server.advance(40)
    assert server.http_server.figures.web_sockets == 0


def send_without_end(ws: TestWebSocket) -> None:
    for _ in range(100):
        ws.send("x" * 60_000, timeout=0.05)


def test_a_server_that_does_not_read_holds_a_sender_back() -> None:
    routes = Routes()

    @routes.web_socket("/")
    def opened(_: object, socket: WebSocket) -> None:
        socket.read_string_message(lambda *_: None)  # one, and no more

    with TestServer(routes) as server:
        ws = server.connect()
        with pytest.raises(TimeoutError, match="a message could not be sent: the server does not read"):
            send_without_end(ws)


def test_a_closed_server_says_so(routes: Routes) -> None:
    server = TestServer(routes)
    with pytest.raises(LocalProtocolError, match="use it inside 'with TestServer"):
        server.connect("/echo")
    with server:
        ws = server.connect("/echo")
    with pytest.raises(LocalProtocolError, match="this test server is closed"):
        ws.receive()
    with pytest.raises(LocalProtocolError, match="a TestServer can be entered once"):
        server.start()
    server.close()


def test_a_handler_cannot_wait_for_its_own_server(server: TestServer, ws: TestWebSocket) -> None:
    failed: list[Exception] = []

    def wait(*_: object) -> None:
        try:
            server.get("/reflect")
        except LocalProtocolError as error:
            failed.append(error)

    server.http_server.loop.call_soon(server.http_server.loop.owner, wait)
    server.settle()
    assert "would wait for itself" in str(failed[0])


def test_the_thread_ends_with_the_block(routes: Routes) -> None:
    with TestServer(routes) as server:
        server.get("/reflect")
        assert any(thread.name == "perfectws test server" for thread in threading.enumerate())
        thread = next(each for each in threading.enumerate() if each.name == "perfectws test server")
    assert not thread.is_alive()


def test_a_misspelt_keyword_is_refused(server: TestServer) -> None:
    with pytest.raises(TypeError, match=r"a test's connect has no keyword 'subprotocol'.*subprotocols"):
        server.connect("/echo", subprotocol="echo")  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="begins with a slash"):
        server.connect("ws://localhost/echo")


def test_a_look_behind_the_end_leaves_no_complaint(ws: TestWebSocket, caplog: pytest.LogCaptureFixture) -> None:
    gc.collect()
    caplog.clear()  # of what other tests have left
    ws.send("bye")
    assert ws.receive_nothing()
    assert ws.receive_nothing()
    gc.collect()
    assert caplog.messages == []


def test_a_block_leaves_a_server_that_does_not_read() -> None:
    routes = Routes()

    @routes.web_socket("/")
    def opened(_: object, socket: WebSocket) -> None:
        socket.read_string_message(lambda *_: None)  # one, and no more

    with TestServer(routes) as server:
        with server.connect() as ws:
            for _ in range(40):
                ws.send("more than it reads ahead")
        assert ws.socket.is_closed
        assert ws.close_code == 1000
