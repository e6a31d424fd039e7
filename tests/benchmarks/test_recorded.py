"""What ``--record`` writes: one entry for each command, which names nothing of whoever ran it."""

from __future__ import annotations

import getpass
import json
import socket
from datetime import date
from pathlib import Path

import pytest

from benchmarks import machine, recorded
from benchmarks.soak.__main__ import parse, record
from tests import count, coverage_table, promises

from .test_soak import findings, loaded


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of results that is not the repository's."""
    monkeypatch.setattr(recorded, "FILE", tmp_path / "results.json")
    return recorded.FILE


def test_an_entry_takes_the_place_of_the_one_before_it_and_leaves_the_others(file: Path) -> None:
    recorded.record("fuzz", "python -m tests.fuzz", {"executions": 1})
    recorded.record("autobahn", "python -m tests.interop.autobahn", {"cases": 517}, versions={"suite": "25"})
    recorded.record("fuzz", "python -m tests.fuzz", {"executions": 2}, packages=["trio", "no-such-package"])
    found = recorded.read()
    assert list(found) == ["autobahn", "fuzz"]
    assert found["fuzz"]["counts"] == {"executions": 2}
    assert found["fuzz"]["versions"].keys() == {"python", "perfectws", "trio"}
    assert found["autobahn"]["versions"]["suite"] == "25"
    assert [path.name for path in file.parent.iterdir()] == ["results.json"]


def test_an_entry_says_when_and_on_what_and_not_whose(file: Path) -> None:
    recorded.record("fuzz", "python -m tests.fuzz", {"executions": 1}, on=date(2026, 11, 30))
    (entry,) = recorded.read().values()
    assert entry["date"] == "2026-11-30"
    assert entry["machine"] == machine.description()
    assert " core" in entry["machine"]
    text = file.read_text()
    assert socket.gethostname() not in text
    assert str(Path.home()) not in text
    assert getpass.getuser() not in text or getpass.getuser() in entry["machine"]


def test_a_soak_is_recorded_by_its_transports_with_the_command_that_repeats_it(file: Path) -> None:
    found = findings(samples=loaded(lambda seconds: 2**20 * (100 if seconds < 90 else 101)), left={"c": 4})
    record(found, parse(["--connections", "20", "--minutes", "5", "--seed", "7", "--record"]))
    record(found, parse(["--connections", "20", "--over", "unix,plain", "--seed", "7", "--record"]))
    entries = recorded.read()
    assert list(entries) == ["soak", "soak-plain-unix"]
    command = "python -m benchmarks.soak --connections 20 --minutes 5 --over plain,tls,unix --seed 7 --record"
    assert entries["soak"]["command"] == command
    counts = entries["soak"]["counts"]
    assert (counts["sent"], counts["answered"], counts["lost"], counts["left"]) == (100, 100, 0, 4)
    assert counts["memory"] == [100, *[101] * 7]
    assert counts["complaints"] == 1


def test_what_is_recorded_can_be_read_as_json(file: Path) -> None:
    recorded.record("fuzz", "python -m tests.fuzz", {"targets": {"frames": {"executions": 5}}})
    assert json.loads(file.read_text())["fuzz"]["counts"]["targets"]["frames"]["executions"] == 5


def test_what_the_tests_reach_is_recorded_as_the_page_says_it(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = {"covered_lines": 90, "num_statements": 100, "covered_branches": 9, "num_branches": 20}
    files = {"perfectws/http/http11.py": {"summary": summary}, "perfectws/errors.py": {"summary": summary}}
    report = tmp_path / "report.json"
    report.write_text(json.dumps({"meta": {"version": "7.17"}, "files": files}))
    coverage_table.main(str(report))
    (entry,) = recorded.read().values()
    assert entry["counts"]["percent"] == 82.5
    page = capsys.readouterr().out
    assert "| **all** | 180 of 200 | 18 of 40 | 82.50 % |" in page
    assert f"Measured on {entry['date']} by coverage.py 7.17 with Python" in page


def test_the_tests_of_each_promise_are_counted(file: Path) -> None:
    sixth = promises.read_promises()["6"]
    counts = count.counts_of({sixth.tests[0]: 5, "tests/test_errors.py": 2})
    assert (counts["collected"], counts["files"], counts["promises"]["6"]) == (7, 2, 5)


PAGE = """
### Law 3. A callback may be sync
Words.

Held by `tests/a.py`,
`tests/b.py`; also `tests/c.py`.

### Law 4. An error
Held by `tests/d.py`.

### Threads, beside the laws

Held by `tests/e.py`.

## 2. The layers
Held by `tests/f.py`.
"""


def test_promises_are_read_with_their_tests() -> None:
    laws = promises.laws_of(PAGE)
    assert [(law.name, law.tests) for law in laws.values()] == [
        ("3", ("tests/a.py", "tests/b.py", "tests/c.py")),
        ("4", ("tests/d.py",)),
        ("threads", ("tests/e.py",)),
    ]
    row = "| A head: `max_headers` | as `tests/g.py`, `tests/g.py` | `python -m tests.promises head` | 5 |"
    assert promises.limits_of(f"{row}\n| b | c |\n") == {
        "head": promises.Promise("head", "A head: `max_headers`", ("tests/g.py",))
    }
    assert len(promises.read_promises()) > 24


@pytest.mark.slow
def test_the_tests_of_a_promise_are_run_and_all_promises_are_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert promises.main([]) == 0
    assert "6: A send's completion means that there is room\n    tests/websocket/" in capsys.readouterr().out
    few = {"few": promises.Promise("few", "Few", ("tests/test_deadline.py",))}
    monkeypatch.setattr(promises, "read_promises", lambda: few)
    assert promises.main(["few", "-q", "-n0"]) == 0
