"""ENOSPC: a disk without room, under the chat's history and its images, and under uploads.

The disk is a tmpfs of one or two MiB in a mount namespace of its own, filled from outside.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from shutil import copy

import httpx
import pytest

from ..conftest import PATIENCE
from ..examples.chat_client import ChatClient, chatting
from ..examples.pictures import png
from ..examples.running import RunningServer, running
from .serving import opened, serving, talk, url
from .spaces import Ballast, on_small_disk, seen_from


def texts(messages: list[dict[str, object]]) -> list[object]:
    """Return what messages say."""
    return [message["text"] for message in messages]


class TestUnderTheChat:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        (tmp_path / "disk").mkdir()
        return tmp_path / "disk"

    @pytest.fixture
    def server(self, folder: Path) -> Iterator[RunningServer]:
        arguments = ("--port", "0", "--database", str(folder / "chat.sqlite3"), "--images", str(folder / "images"))
        with running("-m", "examples.chat", *arguments, within=on_small_disk(folder, "2m")) as server:
            yield server

    def test_who_cannot_be_kept_is_told_so_and_what_was_acknowledged_is_there(
        self, server: RunningServer, folder: Path, tmp_path: Path, http: httpx.Client
    ) -> None:
        disk = seen_from(server.process.pid, folder)
        ballast = Ballast(disk)
        with chatting(server.port) as ana, chatting(server.port) as ben:
            assert ana.hello("Ana")["type"] == "welcome"
            assert ben.hello("Ben")["type"] == "welcome"
            assert ana.say("before", "1")["type"] == "stored"
            ballast.fill()
            # Small messages may find a little room that is SQLite's own already; a long one does not.
            long = "much" * 500
            refused = self.say_until_refused(ana, long)
            assert (refused["type"], refused["code"]) == ("error", "not-stored")
            assert self.send_image(http, server.port, 1).status_code == 507
            assert list((disk / "images").iterdir()) == []
            for number in range(3):
                assert ana.say(long, f"again {number}")["type"] == "error"
            # Whoever comes now is welcomed, with what is there.
            with chatting(server.port) as cleo:
                assert "before" in texts(cleo.hello("Cleo")["messages"])
            ballast.remove()
            assert ana.say("after", "2")["type"] == "stored"
            assert ana.say(long, str(refused["id"]))["type"] == "stored"  # sent again, as a page does
            assert self.send_image(http, server.port, 2).status_code == 201
            with chatting(server.port) as dora:
                kept = texts(dora.hello("Dora")["messages"])
            heard: list[object] = []
            while not heard or heard[-1] != "after":
                heard.append(ben.receive_type("message")["message"]["text"])
            assert heard == kept[: len(heard)]
            assert kept[-2:] == ["after", long]
            for file in disk.glob("chat.sqlite3*"):
                copy(file, tmp_path)
        assert server.stop() == 0
        with closing(sqlite3.connect(tmp_path / "chat.sqlite3")) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert [text for (text,) in database.execute("SELECT text FROM messages ORDER BY id")] == kept
        complaints = "\n".join(server.complaints())
        assert complaints.count("database or disk is full") == complaints.count("Traceback") == 1

    def say_until_refused(self, ana: ChatClient, text: str) -> dict[str, object]:
        for number in range(1000):
            answer = ana.say(text, f"long {number}")
            if answer["type"] != "stored":
                return answer
        raise AssertionError("the disk never was full")

    def send_image(self, http: httpx.Client, port: int, width: int) -> httpx.Response:
        host = f"http://127.0.0.1:{port}"
        return http.post(f"{host}/images", content=png(width, 1), headers={"Origin": host})


def until_it_holds(disk: Path, *names: str) -> None:
    """Wait until these files are left: those of an upload are removed behind its answer."""
    deadline = time.monotonic() + PATIENCE
    while (there := [file.name for file in disk.iterdir()]) != list(names):
        assert time.monotonic() < deadline, there
        time.sleep(0.01)


def until_it_is_free(disk: Path) -> None:
    """Wait until the last file is closed too: a file that has no name any more takes its room until then."""
    deadline = time.monotonic() + PATIENCE
    while (found := os.statvfs(disk)).f_bfree < found.f_blocks:
        assert time.monotonic() < deadline, found
        time.sleep(0.01)


def test_an_upload_that_finds_no_room_is_answered_by_507_and_leaves_nothing(tmp_path: Path, http: httpx.Client) -> None:
    size = 600_000
    within = (*on_small_disk(tmp_path, "1m"), "env", f"TMPDIR={tmp_path}")
    with serving(within=within, max_upload_size=10_000_000) as server, opened(server.port) as neighbour:
        disk = seen_from(server.process.pid, tmp_path)

        def upload() -> httpx.Response:
            return http.post(url(server, "/measure"), files={"file": ("a.bin", bytes(size))})

        assert upload().json() == [size]
        until_it_holds(disk)
        until_it_is_free(disk)
        ballast = Ballast(disk)
        ballast.fill()
        for _ in range(3):
            assert upload().status_code == 507
            talk(neighbour, "hello")
        assert http.post(url(server, "/measure"), content=bytes(size)).json() == [size]  # which needs no disk
        until_it_holds(disk, "ballast")
        ballast.remove()
        assert upload().json() == [size]
        neighbour.close()
        assert server.stop() == 0
        assert server.complaints() == ["WARNING: An upload cannot be stored: [Errno 28] No space left on device"]
