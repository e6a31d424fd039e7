"""The chat's page on a network that falls silent, breaks, or sleeps: it notices, says so, and keeps what was typed."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.examples.running import RunningServer, running

from .chat_page import ChatPage
from .conftest import NewPage


@pytest.fixture
def server() -> Iterator[RunningServer]:
    with running("-m", "examples.chat", "--port", "0", "--memory") as server:
        yield server
        server.process.send_signal(signal.SIGCONT)


@pytest.fixture
def ana(page: Page, server: RunningServer) -> ChatPage:
    """A page whose clock the test sets."""
    page.clock.install()
    return ChatPage(page).join(server.port, "Ana")


def test_a_network_that_falls_silent_is_noticed_and_what_was_typed_is_kept(
    ana: ChatPage, server: RunningServer, new_page: NewPage
) -> None:
    server.process.send_signal(signal.SIGSTOP)
    ana.page.clock.run_for(15_000)
    expect(ana.state).to_have_text("Connected")
    ana.write("said into the silence")
    ana.message.fill("a draft")
    ana.page.clock.run_for(5_000)
    expect(ana.state).to_have_text("Reconnecting")
    ana.page.clock.run_for(1_500)
    expect(ana.trouble).to_contain_text("The connection is lost")
    server.process.send_signal(signal.SIGCONT)
    ana.expect_connected()
    expect(ana.unstored).to_have_count(0)
    expect(ana.message).to_have_value("a draft")
    ben = ChatPage(new_page()).join(server.port, "Ben")
    ben.expect_texts("said into the silence")


def test_a_network_that_is_only_quiet_stays_connected(ana: ChatPage) -> None:
    for _ in range(6):
        with ana.page.expect_event("console", lambda line: line.text == "beat"):
            ana.page.evaluate("""() => {
                const hear = WebSocket.prototype.send;
                WebSocket.prototype.send = function (data) {
                    WebSocket.prototype.send = hear;
                    this.addEventListener("message", () => console.log("beat"), { once: true });
                    this.send(data);
                };
            }""")
            ana.page.clock.run_for(15_000)
    ana.expect_connected()


def test_a_page_that_is_offline_says_so_at_once_and_is_back_at_once(ana: ChatPage) -> None:
    ana.page.context.set_offline(True)
    expect(ana.state).to_have_text("Reconnecting")
    ana.write("said offline")
    ana.page.clock.run_for(1_500)
    expect(ana.trouble).to_contain_text("You are offline")
    ana.page.context.set_offline(False)
    ana.expect_connected()
    expect(ana.unstored).to_have_count(0)


@pytest.mark.parametrize("reason", ["sleep", "visibilitychange", "online"])
def test_a_page_with_a_reason_to_doubt_asks_at_once(ana: ChatPage, server: RunningServer, reason: str) -> None:
    server.process.send_signal(signal.SIGSTOP)
    if reason == "sleep":
        ana.page.clock.fast_forward(13_000)
    else:
        target = "document" if reason == "visibilitychange" else "window"
        ana.page.evaluate(f"{target}.dispatchEvent(new Event('{reason}'))")
    ana.page.clock.run_for(2_500)
    expect(ana.state).to_have_text("Reconnecting")
    server.process.send_signal(signal.SIGCONT)
    ana.expect_connected()


def test_a_lost_connection_is_told_after_a_second_and_a_half_however_often_it_is_tried(
    ana: ChatPage, server: RunningServer
) -> None:
    ana.page.evaluate("Math.random = () => 0")  # each wait is as short as can be: 300 ms, then 600 ms
    ana.page.clock.pause_at(datetime.now() + timedelta(seconds=5))  # else it goes on by itself too
    server.kill()
    expect(ana.state).to_have_text("Reconnecting")
    for milliseconds in (400, 700):
        with ana.page.expect_websocket():
            ana.page.clock.run_for(milliseconds)
    expect(ana.trouble).to_be_hidden()
    ana.page.clock.run_for(400)
    expect(ana.trouble).to_be_visible()


def test_coming_back_takes_nothing_from_under_one_s_hands(ana: ChatPage, server: RunningServer) -> None:
    other_room = ana.page.get_by_label("Go to another room")
    other_room.press_sequentially("te")
    server.stop()
    expect(ana.state).to_have_text("Reconnecting")
    with running("-m", "examples.chat", "--port", str(server.port), "--memory"):
        ana.page.clock.run_for(15_000)
        ana.expect_connected()
        expect(other_room).to_be_focused()
        ana.page.keyboard.type("a")
        expect(other_room).to_have_value("tea")
