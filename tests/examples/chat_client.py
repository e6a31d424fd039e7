"""A client of the chat that tests hold in the hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from socket import create_connection
from typing import Any

from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from .running import PATIENCE

Json = dict[str, Any]


class ChatClient:
    """One socket of the chat, and what it said and heard."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self._known: set[int] = set()

    def send(self, **message: object) -> None:
        self.connection.send(json.dumps(message))

    def send_text(self, text: str | bytes) -> None:
        self.connection.send(text)

    def receive(self) -> Json:
        message = json.loads(self.connection.recv(PATIENCE))
        assert isinstance(message, dict)
        return message

    def receive_type(self, kind: str) -> Json:
        """Return the next message of a kind, past all others."""
        while (message := self.receive()).get("type") != kind:
            pass
        return message

    def receive_said(self) -> Json:
        """Return the next message that somebody said. Among several processes one may come twice, with one id."""
        while (said := self.receive_type("message")["message"])["id"] in self._known:
            pass
        self._known.add(said["id"])
        assert isinstance(said, dict)
        return said

    def hello(self, name: str, session: str = "", **more: object) -> Json:
        """Say hello and return the answer."""
        self.send(type="hello", name=name, session=session or f"the secret of {name}", **more)
        return self.receive()

    # The page's language, in which one socket is in many rooms

    def introduce(self, name: str, session: str = "") -> Json:
        """Say in the page's language who one is, and return the answer."""
        self.send(type="hello", name=name, session=session or f"the secret of {name}")
        return self.receive()

    def enter(self, room: str, **more: object) -> Json:
        """Enter a room, and return the answer."""
        self.send(type="enter", room=room, **more)
        while (answer := self.receive())["type"] not in ("entered", "error"):
            pass
        return answer

    def ask(self, kind: str, **message: object) -> Json:
        """Send a message, and return the next one that comes."""
        self.send(type=kind, **message)
        return self.receive()

    def say(self, text: str, client_id: str) -> Json:
        """Say something and return what the answer to it is."""
        self.send(type="say", id=client_id, text=text)
        while (answer := self.receive()).get("id") != client_id:
            pass
        return answer


@contextmanager
def chatting(
    port: int,
    protocol: str = "perfectws-chat",
    room: str | None = None,
    origin: str | None = None,
    host: str = "127.0.0.1",
) -> Iterator[ChatClient]:
    """Connect to the chat on this machine, by whatever name."""
    url = f"ws://{host}:{port}/chat" + (f"?room={room}" if room else "")
    with connect(
        url,
        sock=create_connection(("127.0.0.1", port), PATIENCE),
        subprotocols=[Subprotocol(protocol)],
        proxy=None,
        origin=None if origin is None else Origin(origin),
        max_size=None,
        max_queue=None,  # whoever does not read sees the other's close frame all the same, and keeps no test waiting
    ) as connection:
        assert connection.subprotocol == protocol
        yield ChatClient(connection)
