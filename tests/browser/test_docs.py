"""The pages of the documentation, and those that *Getting started* has a reader write, in a browser."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Dialog, Page, expect

from tests.docs.pages import DOCS, ROOT
from tests.docs.running import running

AXE = (Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
#: One of each kind: text, programs, tables of two and three columns, options, wide figures, a signature.
KINDS = (
    "index",
    "getting_started/echo",
    "porting/perfect/websockets",
    "coming_from/websockets",
    "reference/limits",
    "reference/cli",
    "reference/futures",
    "performance",
)
IS_WIDE = "document.documentElement.scrollWidth > innerWidth"
#: Sphinx writes each signature as a list of its own, some without a description.
JUDGE = "axe.run({ resultTypes: ['violations'], rules: { 'definition-list': { enabled: false } } })"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the pages, as they are published: the one that PERFECTWS_PAGES names has them already."""
    if already := os.environ.get("PERFECTWS_PAGES"):
        return Path(already)
    folder = tmp_path_factory.mktemp("pages")
    subprocess.run(["bash", str(ROOT / ".ci" / "docs"), str(folder)], check=True, timeout=300)
    return folder


def test_no_page_scrolls_sideways_on_a_phone(browser: Browser, built: Path) -> None:
    """Without scripts, which take long and no room; those of each kind are looked at with theirs below."""
    page = browser.new_context(viewport={"width": 390, "height": 844}, java_script_enabled=False).new_page()
    wide = []
    for path in sorted(built.rglob("*.html")):
        page.goto(path.as_uri())
        if page.evaluate(IS_WIDE):
            wide.append(str(path.relative_to(built)))
    page.context.close()
    assert wide == []


def test_a_table_of_swift_is_read_on_a_phone_without_scrolling(browser: Browser, built: Path) -> None:
    page = browser.new_context(viewport={"width": 390, "height": 844}).new_page()
    page.goto((built / "porting" / "perfect" / "websockets.html").as_uri())
    row = page.locator("table.swift tbody tr").first
    places = [cell.bounding_box() for cell in row.locator("td").all()]
    assert len(places) == 3
    assert all(place is not None and place["x"] + place["width"] <= 390 for place in places)
    page.context.close()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_axe_finds_nothing_serious_and_nothing_scrolls_sideways(
    browser: Browser, built: Path, scheme: str, width: int
) -> None:
    page = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
    ).new_page()
    found = []
    for kind in KINDS:
        page.goto((built / f"{kind}.html").as_uri())
        if page.evaluate(IS_WIDE):
            found.append((kind, "scrolls sideways"))
        page.evaluate(AXE)
        violations = page.evaluate(JUDGE)["violations"]
        found += [(kind, each["id"]) for each in violations if each["impact"] in ("serious", "critical")]
    page.context.close()
    assert found == []


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
