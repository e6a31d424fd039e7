from __future__ import annotations

import json
import re
from collections.abc import Iterator
from queue import Queue

import pytest

from perfectws import HTTPRequest, HTTPServer, Routes, WebSocket

from .chat_client import chatting
from .running import PATIENCE, ROOT, RunningServer, running
from .scripts import Script, script


@pytest.fixture
def server() -> Iterator[RunningServer]:
    with running("-m", "examples.chat", "--port", "0", "--memory") as server:
        yield server


def bot(port: int, name: str = "Robbie") -> list[str]:
    return ["-m", "examples.bot", "--url", f"ws://127.0.0.1:{port}/chat", "--room", "café", "--name", name]


def test_the_bot_joins_shows_what_is_said_and_answers(server: RunningServer) -> None:
    with script(*bot(server.port)) as robbie:
        assert robbie.next_line() == "In #café with nobody"
        with chatting(server.port, room="caf%C3%A9") as ana:
            assert ana.hello("Ana")["people"] == ["Robbie", "Ana"]
            greeting = ana.receive()["message"]
            assert (greeting["name"], greeting["text"]) == ("Robbie", "Welcome, Ana! Say !help to see what I can do.")
            answers = {}
            for number, question in enumerate(["!help", "!time", "!roll"]):
                ana.send(type="say", id=str(number), text=question)
                answers[question] = ana.receive_type("message")["message"]["text"]
            assert answers["!help"] == "I answer !help, !time, !roll"
            assert re.fullmatch(r"It is \d\d:\d\d where I live\.", answers["!time"])
            assert re.fullmatch(r"🎲 [1-6]", answers["!roll"])
            while robbie.next_line() != "Ana: !roll":
                pass
        assert "Ana: !help" in robbie.said
        assert robbie.interrupt() == 0


def test_a_bot_whose_name_is_taken_says_so_and_ends(server: RunningServer) -> None:
    with chatting(server.port, room="caf%C3%A9") as ana:
        ana.hello("Robbie")
        with script(*bot(server.port)) as robbie:
            assert robbie.next_line() == "Somebody called “Robbie” is here already."
            assert robbie.process.wait(PATIENCE) == 0


def test_a_bot_that_cannot_be_called_so_says_so_and_ends(server: RunningServer) -> None:
    with script(*bot(server.port, "R\u043ebbie")) as robbie:
        assert robbie.next_line().startswith("A name's letters are of one alphabet")
        assert robbie.process.wait(PATIENCE) == 0


def test_the_bot_comes_back_when_the_server_does(server: RunningServer) -> None:
    def wait_for_the_room(robbie: Script) -> None:
        while robbie.next_line() != "In #café with nobody":
            pass

    with script(*bot(server.port)) as robbie:
        wait_for_the_room(robbie)
        server.kill()
        with running("-m", "examples.chat", "--port", str(server.port), "--memory"):
            wait_for_the_room(robbie)
            assert robbie.interrupt() == 0


def test_the_bot_answers_once_what_a_chat_of_several_processes_tells_twice() -> None:
    said: Queue[str] = Queue()
    routes = Routes()

    @routes.web_socket("/chat")
    def opened(request: HTTPRequest, socket: WebSocket) -> None:
        def heard(socket: WebSocket, text: str) -> None:
            if (message := json.loads(text))["type"] == "say":
                said.put(message["text"])

        socket.on_text(heard)
        for number, text in ((1, "!help"), (1, "!help"), (2, "!time")):
            socket.send(json.dumps({"type": "message", "message": {"id": number, "name": "Ana", "text": text}}))

    with (
        HTTPServer.launch(name="chat", address="127.0.0.1", port=0, routes=routes, wait=False) as chat,
        script(*bot(chat.port)) as robbie,
    ):
        assert said.get(timeout=PATIENCE).startswith("I answer")
        assert said.get(timeout=PATIENCE).startswith("It is")
        assert robbie.interrupt() == 0


@pytest.mark.parametrize(
    "example", ["bot.py", "ticker.py", "files", "chat/handlers.py", "chat/chatroom.py", "chat/history.py"]
)
def test_the_scripts_have_no_async_in_them_and_import_perfectws_and_the_standard_library_only(example: str) -> None:
    path = ROOT / "examples" / example
    for file in path.glob("*.py") if path.is_dir() else [path]:
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"^\s*(async|await)\b|\bawait ", text, re.MULTILINE), file
        assert not re.search(r"^\s*(import|from) (trio|wsproto|h11|perfectws\.)", text, re.MULTILINE), file
