"""The command ``python -m benchmarks``: what it reports, and that nothing outlives it. Never how fast anything is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 60
COMMAND = [sys.executable, "-m", "benchmarks", "--quick", "--servers", "perfectws"]


def session_of(entry: Path) -> int:
    """Return the session that a process of /proc belongs to."""
    try:
        return int((entry / "stat").read_text().rpartition(")")[2].split()[3])
    except (FileNotFoundError, ProcessLookupError):
        return -1


def processes_of(session: int) -> list[int]:
    """Return the processes that a command in a session of its own has started, and the command."""
    return [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if session_of(entry) == session]


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for a condition, not for ever."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def started(*arguments: str) -> subprocess.Popen[str]:
    """Start the command in a session of its own."""
    return subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end in a session of its own, and see that all of it has ended."""
    with started(*arguments) as process:
        output, errors = process.communicate(timeout=PATIENCE)
    assert processes_of(process.pid) == []
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def measured(*arguments: str) -> str:
    """Run the command for a moment, longer if a busy machine lets nothing come back in so little; return its output."""
    for seconds in ("0.3", "2", "6"):
        finished = run("--seconds", seconds, *arguments)
        if "nothing came back" not in finished.stderr:
            break
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_a_quick_run_checks_every_message_and_leaves_no_process_behind(tmp_path: Path) -> None:
    file, picture = tmp_path / "figures.json", tmp_path / "picture.svg"

    output = measured(
        *("--scenario", "echo-64-10x1,echo-1024-5x10-spread,open,room-100"),
        *("--json", str(file), "--svg", str(picture)),
    )

    assert "echo 64 B, 10 × 1" in output
    assert picture.read_text().startswith("<svg")
    found = json.loads(file.read_text())
    assert {"date", "machine", "versions", "reference", "scenarios", "targets"} <= found.keys()
    assert list(found["scenarios"]) == ["echo-64-10x1", "echo-1024-5x10-spread", "open", "room-100"]
    for scenario in found["scenarios"].values():
        outcome = scenario["servers"]["perfectws"]
        figures = outcome["rounds"]["0"]
        assert outcome["reason"] is None
        assert outcome["checked"] == figures["count"] > 0
        assert all(figures[name] > 0 for name in ("rate", "cpu_us", "p50_us", "p99_us", "load_busy"))
        assert figures["p50_us"] <= figures["p99_us"]
    assert found["scenarios"]["echo-64-10x1"]["servers"]["perfectws"]["median"]["half_p99_us"] > 0


def test_fairness_is_measured_beside_a_server_inside_a_trio_program(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"

    measured("--scenario", "fairness", "--json", str(file))

    scenarios = json.loads(file.read_text())["scenarios"]
    assert scenarios["fairness-gap"]["servers"]["perfectws"]["median"]["gap_ms"] >= 1
    assert scenarios["fairness-polite"]["servers"]["perfectws"]["median"]["p99_us"] > 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_however_the_command_is_ended_its_servers_and_its_load_end_too(number: signal.Signals) -> None:
    with subprocess.Popen(
        [*COMMAND, "--scenario", "echo-64-10x1", "--seconds", "30"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        wait_until(lambda: len(processes_of(process.pid)) == 3)  # the command, a server, the load
        os.kill(process.pid, number)
        process.wait(PATIENCE)

    wait_until(lambda: processes_of(process.pid) == [])
    assert process.returncode != 0


def test_a_name_that_is_not_known_is_refused_with_those_that_are() -> None:
    finished = run("--scenario", "ecko")
    assert finished.returncode == 2
    assert "there is no scenario 'ecko'; there are echo-64-1x1," in finished.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--scenario", "echo-64-1x1,"), "a name is missing in 'echo-64-1x1,'"),
        (("--rounds", "0"), "at least 1, not 0"),
        (("--seconds", "nan"), "a number above 0, below an hour, not nan"),
        (("--json", "/nowhere/figures.json"), "/nowhere/figures.json cannot be written"),
        (("--svg", "/"), "/ cannot be written"),
        (("--check",), "it takes no --scenario, --servers or --full"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_measured(arguments: tuple[str, ...], complaint: str) -> None:
    finished = run(*arguments)
    assert finished.returncode == 2
    assert complaint in finished.stderr


def test_names_may_stand_apart_and_the_list_can_be_piped() -> None:
    finished = run("--servers", "perfectws, picows_uvloop", "--list")
    assert finished.returncode == 0
    assert "echo-64-100x1" in finished.stdout
    assert "picows-uvloop" in finished.stdout


def test_what_was_measured_before_it_is_interrupted_is_printed(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    scenarios = ("--scenario", "echo-64-10x1,echo-64-1x1", "--seconds", "1", "--rounds", "9")
    with started(*scenarios, "--json", str(file)) as process:
        assert process.stderr is not None
        while "round 1" not in process.stderr.readline():
            assert process.poll() is None
        os.kill(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=PATIENCE)

    assert process.returncode == 130
    assert "stopped before the end" in errors
    assert "echo 64 B, 10 × 1" in output
    assert json.loads(file.read_text())["scenarios"]["echo-64-10x1"]["servers"]["perfectws"]["median"]["rate"] > 0


def test_a_compiler_that_is_named_and_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler -O3")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    finished = run("--scenario", "echo-64-10x1")
    assert finished.returncode == 1
    assert "CC names no-such-compiler, which there is not" in finished.stderr


def test_without_a_compiler_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    finished = run("--scenario", "echo-64-10x1")
    assert finished.returncode == 1
    assert "there is no C compiler: install gcc" in finished.stderr
