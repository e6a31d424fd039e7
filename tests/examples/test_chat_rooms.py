"""The language of the chat's page: one socket in many rooms, and what was said can be changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from zlib import crc32

import pytest

from .chat_client import ChatClient, chatting
from .running import RunningServer, running

Open = Callable[..., ChatClient]
PAGE = "perfectws-rooms"


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running("-m", "examples.chat", "--port", "0", "--memory") as server:
        yield server
        assert server.stop() == 0
        assert server.complaints() == []


@pytest.fixture
def room(request: pytest.FixtureRequest) -> str:
    return f"room-{crc32(request.node.nodeid.encode())}"


@pytest.fixture
def open_chat(server: RunningServer, room: str) -> Iterator[Open]:
    with ExitStack() as stack:

        def open_chat(protocol: str = PAGE) -> ChatClient:
            return stack.enter_context(chatting(server.port, protocol, room))

        yield open_chat


@pytest.fixture
def ana(open_chat: Open, room: str) -> ChatClient:
    ana = open_chat()
    assert ana.introduce("Ana")["name"] == "Ana"
    assert ana.enter(room)["people"] == ["Ana"]
    return ana


@pytest.fixture
def ben(open_chat: Open, room: str, ana: ChatClient) -> ChatClient:
    ben = open_chat()
    ben.introduce("Ben")
    assert ben.enter(room)["people"] == ["Ana", "Ben"]
    assert ana.receive() == {"type": "joined", "room": room, "name": "Ben", "back": False}
    return ben


def test_one_socket_hears_each_room_that_it_is_in(open_chat: Open, ana: ChatClient, room: str) -> None:
    assert ana.enter(f"{room}-2")["room"] == f"{room}-2"
    ben = open_chat()
    ben.introduce("Ben")
    ben.enter(f"{room}-2")
    assert ana.receive()["room"] == f"{room}-2"
    said = ben.ask("say", room=f"{room}-2", key="1", text="hello")
    assert ana.receive() == said
    assert said["message"]["text"] == "hello"
    assert said["room"] == f"{room}-2"
    ana.send(type="leave", room=f"{room}-2")
    assert ben.receive() == {"type": "left", "room": f"{room}-2", "name": "Ana", "lost": False}
    ben.ask("say", room=f"{room}-2", key="2", text="she is gone")
    assert ana.ask("beat") == {"type": "beat"}
    assert ana.ask("say", room=f"{room}-2", key="1", text="x")["code"] == "not-joined"


def test_the_plain_language_and_the_page_s_share_a_room(open_chat: Open, ana: ChatClient) -> None:
    bot = open_chat("perfectws-chat")
    assert bot.hello("Bot-1")["people"] == ["Ana", "Bot-1"]
    ana.receive()
    stored = bot.say("from a program", "1")["message"]
    heard = ana.receive()["message"]
    assert (heard["id"], heard["text"], heard["name"]) == (stored["id"], "from a program", "Bot-1")


def test_a_room_s_name_is_told_as_it_is_written(ana: ChatClient, room: str) -> None:
    assert ana.enter(f"{room}-ÉTÉ")["room"] == f"{room}-été"
    for name in ("a b", "", "x" * 41, None, 7.5, ["x"]):
        assert ana.enter(name)["code"] == "room-invalid"  # type: ignore[arg-type]


def test_a_socket_is_in_a_bounded_number_of_rooms(ana: ChatClient, room: str) -> None:
    codes = [ana.enter(f"{room}-{number}").get("code") for number in range(25)]
    assert codes[:19] == [None] * 19
    assert set(codes[19:]) == {"too-many-rooms"}
    ana.send(type="leave", room=f"{room}-0")
    assert ana.enter(f"{room}-again")["type"] == "entered"


def test_only_who_wrote_a_message_can_change_or_delete_it(ana: ChatClient, ben: ChatClient, room: str) -> None:
    said = ana.ask("say", room=room, key="1", text="helo")["message"]
    ben.receive()
    assert ben.ask("edit", room=room, id=said["id"], text="x")["code"] == "not-yours"
    assert ben.ask("delete", room=room, id=said["id"])["code"] == "not-yours"
    changed = ana.ask("edit", room=room, id=said["id"], text="hello")
    assert changed["type"] == "changed"
    assert changed["message"] == {**said, "text": "hello", "state": "edited"}
    assert ben.receive() == changed
    deleted = ana.ask("delete", room=room, id=said["id"])
    assert deleted["message"] == {**said, "text": "", "state": "deleted"}
    assert ben.receive() == deleted
    for kind in ("edit", "delete"):
        assert ana.ask(kind, room=room, id=said["id"], text="again")["code"] == "not-there"
    assert ana.ask("edit", room=room, id="1", text="x")["code"] == "bad-message"


def test_who_comes_back_is_told_what_was_said_and_changed_meanwhile(
    open_chat: Open, ana: ChatClient, ben: ChatClient, room: str
) -> None:
    kept, edited, deleted = (ana.ask("say", room=room, key=f"{n}", text=f"{n}")["message"] for n in range(3))
    position = [ben.receive() for _ in range(3)][-1]["position"]
    ben.connection.close()
    ana.receive_type("left")
    ana.ask("edit", room=room, id=edited["id"], text="1!")
    ana.ask("delete", room=room, id=deleted["id"])
    ana.ask("say", room=room, key="3", text="3")
    again = open_chat()
    again.introduce("Ben")
    entered = again.enter(room, after=position, back=True)
    assert entered["goes_on"] is True
    told = [(message["text"], message.get("state")) for message in entered["messages"]]
    assert told == [("1!", "edited"), ("", "deleted"), ("3", None)]
    assert int(entered["position"]) > int(position)
    newcomer = open_chat()
    newcomer.introduce("Carol")
    assert [message["text"] for message in newcomer.enter(room)["messages"]] == ["0", "1!", "3"]
    assert kept["text"] == "0"


@pytest.mark.parametrize("after", ["", "x", "-1", "1" * 30, "９", None, 5, [], "0-0"])
def test_a_position_that_is_none_shows_the_newest(ana: ChatClient, room: str, after: object) -> None:
    ana.ask("say", room=room, key="1", text="hello")
    entered = ana.enter(room, after=after)
    assert entered["goes_on"] is False
    assert [message["text"] for message in entered["messages"]] == ["hello"]


def test_a_message_that_is_sent_again_is_told_to_its_sender_only(ana: ChatClient, ben: ChatClient, room: str) -> None:
    first = ana.ask("say", room=room, key="1", text="once")
    again = ana.ask("say", room=room, key="1", text="once")
    assert again == first
    ana.ask("say", room=room, key="2", text="twice")
    assert [ben.receive()["message"]["text"] for _ in range(2)] == ["once", "twice"]


def test_two_sockets_of_one_person_are_one_and_may_change_the_name(
    open_chat: Open, ana: ChatClient, ben: ChatClient, room: str
) -> None:
    other = open_chat()
    other.introduce("Ana")
    assert other.enter(room)["people"] == ["Ana", "Ben"]
    said = other.ask("say", room=room, key="1", text="from the other window")
    assert ana.receive() == said
    assert ben.receive() == said
    ana.introduce("Anna", "the secret of Ana")
    assert ana.enter(room)["people"] == ["Anna", "Ben"]
    renamed = ben.receive()
    assert (renamed["type"], renamed["from"], renamed["to"]) == ("renamed", "Ana", "Anna")
    assert other.receive() == renamed
    other.introduce("Anna", "the secret of Ana")
    other.enter(room)
    other.connection.close()
    ana.connection.close()
    assert ben.receive() == {"type": "left", "room": room, "name": "Anna", "lost": False}


def test_a_new_name_that_somebody_has_leaves_the_old_one(ana: ChatClient, ben: ChatClient, room: str) -> None:
    ana.introduce("Ben", "the secret of Ana")
    assert ana.enter(room)["code"] == "name-taken"
    ana.ask("say", room=room, key="0", text="who am I")
    assert ben.receive()["message"]["name"] == "Ana"
    ana.introduce("Ana")
    assert ana.enter(room)["people"] == ["Ana", "Ben"]
    assert ana.introduce("Ana", "the secret of Ben")["code"] == "bad-message"
    ana.ask("say", room=room, key="1", text="still here")
    assert ben.receive()["message"]["name"] == "Ana"


@contextmanager
def serving(database: Path) -> Iterator[RunningServer]:
    with running("-m", "examples.chat", "--port", "0", "--database", str(database)) as server:
        yield server


def test_older_messages_come_in_pages(tmp_path: Path) -> None:
    database = tmp_path / "chat.sqlite3"
    with serving(database) as server:
        server.stop()
    with closing(sqlite3.connect(database)) as connection, connection:
        rows = [(n, n, "r", "Ana", f"{n}", n, "s", f"{n}") for n in range(1, 121)]
        columns = "id, position, room, name, text, time, session, client_id"
        connection.executemany(f"INSERT INTO messages ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        connection.execute("UPDATE messages SET text = ? WHERE id IN (40, 41)", ["x" * 128 * 1024])
    with serving(database) as server, chatting(server.port, PAGE) as ana:
        ana.introduce("Ana")
        page = ana.enter("r")
        seen = [page["messages"]]
        while page["more"]:
            page = ana.ask("older", room="r", before=page["messages"][0]["id"])
            seen.insert(0, page["messages"])
    assert [message["id"] for messages in seen for message in messages] == list(range(1, 121))
    assert len(seen[-1]) == 50
    assert all(len(messages) <= 50 for messages in seen)
    assert all(sum(len(message["text"]) for message in messages) <= 256 * 1024 for messages in seen)


def test_a_database_of_the_first_version_is_read_and_goes_on(tmp_path: Path) -> None:
    database = tmp_path / "chat.sqlite3"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(
            "CREATE TABLE messages (id INTEGER PRIMARY KEY, room TEXT NOT NULL, name TEXT NOT NULL, text TEXT NOT NULL,"
            " time INTEGER NOT NULL, session TEXT NOT NULL, client_id TEXT NOT NULL,"
            " UNIQUE (room, session, client_id)) STRICT"
        )
        connection.execute("INSERT INTO messages VALUES (7, 'lobby', 'Ana', 'from long ago', 7, 's', '1')")
    with serving(database) as server, chatting(server.port, PAGE) as ana:
        ana.introduce("Ana")
        assert [message["text"] for message in ana.enter("lobby")["messages"]] == ["from long ago"]
        assert ana.ask("say", room="lobby", key="1", text="and now")["message"]["text"] == "and now"
