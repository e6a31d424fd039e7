"""Notifications of the chat's page: asked for by a button, told only to who looks elsewhere or is spoken to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.examples.running import RunningServer, running

from .chat_page import ChatPage
from .conftest import NewPage

#: Stands in for what no browser without a window has: keeps what is notified, and grants what the test says.
STAND_IN = """
window.notices = [];
window.Notification = class extends EventTarget {
  static permission = "default";
  static async requestPermission() { return this.permission = "%s"; }
  constructor(title, options) { super(); window.notices.push(this); Object.assign(this, { title, ...options }); }
  close() { this.isClosed = true; }
};
"""
HIDDEN = "Object.defineProperty(document, 'hidden', { get: () => %s, configurable: true })"


@pytest.fixture
def server() -> Iterator[RunningServer]:
    with running("-m", "examples.chat", "--port", "0", "--memory") as server:
        yield server


def page_that(new_page: NewPage, answer: str) -> Page:
    """Return a page whose user gives this answer when it asks."""
    page = new_page()
    page.add_init_script(STAND_IN % answer)
    return page


def notices(page: Page) -> list[dict[str, Any]]:
    found = page.evaluate("notices.map(({ title, body }) => ({ title, body }))")
    assert isinstance(found, list)
    return found


def go_to(page: ChatPage, room: str) -> None:
    page.page.get_by_label("Go to another room").fill(room)
    page.page.get_by_label("Go to another room").press("Enter")
    page.page.wait_for_url(f"**/rooms/{room}")


def test_who_asked_for_it_is_told_when_spoken_to_and_of_all_while_elsewhere(
    server: RunningServer, new_page: NewPage
) -> None:
    ana = ChatPage(page_that(new_page, "granted")).join(server.port, "Ana")
    ben = ChatPage(new_page()).join(server.port, "Ben")
    button, lobby = ana.page.get_by_role("button", name="Notifications"), ana.page.get_by_role("link", name="lobby")
    expect(button).to_have_attribute("aria-pressed", "false")
    go_to(ana, "tea")
    ben.say("@Ana, before she asked for it")
    expect(lobby).to_contain_text("@1")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    ben.say("@Ana, and now?")
    ben.say("to all")
    expect(lobby).to_contain_text("@3")
    assert notices(ana.page) == [{"title": "Ben in #lobby", "body": "@Ana, and now?"}]
    ana.page.evaluate(HIDDEN % "true")
    ben.say("she looks elsewhere")
    expect(lobby).to_contain_text("@4")
    assert notices(ana.page)[1:] == [{"title": "Ben in #lobby", "body": "she looks elsewhere"}]
    ana.page.evaluate(HIDDEN % "false")
    ana.page.evaluate("notices[1].dispatchEvent(new Event('click'))")
    ana.page.wait_for_url("**/rooms/lobby")
    assert ana.page.evaluate("notices[1].isClosed")
    ben.say("@Ana sees this")
    expect(ana.texts).to_have_count(5)
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")
    go_to(ana, "tea")
    ben.say("@Ana, not any more")
    expect(lobby).to_contain_text("@1")
    assert len(notices(ana.page)) == 2


def test_who_does_not_allow_it_is_told_nothing(server: RunningServer, new_page: NewPage) -> None:
    ana = ChatPage(page_that(new_page, "denied")).join(server.port, "Ana")
    ben = ChatPage(new_page()).join(server.port, "Ben")
    button = ana.page.get_by_role("button", name="Notifications")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")
    go_to(ana, "tea")
    ben.say("@Ana?")
    expect(ana.page.get_by_role("link", name="lobby")).to_contain_text("@1")
    assert notices(ana.page) == []
