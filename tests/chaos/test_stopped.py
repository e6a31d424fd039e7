"""SIGSTOP: a process that stands still for a while, and goes on as if nothing had been."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import httpx
import pytest
from websockets.sync.client import ClientConnection

from perfectws.server.workers.crew import SILENCE_TOLD

from ..conftest import PATIENCE
from ..examples.running import ROOT
from .serving import STRICT, opened, serving, talk, url


@pytest.fixture
def pause(is_long: bool) -> float:
    """How long a process stands still, in seconds: longer than the patience of its keepalive."""
    return 30.0 if is_long else 1.2


@contextmanager
def standing_still(process: int) -> Iterator[None]:
    """Let a process stand still around a block."""
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


def test_a_server_that_stood_still_answers_all_and_has_dropped_nobody(pause: float) -> None:
    with ExitStack() as stack, ThreadPoolExecutor(4) as threads:
        server = stack.enter_context(serving(STRICT))
        connections = [stack.enter_context(opened(server.port)) for _ in range(5)]
        for connection in connections:
            talk(connection, "before")
        with standing_still(server.process.pid):
            for connection in connections:
                connection.send("meanwhile")
                connection.send("and this")
            newcomer = threads.submit(opened, server.port)
            asking = threads.submit(httpx.get, url(server, "/pid"), timeout=PATIENCE, trust_env=False)
            time.sleep(pause)
            assert not asking.done()
        for connection in connections:
            assert [connection.recv(PATIENCE) for _ in range(2)] == ["meanwhile", "and this"]
        assert asking.result(PATIENCE).text == str(server.process.pid)
        connections.append(stack.enter_context(newcomer.result(PATIENCE)))
        time.sleep(2 * sum(STRICT.values()))  # what the keepalive holds against them shows by then
        for connection in connections:
            talk(connection, "after")
            connection.close()
        assert server.stop() == 0
        assert server.complaints() == []


def test_a_client_that_stood_still_was_let_go_and_comes_back_with_all_that_it_has_to_say(pause: float) -> None:
    command = [sys.executable, "-W", "error", "-m", "tests.chaos.client"]
    with serving(STRICT) as server, opened(server.port) as neighbour:
        with subprocess.Popen(
            [*command, str(server.port)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as client:
            assert client.stdin is not None
            assert client.stdout is not None
            try:
                heard = [next(client.stdout) for _ in range(5)]
                with standing_still(client.pid):
                    end = time.monotonic() + pause
                    while time.monotonic() < end:
                        talk(neighbour, "hello")
                        time.sleep(0.05)
                heard += [next(client.stdout) for _ in range(20)]
                client.stdin.close()
                assert client.wait(PATIENCE) == 0
            finally:
                client.kill()
        numbers = [int(line) for line in heard]
        # An echo that was on its way to it when it was let go is missing. Nothing else, and nothing comes twice.
        assert numbers == sorted(set(numbers))
        assert numbers[:5] == list(range(5))
        assert numbers[-1] - len(numbers) < 5
        neighbour.close()
        assert server.stop() == 0
        assert server.complaints() == []


def test_while_a_worker_stands_still_the_other_serves_and_behind_it_both_do(pause: float) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(serving(workers=2))
        stopped = int(httpx.get(url(server, "/pid"), timeout=PATIENCE, trust_env=False).text)
        connections = [stack.enter_context(opened(server.port)) for _ in range(12)]
        with standing_still(stopped):
            for connection in connections:
                connection.send("meanwhile")
            time.sleep(pause)
            for _ in range(8):
                other = httpx.get(url(server, "/pid"), timeout=PATIENCE, trust_env=False)
                assert int(other.text) != stopped
                talk(stack.enter_context(opened(server.port)), "hello")
            answered = [connection for connection in connections if is_answered(connection, "meanwhile")]
            assert 0 < len(answered) < len(connections)
        for connection in connections:
            if connection not in answered:
                assert connection.recv(PATIENCE) == "meanwhile"
            talk(connection, "after")
        is_told = pause > SILENCE_TOLD
        time.sleep(SILENCE_TOLD + 1 if is_told else 0)  # the supervisor may look as seldom as that
        assert server.stop() == 0
        told = [line.partition(") ")[2] for line in server.complaints()]
        assert told == (["does not answer: the others take what comes", "answers again"] if is_told else [])


def is_answered(connection: ClientConnection, message: str) -> bool:
    """Tell whether a message has been answered already."""
    try:
        assert connection.recv(0) == message
    except TimeoutError:
        return False
    return True
