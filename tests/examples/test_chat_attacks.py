"""What people tried on the chat: each test is an attack, and shows that it hits nobody but who makes it."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from socket import gethostname
from typing import Any
from zlib import crc32

import pytest
from websockets.exceptions import InvalidStatus

import perfectws
from examples.chat import handlers, rate
from examples.chat.database import Database
from examples.chat.hosts import Hosts
from perfectws import HTTPRequest, OpcodeType

from .chat_client import ChatClient, chatting
from .running import PATIENCE, RunningServer, running

Open = Callable[..., ChatClient]
Continuation = Callable[[str | None, OpcodeType, bool], None]

HALVES = ["\\ud800", "x\\udfffx", "\\udc00\\ud800"]


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running("-m", "examples.chat", "--port", "0", "--memory") as server:
        yield server
        assert server.stop() == 0
        assert server.complaints() == []


@pytest.fixture
def open_chat(server: RunningServer, request: pytest.FixtureRequest) -> Iterator[Open]:
    with ExitStack() as stack:

        def open_chat(protocol: str = "perfectws-chat") -> ChatClient:
            return stack.enter_context(chatting(server.port, protocol, f"room-{crc32(request.node.nodeid.encode())}"))

        yield open_chat


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize(
    "message",
    [
        '{"type": "say", "id": "%s", "text": "x"}',
        '{"type": "hello", "name": "Eve%s", "session": "0123456789abcdef"}',
        '{"type": "hello", "name": "Eve", "session": "0123456789abcdef%s"}',
        '{"type": "%s"}',
        '{"type": "typing", "name": "%s"}',
        '{"type": ["%s"]}',
    ],
    ids=["id", "name", "session", "type", "typing", "nested"],
)
def test_half_of_a_character_is_refused_wherever_it_stands_and_all_rooms_go_on(
    open_chat: Open, message: str, half: str
) -> None:
    eve, ana = open_chat(), open_chat()
    eve.send_text(message % half)
    assert eve.receive()["code"] in ("bad-message", "not-joined")
    assert ana.hello("Ana")["type"] == "welcome"
    ana.send_text(message % half)
    assert ana.receive()["code"] == "bad-message"
    assert ana.say("still here", "1")["type"] == "stored"
    assert eve.hello("Eve")["messages"][0]["text"] == "still here"


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("message", ['{"type": ["%s"]}', '{"type": {"%s": 1}}', '{"type": "say", "room": ["%s"]}'])
def test_half_of_a_character_is_told_to_no_page_again(open_chat: Open, message: str, half: str) -> None:
    eve = open_chat("perfectws-rooms")
    eve.introduce("Eve")
    eve.send_text(message % half)
    assert eve.receive()["code"] in ("bad-message", "not-joined")
    assert eve.ask("beat") == {"type": "beat"}


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("field", ["email", "avatar", "displayName", "message"])
def test_half_of_a_character_harms_nobody_in_perfect_s_language_either(open_chat: Open, field: str, half: str) -> None:
    ana, eve = open_chat(), open_chat("chat")
    ana.hello("Ana")
    user = {"email": "e", "avatar": "a", "displayName": "Eve", "message": "x"}
    eve.send_text(json.dumps({**user, field: "<half>"}).replace("<half>", f"x{half}"))
    assert eve.receive()["user"] == "Bot" if field != "message" else ana.receive_type("message")
    eve.send(**user)
    assert ana.receive_type("message")["message"]["text"] == "x"
    assert ana.say("still here", "1")["type"] == "stored"


def done(*jobs: Callable[[sqlite3.Connection], Any]) -> list[Any]:
    """Give jobs to a database, all at once, and return the results in the order in which they came."""
    results: list[Any] = []
    database = Database(None, lambda connection: connection.execute("CREATE TABLE t (x TEXT)"))

    def begin(nursery: object) -> None:
        for job in jobs:
            database.do(job, results.append)

    perfectws.run(begin)
    database.close()
    return results


def adding(text: str) -> Callable[[sqlite3.Connection], Any]:
    def job(database: sqlite3.Connection) -> Any:
        database.execute("INSERT INTO t VALUES (?)", [text])
        return database.execute("SELECT group_concat(x) FROM t").fetchone()[0]

    return job


@pytest.mark.parametrize(
    "error", [sqlite3.OperationalError, ValueError, UnicodeEncodeError("utf-8", "", 0, 0, ""), MemoryError]
)
def test_a_job_of_the_database_that_raises_is_no_other_s_and_the_next_ones_run(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(database: sqlite3.Connection) -> None:
        database.execute("INSERT INTO t VALUES ('never')")
        raise error

    assert done(adding("a"), failing, adding("\ud800"), adding("b"), failing, adding("c")) == [
        *("a", None, None, "a,b", None, "a,b,c")
    ]
    assert "could not do one of its jobs" in caplog.text


def test_the_database_goes_on_when_no_thread_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = iter([perfectws.Promise[Any](), None])

    def run_in_thread(function: Callable[[], Any]) -> Any:
        promise = next(threads)
        if promise is None:
            return perfectws.run_in_thread(function)
        promise.fail(RuntimeError("can't start new thread"))
        return promise.future_result

    monkeypatch.setattr("examples.chat.database.run_in_thread", run_in_thread)
    assert done(adding("a"), adding("b")) == [None, "b"]


class Fragments:
    """A socket from which fragments come for as long as somebody reads."""

    def __init__(self) -> None:
        self.continuation: Continuation | None = None
        self.close_code: int | None = None

    def read_string_message(self, continuation: Continuation) -> Continuation:
        self.continuation = continuation
        return continuation

    def close(self, code: int, reason: str = "") -> None:
        self.close_code = code

    def feed(self, count: int, string: str = "x") -> int:
        """Give up to so many fragments, and return how many were read."""
        for number in range(count):
            continuation, self.continuation = self.continuation, None
            if continuation is None:
                return number
            continuation(string, OpcodeType.TEXT, False)
        return count


def test_a_message_that_never_ends_is_read_only_so_fast(open_chat: Open) -> None:
    ana = open_chat()
    ana.hello("Ana")
    per_second, burst = rate.FRAMES
    pieces = int(burst + per_second / 4)
    began = time.monotonic()
    ana.connection.send(iter([*'{"type": "say", "id": "1", "text": "', *"x" * pieces, '"}']))
    assert ana.receive()["message"]["text"] == "x" * pieces
    assert time.monotonic() - began > 0.2


def test_a_message_in_more_pieces_than_a_message_has_is_the_last_one() -> None:
    socket = Fragments()
    handler = handlers.PlainHandler(None, "lobby")  # type: ignore[arg-type]
    handler.handle_session(HTTPRequest(method="GET", uri="/chat"), socket)  # type: ignore[arg-type]
    socket.feed(handlers.MAX_FRAGMENTS + 1)
    assert socket.close_code == 1009
    assert handler.fragments == []


def test_a_message_in_many_pieces_arrives(open_chat: Open) -> None:
    ana = open_chat()
    ana.hello("Ana")
    ana.connection.send(iter([*'{"type": "say", "id": "1", "text": "', *"x" * 200, '"}']))
    assert ana.receive()["message"]["text"] == "x" * 200


def test_what_costs_the_server_much_counts_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate, "monotonic", lambda: 0.0)
    allowance = rate.Rate()
    for _ in range(7):
        allowance.take(100)
        allowance.take_time(0.01)
    with pytest.raises(rate.TooFast):
        allowance.take(100)


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:8181", "localhost.", "127.0.0.1:80", "[::1]:8181", "192.0.2.7", "a.localhost"],
)
def test_a_chat_is_known_by_its_own_names(host: str) -> None:
    assert Hosts().know(host)
    assert Hosts().know(gethostname())


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "evil.example:8181", "", ":80", "[::1", "a b"],
)
def test_other_names_are_none_of_a_chat_s_but_for_those_that_it_is_told(host: str) -> None:
    assert not Hosts().know(host)
    assert not Hosts(["evil.example.org"]).know(host)
    assert Hosts(["Chat.Example.org"]).know("chat.example.org:443")


@pytest.mark.parametrize("path", ["/", "/rooms/lobby", "/page/chat.js", "/chat"])
def test_a_page_whose_name_was_made_to_lead_here_gets_nothing(server: RunningServer, path: str) -> None:
    host = f"evil.example:{server.port}"
    connection = HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    connection.request("GET", path, headers={"Host": host})
    response = connection.getresponse()
    assert response.status == 421
    assert b"no name of this chat" in response.read()
    connection.close()
    with (
        pytest.raises(InvalidStatus) as refused,
        chatting(server.port, origin=f"http://{host}", host="evil.example"),
    ):
        pass
    assert refused.value.response.status_code == 403


def test_a_chat_can_be_told_its_name() -> None:
    with (
        running("-m", "examples.chat", "--port", "0", "--memory", "--host", "chat.example.org") as server,
        chatting(server.port, origin=f"http://chat.example.org:{server.port}", host="chat.example.org") as chat,
    ):
        assert chat.hello("Ana")["type"] == "welcome"
