"""Perfect's chat demo, ported line by line, driven by the messages of its own page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
from websockets.sync.client import connect as connect_websocket
from websockets.typing import Subprotocol

from perfectws import HTTPServer, Routes

from ..conftest import PATIENCE, Connect
from ..peer import Peer
from . import perfect_chat
from .perfect_chat import Chatroom, chat_handler, configuration

BOT = "http://en.gravatar.com/avatar/0"


@pytest.fixture(autouse=True)
def _new_room(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    perfect_chat.Chatroom.instance = Chatroom()
    yield
    capsys.readouterr()


class Page:
    """Perfect's page, as far as the server can tell."""

    def __init__(self, peer: Peer, name: str) -> None:
        self.peer = peer
        self.user = {"email": f"{name}@example.org", "avatar": f"https://example.org/{name}", "displayName": name}

    async def start(self) -> None:
        await self.peer.send_text(json.dumps(self.user))

    async def send_message(self, message: str) -> None:
        await self.peer.send_text(json.dumps({**self.user, "message": message}))

    async def receive(self) -> dict[str, Any]:
        received = json.loads(await self.peer.receive_text())
        assert isinstance(received, dict)
        return received


async def open_page(connect: Connect, name: str) -> Page:
    routes = Routes()
    routes.add("GET", "/chat", chat_handler({}))
    peer = await connect.to(routes)
    await peer.handshake("/chat", [("Sec-WebSocket-Protocol", "chat")])
    assert peer.status == 101
    assert peer.headers["sec-websocket-protocol"] == "chat"
    return Page(peer, name)


def from_bot(text: str) -> dict[str, str]:
    return {"user": "Bot", "message": f"Bot: {text}", "avatar": BOT}


async def test_people_join_talk_and_leave(connect: Connect) -> None:
    ana, ben = await open_page(connect, "Ana"), await open_page(connect, "Ben")
    await ana.start()
    assert await ana.receive() == from_bot("Ana Joined")
    await ben.start()
    assert await ben.receive() == from_bot("Ben Joined")
    assert await ana.receive() == from_bot("Ben Joined")
    await ana.send_message("hello 日本語")
    message = {"user": "Ana", "message": "Ana: hello 日本語", "avatar": "https://example.org/Ana"}
    assert await ben.receive() == message
    await ben.send_message("hello Ana")
    assert (await ana.receive())["message"] == "Ben: hello Ana"
    await ben.peer.close_handshake()
    assert await ana.receive() == from_bot("Ben Left")
    assert len(Chatroom.instance._chats) == 1


async def test_who_is_lost_leaves(connect: Connect) -> None:
    ana, ben = await open_page(connect, "Ana"), await open_page(connect, "Ben")
    await ana.start()
    await ben.start()
    assert [(await ana.receive())["message"] for _ in range(2)] == ["Bot: Ana Joined", "Bot: Ben Joined"]
    await ben.peer.vanish()
    assert await ana.receive() == from_bot("Ben Left")


async def test_bad_json_is_printed_and_the_session_reads_on(
    connect: Connect, capsys: pytest.CaptureFixture[str]
) -> None:
    ana = await open_page(connect, "Ana")
    await ana.peer.send_text("no json")
    await ana.peer.send_text('{"email": 1}')
    await ana.start()
    assert await ana.receive() == from_bot("Ana Joined")
    assert capsys.readouterr().out.count("Failed to decode JSON from Received Socket Message") == 2


async def test_a_thousand_messages_arrive_in_order(connect: Connect) -> None:
    ana, ben = await open_page(connect, "Ana"), await open_page(connect, "Ben")
    await ana.start()
    await ana.receive()
    await ben.start()
    await ben.receive()
    await ana.receive()

    async def talk() -> None:
        for number in range(1_000):
            await ana.send_message(str(number))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(talk)
        assert [(await ben.receive())["message"] for _ in range(1_000)] == [f"Ana: {n}" for n in range(1_000)]


def test_its_configuration_launches_the_chat_beside_its_files(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("the page")
    (context,) = HTTPServer.launch(configuration_data=configuration(0, str(tmp_path)), wait=False)
    try:
        with connect_websocket(
            f"ws://127.0.0.1:{context.port}/chat", subprotocols=[Subprotocol("chat")], proxy=None
        ) as client:
            client.send('{"email": "a", "avatar": "b", "displayName": "Ana"}')
            assert json.loads(client.recv(PATIENCE)) == from_bot("Ana Joined")
    finally:
        context.terminate()
        context.wait(seconds=PATIENCE)
