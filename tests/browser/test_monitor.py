"""The monitor's page in a real browser: it asks for the token, shows a server at work, and comes back by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Request, expect

from tests.examples.running import RunningServer, running

from .conftest import NewPage

AXE = (Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
TOKEN = "a token that is long"
SET_UPS: list[dict[str, Any]] = [
    {"viewport": {"width": 1200, "height": 800}},
    {"viewport": {"width": 320, "height": 640}, "color_scheme": "dark"},
    {"viewport": {"width": 1200, "height": 800}, "forced_colors": "active"},
]


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running("-m", "examples.monitor", "--port", "0", "--token", TOKEN, "--clients", "3") as server:
        yield server
        assert server.stop() == 0


def look(page: Page, server: RunningServer) -> None:
    """Open the page as somebody who has the token in the address, and wait for the first samples."""
    page.goto(f"http://127.0.0.1:{server.port}/monitor/#token={TOKEN.replace(' ', '%20')}")
    expect(page.get_by_role("row", name="ACME")).to_be_visible()


def number(page: Page, title: str) -> str:
    return page.locator("figure").filter(has=page.get_by_text(title, exact=True)).locator(".number").inner_text()


def test_it_shows_what_the_server_does_and_asks_nobody_else(page: Page, server: RunningServer) -> None:
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url)

    page.on("request", note)
    look(page, server)
    assert "token" not in page.url
    assert int(number(page, "WebSockets")) >= 4
    assert float(number(page, "Messages out").replace(",", "")) > 10
    assert number(page, "Bytes out").endswith("B")
    expect(page.get_by_role("row", name="ACME").get_by_role("cell").first).to_have_text("3")
    plot = page.get_by_role("img", name="Messages out in the last")
    drawn = plot.locator(".line").get_attribute("d")
    expect(plot.locator(".line")).not_to_have_attribute("d", drawn or "")
    assert all(url.startswith(f"http://127.0.0.1:{server.port}/monitor/") for url in asked), asked
    assert not any("token" in url for url in asked)
    page.reload()
    expect(page.get_by_role("row", name="ACME")).to_be_visible()  # the tab keeps the token


def test_who_has_no_token_is_asked_for_it(page: Page, server: RunningServer) -> None:
    page.goto(f"http://127.0.0.1:{server.port}/monitor/")
    page.get_by_label("Token").fill("not the token")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("That is not the token.")
    expect(page.get_by_role("table")).to_be_hidden()
    page.get_by_label("Token").fill(TOKEN)
    page.keyboard.press("Enter")
    expect(page.get_by_role("row", name="ACME")).to_be_visible()
    expect(page.locator("#state")).to_have_text("Connected")


def test_it_comes_back_when_the_server_does(page: Page) -> None:
    arguments = ("-m", "examples.monitor", "--token", TOKEN, "--clients", "1", "--port")
    with running(*arguments, "0") as server:
        look(page, server)
        server.kill()
    expect(page.locator("#state")).to_have_text("Reconnecting")
    with running(*arguments, str(server.port)):
        expect(page.locator("#state")).to_have_text("Connected")


def test_axe_finds_nothing_and_nothing_scrolls_sideways(new_page: NewPage, server: RunningServer) -> None:
    for options in SET_UPS:
        page = new_page(bypass_csp=True, **options)
        look(page, server)
        page.evaluate(AXE)
        found = page.evaluate("axe.run().then(({ violations }) => violations.map(({ id }) => id))")
        assert found == [], options
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), options
