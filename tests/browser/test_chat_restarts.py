"""The chat's page when its server is killed and comes back, when the page is reloaded, and when it is opened twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import TimeoutError as NotThere
from playwright.sync_api import expect

from tests.examples.running import RunningServer, running

from .chat_page import ChatPage
from .conftest import NewPage


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "chat.sqlite3"


@contextmanager
def serving(database: Path, port: int = 0) -> Iterator[RunningServer]:
    with running("-m", "examples.chat", "--port", str(port), "--database", str(database)) as server:
        yield server


def come_back(page: ChatPage) -> None:
    """Ask the page to try now, unless it was faster: it tries by itself too."""
    try:
        page.page.get_by_role("button", name="Try now").click(timeout=2_000)
    except NotThere:
        assert page.trouble.is_hidden()
    page.expect_connected()


@pytest.mark.parametrize(
    ("count", "end"), [(3, RunningServer.kill), (2, RunningServer.stop)], ids=["3, killed", "2, stopped"]
)
def test_pages_come_back_and_nothing_is_lost_or_doubled(
    new_page: NewPage, database: Path, count: int, end: Callable[[RunningServer], int]
) -> None:
    names = ["Ana", "Ben", "Carol"][:count]
    with serving(database) as server:
        port = server.port
        pages = [ChatPage(new_page()).join(port, name) for name in names]
        for name, page in zip(names, pages, strict=True):
            page.say(f"{name}, before")
        for name, page in zip(names, pages, strict=True):
            page.write(f"{name}, in flight")  # acknowledged or not, when the server goes
        end(server)

    for name, page in zip(names, pages, strict=True):
        expect(page.state).to_have_text("Reconnecting")
        expect(page.trouble).to_contain_text("The connection is lost")
        page.write(f"{name}, meanwhile")
        page.message.fill(f"{name}, a draft")
        expect(page.entry("meanwhile").locator(".delivery")).to_have_text("Waits for the connection")

    with serving(database, port):
        for name, page in zip(names, pages, strict=True):
            come_back(page)
            expect(page.unstored).to_have_count(0)
            expect(page.trouble).to_be_hidden()
            expect(page.message).to_have_value(f"{name}, a draft")
        for name, page in zip(names, pages, strict=True):
            expect(page.texts).to_have_count(3 * count)
            page.expect_people(name, *sorted(set(names) - {name}))
        seen = [page.texts.all_inner_texts() for page in pages]
        assert all(texts == seen[0] for texts in seen)
        assert sorted(seen[0]) == sorted(
            f"{name}, {when}" for name in names for when in ("before", "in flight", "meanwhile")
        )
        for name, page in zip(names, pages, strict=True):
            page.message.press("Enter")
            expect(page.own_texts.last).to_have_text(f"{name}, a draft")
        late = ChatPage(new_page()).join(port, "Late")
        expect(late.texts).to_have_count(4 * count)


def test_pages_reconnect_by_themselves_however_often_the_server_is_killed(new_page: NewPage, database: Path) -> None:
    with serving(database) as server:
        port = server.port
        ana = ChatPage(new_page()).join(port, "Ana")
        ben = ChatPage(new_page()).join(port, "Ben")
        server.kill()
    said = []
    for round_number in range(3):
        with serving(database, port) as server:
            for page, name in ((ana, "Ana"), (ben, "Ben")):
                page.expect_connected()
                said.append(f"{name}, {round_number}")
                page.say(said[-1])
            for page in (ana, ben):
                expect(page.texts).to_have_count(len(said))
                page.expect_texts(*said)
            server.kill()
        expect(ana.state).to_have_text("Reconnecting")
        expect(ben.state).to_have_text("Reconnecting")


def test_with_memory_a_restarted_server_knows_nothing_but_the_pages_go_on(new_page: NewPage) -> None:
    with running("-m", "examples.chat", "--port", "0", "--memory") as server:
        port = server.port
        ana = ChatPage(new_page()).join(port, "Ana")
        ana.say("before")
        server.kill()
    with running("-m", "examples.chat", "--port", str(port), "--memory"):
        ana.expect_connected()
        ben = ChatPage(new_page()).join(port, "Ben")
        expect(ben.texts).to_have_count(0)
        ben.say("after")
        expect(ana.texts).to_have_text(["before", "after"])


def test_a_reload_keeps_the_name_the_draft_and_what_is_not_sent(new_page: NewPage, database: Path) -> None:
    with serving(database) as server:
        port = server.port
        ana = ChatPage(new_page()).join(port, "Ana")
        ana.say("before")
        ana.message.fill("a draft")
        ana.page.reload()
        ana.expect_connected()
        ana.expect_texts("before")
        expect(ana.own_texts).to_have_count(1)
        expect(ana.message).to_have_value("a draft")
        server.kill()
    expect(ana.state).to_have_text("Reconnecting")
    ana.write("meanwhile")
    expect(ana.unstored).to_have_count(1)
    with serving(database, port):
        ana.expect_connected()
        expect(ana.unstored).to_have_count(0)
        ana.page.reload()
        ana.expect_connected()
        ana.expect_texts("before", "meanwhile")


def test_two_windows_of_one_browser_are_one_person_unless_one_wants_to_be_two(
    new_page: NewPage, database: Path
) -> None:
    with serving(database) as server:
        first = ChatPage(new_page()).join(server.port, "Ana")
        ben = ChatPage(new_page()).join(server.port, "Ben")
        second = ChatPage(first.page.context.new_page())
        second.open(server.port)
        second.expect_connected()
        second.expect_people("Ana", "Ben")
        second.say("from the second window")
        expect(first.own_texts).to_have_text("from the second window")
        first.page.close()
        ben.say("somebody is there still")
        expect(ben.events).to_have_count(0)

        third = ChatPage(second.page.context.new_page())
        third.open(server.port)
        third.expect_connected()
        third.page.get_by_role("button", name="Change name").click()
        third.page.get_by_label("As somebody else").check()
        third.introduce("Anna")
        expect(third.page.locator("#my-name")).to_have_text("Anna")
        third.expect_connected()
        third.say("from somebody else")
        expect(second.own_texts).to_have_count(1)
        second.page.get_by_role("button", name="Change name").click()
        second.introduce("Anke")
        expect(second.page.locator("#my-name")).to_have_text("Anke")
        ben.expect_people("Ben", "Anke", "Anna")
        expect(ben.events.last).to_have_text("Ana is now called Anke")
        second.page.close()
        again = ChatPage(third.page.context.new_page())
        again.open(server.port)
        again.expect_connected()
        expect(again.page.locator("#my-name")).to_have_text("Anke")
        expect(again.own_texts).to_have_text("from the second window")
