"""The access log: a line per request and per finished session, and nothing while it is off."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest

from perfectws import HTTPRequest, HTTPResponse, OpcodeType, Room, WebSocket, WebSocketHandler
from perfectws.http import access_log
from perfectws.http.routing import Routes
from tests.http.fakes import FakeTransport, Server, echo_path, everything, get, post
from tests.peer import CLOSE, CONTINUATION, HANDSHAKE_KEY, PING, TEXT, close_payload, frame_bytes

#: Peer, time, request, status or close code, bytes, seconds, user agent, ID; messages received and sent.
LINE = re.compile(
    r'(?P<peer>\S+) - - \[(?P<time>\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "(?P<request>.*)" '
    r'(?P<status>\d+|-) (?P<size>\d+) (?P<seconds>\d+\.\d{3}) "(?P<agent>.*)" (?P<id>\S+)(?: (?P<messages>\d+ \d+))?'
)


class Log:
    """What was logged."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog

    @property
    def lines(self) -> list[tuple[str, str, int]]:
        """The request, the status and the size of each line."""
        found = [LINE.fullmatch(each.getMessage()) for each in self._caplog.records if each.name == "perfectws.access"]
        return [(match["request"], match["status"], int(match["size"])) for match in found if match is not None]

    @property
    def records(self) -> list[Any]:
        return [each for each in self._caplog.records if each.name == "perfectws.access"]

    @property
    def text(self) -> str:
        return self._caplog.text


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[Log]:
    with caplog.at_level(logging.INFO, "perfectws.access"):
        yield Log(caplog)


def test_each_request_is_a_line(log: Log) -> None:
    server = Server(everything(echo_path))
    server.ask(get("/a?b=c") + post("/d", b"body"))
    assert log.lines == [("GET /a?*** HTTP/1.1", "200", 11), ("POST /d HTTP/1.1", "200", 12)]
    assert "192.0.2.7 - - [" in log.text


def test_a_line_has_all_bytes_of_a_streamed_body(log: Log) -> None:
    def stream(request: HTTPRequest, response: HTTPResponse) -> None:
        response.append_body(bytes(1000)).push(lambda ok: response.append_body(bytes(500)).completed())

    Server(everything(stream)).ask(get("/"))
    assert log.lines == [("GET / HTTP/1.1", "200", 1500)]


def test_head_sends_no_bytes(log: Log) -> None:
    Server(everything(echo_path)).ask(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", "HEAD")
    assert log.lines == [("HEAD / HTTP/1.1", "200", 0)]


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"GET / HTTP/1.1\r\nHost x\r\n\r\n", ("GET / HTTP/1.1", "400")),
        (b"\x16\x03\x01\x02", ("-", "400")),
        (b"password=secret\r\n\r\n", ("-", "400")),
        (b'{"password": "secret"}\r\n\r\n', ("-", "400")),
        (b"GET /a?secret=a b HTTP/1.1\r\n\r\n", ("GET /a?*** HTTP/1.1", "400")),
        (b"GET /a#secret HTTP/1.1\r\n\r\n", ("GET /a#*** HTTP/1.1", "400")),
        (b"GET /a?secret\r\n\r\n", ("GET /a?***", "400")),
        (b"GET http://ann:secret@h/?secret HTTP/1.1\r\n\r\n", ("GET http://***@h/?*** HTTP/1.1", "400")),
        (b"CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n", ("CONNECT h:443 HTTP/1.1", "501")),
        (b"GET /" + b"x" * 2000, ("GET /" + "x" * 1995, "414")),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", ("GET / HTTP/1.1", "431")),
        (b"GET /\x1b[31m\xff HTTP/1.1\r\n\r\n", (r"GET /\x1b[31m\xff HTTP/1.1", "400")),
        (b'GET /"quoted" HTTP/1.1\r\nHost: x\r\n\r\n', (r"GET /\"quoted\" HTTP/1.1", "404")),
    ],
)
def test_what_is_refused_is_a_line_without_control_characters(log: Log, data: bytes, line: tuple[str, str]) -> None:
    Server(max_header_size=2000).ask(data)
    assert [each[:2] for each in log.lines] == [line]


def test_a_peer_that_leaves_before_the_answer_leaves_a_line(log: Log) -> None:
    kept: list[HTTPResponse] = []
    server = Server(everything(lambda request, response: kept.append(response)))
    server.ask(get("/slow"))
    server.lose()
    assert log.lines == [("GET /slow HTTP/1.1", "-", 0)]


def test_a_session_is_two_lines_its_beginning_and_its_end(log: Log) -> None:
    class Echo:
        socket_protocol = None

        def handle_session(self, request: HTTPRequest, socket: WebSocket) -> None:
            socket.on_text(lambda socket, text: socket.send(text))

    routes = Routes()
    routes.add("GET", "/chat", WebSocketHandler(lambda *_: Echo(), ping_interval=None))
    server = Server(routes)
    upgrade = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")
    server.receive(get("/chat", *upgrade, f"Sec-WebSocket-Key: {HANDSHAKE_KEY}"))
    server.loop.run()
    assert log.lines == [("GET /chat HTTP/1.1", "101", 0)]
    server.receive(frame_bytes(TEXT, "x" * 100))
    server.loop.run()
    server.receive(frame_bytes(CLOSE, close_payload(4001)))
    server.loop.run()
    server.lose()
    assert log.lines[1:] == [("GET /chat HTTP/1.1", "4001", 102 + 4)]


class Talk:
    """A session that echoes, and answers "go" with much else: fragments, a large message, a room's, pings."""

    socket_protocol = None

    def handle_session(self, request: HTTPRequest, socket: WebSocket) -> None:
        self.room = Room()
        self.room.join(socket)
        socket.on_text(self.got)

    def got(self, socket: WebSocket, text: str) -> None:
        if text != "go":
            socket.send(text)
            return
        for size in (0, 125, 126, 65_536, 300_000):
            socket.send(bytes(size))
        socket.send_raw(b"a", OpcodeType.TEXT, False)
        socket.send_ping()
        socket.send_raw(b"b", OpcodeType.CONTINUATION, True)
        for number in range(3):
            self.room.send_string_message(f"to all {number}")


@pytest.mark.parametrize("options", [{}, {"message_rate": 100}, {"compression": True}])
def test_a_session_that_is_over_has_its_messages_in_the_line(log: Log, options: dict[str, Any]) -> None:
    routes = Routes()
    routes.add("GET", "/chat", WebSocketHandler(lambda *_: Talk(), ping_interval=None, **options))
    server = Server(routes)
    before = server.loop.counts.web_sockets
    upgrade = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", "User-Agent: x")
    offer = ("Sec-WebSocket-Extensions: permessage-deflate",) if "compression" in options else ()
    server.receive(get("/chat", *upgrade, *offer, f"Sec-WebSocket-Key: {HANDSHAKE_KEY}"))
    server.loop.run()
    for data in (
        frame_bytes(TEXT, "x"),
        frame_bytes(TEXT, "a", fin=False) + frame_bytes(PING, "?") + frame_bytes(CONTINUATION, "b"),
        frame_bytes(TEXT, "1") + frame_bytes(TEXT, "2"),
        frame_bytes(TEXT, "go"),
    ):
        server.receive(data)
        server.loop.run()
    server.receive(frame_bytes(CLOSE, close_payload(4001)))
    server.loop.run()
    server.lose()
    opened, closed = log.records
    assert (opened.event, opened.status, opened.user_agent) == ("open", 101, "x")
    assert (closed.event, closed.close_code, closed.request_id) == ("close", 4001, opened.request_id)
    assert (closed.messages_received, closed.messages_sent) == (5, 4 + 5 + 1 + 3)
    assert not hasattr(closed, "status")
    assert closed.getMessage().endswith(" 5 13")
    assert server.loop.counts.messages_received == 5  # what the loop counts is the same as ever
    assert server.loop.counts.web_sockets == before


def test_at_level_debug_a_line_has_the_query_and_is_of_that_level(log: Log, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "perfectws.access"):
        Server(everything(echo_path)).ask(get("/a?b=c"))
        Server().ask(b"no request\r\n\r\n")
    assert [line[0] for line in log.lines] == ["GET /a?b=c HTTP/1.1", "no request"]
    assert [record.levelname for record in log.records] == ["DEBUG", "DEBUG"]


def test_a_record_has_all_of_it_as_attributes(log: Log) -> None:
    Server(everything(echo_path)).ask(get("/a?b=c", "User-Agent: curl/8.5"))
    (record,) = log.records
    assert (record.event, record.client, record.request) == ("request", "192.0.2.7", "GET /a?*** HTTP/1.1")
    assert (record.status, record.bytes, record.user_agent) == (200, 11, "curl/8.5")
    assert record.duration >= 0
    assert record.getMessage().endswith(f'"curl/8.5" {record.request_id}')


@pytest.mark.parametrize(
    ("header", "shown"),
    [
        ('user-agent:  a "b" \x1b[2J', r"a \"b\" \x1b[2J"),
        ("USER-AGENT: " + "x" * 1000, "x" * 300),
        ("User-Agent:", "-"),
        ("X-User-Agent: y", "-"),
    ],
)
def test_what_the_client_calls_itself_is_shown_without_control_characters_and_not_for_ever(
    log: Log, header: str, shown: str
) -> None:
    Server(everything(echo_path)).ask(get("/", header))
    assert f' "{shown}" ' in log.text


class TestRequestID:
    def ids(self, *headers: str, trusts: str) -> tuple[str, str]:
        """Return the ID that a handler sees, and the one that a second request has."""
        from perfectws.http.forwarding import TrustedProxies

        seen: list[str] = []

        def handle(request: HTTPRequest, response: HTTPResponse) -> None:
            seen.append(request.id)
            assert request.id == seen[-1]
            response.completed()

        server = Server(everything(handle), proxies=TrustedProxies([trusts]))
        server.ask(get("/", *headers) + get("/", *headers))
        return seen[0], seen[1]

    def test_a_trusted_proxys_is_taken(self, log: Log) -> None:
        assert self.ids("X-Request-ID: a-B_1.2", trusts="192.0.2.0/24") == ("a-B_1.2", "a-B_1.2")
        assert [record.request_id for record in log.records] == ["a-B_1.2"] * 2

    @pytest.mark.parametrize(
        "headers", [(), ("X-Request-ID: a b",), ("X-Request-ID: " + "x" * 129,), ("X-Request-ID:",)]
    )
    def test_else_it_is_made(self, log: Log, headers: tuple[str, ...]) -> None:
        first, second = self.ids(*headers, trusts="192.0.2.0/24")
        assert first != second
        assert re.fullmatch("[0-9a-f]{16}", first)
        assert [record.request_id for record in log.records] == [first, second]

    def test_nobody_elses_is_believed(self, log: Log) -> None:
        first, second = self.ids("X-Request-ID: mine", trusts="10.0.0.1")
        assert first != second
        assert "mine" not in (first, second)


def test_behind_a_trusted_proxy_the_peer_is_the_client(log: Log) -> None:
    from perfectws.http.forwarding import TrustedProxies

    Server(everything(echo_path), proxies=TrustedProxies(["192.0.2.0/24"])).ask(get("/", "X-Forwarded-For: 1.2.3.4"))
    assert "1.2.3.4 - - [" in log.text


def test_a_unix_socket_has_no_address(log: Log) -> None:
    class UnixTransport(FakeTransport):
        def __init__(self) -> None:
            super().__init__()
            self.remote_address = ("", 0)

    class UnixServer(Server):
        def make_transport(self) -> FakeTransport:
            return UnixTransport()

    UnixServer(everything(echo_path)).ask(get("/"))
    assert "unix - - [" in log.text


def test_it_is_off_until_it_is_turned_on(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_log.Exchange, "__init__", None)  # nothing is counted either
    with caplog.at_level(logging.DEBUG):
        assert Server(everything(echo_path)).ask(get("/"))[0].status == 200
    assert not caplog.records
