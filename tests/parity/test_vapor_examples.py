"""``examples/vapor``, as a user runs them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from ..examples.running import PATIENCE, ROOT, RunningServer, running
from ..platforms import python

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running("-m", "examples.vapor.server", "--port", "0") as server:
        yield server


def run_script(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*python(), "-m", "examples.vapor.script", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)


def test_the_script_prints_its_echoes(server: RunningServer) -> None:
    ended = run_script("--url", f"ws://localhost:{server.port}/echo", "Hello, world!", "日本語")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == "Server echo: Hello, world!\nServer echo: 日本語\n"


def test_any_other_path_is_greeted_and_reversed(server: RunningServer) -> None:
    ended = run_script("--url", f"ws://localhost:{server.port}/", "abc", "def")
    assert ended.stdout == "Server echo: Connected\nServer echo: cba\n"


def test_deny_is_refused_in_one_line_and_the_script_exits_with_1(server: RunningServer) -> None:
    ended = run_script("--url", f"ws://localhost:{server.port}/deny")
    assert ended.returncode == 1
    assert "/deny: the server answered 404 Not Found instead of 101" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_nobody_there_is_told_in_one_line() -> None:
    ended = run_script("--url", "ws://localhost:1/")
    assert ended.returncode == 1
    assert "ws://localhost:1/: cannot connect to localhost:1: " in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
