"""The chat's page in a real Firefox: name, talk, another window, and a server that is killed and comes back."""

from __future__ import annotations

import json
from pathlib import Path

from tests.examples.chat_client import chatting
from tests.examples.running import running

from .firefox import FirefoxPage, firefox

CONNECTED = "document.getElementById('state').textContent === 'Connected'"


def shows(*texts: str) -> str:
    """The expression that is true when the page shows just these messages."""
    seen = "JSON.stringify([...document.querySelectorAll('#log .entry .text')].map((text) => text.textContent))"
    return f"{seen} === JSON.stringify({json.dumps(texts)})"


def joined(page: FirefoxPage, port: int, name: str | None) -> FirefoxPage:
    page.open(f"http://127.0.0.1:{port}/rooms/lobby")
    if name is not None:
        page.wait_until("document.activeElement.id === 'name'")
        page.type(f"{name}\n")
    page.wait_until(CONNECTED)
    return page


def test_the_main_way_works_in_firefox(tmp_path: Path) -> None:
    profile, database = tmp_path / "profile", str(tmp_path / "chat.sqlite3")
    profile.mkdir()
    with firefox(profile) as browser:
        with running("-m", "examples.chat", "--port", "0", "--database", database) as server:
            port = server.port
            ana = joined(browser.window(), port, "Ana")
            ana.evaluate("document.getElementById('message').focus()")  # a Firefox without a screen has no mouse
            ana.type("hello from Firefox\n")
            ana.wait_until(shows("hello from Firefox"))
            window = joined(browser.window(), port, None)
            window.wait_until(shows("hello from Firefox"))
            with chatting(port, room="lobby") as ben:
                assert ben.hello("Ben")["people"] == ["Ana", "Ben"]
                ben.say("hello Ana", "1")
            for page in (ana, window):
                page.wait_until(shows("hello from Firefox", "hello Ana"))
                assert page.evaluate("document.querySelectorAll('#log .entry.own').length") == 1
            server.kill()
        ana.wait_until("document.getElementById('state').textContent === 'Reconnecting'")
        ana.type("meanwhile\n")
        with running("-m", "examples.chat", "--port", str(port), "--database", database):
            for page in (ana, window):
                page.wait_until(CONNECTED)
                page.wait_until(shows("hello from Firefox", "hello Ana", "meanwhile"))
            ana.wait_until("document.querySelector('#log [data-delivery]') === null")
