"""The chat's page, as a person sees and uses it."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect


class ChatPage:
    """What a person sees on the page and does with it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.name = page.get_by_label("What shall the others call you?")
        self.name_wrong = page.locator("#name-wrong")
        self.message = page.get_by_label("Message", exact=True)
        self.state = page.locator("#state")
        self.trouble = page.locator("#trouble")
        self.people = page.locator("#people li bdi")
        self.typing = page.locator("#typing-text")
        self.texts = page.locator("#log .entry .text")
        self.own_texts = page.locator("#log .entry.own .text")
        self.unstored = page.locator("#log [data-delivery]")
        self.events = page.locator("#log .event")

    def open(self, port: int, room: str = "lobby") -> None:
        self.page.goto(f"http://127.0.0.1:{port}/rooms/{room}")

    def join(self, port: int, name: str, room: str = "lobby") -> ChatPage:
        self.open(port, room)
        self.introduce(name)
        self.expect_connected()
        return self

    def introduce(self, name: str) -> None:
        self.name.fill(name)
        self.name.press("Enter")

    def expect_connected(self) -> None:
        expect(self.state).to_have_text("Connected")

    def write(self, text: str) -> None:
        """Write something, once nothing lies over the page."""
        expect(self.name).to_be_hidden()
        self.message.fill(text)
        self.message.press("Enter")

    def say(self, text: str) -> None:
        """Write something, and wait until it is stored."""
        self.write(text)
        expect(self.own_texts.last).to_have_text(text)
        expect(self.unstored).to_have_count(0)

    def entry(self, text: str) -> Locator:
        return self.page.locator("#log .entry").filter(has_text=text)

    def expect_texts(self, *texts: str) -> None:
        """Expect to see just these texts, in this order."""
        expect(self.texts).to_have_count(len(texts))
        assert self.texts.all_inner_texts() == list(texts)

    def expect_people(self, *names: str) -> None:
        expect(self.people).to_have_text(list(names))
