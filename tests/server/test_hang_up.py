"""SIGHUP without workers: certificates are read again, and nothing ends but with its terminal."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest
import trio

from perfectws import HTTPServer, Routes
from perfectws.net import hang_up
from perfectws.net.hang_up import HangUps
from perfectws.server.certificates import LOOK
from tests.examples.running import running
from tests.server.conftest import PATIENCE, Raw
from tests.server.test_certificates import HELLO, Files, until_trusted

if sys.platform == "win32":
    pytest.skip("Windows has no SIGHUP", allow_module_level=True)

PROGRAM = """
import logging
import sys
from perfectws import HTTPServer, Routes, TLSConfiguration

logging.basicConfig(level=logging.INFO)
routes = Routes()
routes.add("GET", "/hello", lambda request, response: response.set_body("hello").completed())
tls = TLSConfiguration(cert_path=sys.argv[1], key_path=sys.argv[2])
HTTPServer.launch(name="localhost", address="127.0.0.1", port=0, routes=routes, tls_config=tls)
"""


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.fixture
def no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hang_up, "has_terminal", lambda: False)


@pytest.mark.slow
def test_sighup_reads_them_again_and_ends_nothing(files: Files) -> None:
    with running("-c", PROGRAM, str(files.cert), str(files.key)) as server:

        def connected() -> Raw:
            return Raw(("127.0.0.1", server.port), files.trusting)

        with connected() as before:
            files.renew()
            began = time.monotonic()
            server.process.send_signal(signal.SIGHUP)
            with until_trusted(connected) as after:
                assert time.monotonic() - began < LOOK - 1
                assert after.ask(HELLO)[1] == before.ask(HELLO)[1] == b"hello"
        assert server.stop() == 0
        assert any("has read its certificate again" in line for line in server.lines)


#: What a system does that has no room for another thread.
WITHOUT_THREADS = """
import trio._threads
def refuse(*arguments):
    raise RuntimeError("can't start new thread")
trio._threads.start_thread_soon = refuse
"""


@pytest.mark.slow
def test_where_there_is_no_thread_to_read_them_in_nothing_ends_either(files: Files) -> None:
    with running("-c", WITHOUT_THREADS + PROGRAM, str(files.cert), str(files.key)) as server:
        server.process.send_signal(signal.SIGHUP)
        for _ in range(5):  # several turns of the loop, in the first of which it takes the signal
            with Raw(("127.0.0.1", server.port), files.trusting) as client:
                assert client.ask(HELLO)[1] == b"hello"
        assert server.stop() == 0
        assert any("The certificates are not read again: can't start new thread" in line for line in server.lines)


async def test_it_is_taken_as_long_as_the_block_lasts(no_terminal: None) -> None:
    former = signal.getsignal(signal.SIGHUP)
    with HangUps() as hang_ups:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGHUP)
            with trio.fail_after(PATIENCE):
                await hang_ups.wait()
        assert not hang_ups.terminal_is_gone
    assert signal.getsignal(signal.SIGHUP) == former


async def test_one_of_the_applications_own_is_left_to_it() -> None:
    came: list[int] = []
    former = signal.signal(signal.SIGHUP, lambda number, frame: came.append(number))
    try:
        with HangUps():
            signal.raise_signal(signal.SIGHUP)
        assert came == [signal.SIGHUP]
    finally:
        signal.signal(signal.SIGHUP, former)


@pytest.mark.parametrize("has_nohup", [False, True])
async def test_a_terminal_that_is_gone_is_noticed_unless_nohup_asks_for_that(
    has_nohup: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hang_up, "has_terminal", lambda: True)
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN if has_nohup else signal.SIG_DFL)
    try:
        with HangUps() as hang_ups:
            assert not hang_ups.terminal_is_gone
            monkeypatch.setattr(hang_up, "has_terminal", lambda: False)
            assert hang_ups.terminal_is_gone is not has_nohup
    finally:
        signal.signal(signal.SIGHUP, former)


@pytest.mark.parametrize("is_gone", [False, True])
def test_a_server_is_stopped_by_it_only_if_the_terminal_is_gone(is_gone: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    terminals = [True]
    monkeypatch.setattr(hang_up, "has_terminal", lambda: terminals[0])
    reloaded: list[HTTPServer] = []
    server = HTTPServer.server(name="x", address="127.0.0.1", port=0, routes=Routes())

    @server.on_start
    async def started() -> None:
        terminals[0] = not is_gone
        signal.raise_signal(signal.SIGHUP)
        with trio.fail_after(PATIENCE):
            while is_gone or not reloaded:
                await trio.sleep(0.001)
        server.stop()

    monkeypatch.setattr(server, "reload_certificates", lambda: reloaded.append(server))
    former = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        server.start()
    finally:
        signal.signal(signal.SIGHUP, former)
    assert bool(reloaded) is not is_gone
