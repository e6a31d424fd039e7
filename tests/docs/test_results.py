"""The figures of pages: those of ``docs/results.json``, which the commands write, and nothing else."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

import benchmarks.soak.__main__ as soak
import tests.fuzz.__main__ as fuzzing
import tests.interop.autobahn.__main__ as autobahn
from benchmarks import recorded
from tests import count, promises
from tests.rfc.test_accounted_for import COUNTS

from . import figures
from .pages import DOCS, ROOT, name_of, pages

RESULTS = recorded.read()
RELIABILITY = DOCS / "reliability.md"

#: What each command is run by, and what reads its arguments.
PARSERS: dict[str, Any] = {
    "tests.fuzz": fuzzing.make_parser,
    "tests.interop.autobahn": autobahn.make_parser,
    "benchmarks.soak": soak.make_parser,
    "tests.count": count.make_parser,
    "tests.promises": promises.make_parser,
}
#: The options of pytest that pages use.
PYTEST = re.compile(r"--long|-n0|-m|-q|-k|-o|faulthandler_timeout=\d+|not slow")


# What is recorded


def wrong_results(results: dict[str, recorded.Entry]) -> Iterator[str]:
    """Yield what was recorded and is not as it must be."""
    for testee, counts in results["autobahn"]["counts"]["testees"].items():
        if set(counts) - {"OK", "INFORMATIONAL"} or sum(counts.values()) != results["autobahn"]["counts"]["cases"]:
            yield f"autobahn: {testee}: {counts}: python -m tests.interop.autobahn FOLDER --record"
    if results["fuzz"]["counts"]["failures"]:
        yield "fuzz: an input fails: python -m tests.fuzz --record"
    for name, entry in results.items():
        if name.startswith("soak") and any(entry["counts"][each] for each in ("lost", "left", "errors", "complaints")):
            yield f"{name}: something was lost, left behind or complained of: python -m benchmarks.soak --record"


def test_what_is_recorded_was_right() -> None:
    assert list(wrong_results(RESULTS)) == []


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        (("autobahn", "testees", "client, frames"), {"OK": 516, "FAILED": 1}, "client, frames"),
        (("autobahn", "testees", "client, frames"), {"OK": 516}, "client, frames"),
        (("fuzz", "failures"), 1, "an input fails"),
        (("soak", "lost"), 1, "something was lost"),
        (("soak", "complaints"), 1, "something was lost"),
    ],
)
def test_what_was_not_right_is_found(path: tuple[str, ...], value: object, complaint: str) -> None:
    results = deepcopy(RESULTS)
    name, *keys, last = path
    place: Any = results[name]["counts"]
    for key in keys:
        place = place[key]
    place[last] = value
    assert any(complaint in each for each in wrong_results(results))


def test_what_is_recorded_says_when_on_what_and_by_what_and_not_whose() -> None:
    for name, entry in RESULTS.items():
        assert date.fromisoformat(entry["date"]) <= datetime.now(UTC).date(), name
        assert re.match(r"\d+ cores?, ", entry["machine"]), name
        assert {"python", "perfectws"} <= entry["versions"].keys(), name
    assert not re.search(r"\"[^\"]*/(home|tmp|root|work|Users)\b|localhost", recorded.FILE.read_text("utf-8"))


# The pages


def unknown_figures(text: str) -> list[str]:
    """Return the figures that a page takes and that are not recorded."""
    unknown = []
    for name in re.findall(r"\{(?:result|more-than)\}`([^`]+)`", text):
        try:
            figures.as_text(figures.value_of(RESULTS, name))
        except KeyError:
            unknown.append(name)
    return unknown


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_every_figure_that_a_page_takes_is_recorded(page: Path) -> None:
    assert unknown_figures(page.read_text(encoding="utf-8")) == []


def test_a_figure_that_is_not_recorded_is_found() -> None:
    assert unknown_figures("{result}`fuzz.executed` and {result}`fuzz.date`") == ["fuzz.executed"]
    assert unknown_figures("{more-than}`nothing.at_all`") == ["nothing.at_all"]


#: What pages say in words of what is recorded: the sentence, the figure, and the command that counts it anew.
SAYINGS = {
    r"more than ([\d,]+) tests": ("tests.collected", "python -m tests.count --record"),
    r"([\d,]+) cases of the Autobahn": ("autobahn.cases", "python -m tests.interop.autobahn FOLDER --record"),
    r"more than ([\d,]+) executions": ("fuzz.executions", "python -m tests.fuzz --seconds 3600 --record"),
}


def wrong_counts(text: str) -> Iterator[str]:
    """Yield what a page says of what is recorded and is not so."""
    line = " ".join(text.split())
    for saying, (name, command) in SAYINGS.items():
        value = figures.value_of(RESULTS, name)
        right = figures.rounded_down(value) if saying.startswith("more than") else f"{value:,}"
        for said in re.findall(saying, line):
            if said != right:
                yield f"{said} is said, and {right} is recorded as {name}: write that, or count anew: {command}"


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_what_a_page_says_of_what_is_recorded_is_so(page: Path) -> None:
    assert list(wrong_counts(page.read_text(encoding="utf-8"))) == []


def test_a_count_that_is_not_what_is_recorded_is_found_with_the_command_that_counts() -> None:
    (complaint,) = wrong_counts("There are more than\n99,000 tests.")
    assert complaint.endswith("python -m tests.count --record")
    assert len(list(wrong_counts("all 516 cases of the Autobahn test suite, more than 7 executions"))) == 2


def test_the_readme_says_how_much_it_is_tested() -> None:
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert [saying for saying in SAYINGS if not re.search(saying, readme)] == []


@pytest.mark.parametrize(
    ("value", "text"), [(7, "7"), (42, "42"), (517, "510"), (11_234, "11,000"), (322_951, "320,000")]
)
def test_numbers_are_rounded_down(value: int, text: str) -> None:
    assert figures.rounded_down(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(1234, "1,234"), (97.96, "97.96"), ([234, 230, 231], "230 to 234"), ([5], "5"), ([], "–")]
)
def test_figures_are_written_as_people_write_them(value: object, text: str) -> None:
    assert figures.as_text(value) == text


def coverage_complaints(page: str) -> Iterator[str]:
    """Yield where docs/coverage.md differs from what is recorded."""
    entry = RESULTS["coverage"]
    for value in (f"{entry['counts']['percent']:.2f} % |", entry["date"], entry["versions"]["python"]):
        if value not in page:
            yield f"docs/coverage.md does not say {value}: run bash .ci/coverage"


def test_the_table_of_coverage_is_what_is_recorded() -> None:
    page = (DOCS / "coverage.md").read_text(encoding="utf-8")
    assert list(coverage_complaints(page)) == []
    assert len(list(coverage_complaints(page.replace(RESULTS["coverage"]["date"], "1999-12-31")))) == 1


# How many tests there are


def collected(session: pytest.Session) -> Counter[str]:
    """Return how many tests each file has: of this session, if it has them all; else they are collected once more."""
    here = Counter(item.path.relative_to(ROOT).as_posix() for item in session.items)
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("test_*.py")}
    return here if here.keys() >= files else count.collected()


@pytest.mark.slow
def test_there_are_no_fewer_tests_than_are_recorded(request: pytest.FixtureRequest) -> None:
    now, then = count.counts_of(collected(request.session)), RESULTS["tests"]["counts"]
    fewer = [name for name, number in then["promises"].items() if now["promises"].get(name, 0) < number]
    assert now["collected"] >= then["collected"], "there were more: if that is meant, python -m tests.count --record"
    assert fewer == [], "there were more: if that is meant, python -m tests.count --record"


# docs/reliability.md


def commands_in(text: str) -> Iterator[str]:
    """Yield the commands of a page: of its blocks, and in backticks."""
    for block in re.findall(r"^```sh\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
        yield from block.splitlines()
    yield from re.findall(r"(?<!`)`((?:\.venv/bin/)?python -m [^`\n]+|bash [^`\n]+)`", text)


def why_wrong(command: str) -> str | None:
    """Return what is wrong with a command, if anything is."""
    words = shlex.split(re.sub(r"^[A-Z_]+=\S+ ", "", command))
    if words[0] == "bash":
        return None if (ROOT / words[1]).is_file() else f"{command}: there is no {words[1]}"
    module, arguments = words[2], words[3:]
    if module == "pytest" or module == "tests.platforms":
        return wrong_paths(command, arguments)
    if module not in PARSERS:
        return f"{command}: nobody knows {module}: see PARSERS in tests/docs/test_results.py"
    try:
        PARSERS[module]().parse_args(arguments)
    except SystemExit:
        return f"{command}: {module} does not take that"
    return None


def wrong_paths(command: str, arguments: list[str]) -> str | None:
    for each in arguments:
        if each.startswith("tests/") and not (ROOT / each).exists():
            return f"{command}: there is no {each}"
        if not each.startswith("tests/") and not PYTEST.fullmatch(each) and each not in ("pytest", "win32", "darwin"):
            return f"{command}: nobody knows {each}"
    return None


def test_every_command_on_reliability_can_be_run() -> None:
    commands = set(commands_in(RELIABILITY.read_text(encoding="utf-8"))) - {"python -m tests.promises NAME"}
    assert len(commands) > 30
    assert [why for command in sorted(commands) if (why := why_wrong(command))] == []
    assert [why for entry in RESULTS.values() if (why := why_wrong(entry["command"]))] == []


@pytest.mark.parametrize(
    "command",
    [
        "bash .ci/soak",
        "python -m tests.fuzz --secondz 20",
        "python -m tests.fuzzing",
        "python -m tests.promises 14",
        "python -m pytest tests/chaotic",
        "python -m pytest tests/chaos --longer",
        ".venv/bin/python -m benchmarks.soak --hours 5",
    ],
)
def test_a_command_that_cannot_be_run_is_found(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert why_wrong(command)


def test_the_modules_on_reliability_say_how_they_are_called() -> None:
    for module in PARSERS:
        done = subprocess.run([sys.executable, "-m", module, "--help"], cwd=ROOT, capture_output=True, text=True)
        assert (done.returncode, done.stdout[:6]) == (0, "usage:"), done.stderr


def test_every_path_of_tests_on_reliability_is_there() -> None:
    paths = re.findall(r"`((?:tests|docs|benchmarks|\.ci)/[\w/.]+)`", RELIABILITY.read_text(encoding="utf-8"))
    assert len(paths) > 40
    assert [path for path in paths if not (ROOT / path).exists()] == []


def promise_complaints(text: str) -> Iterator[str]:
    """Yield what is wrong with the tables of promises of a page: a law that has no row, a test that holds another."""
    laws = promises.laws_of(promises.LAWS.read_text(encoding="utf-8"))
    rows = promises.limits_of(text)
    yield from (f"law {name} has no row" for name in laws if name not in rows)
    for name, row in rows.items():
        if not row.tests:
            yield f"{name} names no test"
        held = laws[name].tests if name in laws else row.tests
        yield from (f"{test} is not under law {name}" for test in row.tests if test not in held)
        if name.isdecimal() and not row.title.startswith(f"{name}. "):
            yield f"the row {row.title!r} has the command of law {name}"
        if f"{{result}}`tests.promises.{name}` |" not in text:
            yield f"{name} has no figure"


def test_every_law_and_every_limit_has_a_row_with_its_tests_its_command_and_its_figure() -> None:
    text = RELIABILITY.read_text(encoding="utf-8")
    assert list(promise_complaints(text)) == []
    assert [each for each in promises.read_promises() if each.isdecimal()] == [str(number) for number in range(1, 14)]
    assert len(promises.limits_of(text)) > 24


@pytest.mark.parametrize(
    ("said", "instead", "complaint"),
    [
        ("promises 7`", "promises 8`", "law 7 has no row"),
        ("`tests/websocket/test_pings.py`", "`tests/websocket/test_closing.py`", "test_closing.py is not under law 8"),
        ("`tests/websocket/test_pings.py`", "somewhere", "8 names no test"),
        ("{result}`tests.promises.8`", "300", "8 has no figure"),
    ],
)
def test_a_promise_without_what_holds_it_is_found(said: str, instead: str, complaint: str) -> None:
    text = RELIABILITY.read_text(encoding="utf-8")
    assert said in text
    assert any(complaint in each for each in promise_complaints(text.replace(said, instead)))


def test_the_demands_of_the_rfcs_are_those_of_the_lists() -> None:
    counted = {name: sum(int(each.partition(":")[2]) for each in counts.split()) for name, counts in COUNTS.items()}
    assert counted == {name.lower().replace(" ", ""): len(listed) for name, (_, listed) in figures.RFCS.items()}
    assert len(list(figures.requirements())) == 2 + len(COUNTS)
    reasons = [each for _, listed in figures.RFCS.values() for each in listed if each.untested is not None]
    assert len(list(figures.untested())) == 2 + len(reasons) > 4


def test_the_versions_of_python_are_those_of_the_classifiers() -> None:
    setup = (ROOT / "setup.cfg").read_text(encoding="utf-8")
    *first, last = re.findall(r"Programming Language :: Python :: (3\.\d+)", setup)
    assert f"Python {', '.join(first)} and {last} are tested" in RELIABILITY.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", list(figures.TABLES))
def test_every_row_of_a_table_has_as_many_cells_as_its_head(name: str) -> None:
    lines = list(figures.TABLES[name](RESULTS))
    assert len(lines) > 2
    assert {line.count(" | ") for line in lines} == {lines[0].count(" | ")}
