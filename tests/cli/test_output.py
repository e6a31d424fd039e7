"""The standard streams of the commands: closed, full, or read by nobody any more."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import perfectws
from perfectws.cli.output import OutputEnded, OutputFailure, flush_all, open_streams, show, standard_output, tell

from .conftest import PATIENCE, Write

ROOT = Path(perfectws.__file__).parent.parent
NEEDS_FULL = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no disk that is always full")
Shell = Callable[[str], tuple[int, str, str]]
SHOP = """from perfectws import Routes
routes = Routes()
routes.get("/", lambda request, response: response.completed())
"""


def broken_pipe() -> io.TextIOWrapper:
    """Return what writes to a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    return os.fdopen(writing, "w")


def open_full() -> io.TextIOWrapper:
    """Return what writes to a disk that is full."""
    return open("/dev/full", "w")


@NEEDS_FULL
def test_a_full_one_is_told_and_takes_all_from_then_on() -> None:
    says = "^the standard output cannot be written: .+"
    with open_full() as full, pytest.raises(OutputFailure, match=says), standard_output(full):
        full.write("x")  # which the end of the file would raise for again


def test_one_that_nobody_reads_any_more_is_ended() -> None:
    with broken_pipe() as output, pytest.raises(OutputEnded), standard_output(output):
        output.write("x")


def test_lines_are_shown_as_far_as_somebody_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    with broken_pipe() as output:
        monkeypatch.setattr(sys, "stdout", output)
        show(["one", "two"])
        flush_all()
    text = io.StringIO()
    monkeypatch.setattr(sys, "stdout", text)
    show(["one", "two"])
    assert text.getvalue() == "one\ntwo\n"


@pytest.mark.parametrize("make", [broken_pipe, pytest.param(open_full, marks=NEEDS_FULL)])
def test_nothing_depends_on_who_reads_what_is_told(
    make: Callable[[], io.TextIOWrapper], monkeypatch: pytest.MonkeyPatch
) -> None:
    with make() as told:
        tell("x", told)
        monkeypatch.setattr(sys, "stderr", told)
        tell("y")
        flush_all()


def test_what_the_users_code_has_closed_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stdout", "stderr"):
        stream = io.StringIO()
        stream.close()
        monkeypatch.setattr(sys, name, stream)
    flush_all()


def test_streams_that_are_there_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    streams = sys.stdin, sys.stdout, sys.stderr
    open_streams()
    assert (sys.stdin, sys.stdout, sys.stderr) == streams


# From outside


@pytest.fixture
def shell(write_shop: Write, tmp_path: Path) -> Shell:
    """Run a line in a shell, in which ``$P`` is the command line; return its exit code, its output and what it told."""
    write_shop(SHOP)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("PYTHONUNBUFFERED", None)  # argparse says nothing of a write that fails at once

    def run(line: str) -> tuple[int, str, str]:
        done = subprocess.run(
            ["bash", "-c", f"set -o pipefail; P='{sys.executable} -m perfectws'; {line}"],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.mark.slow
class TestTheCommands:
    @NEEDS_FULL
    @pytest.mark.parametrize("command", ["check shop", "routes shop", "--help", "--version"])
    def test_an_output_that_is_full_is_one_line(self, shell: Shell, command: str) -> None:
        told = "python -m perfectws: error: the standard output cannot be written: No space left on device\n"
        assert shell(f"$P {command} >/dev/full") == (1, "", told)

    @pytest.mark.parametrize("command", ["check shop", "routes shop", "--help"])
    def test_who_has_read_enough_has_done_no_wrong(self, shell: Shell, command: str) -> None:
        assert shell(f"$P {command} | true") == (0, "", "")

    @pytest.mark.parametrize("command", ["check shop", "routes shop"])
    def test_one_that_is_closed_takes_all(self, shell: Shell, command: str) -> None:
        assert shell(f"$P {command} >&-") == (0, "", "")
        code, out, _ = shell(f"$P {command} <&- 2>&-")
        assert (code, out != "") == (0, True)

    @NEEDS_FULL
    def test_connect_closes_when_its_output_is_full(self, shell: Shell, url: str) -> None:
        code, out, told = shell(f"yes | $P connect {url} >/dev/full")
        assert (code, out) == (1, "")
        assert told == (
            f"Connected to {url}\n"
            "python -m perfectws: error: the standard output cannot be written: No space left on device\n"
        )

    @pytest.mark.parametrize("closed", ["2>&-", pytest.param("2>/dev/full", marks=NEEDS_FULL)])
    def test_the_answer_is_there_whatever_becomes_of_what_is_told(self, shell: Shell, url: str, closed: str) -> None:
        assert shell(f"echo hi | $P connect {url} {closed}") == (0, "hi\n", "")

    def test_connect_may_have_no_output_and_no_input(self, shell: Shell, url: str) -> None:
        told = f"Connected to {url}\nClosed: 1000\n"
        assert shell(f"echo hi | $P connect {url} >&-") == (0, "", told)
        assert shell(f"$P connect {url} <&-") == (0, "", told)
