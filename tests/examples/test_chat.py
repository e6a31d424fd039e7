"""The chat's server, driven by clients that say what no page would say."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from ..platforms import python
from .chat_client import ChatClient, chatting
from .running import PATIENCE, ROOT, RunningServer, running

Open = Callable[..., ChatClient]


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running("-m", "examples.chat", "--port", "0", "--memory") as server:
        yield server
        assert server.stop() == 0
        assert server.complaints() == []


@pytest.fixture
def room(request: pytest.FixtureRequest) -> str:
    """A room that no other test is in."""
    return f"room-{zlib.crc32(request.node.nodeid.encode())}"


@pytest.fixture
def open_chat(server: RunningServer, room: str) -> Iterator[Open]:
    """Opens sockets in the test's room."""
    with ExitStack() as stack:

        def open_chat(protocol: str = "perfectws-chat") -> ChatClient:
            return stack.enter_context(chatting(server.port, protocol, room))

        yield open_chat


@pytest.fixture
def ana(open_chat: Open) -> ChatClient:
    ana = open_chat()
    assert ana.hello("Ana")["type"] == "welcome"
    return ana


@pytest.fixture
def ben(open_chat: Open, ana: ChatClient) -> ChatClient:
    ben = open_chat()
    assert ben.hello("Ben")["people"] == ["Ana", "Ben"]
    assert ana.receive() == {"type": "joined", "name": "Ben", "back": False}
    return ben


def test_a_message_is_acknowledged_to_its_sender_and_told_to_the_others(ana: ChatClient, ben: ChatClient) -> None:
    answer = ana.say("hello", "1")
    assert answer["type"] == "stored"
    message = answer["message"]
    assert (message["name"], message["text"], message["own"]) == ("Ana", "hello", "1")
    told = ben.receive()
    del message["own"]
    assert told == {"type": "message", "message": message}


def test_a_message_that_is_sent_again_is_stored_and_told_once(
    ana: ChatClient, ben: ChatClient, open_chat: Open
) -> None:
    first = ana.say("once", "1")
    assert ana.say("once", "1") == first
    assert ana.say("twice", "2")["message"]["id"] > first["message"]["id"]
    assert [ben.receive()["message"]["text"] for _ in range(2)] == ["once", "twice"]
    messages = open_chat().hello("Carol")["messages"]
    assert [message["text"] for message in messages] == ["once", "twice"]


def test_an_id_is_its_sender_s_own(ana: ChatClient, ben: ChatClient) -> None:
    ana.say("from Ana", "1")
    assert ben.say("from Ben", "1")["message"]["text"] == "from Ben"


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ("not json", "bad-json"),
        ("", "bad-json"),
        (b"\xff\xfe", "bad-json"),
        ("[1, 2]", "bad-json"),
        ('"text"', "bad-json"),
        ("[" * 100_000, "bad-json"),
        ("1" * 10_000, "bad-json"),
        ("{}", "bad-message"),
        ('{"type": ["say"]}', "bad-message"),
        ('{"type": "say"}', "bad-message"),
        ('{"type": "say", "id": 1, "text": "x"}', "bad-message"),
        ('{"type": "say", "id": "1", "text": 1}', "bad-message"),
        ('{"type": "say", "id": "1", "text": " \\n\\t\\u0000"}', "text-empty"),
        ('{"type": "say", "id": "1", "text": "%s"}' % ("x" * (128 * 1024 + 1)), "text-too-long"),
        ('{"type": "hello", "name": "Eve", "session": "0123456789abcdef"}', "bad-message"),
    ],
    ids=range(15),
)
def test_what_is_wrong_is_answered_and_the_session_reads_on(
    ana: ChatClient, ben: ChatClient, sent: str | bytes, code: str
) -> None:
    ana.send_text(sent)
    answer = ana.receive()
    assert (answer["type"], answer["code"]) == ("error", code)
    assert answer["text"].endswith(".")
    assert ana.say("still here", "9")["type"] == "stored"
    assert ben.receive()["message"]["text"] == "still here"


@pytest.mark.parametrize(
    ("hello", "code"),
    [
        ({"name": "Eve"}, "bad-message"),
        ({"name": "Eve", "session": "short"}, "bad-message"),
        ({"name": 1, "session": "0123456789abcdef"}, "bad-message"),
        ({"name": "", "session": "0123456789abcdef"}, "name-empty"),
        ({"name": " \u200d\u202e\u0000 ", "session": "0123456789abcdef"}, "name-empty"),
        ({"name": "x" * 41, "session": "0123456789abcdef"}, "name-too-long"),
        ({"name": "x" * 100_000, "session": "0123456789abcdef"}, "name-too-long"),
        ({"name": "bot", "session": "0123456789abcdef"}, "name-taken"),
        ({"name": "\u0410na", "session": "0123456789abcdef"}, "name-mixed"),
        ({"name": "\u3164", "session": "0123456789abcdef"}, "name-empty"),
        ({"name": "Eve", "session": "0123456789abcdef", "after": -1}, "bad-message"),
        ({"name": "Eve", "session": "0123456789abcdef", "after": "1"}, "bad-message"),
    ],
    ids=range(12),
)
def test_a_hello_that_is_wrong_is_answered_and_another_one_may_follow(
    open_chat: Open, hello: dict[str, object], code: str
) -> None:
    eve = open_chat()
    eve.send(type="hello", **hello)
    assert eve.receive()["code"] == code
    eve.send(type="say", id="1", text="hello")
    assert eve.receive()["code"] == "not-joined"
    assert eve.hello("Eve")["type"] == "welcome"


@pytest.mark.parametrize("name", ["Ana", "ana", "ＡＮＡ", " Ana ", "A\u034fna", "Ana\u202e", "Ana\ufe0f", "Ana\u2800"])
def test_a_name_cannot_be_taken_by_another_socket(ana: ChatClient, open_chat: Open, name: str) -> None:
    eve = open_chat()
    assert eve.hello(name, "the secret of somebody else")["code"] == "name-taken"
    perfect = open_chat("chat")
    perfect.send(email="ana@example.org", avatar="", displayName=name)
    assert perfect.receive()["message"] == "Bot: Somebody called “Ana” is here already."
    assert ana.say("mine", "1")["type"] == "stored"


def test_who_comes_back_has_the_name_from_its_former_socket(ana: ChatClient, ben: ChatClient, open_chat: Open) -> None:
    again = open_chat()
    assert again.hello("Ana", back=True)["type"] == "welcome"
    with pytest.raises(ConnectionClosed):
        ana.connection.recv(PATIENCE)
    assert ana.connection.close_code == 4001
    assert ben.receive() == {"type": "joined", "name": "Ana", "back": True}
    again.say("it is me", "1")
    assert ben.receive()["message"]["text"] == "it is me"


def test_who_comes_back_is_told_what_it_missed_and_nothing_else(
    ana: ChatClient, ben: ChatClient, open_chat: Open
) -> None:
    last = ben.say("heard", "1")["message"]["id"]
    for number in range(3):
        ana.say(f"missed {number}", str(number))
    again = open_chat()
    messages = again.hello("Ben", back=True, after=last)["messages"]
    assert [message["text"] for message in messages] == ["missed 0", "missed 1", "missed 2"]


def test_lone_halves_of_characters_and_control_characters_harm_nobody(ana: ChatClient, ben: ChatClient) -> None:
    ana.send_text('{"type": "say", "id": "1", "text": "a\\ud800b\\u0000c\\u001bd"}')
    assert ana.receive()["message"]["text"] == "abcd"
    assert ben.receive()["message"]["text"] == "abcd"


def test_a_message_in_fragments_is_one_message(ana: ChatClient, ben: ChatClient) -> None:
    ana.connection.send(iter(['{"type": "say", "id": "1", ', '"text": "in ', "pieces", '"}']))
    assert ben.receive()["message"]["text"] == "in pieces"


def test_who_is_too_fast_is_asked_to_wait_and_who_never_waits_is_sent_away(ana: ChatClient) -> None:
    for number in range(110):
        ana.send(type="say", id=str(number), text="spam")
    answers = [ana.receive() for _ in range(110)]
    refused = [answer for answer in answers if answer["type"] == "error"]
    assert len(refused) > 60
    for answer in refused:
        assert answer["code"] == "too-fast"
        assert 0 < answer["retry_after"] <= 1
    with pytest.raises(ConnectionClosed):
        shout(ana)
    assert ana.connection.close_code == 1008


def shout(chat: ChatClient) -> None:
    while True:
        chat.send(type="say", id="1", text="spam")
        chat.receive()


def test_typing_is_told_to_the_others_only(ana: ChatClient, ben: ChatClient) -> None:
    ana.send(type="typing", typing=True)
    assert ben.receive() == {"type": "typing", "name": "Ana", "typing": True}
    ana.send(type="typing", typing=False)
    assert ben.receive() == {"type": "typing", "name": "Ana", "typing": False}
    ben.send(type="typing", typing=True)
    assert ana.receive() == {"type": "typing", "name": "Ben", "typing": True}


def test_a_sign_of_life_is_answered_at_any_time_and_bounded(open_chat: Open, ana: ChatClient) -> None:
    stranger = open_chat()
    for chat in (stranger, ana):
        chat.send(type="beat")
        assert chat.receive() == {"type": "beat"}
    for _ in range(100):
        stranger.send(type="beat")
    answers = [stranger.receive()["type"] for _ in range(100)]
    assert answers[:50] == ["beat"] * 50
    assert answers[-1] == "error"


def test_perfect_s_page_and_the_new_one_share_a_room(ana: ChatClient, open_chat: Open) -> None:
    perfect = open_chat("chat")
    user = {"email": "ben@example.org", "avatar": "https://www.gravatar.com/avatar/0", "displayName": "Ben <b>"}
    perfect.send(**user)
    joined = perfect.receive()
    assert joined.keys() == {"user", "message", "avatar"}
    assert (joined["user"], joined["message"]) == ("Bot", "Bot: Ben &lt;b&gt; Joined")
    assert ana.receive() == {"type": "joined", "name": "Ben <b>", "back": False}
    perfect.send(**user, message="hello")
    assert ana.receive()["message"]["text"] == "hello"
    ana.say("<img src=x onerror=alert(1)>", "1")
    heard = perfect.receive()
    assert heard["message"] == "Ana: &lt;img src=x onerror=alert(1)&gt;"
    assert heard["avatar"].startswith("data:image/svg+xml,")
    other = open_chat("chat")
    other.send(**{**user, "displayName": "Carol", "email": "carol@example.org"}, message="joins as it talks")
    assert [perfect.receive()["message"] for _ in range(2)] == ["Bot: Carol Joined", "Carol: joins as it talks"]
    perfect.send(**user, message="to you")
    assert [other.receive()["message"] for _ in range(2)] == ["Bot: Carol Joined", "Ben &lt;b&gt;: to you"]
    ana.connection.close()
    assert [chat.receive()["message"] for chat in (perfect, other)] == ["Bot: Ana Left"] * 2


@pytest.mark.parametrize("sent", ["garbage", '{"email": 1, "avatar": "", "displayName": "x"}', "{}", "[]"])
def test_perfect_s_page_is_told_what_is_wrong_and_heard_on(ana: ChatClient, open_chat: Open, sent: str) -> None:
    perfect = open_chat("chat")
    perfect.send_text(sent)
    assert perfect.receive()["user"] == "Bot"
    user = {"email": "b", "avatar": "javascript:alert(1)", "displayName": "Ben"}
    perfect.send(**user)
    assert perfect.receive()["message"] == "Bot: Ben Joined"
    perfect.send(**{**user, "displayName": "Ana"}, message="as Ana")
    assert perfect.receive()["message"] == "Bot: You are “Ben” here, not “Ana”."
    perfect.send(**user, message="as Ben")
    assert ana.receive_type("message")["message"]["name"] == "Ben"


@pytest.mark.parametrize("message", [5, "", "   ", "x" * 200_000], ids=range(4))
def test_perfect_s_page_is_told_what_is_wrong_with_what_it_joins_with(
    ana: ChatClient, open_chat: Open, message: object
) -> None:
    perfect = open_chat("chat")
    user = {"email": "b", "avatar": "", "displayName": "Ben"}
    perfect.send(**user, message=message)
    assert {perfect.receive()["user"] for _ in range(2)} == {"Bot"}
    perfect.send(**user, message="hello")
    assert ana.receive_type("message")["message"]["text"] == "hello"


@pytest.mark.parametrize(
    "origin",
    ["http://example.org", "null", "http://127.0.0.1", "http://127.0.0.1:{port}0", "http://127.0.0.1:{port}.evil.org"],
)
def test_a_page_of_another_origin_cannot_connect(server: RunningServer, origin: str) -> None:
    for protocol in ("perfectws-chat", "chat"):
        with (
            pytest.raises(InvalidStatus) as refused,
            chatting(server.port, protocol, origin=origin.format(port=server.port)),
        ):
            pass
        assert refused.value.response.status_code == 403


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_page_of_the_host_itself_can_connect(server: RunningServer, scheme: str) -> None:
    with chatting(server.port, origin=f"{scheme}://127.0.0.1:{server.port}", room="own") as chat:
        assert chat.hello("Ana")["type"] == "welcome"


def test_other_origins_may_be_let_in() -> None:
    with (
        running("-m", "examples.chat", "--port", "0", "--memory", "--origin", "https://example.org") as server,
        chatting(server.port, origin="https://example.org") as chat,
    ):
        assert chat.hello("Ana")["type"] == "welcome"


def fetch(port: int, path: str, **request_headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", path, headers=request_headers)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 307),
        ("/rooms/lobby", 200),
        ("/rooms/caf%C3%A9-1", 200),
        ("/rooms/CAF%C3%89-1", 307),
        ("/rooms/a%20b", 404),
        ("/rooms/%3Cb%3E", 404),
        ("/rooms/" + "x" * 41, 404),
        ("/rooms/..%2F", 404),
        ("/page/chat.js", 200),
        ("/page/chat.css", 200),
        ("/page/favicon.svg", 200),
        ("/page/../__main__.py", 404),
        ("/page/%2e%2e/history.py", 404),
        ("/chat?room=a%20b", 400),
        ("/chat", 400),
    ],
)
def test_each_response_has_a_strict_policy(server: RunningServer, path: str, status: int) -> None:
    answered, headers, _ = fetch(server.port, path)
    assert answered == status
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "*" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("path", ["/page/chat.js", "/page/chat.css", "/rooms/lobby"])
def test_what_a_browser_has_already_is_not_sent_again(server: RunningServer, path: str) -> None:
    packed = {"Accept-Encoding": "gzip"}
    status, headers, body = fetch(server.port, path, **packed)
    assert (status, headers["Content-Encoding"]) == (200, "gzip")
    assert body
    assert fetch(server.port, path, **packed, **{"If-None-Match": headers["ETag"]})[::2] == (304, b"")
    assert fetch(server.port, path, **packed, **{"If-None-Match": '"another"'})[0] == 200


def test_the_page_names_no_other_server_and_makes_no_markup_of_text() -> None:
    for file in (ROOT / "examples" / "chat" / "page").iterdir():
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function", text), (
            file
        )
        assert not re.search(r"(src|href|url|import|from)[=(\s]*[\"']?(https?:)?//", text), file
        assert " style=" not in text, file
        assert " onclick=" not in text, file


def test_a_restart_loses_no_message_and_no_message_is_kept_with_memory(tmp_path: Path) -> None:
    database = tmp_path / "chat.sqlite3"
    arguments = ["-m", "examples.chat", "--port", "0", "--database", str(database)]
    with running(*arguments) as server, chatting(server.port) as ana:
        ana.hello("Ana")
        for number in range(15):
            ana.say(f"message {number}", str(number))
        server.kill()
    with running(*arguments) as server, chatting(server.port) as ana:
        messages = ana.hello("Ana")["messages"]
        assert [(message["text"], message["own"]) for message in messages] == [
            (f"message {number}", str(number)) for number in range(15)
        ]
        assert ana.say("message 0", "0")["message"] == messages[0]
    with sqlite3.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM messages").fetchone() == (15,)
        assert "the secret of Ana" not in {row[0] for row in connection.execute("SELECT session FROM messages")}
    connection.close()
    with running("-m", "examples.chat", "--port", "0", "--memory") as server, chatting(server.port) as ana:
        assert ana.hello("Ana")["messages"] == []


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["--workers", "0"], 1, "workers is a number from 1 to"),
        (["--workers", "0", "--redis", "redis://127.0.0.1:1"], 1, "workers is a number from 1 to"),
        (["--workers", "-1", "--redis", "redis://127.0.0.1:1"], 1, "workers is a number from 1 to"),
        (["--workers", "2"], 2, "several workers need --redis"),
        (["--memory", "--redis", "redis://127.0.0.1:1"], 2, "not allowed with"),
        (["--database", "x.sqlite3", "--redis", "redis://127.0.0.1:1"], 2, "not allowed with"),
        (["--database", "x.sqlite3", "--memory"], 2, "not allowed with"),
        (["--redis", "127.0.0.1"], 1, "no URL of Redis"),
    ],
)
def test_what_is_wrong_on_the_command_line_is_told(
    arguments: list[str], code: int, complaint: str, tmp_path: Path
) -> None:
    command = [*python(), "-m", "examples.chat", "--port", "0", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert ended.returncode == code
    assert complaint in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr


def test_a_database_that_is_none_is_named_in_one_line_and_the_exit_code_is_1(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.sqlite3"
    wrong.write_text("this is no database " * 100)
    command = [*python(), "-m", "examples.chat", "--port", "0", "--database", str(wrong)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert ended.returncode == 1
    assert str(wrong) in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
