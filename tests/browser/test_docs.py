"""The pages that *Getting started* has a reader write, in a browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Dialog, Page, expect

from tests.docs.pages import DOCS
from tests.docs.running import running


def test_the_echo_answers_the_console(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with running(DOCS / "getting_started" / "echo.md", tmp_path, monkeypatch, caplog) as guide:
        script = guide.with_real_ports((tmp_path / "console.js").read_text(encoding="utf-8"))
        with page.expect_console_message(lambda message: message.text == "hello"):
            page.evaluate(f"() => {{ {script} }}")


def test_two_people_talk_in_the_chat(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with running(DOCS / "getting_started" / "chat.md", tmp_path, monkeypatch, caplog) as guide:
        address = guide.with_real_ports("http://127.0.0.1:8181/")
        ada, bob = enter(browser, address, "Ada"), enter(browser, address, "Bob")
        expect(bob.locator("#people")).to_have_text("Here: Ada, Bob")
        ada.locator("#text").fill("<b>hello</b>")
        ada.locator("#text").press("Enter")
        expect(bob.locator("#log li").last).to_have_text("Ada: <b>hello</b>")
        ada.context.close()
        expect(bob.locator("#log li").last).to_have_text("Ada has left")
        expect(bob.locator("#people")).to_have_text("Here: Bob")
        bob.context.close()


def enter(browser: Browser, address: str, name: str) -> Page:
    """Open the chat, and answer who one is."""

    def answer(dialog: Dialog) -> None:
        dialog.accept(name)

    page = browser.new_context().new_page()
    page.on("dialog", answer)
    page.goto(address)
    return page
