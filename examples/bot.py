"""A bot for the chat, written with callbacks only: there is no ``async`` in it.

It joins a room, shows on the command line what is said there, greets who comes, and answers ``!help``, ``!time`` and
``!roll``. When the connection is lost it comes back by itself. With the chat running (``python -m examples.chat``)::

    python -m examples.bot --room lobby --name Robbie
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import secrets
import sys
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import quote

from perfectws import WebSocket, run


def answer_help() -> str:
    return "I answer " + ", ".join(ANSWERS)


def answer_time() -> str:
    return f"It is {datetime.now():%H:%M} where I live."


def answer_roll() -> str:
    return f"🎲 {random.randint(1, 6)}"


ANSWERS: dict[str, Callable[[], str]] = {"!help": answer_help, "!time": answer_time, "!roll": answer_roll}


class Bot:
    """One user of the chat that is no person.

    Args:
        url: The room's WebSocket: ``ws://HOST/chat?room=NAME``.
        name: What the others see it called.
    """

    def __init__(self, url: str, name: str) -> None:
        self.url = url
        self.name = name
        # By this secret the chat knows a bot that comes back from one that takes its name.
        self.session = secrets.token_hex(16)
        # Which messages it has heard last: a chat of several processes may tell one twice.
        self.heard: deque[int] = deque(maxlen=100)

    def begin(self, nursery: object) -> None:
        connecting = WebSocket.connect(
            to=self.url, subprotocols=["perfectws-chat"], reconnect=True, on_upgrade=self.connected
        )
        connecting.when_failure(lambda error: show(f"{error}"))

    def connected(self, socket: WebSocket) -> None:
        """Say hello. Called again each time that a lost connection is back."""
        send(socket, type="hello", name=self.name, session=self.session)

        @socket.on_text
        def received(socket: WebSocket, text: str) -> None:
            self.hear(json.loads(text), socket)

    def hear(self, message: dict[str, Any], socket: WebSocket) -> None:
        match message:
            case {"type": "welcome", "room": room, "people": people}:
                show(f"In #{room} with {', '.join(name for name in people if name != self.name) or 'nobody'}")
            case {"type": "message", "message": {"id": number, "name": name, "text": text}} if number not in self.heard:
                self.heard.append(number)
                show(f"{name}: {text}")
                if text in ANSWERS:
                    self.say(ANSWERS[text](), socket)
            case {"type": "joined", "name": name, "back": False}:
                self.say(f"Welcome, {name}! Say !help to see what I can do.", socket)
            case {"type": "error", "code": str(code), "text": text}:
                show(text)
                if code.startswith("name-"):
                    socket.close()  # closed by us, it is not opened again

    def say(self, text: str, socket: WebSocket) -> None:
        show(f"{self.name}: {text}")
        send(socket, type="say", id=secrets.token_hex(16), text=text)


def send(socket: WebSocket, **message: object) -> None:
    socket.send_string_message(json.dumps(message))


def show(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.bot", description="Join the chat as a bot.")
    parser.add_argument("--url", default="ws://127.0.0.1:8181/chat", help="the chat's WebSocket (default: %(default)s)")
    parser.add_argument("--room", default="lobby", help="the room to join (default: %(default)s)")
    parser.add_argument("--name", default="Robbie", help="the bot's name (default: %(default)s)")
    arguments = parser.parse_args()

    # perfectws logs when it connects again.
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    bot = Bot(f"{arguments.url}?room={quote(arguments.room)}", arguments.name)
    try:
        run(bot.begin)
    except KeyboardInterrupt:
        pass  # Ctrl-C is how one ends it


if __name__ == "__main__":
    main()
