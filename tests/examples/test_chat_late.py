"""Who enters a room of the chat in a process that does not listen to it yet misses nothing of what is said."""

from __future__ import annotations

from examples.chat.languages import PLAIN
from examples.chat.shared import LateAudience
from examples.chat.user import ChatUser
from perfectws import Room

from ..conftest import Connect


def said(number: int, name: str) -> str:
    return f'{{"type":"message","message":{{"id":{number},"name":"{name}","text":"{number}"}}}}'


async def test_what_was_said_before_the_process_listens_is_sent_behind_once(memory_connect: Connect) -> None:
    peer, socket = await memory_connect.socket()
    user = ChatUser.from_hello({"name": "Ben", "session": "a secret that is long"})
    room = Room(history=10)
    for text in (said(1, "Ana"), '{"type":"typing","name":"Ana","typing":true}', said(2, "Ana"), said(3, "Ben")):
        room.send_string_message(text)
    LateAudience(said=room, hinted=room).join_behind(socket, lambda text: PLAIN.is_news(text, user, known={1}))
    assert await peer.receive_text() == said(2, "Ana")
    room.send_string_message(said(4, "Ana"))
    assert await peer.receive_text() == said(4, "Ana")
