"""The chat's page for everybody: judged by axe, at every width, in every colour, in both directions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Request, expect

from tests.examples.running import RunningServer, running

from .chat_page import ChatPage
from .conftest import NewPage

AXE = (Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
DESKTOP, PHONE, SMALL = (1280, 800), (390, 844), (320, 568)
SET_UPS: dict[str, dict[str, Any]] = {
    "desktop, light": {"size": DESKTOP},
    "desktop, dark": {"size": DESKTOP, "scheme": "dark"},
    "desktop, forced colours": {"size": DESKTOP, "forced": "active"},
    "desktop, right to left": {"size": DESKTOP, "direction": "rtl"},
    "phone, light": {"size": PHONE},
    "phone, dark": {"size": PHONE, "scheme": "dark"},
    "phone, right to left": {"size": PHONE, "direction": "rtl"},
    "320 pixels": {"size": SMALL},
    "320 pixels, right to left, dark": {"size": SMALL, "scheme": "dark", "direction": "rtl"},
}


@pytest.fixture
def server() -> Iterator[RunningServer]:
    with running("-m", "examples.chat", "--port", "0", "--memory") as server:
        yield server


@pytest.fixture
def ana(server: RunningServer, new_page: NewPage) -> ChatPage:
    """A page with all that a page can show, but for dialogs."""
    ana = ChatPage(new_page()).join(server.port, "Ana")
    ben = ChatPage(new_page()).join(server.port, "W" * 40)
    ana.write("**bold** `code` https://example.org/\n- one\n- two\n\n```\ncode\n```")
    ben.say("@Ana " + "w" * 300)
    ben.say("🎉")
    ana.write("a long one " * 300)
    ana.page.get_by_label("Go to another room").fill("tea")
    ana.page.get_by_label("Go to another room").press("Enter")
    ana.page.wait_for_url("**/rooms/tea")
    ana.page.get_by_role("link", name="lobby").click()
    ben.message.press_sequentially("x")
    expect(ana.typing).to_contain_text("is typing")
    return ana


def dress(
    page: Page, size: tuple[int, int], scheme: Any = "light", forced: Any = "none", direction: str = "ltr"
) -> None:
    """Show the page as somebody has it."""
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.emulate_media(color_scheme=scheme, forced_colors=forced)
    page.evaluate("direction => { document.documentElement.dir = direction; }", direction)


def complaints(page: Page) -> list[str]:
    """What axe finds that is serious, or worse."""
    found = page.evaluate("axe.run({ resultTypes: ['violations'] })")
    return [
        f"{violation['id']}: {[node['html'][:120] for node in violation['nodes'][:3]]}"
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
    ]


def test_axe_finds_nothing_serious_and_nothing_scrolls_sideways_in_any_set_up(ana: ChatPage) -> None:
    page = ana.page
    page.evaluate(AXE)
    found: dict[str, list[str]] = {}
    for name, set_up in SET_UPS.items():
        dress(page, **set_up)
        found[name] = complaints(page)
        for part in ("html", "#scroller", "#side"):
            assert page.locator(part).evaluate("part => part.scrollWidth <= part.clientWidth"), (name, part)
    assert not any(found.values()), found


@pytest.mark.parametrize("button", ["Change name", "All rooms"])
def test_axe_finds_nothing_serious_in_a_dialog(ana: ChatPage, button: str) -> None:
    page = ana.page
    page.evaluate(AXE)
    page.get_by_role("button", name=button).click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert complaints(page) == []


def test_a_page_that_is_missing_has_a_way_home(server: RunningServer, page: Page) -> None:
    for path in ("nowhere", "rooms/a%20b", "page/nothing.js"):
        response = page.goto(f"http://127.0.0.1:{server.port}/{path}")
        assert response is not None
        assert response.status == 404
        expect(page.get_by_role("heading")).to_have_text("There is nothing here")
    page.evaluate(AXE)
    assert complaints(page) == []
    page.get_by_role("link", name="lobby").click()
    expect(page).to_have_title("#lobby · Chat")


def test_the_page_weighs_less_than_40_kb_on_the_wire(server: RunningServer, page: Page) -> None:
    sizes: list[int] = []

    def note(request: Request) -> None:
        sizes.append(request.sizes()["responseBodySize"])

    page.on("requestfinished", note)
    ChatPage(page).join(server.port, "Ana")
    assert 0 < sum(sizes) < 40 * 1024


def test_the_page_weighs_less_than_40_kb_with_all_that_goes_with_it(new_page: NewPage, server: RunningServer) -> None:
    page = new_page()
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    weights: list[float] = []
    network.on("Network.loadingFinished", lambda event: weights.append(event["encodedDataLength"]))
    ChatPage(page).join(server.port, "Ana")
    assert len(weights) >= 4  # the page, its style and its scripts
    assert sum(weights) < 40_000  # bytes on the wire, with the heads
