"""The chat's page on two workers over a real Redis: whichever serves it, it misses nothing and shows nothing twice."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.examples.running import RunningServer, running
from tests.rooms.redis.server import RedisServer

from .chat_page import ChatPage
from .conftest import NewPage


@pytest.fixture
def server() -> Iterator[RunningServer]:
    redis = RedisServer(tcp=True)
    redis.start()
    with running("-m", "examples.chat", "--port", "0", "--workers", "2", "--redis", redis.url) as server:
        yield server
        server.stop()
    redis.remove()


def workers(server: RunningServer) -> list[int]:
    pid = server.process.pid
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_pages_talk_over_workers_that_are_killed_in_turn(new_page: NewPage, server: RunningServer) -> None:
    names = ["Ana", "Ben", "Carol"]
    pages = [ChatPage(new_page()).join(server.port, name) for name in names]
    said = []
    for turn in range(2):
        for name, page in zip(names, pages, strict=True):
            said.append(f"{name}, {turn}")
            page.say(said[-1])
        killed = workers(server)[0]
        os.kill(killed, signal.SIGKILL)
        for name, page in zip(names, pages, strict=True):
            page.write(f"{name}, meanwhile {turn}")
        for page in pages:
            expect(page.unstored).to_have_count(0)
            page.expect_connected()
            expect(page.texts).to_have_count(6 * (turn + 1))
        seen = [page.texts.all_inner_texts() for page in pages]
        assert all(sorted(texts) == sorted(seen[0]) for texts in seen)
        assert len(set(seen[0])) == len(seen[0])
    for page in pages:
        page.page.reload()
        expect(page.texts).to_have_count(12)
        expect(page.people).to_have_count(3)
    other = ChatPage(new_page())
    other.open(server.port)
    other.introduce("ANA")
    expect(other.name_wrong).to_contain_text("is here already")
