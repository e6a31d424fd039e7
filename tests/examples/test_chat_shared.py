"""The chat in several processes, over a real Redis: they are one chat, and who moves between them misses nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from time import monotonic
from zlib import crc32

import pytest
from websockets.exceptions import ConnectionClosed

from benchmarks.brokers.redis_server import RedisServer

from .chat_client import ChatClient, Json, chatting
from .running import PATIENCE, RunningServer, running

Open = Callable[..., ChatClient]
PAGE = "perfectws-rooms"


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    redis = RedisServer(tcp=True)
    redis.start()
    yield redis
    redis.remove()


@pytest.fixture(scope="module")
def servers(redis: RedisServer) -> Iterator[list[RunningServer]]:
    arguments = ("-m", "examples.chat", "--port", "0", "--redis", redis.url, "--admin-token", "a token that is long")
    with running(*arguments) as first, running(*arguments) as second:
        yield [first, second]
        for server in (first, second):
            assert server.stop() == 0
            assert server.complaints() == []


@pytest.fixture
def room(request: pytest.FixtureRequest) -> str:
    return f"room-{crc32(request.node.nodeid.encode())}"


@pytest.fixture
def open_chat(servers: list[RunningServer], room: str) -> Iterator[Open]:
    """Opens sockets in the test's room, at one of the servers."""
    with ExitStack() as stack:

        def open_chat(at: int, protocol: str = "perfectws-chat") -> ChatClient:
            return stack.enter_context(chatting(servers[at].port, protocol, room))

        yield open_chat


@pytest.fixture
def ana(open_chat: Open) -> ChatClient:
    ana = open_chat(0)
    assert ana.hello("Ana")["type"] == "welcome"
    return ana


@pytest.fixture
def ben(open_chat: Open, ana: ChatClient) -> ChatClient:
    ben = open_chat(1)
    assert sorted(ben.hello("Ben")["people"]) == ["Ana", "Ben"]
    assert ana.receive() == {"type": "joined", "name": "Ben", "back": False}
    return ben


@pytest.fixture
def admin(open_chat: Open) -> ChatClient:
    """Whoever runs the chat, on the page."""
    admin = open_chat(0, PAGE)
    admin.introduce("Root")
    admin.ask("admin", token="a token that is long")
    return admin


def remove(name: str, session: str, admin: ChatClient, open_chat: Open) -> None:
    """Send somebody away for a while, and wait until another process knows it, and so Redis."""
    admin.send(type="remove", by=session, name=name, minutes=5)
    deadline = monotonic() + PATIENCE
    while open_chat(1).hello(name, "a secret of another").get("code") != "removed":
        assert monotonic() < deadline


def test_what_is_said_in_one_process_is_heard_in_the_other_in_every_language(
    open_chat: Open, ana: ChatClient, ben: ChatClient, room: str
) -> None:
    perfect = open_chat(0, "chat")
    user = {"email": "", "avatar": "", "displayName": "Carol"}
    perfect.send(**user)
    page = open_chat(0, PAGE)
    page.introduce("Dana")
    assert sorted(page.enter(room)["people"]) == ["Ana", "Ben", "Carol", "Dana"]
    ben.receive_type("joined")
    ben.receive_type("joined")
    said = ben.say("hello <all>", "1")["message"]
    assert ana.receive_said() == {key: said[key] for key in said if key != "own"}
    assert page.receive_said()["text"] == "hello <all>"
    while (heard := perfect.receive())["user"] != "Ben":
        pass
    assert heard["message"] == "Ben: hello &lt;all&gt;"
    perfect.send(**user, message="from Perfect")
    assert ben.receive_said()["text"] == "from Perfect"
    ben.send(type="typing", typing=True)
    assert ana.receive_type("typing")["name"] == "Ben"
    assert page.receive_type("typing")["name"] == "Ben"
    page.connection.close()
    assert ben.receive_type("left")["name"] == "Dana"


def test_a_name_is_somebody_s_in_all_processes(open_chat: Open, ana: ChatClient, ben: ChatClient, room: str) -> None:
    for at in (0, 1):
        assert open_chat(at).hello("ＡＮＡ", "the secret of somebody else")["code"] == "name-taken"
    other_window = open_chat(1, PAGE)
    other_window.introduce("Ana")
    assert sorted(other_window.enter(room)["people"]) == ["Ana", "Ben"]
    ana.connection.close()
    assert ben.say("she is still here", "1")["type"] == "stored"
    assert other_window.receive()["type"] == "message"


def test_who_takes_a_name_of_somebody_in_another_process_talks_under_the_old_one(
    open_chat: Open, ana: ChatClient, ben: ChatClient, room: str
) -> None:
    eve = open_chat(1, PAGE)
    eve.introduce("Eve")
    assert sorted(eve.enter(room)["people"]) == ["Ana", "Ben", "Eve"]
    eve.introduce("Ana", "the secret of Eve")
    eve.send(type="typing", room=room, typing=True)
    eve.send(type="say", room=room, key="1", text="before it was asked for")
    assert eve.enter(room)["code"] == "name-taken"
    eve.send(type="say", room=room, key="2", text="after it was refused")
    for chat in (ana, ben):
        assert chat.receive_type("typing")["name"] == "Eve"
        assert [chat.receive_said()["name"] for _ in range(2)] == ["Eve", "Eve"]


def test_a_message_that_is_sent_again_to_another_process_is_kept_once(
    open_chat: Open, ana: ChatClient, ben: ChatClient
) -> None:
    first = ana.say("once", "1")
    assert ben.receive_said()["text"] == "once"
    again = open_chat(1)
    welcome = again.hello("Ana", back=True)
    assert [message["text"] for message in welcome["messages"]] == ["once"]
    assert again.say("once", "1") == first
    again.say("twice", "2")
    assert ben.receive_said()["text"] == "twice"
    missed = open_chat(0).hello("Carol", after=first["message"]["id"])["messages"]
    assert [message["text"] for message in missed] == ["twice"]


def test_a_page_that_moves_between_processes_misses_nothing_and_shows_nothing_twice(
    open_chat: Open, ben: ChatClient, room: str
) -> None:
    shown: dict[tuple[str, str], str] = {}
    position: str | None = None
    said = 0

    def show(message: Json) -> None:
        # What was said in the process that one was in may come again.
        shown.setdefault((message["by"], message["key"]), message["text"])

    def hear(told: Json) -> None:
        nonlocal position
        if told["type"] == "message":
            show(told["message"])
        position = told.get("position") or position

    for at in (0, 1, 0, 1, 0):
        page = open_chat(at, PAGE)
        page.introduce("Dana")
        page.send(type="enter", room=room, after=position, back=at > 0)
        while (message := page.receive())["type"] != "entered":
            hear(message)
        assert message["goes_on"] is (position is not None)
        for missed in message["messages"]:
            show(missed)
        position = message["position"]
        for _ in range(2):
            ben.say(f"{said}", f"{said}")
            said += 1
            while len(shown) < said:
                hear(page.receive())
        page.connection.close()
        ben.say(f"{said}", f"{said}")
        said += 1
    assert list(shown.values()) == [f"{number}" for number in range(said - 1)]


def test_what_was_said_is_changed_in_all_processes_and_for_who_comes_later(
    open_chat: Open, ben: ChatClient, room: str
) -> None:
    first, second = open_chat(0, PAGE), open_chat(1, PAGE)
    for page in (first, second):
        page.introduce("Dana")
        page.enter(room)
    kept, changed, deleted = (ben.say(text, text)["message"] for text in ("kept", "by Ben", "deleted"))
    assert [first.receive_said()["text"] for _ in range(3)] == ["kept", "by Ben", "deleted"]
    own = first.ask("say", room=room, key="1", text="mine")
    assert first.ask("edit", room=room, id=kept["id"], text="x")["code"] == "not-yours"
    first.send(type="edit", room=room, id=own["message"]["id"], text="mine!")
    told = second.receive_type("changed")["message"]
    assert (told["text"], told["state"], told["key"]) == ("mine!", "edited", "1")
    second.send(type="delete", room=room, id=own["message"]["id"])
    assert first.receive_type("changed")["message"]["text"] == "mine!"
    assert first.receive_type("changed")["message"]["state"] == "deleted"
    late = open_chat(0, PAGE)
    late.introduce("Late")
    assert [message["text"] for message in late.enter(room)["messages"]] == ["kept", "by Ben", "deleted"]
    older = late.ask("older", room=room, before=deleted["id"])["messages"]
    assert [message["text"] for message in older] == ["kept", "by Ben"]
    assert changed["text"] == "by Ben"


def test_a_process_that_is_killed_takes_its_people_along(redis: RedisServer, ana: ChatClient, room: str) -> None:
    with (
        running("-m", "examples.chat", "--port", "0", "--redis", redis.url) as server,
        chatting(server.port, room=room) as ben,
    ):
        ben.hello("Ben")
        assert ana.receive_type("joined")["name"] == "Ben"
        server.kill()
        assert ana.receive_type("left")["name"] == "Ben"
    assert ana.say("I am still here", "1")["type"] == "stored"


def test_who_is_sent_away_is_gone_from_all_processes(
    redis: RedisServer, open_chat: Open, ana: ChatClient, admin: ChatClient
) -> None:
    eve = open_chat(1, PAGE)
    me = eve.introduce("Eve")["me"]
    admin.send(type="remove", by=me, name="Eve", minutes=5)
    with pytest.raises(ConnectionClosed):
        eve.receive_type("nothing")
    assert eve.connection.close_code == 4003
    assert open_chat(1).hello("Eve")["code"] == "removed"
    with (
        running("-m", "examples.chat", "--port", "0", "--redis", redis.url) as server,
        chatting(server.port, PAGE) as ben,
        chatting(server.port) as again,
    ):
        ben.introduce("Ben")
        ben.enter("elsewhere")
        assert again.hello("Eve")["code"] == "removed"
    assert ana.say("I may stay", "1")["type"] == "stored"


def test_who_is_sent_away_is_gone_from_a_process_in_which_nobody_has_the_page(
    redis: RedisServer, open_chat: Open, ana: ChatClient, admin: ChatClient
) -> None:
    window = open_chat(0, PAGE)
    me = window.introduce("Mallory")["me"]
    window.connection.close()
    with (
        running("-m", "examples.chat", "--port", "0", "--redis", redis.url) as server,
        chatting(server.port) as mallory,
        chatting(server.port) as again,
    ):
        assert mallory.hello("Mallory")["type"] == "welcome"
        admin.send(type="remove", by=me, name="Mallory", minutes=5)
        with pytest.raises(ConnectionClosed):
            mallory.receive_type("nothing")
        assert mallory.connection.close_code == 4003
        assert again.hello("Mallory")["code"] == "removed"
    with (
        running("-m", "examples.chat", "--port", "0", "--redis", redis.url) as server,
        chatting(server.port) as mallory,
    ):
        assert mallory.hello("Mallory")["code"] == "removed"
    assert ana.say("I may stay", "1")["type"] == "stored"


def test_who_was_sent_away_is_refused_by_a_process_that_several_come_to_at_once(
    redis: RedisServer, open_chat: Open, ana: ChatClient, admin: ChatClient
) -> None:
    remove("Trudy", "nobody's", admin, open_chat)
    with (
        running("-m", "examples.chat", "--port", "0", "--redis", redis.url) as server,
        chatting(server.port) as trudy,
        chatting(server.port, PAGE) as dana,
        chatting(server.port, PAGE) as trudys_page,
    ):
        trudy.send(type="hello", name="Trudy", session="the secret of Trudy")
        dana.send(type="hello", name="Dana", session="the secret of Dana")
        trudys_page.send(type="hello", name="Trudy", session="another secret of Trudy")
        assert trudy.receive()["code"] == "removed"
        assert dana.receive()["type"] == "hello"
        assert trudys_page.receive()["code"] == "removed"
    assert ana.say("I may stay", "1")["type"] == "stored"


def test_who_is_sent_away_says_nothing_more_in_a_process_in_which_all_have_perfect_s_page(
    redis: RedisServer, open_chat: Open, admin: ChatClient, room: str
) -> None:
    admin.enter(room)
    with (
        running("-m", "examples.chat", "--port", "0", "--redis", redis.url) as server,
        chatting(server.port, "chat", room) as sybil,
        chatting(server.port, "chat", room) as carol,
    ):
        by = {}
        for chat, name in ((sybil, "Sybil"), (carol, "Carol")):
            chat.send(email="", avatar="", displayName=name, message="hello")
            by[name] = admin.receive_said()["by"]
        remove("Sybil", by["Sybil"], admin, open_chat)
        sybil.send(email="", avatar="", displayName="Sybil", message="I am still here")
        with pytest.raises(ConnectionClosed):
            sybil.receive_type("nothing")
        assert sybil.connection.close_code == 4003
        carol.send(email="", avatar="", displayName="Carol", message="She is gone")
        assert admin.receive_said()["text"] == "She is gone"
