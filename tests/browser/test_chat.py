"""The chat's page, in two and three real windows of Chromium, against the example's own server."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any, Protocol

import pytest
from playwright.sync_api import FilePayload, Page, Request, expect

from tests.examples import pictures
from tests.examples.running import RunningServer, running

from .chat_page import ChatPage
from .conftest import NewPage


class Enter(Protocol):
    """Opens a window of its own for somebody and lets them join the test's room."""

    def __call__(self, name: str, room: str | None = None, **options: Any) -> ChatPage: ...


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running("-m", "examples.chat", "--port", "0", "--memory") as server:
        yield server
        assert server.stop() == 0
        assert server.complaints() == []


@pytest.fixture
def room(request: pytest.FixtureRequest) -> str:
    """A room that no other test is in."""
    return f"room-{zlib.crc32(request.node.nodeid.encode())}"


@pytest.fixture
def enter(new_page: NewPage, server: RunningServer, room: str) -> Enter:
    test_room = room

    def enter(name: str, room: str | None = None, **options: Any) -> ChatPage:
        return ChatPage(new_page(**options)).join(server.port, name, room or test_room)

    return enter


@pytest.fixture
def ana(enter: Enter) -> ChatPage:
    return enter("Ana")


@pytest.fixture
def ben(enter: Enter, ana: ChatPage) -> ChatPage:
    return enter("Ben")


@pytest.fixture
def carol(enter: Enter, ben: ChatPage) -> ChatPage:
    return enter("Carol")


def test_two_people_talk_and_each_sees_each_message_once(ana: ChatPage, ben: ChatPage) -> None:
    ana.say("hello Ben")
    ben.say("hello Ana")
    for page in (ana, ben):
        expect(page.texts).to_have_count(2)
        page.expect_texts("hello Ben", "hello Ana")
    expect(ana.own_texts).to_have_text(["hello Ben"])
    expect(ben.own_texts).to_have_text(["hello Ana"])
    expect(ben.entry("hello Ben").locator(".name")).to_have_text("Ana")
    expect(ben.entry("hello Ben").locator(".avatar")).to_have_text("A")


def test_three_people_see_who_is_here_who_comes_and_who_goes(ana: ChatPage, ben: ChatPage, carol: ChatPage) -> None:
    ana.expect_people("Ana", "Ben", "Carol")
    carol.expect_people("Carol", "Ana", "Ben")
    expect(ana.events).to_have_text("Ben joined · Carol joined")
    carol.say("hello both")
    for page in (ana, ben):
        page.expect_texts("hello both")
    carol.page.close()
    ana.expect_people("Ana", "Ben")
    expect(ana.events.last).to_have_text("Carol left")
    ben.say("she is gone")
    expect(ana.texts).to_have_text(["hello both", "she is gone"])


def test_the_others_see_who_is_typing_and_for_how_long(ana: ChatPage, ben: ChatPage, carol: ChatPage) -> None:
    ana.message.press_sequentially("hel")
    expect(ben.typing).to_have_text("Ana is typing")
    carol.message.press_sequentially("I")
    expect(ben.typing).to_have_text("Ana and Carol are typing")
    expect(ana.typing).to_have_text("Carol is typing")
    ana.message.press("Enter")
    expect(ben.typing).to_have_text("Carol is typing")
    carol.message.fill("")
    expect(ben.typing).to_have_text("")


def test_who_joins_later_sees_the_last_50_messages(enter: Enter, ana: ChatPage, ben: ChatPage, carol: ChatPage) -> None:
    said = []
    for number in range(20):
        for name, page in (("Ana", ana), ("Ben", ben), ("Carol", carol)):
            said.append(f"{name}, {number}")
            page.say(said[-1])
    late = enter("Late")
    expect(late.texts).to_have_count(50)
    late.expect_texts(*said[-50:])
    expect(late.texts.last).to_be_in_viewport()
    last = late.texts.first.inner_text()
    late.page.locator("#scroller").evaluate("scroller => { scroller.scrollTop = 20; }")
    expect(late.texts).to_have_count(60)
    late.expect_texts(*said)
    expect(late.page.get_by_text(last, exact=True)).to_be_in_viewport()
    expect(late.page.get_by_role("button", name="older")).to_be_hidden()


def test_messages_sent_too_fast_are_all_stored_in_order(ana: ChatPage, ben: ChatPage) -> None:
    said = [f"message {number}" for number in range(30)]
    for text in said:
        ana.write(text)
    expect(ben.texts).to_have_count(30)
    ben.expect_texts(*said)
    expect(ana.unstored).to_have_count(0)
    ana.expect_texts(*said)


def test_rooms_are_apart_and_each_has_its_address(enter: Enter, ana: ChatPage, room: str) -> None:
    tea = f"tea-{room}"
    ben = enter("Ben", room=tea)
    ana.say("only for the first room")
    ben.say("only for tea")
    ben.expect_texts("only for tea")
    ben.expect_people("Ben")
    ana.page.get_by_label("Go to another room").fill(f"#{tea.title()}")
    ana.page.get_by_label("Go to another room").press("Enter")
    ana.page.wait_for_url(f"**/rooms/{tea}")
    ana.expect_connected()
    ana.expect_texts("only for tea")
    ben.expect_people("Ben", "Ana")
    ana.page.get_by_role("link", name=room, exact=True).click()
    ana.page.wait_for_url(f"**/rooms/{room}")
    ana.expect_connected()
    ana.expect_texts("only for the first room")


def test_a_name_that_is_taken_is_refused_and_another_one_asked_for(
    server: RunningServer, room: str, ana: ChatPage, page: Page
) -> None:
    other = ChatPage(page)
    other.open(server.port, room)
    other.introduce("ＡＮＡ")
    expect(other.name_wrong).to_have_text("Somebody called “Ana” is here already.")
    other.introduce("n" * 41)
    expect(other.name_wrong).to_contain_text("at most 40 characters")
    other.introduce("Bot")
    expect(other.name_wrong).to_contain_text("Please choose another")
    other.introduce("Anabel")
    other.expect_connected()
    ana.expect_people("Ana", "Anabel")
    ana.say("I am still Ana")
    expect(other.texts).to_have_text("I am still Ana")


@pytest.mark.parametrize(
    "name",
    ["<img src=x onerror=alert(1)>", "👩‍👩‍👧‍👦 & <b>co</b>", "דנה לוי", "أحمد", "'\"><script>alert(1)</script>"],
    ids=["img", "emoji", "hebrew", "arabic", "script"],
)
def test_a_hostile_name_is_shown_as_text(enter: Enter, ana: ChatPage, name: str) -> None:
    hostile = enter(name)
    hostile.message.press_sequentially("x")
    expect(ana.typing).to_have_text(f"{name} is typing")
    hostile.say("boo")
    expect(ana.entry("boo").locator(".name")).to_have_text(name)
    expect(ana.events).to_have_text(f"{name} joined")
    expect(ana.people.last).to_have_text(name)
    for chat in (ana, hostile):
        expect(chat.page.locator("img, script:not([src]), b:visible")).to_have_count(0)


@pytest.mark.parametrize(
    "text",
    [
        "<img src=x onerror=alert(1)>",
        "<script>alert(1)</script>",
        "😀 日本語 e\u0301 👩‍👩‍👧",
        "שלום \u202eolleh\u202c עולם",
        "one\n\n  two\tthree",
        "x" * 100 * 1024,
        "😀" * 25 * 1024,
        "&amp; &lt; \\u003c %3C",
    ],
    ids=["img", "script", "emoji", "rtl", "lines", "100 KB", "100 KB of emoji", "escapes"],
)
def test_a_hostile_message_is_shown_as_text(ana: ChatPage, ben: ChatPage, text: str) -> None:
    ana.write(text)
    for chat in (ana, ben):
        expect(chat.texts).to_have_count(1)
        expect(chat.unstored).to_have_count(0)
        assert chat.texts.first.text_content() == text
        expect(chat.page.locator("#log img, #log script")).to_have_count(0)
        assert chat.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        box = chat.texts.first.bounding_box()
        assert box is not None
        assert box["height"] < 400


def test_a_long_message_is_shown_in_part_until_it_is_asked_for(ana: ChatPage, ben: ChatPage) -> None:
    ana.write("word " * 1_000)
    whole = ben.page.get_by_role("button", name="Show all 4,999 characters")
    box = ben.texts.first.bounding_box()
    whole.click()
    taller = ben.texts.first.bounding_box()
    assert box is not None
    assert taller is not None
    assert taller["height"] > box["height"]
    ben.page.get_by_role("button", name="Show less").click()
    expect(whole).to_be_visible()


def test_a_message_that_is_too_long_is_not_sent_and_the_page_says_why(ana: ChatPage, ben: ChatPage) -> None:
    ana.message.fill("x" * (128 * 1024 + 1))
    ana.message.press("Enter")
    expect(ana.page.locator("#wrong")).to_have_text("1 characters too long")
    expect(ana.texts).to_have_count(0)
    ana.message.press("Backspace")
    ana.message.press("Enter")
    expect(ben.texts).to_have_count(1)


def test_links_are_safe_and_what_is_no_link_is_none(ana: ChatPage, ben: ChatPage) -> None:
    ana.say(
        "see (https://example.org/a_(b)), http://example.com/x?y=1&z=<b>. javascript:alert(1) data:text/html,x //x.y"
    )
    links = ben.texts.locator("a")
    expect(links).to_have_text(["https://example.org/a_(b)", "http://example.com/x?y=1&z="])
    for link in links.all():
        assert link.get_attribute("target") == "_blank"
        assert {"noopener", "noreferrer"} <= set((link.get_attribute("rel") or "").split())


@pytest.mark.parametrize(
    "text",
    [
        "https://a" + ")" * 100_000,
        "https://a" + ".a" * 50_000 + "." * 20_000,
        "https://a/" + "(" * 50_000 + "]" * 50_000,
        "https://a " * 12_000,
        "https://" * 16_000,
    ],
    ids=["brackets", "stops", "mixed", "links", "schemes"],
)
def test_no_message_keeps_a_reader_s_page_busy(ana: ChatPage, ben: ChatPage, text: str) -> None:
    ana.write(text)
    expect(ben.texts).to_have_count(1)
    assert ben.texts.first.text_content() == text.strip()
    assert ben.texts.locator("a").count() <= 400
    ben.say("I can read")


def test_shift_and_enter_start_a_new_line(ana: ChatPage, ben: ChatPage) -> None:
    ana.message.fill("one")
    ana.message.press("Shift+Enter")
    ana.message.press_sequentially("two")
    expect(ben.texts).to_have_count(0)
    ana.message.press("Enter")
    expect(ben.texts).to_have_count(1)
    ben.expect_texts("one\ntwo")


def test_the_page_works_by_keyboard_alone(server: RunningServer, room: str, page: Page) -> None:
    chat = ChatPage(page)
    chat.open(server.port, room)
    expect(chat.name).to_be_focused()
    page.keyboard.type("Ana")
    page.keyboard.press("Escape")
    expect(chat.name).to_be_visible()
    page.keyboard.press("Enter")
    expect(chat.message).to_be_focused()
    page.keyboard.type("hello")
    page.keyboard.press("Enter")
    expect(chat.texts).to_have_text("hello")
    page.keyboard.press("Shift+Tab")
    expect(page.get_by_role("region", name="What was said")).to_be_focused()
    reached = set()
    for _ in range(12):
        page.keyboard.press("Shift+Tab")
        reached.add(page.evaluate("document.activeElement.ariaLabel || document.activeElement.textContent.trim()"))
    assert {"Colours: as the system has them", "Change name", "lobby", "Skip to the message field"} <= reached


def test_a_screen_reader_is_told_what_things_are(room: str, ana: ChatPage, ben: ChatPage) -> None:
    ana.say("hello")
    expect(ben.page.get_by_role("log", name="Messages")).to_contain_text("hello")
    expect(ben.page.get_by_role("navigation", name="Rooms").get_by_role("link", name=room)).to_have_attribute(
        "aria-current", "page"
    )
    expect(ben.page.get_by_role("region", name="Here now 2").get_by_role("listitem")).to_have_count(2)
    expect(ben.page.get_by_role("textbox", name="Message")).to_be_visible()
    expect(ben.page.get_by_role("button", name="Send")).to_be_visible()
    expect(ben.page.get_by_role("heading", level=1)).to_have_text(f"#{room}")
    assert ana.page.title() == f"#{room} · Chat"


def test_what_comes_while_one_reads_further_up_is_counted(room: str, ana: ChatPage, ben: ChatPage) -> None:
    for number in range(15):
        ana.write(f"message {number}\n\n\n")
    expect(ben.texts).to_have_count(15)
    ben.page.locator("#scroller").evaluate("scroller => { scroller.scrollTop = 0; }")
    newer = ben.page.get_by_role("button", name="new message")
    ana.say("one more")
    expect(newer).to_have_text("1 new message")
    expect(ben.page).to_have_title(f"(1) #{room} · Chat")
    ana.say("and another")
    expect(newer).to_have_text("2 new messages")
    newer.click()
    expect(ben.texts.last).to_be_in_viewport()
    expect(ben.page).to_have_title(f"#{room} · Chat")


def test_the_name_can_be_changed(ana: ChatPage, ben: ChatPage) -> None:
    ana.say("as Ana")
    ana.page.get_by_role("button", name="Change name").click()
    ana.introduce("Anna")
    ana.expect_connected()
    ben.expect_people("Ben", "Anna")
    ana.say("as Anna")
    expect(ben.entry("as Anna").locator(".name")).to_have_text("Anna")
    expect(ana.own_texts).to_have_text(["as Ana", "as Anna"])


def test_who_changes_the_name_stays_until_there_is_a_new_one(ana: ChatPage, ben: ChatPage) -> None:
    for leave_it in ("Escape", "Cancel", "same"):
        ana.page.get_by_role("button", name="Change name").click()
        expect(ana.name).to_have_value("Ana")
        if leave_it == "Escape":
            ana.page.keyboard.press("Escape")
        elif leave_it == "Cancel":
            ana.page.get_by_role("button", name="Cancel").click()
        else:
            ana.introduce("Ana")
        expect(ana.name).to_be_hidden()
        ana.expect_connected()
    ben.say("she never went")
    expect(ben.events).to_have_count(0)
    ana.page.get_by_role("button", name="Change name").click()
    ana.introduce("Ben")
    expect(ana.name_wrong).to_have_text("Somebody called “Ben” is here already.")
    ana.page.keyboard.press("Escape")
    ana.expect_connected()
    ben.expect_people("Ben", "Ana")


def test_a_room_is_the_same_in_every_language(enter: Enter, room: str) -> None:
    ana = enter("Ana", locale="tr-TR")
    ana.page.get_by_label("Go to another room").fill(f"I-{room}".upper())
    ana.page.get_by_label("Go to another room").press("Enter")
    ana.page.wait_for_url(f"**/rooms/i-{room}")
    ana.expect_connected()
    enter("Ben", room=f"i-{room}")
    ana.expect_people("Ana", "Ben")


def test_the_colours_can_be_chosen_and_stay_chosen(ana: ChatPage) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    light = ana.page.evaluate(paper)
    ana.page.get_by_role("button", name="Colours: as the system has them").click()
    ana.page.get_by_role("button", name="Colours: light").click()
    dark = ana.page.evaluate(paper)
    assert dark != light
    ana.page.reload()
    expect(ana.page.get_by_role("button", name="Colours: dark")).to_be_visible()
    assert ana.page.evaluate(paper) == dark
    ana.page.get_by_role("button", name="Colours: dark").click()
    ana.page.emulate_media(color_scheme="dark")
    assert ana.page.evaluate(paper) == dark


def test_on_a_phone_rooms_and_people_are_in_a_drawer(enter: Enter, ana: ChatPage) -> None:
    ben = enter("Ben", viewport={"width": 390, "height": 844}, has_touch=True)
    drawer = ben.page.get_by_label("Rooms and people", exact=True)
    expect(drawer).to_be_hidden()
    ben.page.get_by_role("button", name="2 here").tap()
    expect(drawer).to_be_visible()
    expect(ben.people).to_have_text(["Ben", "Ana"])
    ben.page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    expect(ben.page.get_by_role("button", name="2 here")).to_be_focused()
    ben.say("from the phone")
    expect(ana.texts).to_have_text("from the phone")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 800, 1280])
def test_the_page_never_scrolls_sideways(enter: Enter, ana: ChatPage, width: int, scheme: str) -> None:
    ben = enter("W" * 40, viewport={"width": width, "height": 700}, color_scheme=scheme)
    ana.say("w" * 500)
    expect(ben.texts).to_have_count(1)
    for part in ("html", "#scroller", "#side"):
        assert ben.page.locator(part).evaluate("part => part.scrollWidth <= part.clientWidth")


def test_the_page_asks_nothing_of_any_other_server(server: RunningServer, room: str, page: Page) -> None:
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url)

    page.on("request", note)
    page.on("websocket", lambda socket: asked.append(socket.url))
    chat = ChatPage(page).join(server.port, "Ana", room)
    chat.say("https://example.org/")
    assert asked
    assert {url.split("//")[1].split("/")[0] for url in asked} == {f"127.0.0.1:{server.port}"}


def test_a_page_of_another_site_cannot_connect(server: RunningServer, page: Page, ana: ChatPage) -> None:
    connect = """url => new Promise(resolve => {
        const socket = new WebSocket(url, "perfectws-chat");
        socket.onopen = () => resolve("open");
        socket.onerror = () => resolve("refused");
    })"""
    url = f"ws://127.0.0.1:{server.port}/chat"
    with running("-m", "examples.echo", "--port", "0") as elsewhere:
        page.goto(f"http://127.0.0.1:{elsewhere.port}/")
        assert page.evaluate(connect, url) == "refused"
    assert ana.page.evaluate(connect, url) == "open"


def test_a_page_written_for_perfects_demo_talks_beside_the_new_one(
    server: RunningServer, enter: Enter, page: Page
) -> None:
    ana = enter("Ana", room="lobby")
    page.goto(f"http://127.0.0.1:{server.port}/page/favicon.svg")
    page.evaluate(
        """host => new Promise(resolve => {
            window.shown = document.createElementNS("http://www.w3.org/1999/xhtml", "div");
            window.me = {email: "ben@example.org", avatar: "https://www.gravatar.com/avatar/0", displayName: "Ben"};
            window.socket = new WebSocket(`ws://${host}/chat`, "chat");
            socket.onmessage = event => { shown.innerHTML += JSON.parse(event.data).message + "\\n"; };
            socket.onopen = () => { socket.send(JSON.stringify(me)); resolve(); };
        })""",
        f"127.0.0.1:{server.port}",
    )
    ana.expect_people("Ana", "Ben")
    page.evaluate("""socket.send(JSON.stringify({...me, message: "hello from 2017"}))""")
    expect(ana.entry("hello from 2017").locator(".name")).to_have_text("Ben")
    ana.say("<b>hello</b> from 2026")
    page.wait_for_function("shown.textContent.includes('2026')")
    assert page.evaluate("shown.textContent") == "Bot: Ben Joined\nAna: <b>hello</b> from 2026\n"
    page.evaluate("socket.close()")
    expect(ana.events).to_have_text(["Ben joined", "Ben left"])


def test_an_image_is_shown_before_it_goes_and_to_all_when_it_is_there(ana: ChatPage, ben: ChatPage) -> None:
    picture: FilePayload = {"name": "p.png", "mimeType": "image/png", "buffer": pictures.png(60, 40)}
    ana.page.locator("#file").set_input_files(picture)
    preview = ana.page.get_by_alt_text("about to send")
    expect(preview).to_be_visible()
    ana.page.get_by_role("button", name="Leave this image out").click()
    expect(preview).to_be_hidden()
    ana.page.locator("#file").set_input_files(picture)
    ana.write("what I saw")
    shown = ben.page.get_by_alt_text("Image: what I saw")
    expect(shown).to_be_visible()
    ben.page.wait_for_function("document.querySelector('#log img')?.naturalWidth === 60")
    expect(preview).to_be_hidden()
    ana.page.locator("#file").set_input_files({**picture, "mimeType": "text/html", "name": "x.html"})
    expect(ana.page.locator("#attachment-wrong")).to_contain_text("Only PNG")


def test_own_messages_can_be_changed_and_deleted(ana: ChatPage, ben: ChatPage) -> None:
    ana.say("frist")
    ana.say("second")
    ana.message.press("ArrowUp")
    expect(ana.message).to_have_value("second")
    ana.message.press("ArrowUp")
    expect(ana.message).to_have_value("frist")
    ana.write("first")
    expect(ben.texts).to_have_text(["first", "second"])
    expect(ben.entry("first").locator(".edited")).to_be_visible()
    expect(ana.message).to_have_value("")
    ana.entry("second").hover()
    ana.entry("second").get_by_role("button", name="Delete this message").click()
    ana.page.get_by_role("button", name="Cancel").click()
    expect(ben.texts).to_have_count(2)
    ana.message.press("ArrowUp")
    ana.write("")
    ana.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    for page in (ana, ben):
        expect(page.texts).to_have_text(["first"])
    expect(ben.page.get_by_role("button", name="Delete this message")).to_have_count(0)


def test_what_was_not_seen_is_counted_for_each_room_over_one_connection(
    enter: Enter, ana: ChatPage, ben: ChatPage, room: str
) -> None:
    sockets: list[str] = []
    ana.page.on("websocket", lambda socket: sockets.append(socket.url))
    ana.page.get_by_label("Go to another room").fill(f"{room}-2")
    ana.page.get_by_label("Go to another room").press("Enter")
    ana.page.wait_for_url(f"**/rooms/{room}-2")
    ben.say("one")
    ben.say("@Ana, two")
    badge = ana.page.get_by_role("link", name=f"{room} 2 not seen, 1 to you")
    expect(badge).to_be_visible()
    expect(ana.page).to_have_title(f"(2) #{room}-2 · Chat")
    icon = ana.page.locator("link[rel=icon]").get_attribute("href")
    assert icon == "../icon/2"
    ana.page.get_by_role("button", name="All rooms").click()
    listed = ana.page.get_by_role("dialog").get_by_role("button", name=f"{room} Ana, Ben")
    listed.click()
    ana.page.wait_for_url(f"**/rooms/{room}")
    ana.expect_texts("one", "@Ana, two")
    expect(ana.page).to_have_title(f"#{room} · Chat")
    ana.page.get_by_role("button", name=f"Leave {room}-2").click(force=True)
    expect(ana.page.get_by_role("link", name=f"{room}-2")).to_have_count(0)
    ana.page.go_back()
    ana.expect_people("Ana")
    assert sockets == []
