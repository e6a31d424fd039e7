"""Where the system gives no thread, or no file, what needs one fails or waits, and the server goes on."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Any

import outcome
import pytest
import trio

from perfectws import Backoff, HandshakeError, TLSConfiguration, WebSocket, run_in_thread
from perfectws.net.loop import open_loop
from perfectws.server import certificates
from perfectws.server.certificates import Certificates

from ..conftest import PATIENCE
from .test_certificates import Files


@pytest.fixture
def no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("trio._threads.start_thread_soon", refuse)


async def test_what_blocks_is_called_all_the_same(no_thread: None) -> None:
    results: list[outcome.Outcome[Any]] = []
    with trio.fail_after(PATIENCE):
        async with open_loop() as loop:
            loop.call_in_thread(loop.owner, lambda: "value", results.append)
            while not results:
                await trio.sleep(0)
    assert results == [outcome.Value("value")]


async def test_a_function_for_a_thread_fails_and_nothing_else(no_thread: None) -> None:
    with trio.fail_after(PATIENCE):
        async with open_loop():
            future = run_in_thread(lambda: 1)  # in the loop of the task
            with pytest.raises(RuntimeError, match="new thread"):
                await future


async def test_the_certificates_are_looked_at_again_later(no_thread: None, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(certificates, "LOOK", 0.01)
    found = Certificates(Files(tmp_path).configuration, "x")
    with trio.move_on_after(0.1) as scope:
        await found.watch()
    assert scope.cancelled_caught


def test_pem_text_for_which_there_is_no_file_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    files = Files(tmp_path)
    found = Certificates(TLSConfiguration(cert_path=files.cert, key_path=files.key.read_text()), "x")
    before = found.current()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with caplog.at_level(logging.ERROR, "perfectws"):
        found.read_again()
    assert found.current() is before
    assert "PEM text" in caplog.text


async def test_a_name_that_is_looked_up_in_a_thread_fails_the_attempt_and_is_looked_up_again(
    no_thread: None, nursery: trio.Nursery
) -> None:
    with pytest.raises(HandshakeError, match="can't start new thread"):
        await WebSocket.connect(to="ws://localhost:1/", on=nursery)
    tried = trio.Event()
    again = WebSocket.connect(
        to="ws://localhost:1/",
        on=nursery,
        on_upgrade=lambda socket: None,
        reconnect=Backoff(first=0.01, longest=0.01),
        on_retry=lambda attempt, seconds, error: tried.set(),
    )
    with trio.fail_after(PATIENCE):
        await tried.wait()
    again.cancel()
