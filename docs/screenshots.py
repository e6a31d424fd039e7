"""Makes the pictures of the chat and of the monitor, in ``docs/screenshots``: ``python docs/screenshots.py``.

It serves the chat with a conversation that is in the database already, opens a page for each of the people in it, in a
real Chromium, lets them talk on, and takes the pictures. Debian's ``fonts-inter`` and ``fonts-noto-color-emoji`` make
them look as on a desktop.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import tempfile
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from examples.chat.history import INSERT, prepare  # noqa: E402
from examples.chat.user import ChatUser  # noqa: E402
from tests.browser.conftest import CHROMIUM_ARGUMENTS, chromium_path  # noqa: E402
from tests.examples.running import running  # noqa: E402

PICTURES = ROOT / "docs" / "screenshots"
ROOM = "release"
TOKEN = "a-token-that-is-long"
DESKTOP: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 390, "height": 844}

#: Minutes ago, who, what.
BEFORE = [
    (1_461, "Mira Lindqvist", "The new build is on staging. Please break it."),
    (1_452, "Tomás Rivera", "On it. The reconnect is the part I don't trust yet"),
    (1_451, "Tomás Rivera", "I'll pull the plug on the server while you all type"),
    (1_436, "Priya Nair", "👏"),
    (38, "Mira Lindqvist", "Morning! So, did it survive?"),
    (37, "Tomás Rivera", "It did. Killed it eleven times with forty pages open.\nNothing lost, nothing twice."),
    (36, "דנה לוי", "גם אצלי הכול עובד, גם בעברית 🙂"),
    (
        35,
        "Priya Nair",
        "The close codes made sense too. For the release notes: https://www.rfc-editor.org/rfc/rfc6455#section-7.4",
    ),
    (34, "Jonas Weber", "What about a message that was on its way when the plug was pulled?"),
    (32, "Tomás Rivera", "It keeps its id, so it's sent again and stored once"),
]
ME = "Mira Lindqvist"
OTHERS = ["Tomás Rivera", "Priya Nair", "Jonas Weber", "דנה לוי"]


def secret(name: str) -> str:
    """The secret by which the chat knows somebody's messages, as it would stand in the browser's storage."""
    return f"the secret of {name}"


def fill(database: Path) -> None:
    """Write what was said before."""
    now = datetime.now().replace(second=0, microsecond=0)
    with closing(sqlite3.connect(database)) as connection, connection:
        prepare(connection)
        for number, (minutes_ago, name, text) in enumerate(BEFORE):
            time = int((now - timedelta(minutes=minutes_ago)).timestamp() * 1000)
            session = ChatUser(name, secret=secret(name)).session
            values = {"room": ROOM, "name": name, "text": text, "time": time, "session": session}
            connection.execute(INSERT, {**values, "client_id": str(number), "image": ""})


def enter(browser: Browser, port: int, name: str, viewport: ViewportSize, scheme: str = "light") -> Page:
    """Open the page as somebody who was here before."""
    context = browser.new_context(
        viewport=viewport,
        color_scheme="dark" if scheme == "dark" else "light",
        device_scale_factor=2,
        has_touch=viewport is PHONE,
        locale="en-GB",
        reduced_motion="reduce",
    )
    kept = {"chat.name": name, "chat.session": secret(name)}
    context.add_init_script(
        f"for (const [key, value] of Object.entries({json.dumps(kept)})) sessionStorage[key] = JSON.stringify(value);"
        """localStorage["chat.rooms"] = JSON.stringify(["lobby", "design", "tea-break"]);"""
    )
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{port}/rooms/{ROOM}")
    expect(page.locator("#state")).to_have_text("Connected")
    return page


def say(page: Page, text: str) -> None:
    """Say something, and wait until it is stored."""
    page.get_by_label("Message", exact=True).fill(text)
    page.keyboard.press("Enter")
    expect(page.locator(".entry.own").last).to_contain_text(text)
    expect(page.locator("[data-delivery]")).to_have_count(0)


def take(browser: Browser, port: int) -> None:
    """Let the people talk, and take the pictures."""
    page = enter(browser, port, ME, DESKTOP)
    others = {name: enter(browser, port, name, DESKTOP) for name in OTHERS}
    say(others["Jonas Weber"], "Then I have nothing left to ask. Ship it?")
    say(page, "Ship it. Thank you, all of you")
    say(others["Priya Nair"], "🚀")
    for name in ("Tomás Rivera", "Priya Nair"):
        others[name].get_by_label("Message", exact=True).press_sequentially("Let's")
    expect(page.locator("#typing")).to_contain_text("and")
    page.get_by_label("Message", exact=True).blur()
    page.screenshot(path=PICTURES / "chat-light.png")
    page.emulate_media(color_scheme="dark")
    page.screenshot(path=PICTURES / "chat-dark.png")

    others.pop("Jonas Weber").context.close()
    phone = enter(browser, port, "Jonas Weber", PHONE)
    others["Tomás Rivera"].get_by_label("Message", exact=True).fill("")
    others["Tomás Rivera"].get_by_label("Message", exact=True).press_sequentially("Next")
    expect(phone.locator("#typing")).to_contain_text("typing")
    phone.screenshot(path=PICTURES / "chat-phone.png")


def take_monitor(browser: Browser) -> None:
    """Take a picture of the monitor, of a server that people come to."""
    with running("-m", "examples.monitor", "--port", "0", "--token", TOKEN, "--clients", "40") as server:
        context = browser.new_context(viewport={"width": 1100, "height": 700}, device_scale_factor=2, locale="en-GB")
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{server.port}/monitor/#token={TOKEN}")
        for people in range(70):
            if people % 5 == 0:
                page.evaluate("(url) => new WebSocket(url, 'ticker')", f"ws://127.0.0.1:{server.port}/ticker")
            page.wait_for_timeout(1000)
        page.screenshot(path=PICTURES / "monitor.png")
        context.close()


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as directory, sync_playwright() as playwright:
        database = Path(directory) / "chat.sqlite3"
        fill(database)
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=CHROMIUM_ARGUMENTS)
        with running("-m", "examples.chat", "--port", "0", "--database", str(database)) as server:
            take(browser, server.port)
        take_monitor(browser)
        browser.close()


if __name__ == "__main__":
    main()
