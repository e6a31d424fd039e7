"""Whoever runs the chat can delete what was said, and send somebody away for a while."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from zlib import crc32

import pytest
from websockets.exceptions import ConnectionClosed

from ..platforms import python
from .chat_client import ChatClient, chatting
from .running import PATIENCE, ROOT, RunningServer, running

Open = Callable[..., ChatClient]
PAGE = "perfectws-rooms"
TOKEN = "a token that is long"


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running("-m", "examples.chat", "--port", "0", "--memory", "--admin-token", TOKEN) as server:
        yield server
        assert server.stop() == 0
        assert server.complaints() == []


@pytest.fixture
def room(request: pytest.FixtureRequest) -> str:
    return f"room-{crc32(request.node.nodeid.encode())}"


@pytest.fixture
def enter(server: RunningServer, room: str) -> Iterator[Open]:
    with ExitStack() as stack:

        def enter(name: str) -> ChatClient:
            chat = stack.enter_context(chatting(server.port, PAGE, room))
            assert chat.introduce(name)["type"] == "hello"
            assert chat.enter(room)["type"] == "entered"
            return chat

        yield enter


@pytest.fixture
def admin(enter: Open) -> ChatClient:
    admin = enter("Root")
    assert admin.ask("admin", token=TOKEN) == {"type": "admin"}
    return admin


def test_only_the_token_makes_an_admin(enter: Open, room: str) -> None:
    eve = enter("Eve")
    for token in ("", "a token that is lonG", None, 5, "é", TOKEN + " "):
        assert eve.ask("admin", token=token)["code"] in ("not-admin", "too-fast")
    assert eve.ask("remove", by="x", name="Ana", minutes=5)["code"] in ("not-admin", "too-fast")


def test_an_admin_deletes_what_anybody_said_but_changes_nothing(admin: ChatClient, enter: Open, room: str) -> None:
    ana = enter("Ana")
    admin.receive_type("joined")
    said = ana.ask("say", room=room, key="1", text="spam")["message"]
    admin.receive_type("message")
    assert admin.ask("edit", room=room, id=said["id"], text="I like the admin")["code"] == "not-yours"
    assert admin.ask("delete", room=room, id=said["id"])["message"]["state"] == "deleted"
    assert ana.receive_type("changed")["message"]["text"] == ""


def test_who_is_sent_away_is_gone_from_all_windows_and_stays_away(
    server: RunningServer, admin: ChatClient, enter: Open, room: str
) -> None:
    ana, eve, window = enter("Ana"), enter("Eve"), enter("Eve")
    me = window.introduce("Eve")["me"]
    admin.send(type="remove", by=me, name="Eve", minutes=0)
    assert admin.receive_type("error")["code"] == "bad-message"
    admin.send(type="remove", by=me, name="Eve", minutes=5)
    for chat in (eve, window):
        with pytest.raises(ConnectionClosed):
            chat.receive_type("never")
        assert chat.connection.close_code == 4003
    assert ana.receive_type("left")["name"] == "Eve"
    hers = "the secret of Eve"
    for protocol in (PAGE, "perfectws-chat"):
        for name, secret in (("Eve", hers), ("Other", hers), ("EVE", "the secret of Other")):
            with chatting(server.port, protocol, room) as chat:
                chat.send(type="hello", name=name, session=secret)
                refusal = chat.receive()
                assert refusal["code"] == "removed"
                assert "In 5 minutes" in refusal["text"]
    assert ana.ask("say", room=room, key="1", text="peace")["type"] == "message"


def test_a_token_that_could_be_guessed_is_refused() -> None:
    command = [*python(), "-m", "examples.chat", "--admin-token", "1234"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 2
    assert "could be guessed" in done.stderr
