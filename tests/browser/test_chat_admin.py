"""Whoever runs the chat, on its page: deletes what others said, and sends somebody away."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.examples.running import RunningServer, running

from .chat_page import ChatPage
from .conftest import NewPage

TOKEN = "a token that is long"


@pytest.fixture
def server() -> Iterator[RunningServer]:
    with running("-m", "examples.chat", "--port", "0", "--memory", "--admin-token", TOKEN) as server:
        yield server
        assert server.stop() == 0
        assert server.complaints() == []


def open_as(page: ChatPage, server: RunningServer, token: str) -> ChatPage:
    """Join as somebody who says a token: behind the address, which no server is told."""
    page.page.goto(f"http://127.0.0.1:{server.port}/rooms/lobby#admin={token}")
    page.introduce("Root")
    page.expect_connected()
    return page


def test_an_admin_deletes_what_others_said_and_sends_somebody_away(server: RunningServer, new_page: NewPage) -> None:
    eve = ChatPage(new_page()).join(server.port, "Eve")
    eve.say("buy this")
    eve.say("and that")
    root = open_as(ChatPage(new_page()), server, TOKEN)
    assert "admin" not in root.page.url
    root.entry("buy this").hover()
    root.entry("buy this").get_by_role("button", name="Delete this message").click()
    root.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    for page in (root, eve):
        expect(page.texts).to_have_text(["and that"])
    remove = root.entry("and that").get_by_role("button", name="Remove")
    for _ in range(40):
        root.page.keyboard.press("Shift+Tab")
        if remove.evaluate("button => button === document.activeElement"):
            break
    expect(remove).to_be_focused()
    remove.press("Enter")
    dialog = root.page.get_by_role("dialog")
    expect(dialog).to_contain_text("Remove Eve for an hour?")
    dialog.get_by_role("button", name="Remove").click()
    expect(eve.state).to_have_text("Removed")
    root.expect_people("Root")
    eve.page.reload()
    expect(eve.state).to_have_text("Removed")


def test_who_says_another_token_is_like_everybody(server: RunningServer, new_page: NewPage) -> None:
    eve = ChatPage(new_page()).join(server.port, "Eve")
    eve.say("hello")
    guest = open_as(ChatPage(new_page()), server, "another token that is long")
    guest.say("I am root")
    guest.entry("hello").hover()
    expect(guest.entry("hello").get_by_role("button")).to_have_count(0)
    assert guest.page.evaluate("sessionStorage.getItem('chat.admin')") == "null"
