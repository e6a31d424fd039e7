"""Switching protocols: the transport changes hands, and not a byte is lost."""

import gc
import weakref
from typing import Any

import pytest

from perfectws.errors import LocalProtocolError
from perfectws.http.cookies import HTTPCookie
from perfectws.http.request import HTTPRequest
from perfectws.http.response import HTTPResponse, ResponseState
from perfectws.transport import Protocol, Transport

from .fakes import Server, echo_path, everything, get

HANDSHAKE = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", "x")]
UPGRADE = ("Upgrade: websocket", "Connection: Upgrade")


class Successor(Protocol):
    """The protocol that takes over: it writes a greeting and remembers what it is told."""

    def __init__(self, transport: Transport) -> None:
        super().__init__()
        self.transport = transport
        self.told: list[Any] = []
        transport.write(b"<greeting>")

    def data_received(self, data: bytes) -> None:
        self.told.append(data)

    def eof_received(self) -> None:
        self.told.append("eof")

    def resume_writing(self) -> None:
        self.told.append("resume writing")

    def shut_down(self) -> None:
        self.told.append("shut down")

    def connection_lost(self, error: Exception | None) -> None:
        self.told.append("lost")

    def callback_failed(self, error: Exception) -> None:
        self.told.append(type(error))


def told(server: Server) -> list[Any]:
    """Return what the successor was told."""
    assert isinstance(server.protocol, Successor)
    return server.protocol.told


def ask(server: Server, data: bytes) -> None:
    """Let bytes arrive, and run what is ready; what is sent may be no response."""
    server.receive(data)
    server.loop.run()


def switch(request: HTTPRequest, response: HTTPResponse) -> None:
    response.switch_protocols(HANDSHAKE, Successor)


def test_the_handshake_is_sent_and_the_successor_writes_behind_it() -> None:
    server = Server(everything(switch))
    server.receive(get("/", *UPGRADE))
    server.loop.run()
    assert server.transport.sent == (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: x\r\n\r\n<greeting>"
    )
    assert isinstance(server.protocol, Successor)
    assert told(server) == []
    assert server.transport.is_open
    assert server.loop.live_timers == 0


def test_the_applications_own_headers_and_cookies_are_sent_but_none_about_a_body() -> None:
    def handle(request: HTTPRequest, response: HTTPResponse) -> None:
        response.set_body("no body").set_header("X-A", "1").set_header("upgrade", "h2c").set_header(
            "Connection", "close"
        )
        response.set_header("Content-Length", "7").set_header("Content-Encoding", "gzip")
        response.add_cookie(HTTPCookie("a", "1")).add_cookie(HTTPCookie("b", "2"))
        switch(request, response)

    server = Server(everything(handle))
    server.receive(get("/", *UPGRADE))
    server.loop.run()
    head = bytes(server.transport.sent).partition(b"\r\n\r\n")[0].decode().split("\r\n")
    assert head[1:] == [
        *(f"{name}: {value}" for name, value in HANDSHAKE),
        "X-A: 1",
        "Set-Cookie: a=1",
        "Set-Cookie: b=2",
    ]


@pytest.mark.parametrize("body", [b"", b"hello"])
def test_bytes_behind_the_request_belong_to_the_successor(body: bytes) -> None:
    server = Server(everything(switch))
    server.receive(get("/", *UPGRADE, f"Content-Length: {len(body)}") + body + b"frame 1")
    server.receive(b", frame 2")
    server.loop.run()
    assert told(server) == [b"frame 1, frame 2"]
    server.receive(b"frame 3")
    assert told(server)[1:] == [b"frame 3"]


def test_a_chunked_body_of_an_upgrade_request_is_taken_off_first() -> None:
    server = Server(everything(switch))
    server.receive(get("/", *UPGRADE, "Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\n\r\n\x81\x01")
    server.loop.run()
    assert told(server) == [b"\x81\x01"]


def test_frames_that_arrive_while_its_many_chunks_wait_stay_in_order() -> None:
    server = Server(everything(switch))
    chunks = b"1\r\nx\r\n" * 100 + b"0\r\n\r\n"
    server.receive(get("/", *UPGRADE, "Transfer-Encoding: chunked") + chunks + b"frame 1, ")
    server.receive(b"frame 2")
    server.loop.run()
    assert told(server) == [b"frame 1, frame 2"]


def test_a_flood_behind_the_request_pauses_reading_until_the_successor_is_there() -> None:
    server = Server(everything(switch))
    server.receive(get("/", *UPGRADE))
    server.receive(b"x" * 100_000)
    assert server.transport.is_paused
    server.loop.run()
    assert not server.transport.is_paused
    assert sum(map(len, told(server))) == 100_000


def test_a_refused_upgrade_is_an_ordinary_response_and_the_next_request_is_served() -> None:
    server = Server(everything(echo_path))
    answers = server.ask(get("/1", *UPGRADE) + get("/2"))
    assert [answer.body for answer in answers] == [b"GET /1 ", b"GET /2 "]


def test_it_may_happen_later_and_in_another_request() -> None:
    waiting = []
    server = Server(everything(lambda request, response: waiting.append(response)))
    server.ask(get("/1") + get("/2", *UPGRADE) + b"frame")
    waiting[0].completed()
    server.loop.run()
    assert server.answers()[0].status == 200
    waiting[1].switch_protocols(HANDSHAKE, Successor)
    assert told(server) == [b"frame"]


def test_if_the_peer_is_gone_nothing_happens() -> None:
    waiting = []
    server = Server(everything(lambda request, response: waiting.append(response)))
    server.ask(get("/", *UPGRADE))
    server.lose()
    waiting[0].switch_protocols(HANDSHAKE, Successor)
    assert server.transport.sent == b""
    assert server.protocol is server.connection


def test_the_successor_learns_what_happened_meanwhile() -> None:
    server = Server(everything(switch))
    server.receive(get("/", *UPGRADE) + b"frame")
    server.protocol.eof_received()
    server.protocol.shut_down()
    server.loop.run()
    assert told(server) == [b"frame", "eof", "shut down"]


def test_the_request_outlives_the_switch_and_answers_as_before() -> None:
    requests = []

    def handle(request: HTTPRequest, response: HTTPResponse) -> None:
        request.url_variables["a"] = "1"
        requests.append(request)
        switch(request, response)

    server = Server(everything(handle))
    server.receive(get("/x?y=z", *UPGRADE, "X-Long: " + "x" * 100))
    server.loop.run()
    [request] = requests
    assert request.header("x-LONG") == "x" * 100
    assert (request.path, request.param("y"), request.url_variables["a"]) == ("/x", "z", "1")


def test_nothing_of_http_is_kept() -> None:
    server = Server(everything(switch))
    server.receive(get("/", *UPGRADE))
    server.loop.run()
    connection = weakref.ref(server.connection)
    gc.disable()
    try:
        del server.connection
        assert connection() is None
    finally:
        gc.enable()


def test_what_the_response_is_asked_afterwards_is_misuse(caplog: pytest.LogCaptureFixture) -> None:
    responses = []

    def handle(request: HTTPRequest, response: HTTPResponse) -> None:
        responses.append(response)
        switch(request, response)

    server = Server(everything(handle))
    server.receive(get("/", *UPGRADE))
    server.loop.run()
    [response] = responses
    assert response.state is ResponseState.SWITCHED
    sent = bytes(server.transport.sent)
    response.completed()
    assert server.transport.sent == sent
    assert len(caplog.records) == 1
    with pytest.raises(LocalProtocolError, match="is sent already"):
        switch(response.request, response)


def test_a_handler_that_raises_after_the_switch_is_the_successors_to_deal_with(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def handle(request: HTTPRequest, response: HTTPResponse) -> None:
        switch(request, response)
        raise KeyError("user")

    server = Server(everything(handle))
    server.receive(get("/", *UPGRADE))
    server.loop.run()
    assert told(server) == [KeyError]
    assert server.transport.is_open


def test_a_take_over_that_raises_ends_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    def fail(transport: Transport) -> Protocol:
        raise KeyError("user")

    server = Server(everything(lambda request, response: response.switch_protocols(HANDSHAKE, fail)))
    server.receive(get("/", *UPGRADE))
    server.loop.run()
    assert server.transport.is_aborted


def test_a_malformed_handshake_header_is_refused_before_anything_is_sent() -> None:
    waiting = []
    server = Server(everything(lambda request, response: waiting.append(response)))
    server.ask(get("/", *UPGRADE))
    with pytest.raises(LocalProtocolError):
        waiting[0].switch_protocols([("A", "\r\n")], Successor)
    waiting[0].completed()
    assert server.answers()[0].status == 200


CONTINUE, SWITCH = b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 101 Switching Protocols\r\n"
EXPECT = "Expect: 100-Continue"


@pytest.mark.parametrize("expect", [EXPECT, "expect: 100-continue", "Expect: x, 100-continue"])
def test_a_client_that_expects_to_be_told_to_go_on_is_before_the_protocols_are_switched(expect: str) -> None:
    server = Server(everything(switch))
    ask(server, get("/", *UPGRADE, expect))
    assert server.transport.sent.startswith(CONTINUE + SWITCH)


@pytest.mark.parametrize("headers", [(), ("Expect: something-else",), ("X: 100-continue",)])
def test_no_other_client_is_told(headers: tuple[str, ...]) -> None:
    server = Server(everything(switch))
    ask(server, get("/", *UPGRADE, *headers))
    assert server.transport.sent.startswith(SWITCH)


def test_one_that_sends_a_body_is_told_once_when_it_waits_and_if_not_before_the_101() -> None:
    head = get("/", *UPGRADE, EXPECT, "Content-Length: 2")
    server = Server(everything(switch))
    ask(server, head)
    assert bytes(server.transport.sent) == CONTINUE
    ask(server, b"ok")
    assert server.transport.sent.startswith(CONTINUE + SWITCH)
    server = Server(everything(switch))
    ask(server, head + b"ok<first bytes>")
    assert server.transport.sent.startswith(CONTINUE + SWITCH)
    assert told(server) == [b"<first bytes>"]


def test_in_http_1_0_nobody_is() -> None:
    server = Server(everything(switch))
    ask(server, get("/", *UPGRADE, EXPECT).replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert server.transport.sent.startswith(SWITCH)


def test_an_answer_of_another_kind_is_not_preceded_by_it() -> None:
    server = Server(everything(echo_path))
    ask(server, get("/", *UPGRADE, EXPECT))
    assert server.transport.sent.startswith(b"HTTP/1.1 200 OK")


def test_nothing_is_handed_over_once_the_connection_is_given_up() -> None:
    responses: list[HTTPResponse] = []
    server = Server(everything(lambda request, response: responses.append(response)), half_close_timeout=30)
    ask(server, get("/", *UPGRADE))
    server.protocol.eof_received()
    server.loop.advance(31)
    assert server.transport.is_aborted  # and the transport has still to tell that it is
    switch(responses[0].request, responses[0])
    assert responses[0].state is ResponseState.LOST
    assert server.protocol is server.connection
