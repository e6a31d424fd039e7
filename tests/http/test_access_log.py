"""The access log: a line per request and per finished session, and nothing while it is off."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

import pytest

from perfectws import HTTPRequest, HTTPResponse, WebSocket, WebSocketHandler
from perfectws.http import access_log
from perfectws.http.routing import Routes
from tests.http.fakes import FakeTransport, Server, echo_path, everything, get, post
from tests.peer import CLOSE, HANDSHAKE_KEY, TEXT, close_payload, frame_bytes

#: Peer, time, request, status or close code, bytes, seconds.
LINE = re.compile(
    r'(?P<peer>\S+) - - \[(?P<time>\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "(?P<request>.*)" '
    r"(?P<status>\d+|-) (?P<size>\d+) (?P<seconds>\d+\.\d{3})"
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
    def text(self) -> str:
        return self._caplog.text


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[Log]:
    with caplog.at_level(logging.INFO, "perfectws.access"):
        yield Log(caplog)


def test_each_request_is_a_line(log: Log) -> None:
    server = Server(everything(echo_path))
    server.ask(get("/a?b=c") + post("/d", b"body"))
    assert log.lines == [("GET /a?b=c HTTP/1.1", "200", 11), ("POST /d HTTP/1.1", "200", 12)]
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
        (b"\x16\x03\x01\x02", (r"\x16\x03\x01\x02", "400")),
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
