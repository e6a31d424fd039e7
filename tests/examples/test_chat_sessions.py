"""The sessions of the chat without a server around them: by which name somebody talks, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator

import pytest

from examples.chat.chatroom import Chatrooms
from examples.chat.embedded import Embedded
from examples.chat.handlers import ChatHandler, PerfectChatHandler, PlainHandler
from examples.chat.page_handler import PageHandler
from examples.chat.rules import MAX_TEXT
from perfectws import HTTPRequest

from ..conftest import Connect
from ..peer import Peer
from .chat_client import Json


class Visitor:
    """Somebody in the chat, whose messages go by way of a `ChatHandler`."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer

    async def send(self, **message: object) -> None:
        await self.peer.send_text(json.dumps(message))

    async def receive(self) -> Json:
        told: Json = json.loads(await self.peer.receive_text())
        return told

    async def receive_type(self, kind: str) -> Json:
        while (told := await self.receive()).get("type") != kind:
            pass
        return told

    async def hello(self, name: str, session: str) -> None:
        await self.send(type="hello", name=name, session=session)


Visit = Callable[[type[ChatHandler]], Awaitable[Visitor]]
ANA, EVE = "the secret of Ana", "the secret of Eve"


@pytest.fixture
def chatrooms() -> Iterator[Chatrooms]:
    shelf = Embedded(None)
    yield Chatrooms(shelf)
    shelf.close()


@pytest.fixture
def visit(memory_connect: Connect, chatrooms: Chatrooms) -> Visit:
    async def visit(kind: type[ChatHandler]) -> Visitor:
        peer, socket = await memory_connect.socket()
        kind(chatrooms, "lobby").handle_session(HTTPRequest(method="GET", uri="/chat"), socket)
        return Visitor(peer)

    return visit


async def enter(visit: Visit, name: str, session: str, *rooms: str) -> Visitor:
    page = await visit(PageHandler)
    await page.hello(name, session)
    for room in rooms:
        await page.send(type="enter", room=room)
        await page.receive_type("entered")
    return page


@pytest.mark.parametrize("enters_again", [False, True])
async def test_a_new_name_counts_in_a_room_once_it_was_entered_with_it(visit: Visit, enters_again: bool) -> None:
    ana = await enter(visit, "Ana", ANA, "lobby")
    plain, perfect = await visit(PlainHandler), await visit(PerfectChatHandler)
    await plain.hello("Program", "the secret of a program")
    await plain.receive_type("welcome")
    await perfect.send(email="", avatar="", displayName="Perfect")
    await perfect.receive()
    eve = await enter(visit, "Eve", EVE, "lobby")
    await eve.hello("Ana", EVE)
    if enters_again:
        await eve.send(type="enter", room="lobby")
        assert (await eve.receive_type("error"))["code"] == "name-taken"
    await eve.send(type="typing", room="lobby", typing=True)
    await eve.send(type="say", room="lobby", key="1", text="hello")
    for visitor in (ana, plain):
        assert (await visitor.receive_type("typing"))["name"] == "Eve"
        assert (await visitor.receive_type("message"))["message"]["name"] == "Eve"
    while (heard := await perfect.receive())["user"] == "Bot":
        pass
    assert (heard["user"], heard["message"]) == ("Eve", "Eve: hello")


async def test_each_room_is_listed_with_the_names_that_are_known_there(visit: Visit) -> None:
    ana = await enter(visit, "Ana", ANA, "lobby")
    eve = await enter(visit, "Eve", EVE, "lobby", "garden", "cellar")
    await eve.hello("Ana", EVE)
    await eve.send(type="enter", room="garden")
    await eve.receive_type("entered")
    await eve.send(type="leave", room="cellar")
    await eve.send(type="rooms")
    assert {told["room"]: told["people"] for told in (await eve.receive_type("rooms"))["rooms"]} == {
        "lobby": ["Ana", "Eve"],
        "garden": ["Ana"],
    }
    await eve.send(type="say", room="garden", key="1", text="hello")
    assert (await eve.receive_type("message"))["message"]["name"] == "Ana"
    await eve.peer.end()
    assert (await ana.receive_type("left"))["name"] == "Eve"


@pytest.mark.parametrize("text", [5, None, "", "   ", "x" * (MAX_TEXT + 1)], ids=range(5))
async def test_what_is_wrong_with_perfect_s_first_message_is_answered(
    visit: Visit, text: object, caplog: pytest.LogCaptureFixture
) -> None:
    zoe = await visit(PerfectChatHandler)
    user = {"email": "a", "avatar": "", "displayName": "Zoe"}
    await zoe.send(**user, message=text)
    answers = [(await zoe.receive())["message"] for _ in range(2)]
    assert "Bot: Zoe Joined" in answers
    await zoe.send(**user, message=5)
    assert (await zoe.receive())["message"] == "Bot: A message is text."
    assert caplog.records == []


@pytest.mark.parametrize("kind", [PageHandler, PlainHandler, PerfectChatHandler])
@pytest.mark.parametrize("type_", ['["\\ud800"]', '{"\\ud800": 1}', "NaN", "[[[[]]]]", "1e999", "null", "true"])
async def test_a_type_that_is_no_text_is_answered(
    visit: Visit, kind: type[ChatHandler], type_: str, caplog: pytest.LogCaptureFixture
) -> None:
    visitor = await visit(kind)
    await visitor.hello("Zoe", "the secret of Zoe")
    await visitor.receive()
    await visitor.peer.send_text(f'{{"type": {type_}}}')
    told = await visitor.receive()
    assert told.get("code") == "bad-message" or told["user"] == "Bot"
    assert told.get("about") is None
    assert caplog.records == []
