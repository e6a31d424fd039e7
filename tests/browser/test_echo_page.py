"""The echo example's page, in real Chromium, against the example's own server."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, Page, WebSocket, expect

from tests.examples.running import RunningServer, running


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running("-m", "examples.echo", "--port", "0") as server:
        yield server


class EchoPage:
    """What a person sees on the page and does with it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.state = page.locator("#state")
        self.reason = page.locator("#reason")
        self.message = page.get_by_label("Message", exact=True)
        self.send = page.get_by_role("button", name="Send")
        self.reconnect = page.get_by_role("button", name="Reconnect")
        self.sent = page.locator("#log [data-kind=sent] .text")
        self.events = page.locator("#log [data-kind=event] .text")
        self.returned = page.locator("#log [data-kind=returned] .text")

    def open(self, port: int) -> None:
        self.page.goto(f"http://127.0.0.1:{port}/")
        expect(self.state).to_have_text("Open")

    def type_and_press_enter(self, text: str) -> None:
        self.message.fill(text)
        self.message.press("Enter")


@pytest.fixture
def echo_page(page: Page) -> EchoPage:
    return EchoPage(page)


def expect_texts(entries: Locator, texts: list[str]) -> None:
    expect(entries).to_have_count(len(texts))
    assert entries.all_inner_texts() == texts


def test_the_page_connects_with_the_subprotocol_echo(echo_page: EchoPage, server: RunningServer) -> None:
    with echo_page.page.expect_websocket() as opened:
        echo_page.open(server.port)
    socket: WebSocket = opened.value
    assert socket.url == f"ws://127.0.0.1:{server.port}/echo"
    expect(echo_page.page.locator("#address")).to_have_text(socket.url)
    expect(echo_page.page.locator("#subprotocol")).to_have_text("echo")
    assert echo_page.page.evaluate("socket.protocol") == "echo"


def test_what_is_sent_comes_back_and_both_are_logged(echo_page: EchoPage, server: RunningServer) -> None:
    echo_page.open(server.port)
    echo_page.message.fill("by the button")
    echo_page.send.click()
    expect_texts(echo_page.returned, ["by the button"])
    echo_page.type_and_press_enter("by the Enter key")
    expect_texts(echo_page.returned, ["by the button", "by the Enter key"])
    expect_texts(echo_page.sent, ["by the button", "by the Enter key"])
    expect(echo_page.message).to_have_value("")
    expect(echo_page.message).to_be_focused()


@pytest.mark.parametrize(
    "text",
    ["😀 日本語 e\u0301 👩‍👩‍👧", "first line\nsecond line", '"quoted" & <b>bold</b>', "x" * 60 * 1024],
    ids=["emoji", "lines", "markup", "60 KiB"],
)
def test_any_text_comes_back_as_it_was_typed(echo_page: EchoPage, server: RunningServer, text: str) -> None:
    echo_page.open(server.port)
    echo_page.type_and_press_enter(text)
    expect_texts(echo_page.returned, [text])
    expect_texts(echo_page.sent, [text])


def test_an_empty_message_comes_back_and_is_called_so(echo_page: EchoPage, server: RunningServer) -> None:
    echo_page.open(server.port)
    echo_page.type_and_press_enter("")
    expect_texts(echo_page.returned, ["empty message"])


def test_markup_that_comes_back_is_shown_as_text_and_never_run(echo_page: EchoPage, server: RunningServer) -> None:
    echo_page.open(server.port)
    echo_page.type_and_press_enter('<img src="x" onerror="alert(1)">')
    expect_texts(echo_page.returned, ['<img src="x" onerror="alert(1)">'])
    expect(echo_page.page.locator("#log img")).to_have_count(0)


def test_shift_and_enter_start_a_new_line_and_send_nothing(echo_page: EchoPage, server: RunningServer) -> None:
    echo_page.open(server.port)
    echo_page.message.fill("one")
    echo_page.message.press("Shift+Enter")
    echo_page.message.press_sequentially("two")
    expect(echo_page.message).to_have_value("one\ntwo")
    expect(echo_page.sent).to_have_count(0)


@pytest.mark.parametrize(
    ("end", "reason"),
    [(RunningServer.kill, "1006, the connection was lost"), (RunningServer.stop, "1001, the server is going away")],
    ids=["killed", "stopped"],
)
def test_the_page_says_that_the_server_is_gone_and_reconnects_when_it_is_back(
    echo_page: EchoPage, end: Callable[[RunningServer], int], reason: str
) -> None:
    with running("-m", "examples.echo", "--port", "0") as server:
        echo_page.open(server.port)
        echo_page.type_and_press_enter("before")
        expect_texts(echo_page.returned, ["before"])
        end(server)

    expect(echo_page.state).to_have_text("Closed")
    expect(echo_page.reason).to_have_text(reason)
    expect(echo_page.send).to_be_disabled()

    echo_page.message.fill("after")
    echo_page.reconnect.click()
    lost = "Closed with 1006, the connection was lost"
    expect_texts(echo_page.events, ["Connected", f"Closed with {reason}", lost])

    with running("-m", "examples.echo", "--port", str(server.port)):
        echo_page.reconnect.click()
        expect(echo_page.state).to_have_text("Open")
        expect(echo_page.reason).to_have_text("")
        echo_page.send.click()
        expect_texts(echo_page.returned, ["before", "after"])


def test_the_close_button_closes_with_1000(echo_page: EchoPage, server: RunningServer) -> None:
    echo_page.open(server.port)
    echo_page.page.get_by_role("button", name="Close").click()
    expect(echo_page.state).to_have_text("Closed")
    expect(echo_page.reason).to_have_text("1000, normal closure")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_the_page_never_scrolls_sideways_whatever_its_width_and_colours(
    echo_page: EchoPage, server: RunningServer, scheme: str, width: int
) -> None:
    echo_page.page.set_viewport_size({"width": width, "height": 700})
    echo_page.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    echo_page.open(server.port)
    echo_page.type_and_press_enter("w" * 500)
    expect(echo_page.returned).to_have_count(1)
    assert echo_page.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
