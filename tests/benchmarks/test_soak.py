"""The command ``python -m benchmarks.soak``: a small soak to its end, and that it would find what there is to find."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
import trio
import trio.testing

from benchmarks.soak import bad_servers, bad_visits, honest, hostile
from benchmarks.soak.census import Census
from benchmarks.soak.load import AT_A_SERVER, Load
from benchmarks.soak.picture import as_svg, as_text
from benchmarks.soak.places import Places
from benchmarks.soak.scene import PATIENCE as ANSWER_PATIENCE
from benchmarks.soak.scene import Scene
from benchmarks.soak.tally import Tally
from benchmarks.soak.verdict import LEVEL, MAX_GROWTH, WARM_UP, Findings, Sample, trend

from .test_command import PATIENCE, ROOT, processes_of, wait_until

COMMAND = [sys.executable, "-m", "benchmarks.soak"]
#: A small soak ends within seconds, and not much later on a machine that is busy: nothing of it is timed.
SOAK_PATIENCE = 5 * PATIENCE


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end in a session of its own, and see that all of it has ended.

    Not under coverage.py, which keeps more and more: the soak would find that.
    """
    with subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        output, errors = process.communicate(timeout=SOAK_PATIENCE)
    assert processes_of(process.pid) == []
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


@pytest.mark.slow
def test_a_small_soak_loses_nothing_and_leaves_nothing_behind(tmp_path: Path) -> None:
    file, picture = tmp_path / "soak.json", tmp_path / "soak.svg"

    finished = run(*("--connections", "50", "--minutes", "0.05"), *("--json", str(file), "--svg", str(picture)))

    assert finished.returncode == 0, finished.stdout + finished.stderr
    found = json.loads(file.read_text())
    assert found["lost"] == 0
    assert found["left"] == {}
    assert found["complaints"] == []
    assert found["tally"]["answered"].keys() == {*honest.kinds(), honest.STAYING}
    assert found["tally"]["attacks"].keys() == hostile.KINDS.keys()
    assert "lost: 0\nleft behind: 0\n" in finished.stdout
    assert picture.read_text().startswith("<svg")


@pytest.mark.slow
def test_a_small_soak_of_clients_loses_nothing_and_leaves_nothing_behind(tmp_path: Path) -> None:
    file = tmp_path / "soak.json"

    finished = run("--over", "client", "--connections", "60", "--minutes", "0.05", "--json", str(file))

    assert finished.returncode == 0, finished.stdout + finished.stderr
    found = json.loads(file.read_text())
    assert found["lost"] == 0
    assert found["left"] == {}
    assert found["complaints"] == []
    of_bad_servers = {bad_visits.SENDS, bad_visits.READS}
    assert found["tally"]["answered"].keys() == {*honest.OF_CLIENTS, honest.STAYING} | of_bad_servers
    assert found["tally"]["attacks"].keys() == bad_visits.KINDS.keys()
    assert "lost: 0\nleft behind: 0\n" in finished.stdout


def test_every_wrong_that_a_server_does_is_met_by_a_client() -> None:
    assert {kind.name for kind in bad_visits.KINDS.values()} == bad_servers.KINDS.keys()


async def visit_at_a_bad_server(nursery: trio.Nursery) -> Tally:
    """Let a client come to a bad server, and return the books."""
    scene = Scene(Places(Path(), {}), ("plain",), Tally(), nursery, Random(1), 0.1, 0.1)
    await bad_visits.run(scene, "silent", bad_visits.KINDS["silent"])
    return scene.tally


async def test_an_error_that_is_not_documented_is_told(nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch) -> None:
    async def raises(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(bad_visits, "_visit", raises)
    assert (await visit_at_a_bad_server(nursery)).failures == ["silent: ZeroDivisionError()"]


async def test_a_client_that_stays_with_a_bad_server_is_told(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stays(*_: object) -> None:
        await trio.sleep_forever()

    monkeypatch.setattr(bad_visits, "_visit", stays)
    monkeypatch.setattr(bad_visits, "PATIENCE", 0.01)
    (failure,) = (await visit_at_a_bad_server(nursery)).failures
    assert failure.startswith("silent: a client was kept for")


@pytest.mark.slow
def test_a_soak_that_is_stopped_leaves_no_process_behind() -> None:
    with subprocess.Popen(
        [*COMMAND, "--connections", "20"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        wait_until(lambda: len(processes_of(process.pid)) == 3)  # the command, the server, the load
        os.kill(process.pid, signal.SIGTERM)
        process.wait(PATIENCE)

    wait_until(lambda: processes_of(process.pid) == [])
    assert process.returncode != 0


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--over", "plain,carrier-pigeon"), "--over takes some of plain, tls, unix, not 'carrier-pigeon'"),
        (("--over", "client,plain"), "--over takes some of plain, tls, unix, not 'client'"),
        (("--connections", "0"), "at least 1, not 0"),
        (("--connections", "999999999"), "descriptors, and"),
        (("--minutes", "0"), "a number above 0, at most a day, not 0"),
        (("--svg", "/"), "/ cannot be written"),
    ],
)
def test_what_cannot_be_done_is_refused(arguments: tuple[str, ...], complaint: str) -> None:
    finished = run(*arguments)
    assert finished.returncode == 2
    assert complaint in finished.stderr


# What is found


def census(memory: float = 1e8, **objects: int) -> Census:
    return Census(memory=int(memory), holes=1000, descriptors=10, tasks=5, timers=1, blocks=100_000, objects=objects)


def findings(**changes: Any) -> Findings:
    """Return what a soak has found that found nothing, but for the changes."""
    tally = Tally()
    tally.sent["echo"] = tally.answered["echo"] = 100
    nothing: dict[str, Any] = {"count": 0, "first": [], "intended": 7}
    found = Findings(
        connections=10,
        seconds=300,
        before=census(),
        after=census(memory=2e8),
        samples=loaded(),
        tally=tally.as_json(),
        faults={"server": nothing, "load": nothing},
        left={},
    )
    return replace(found, **changes)


def loaded(memory: Callable[[float], float] = lambda seconds: 1e8, connections: int = 10) -> list[Sample]:
    """Return samples of five minutes with so many connections, and with the memory that there is at some second."""
    return [Sample(float(at), replace(census(memory(at)), descriptors=10 + connections)) for at in range(0, 300, 2)]


def test_a_soak_that_found_nothing_complains_of_nothing() -> None:
    assert findings().complaints == []


def test_a_message_without_an_answer_is_lost() -> None:
    tally = Tally()
    tally.sent["echo"] = 3
    tally.check("echo", "1", "1")
    tally.check("echo", "3", "2")
    found = findings(tally=tally.as_json())
    assert found.lost == 2
    assert found.complaints == ["2 of 3 messages were lost", "echo: '2' was answered by '3'"]


def test_a_kind_of_which_nothing_was_answered_is_named() -> None:
    tally = Tally()
    tally.sent["echo"], tally.sent["room"], tally.answered["echo"] = 5, 0, 5
    assert findings(tally=tally.as_json()).complaints == ["none was answered: room"]


def test_whatever_there_is_more_of_than_before_is_left_behind() -> None:
    after = replace(census(a=3, b=1), descriptors=11, tasks=7, timers=1)
    found = findings(before=census(a=1, b=2), after=after, left={"c": 4})
    assert found.left_behind == {"server: descriptors": 1, "server: tasks": 2, "server: a": 2, "client: c": 4}
    assert "left behind: 2 server: tasks" in found.complaints


def test_an_error_in_the_log_is_a_complaint_unless_it_was_intended() -> None:
    faults = {"server": {"count": 1, "first": ["ERROR: oh"], "intended": 0}}
    assert findings(faults=faults).complaints == ["the server logged 1 errors", "ERROR: oh"]


def test_memory_that_grows_is_a_complaint_and_one_that_jumps_about_is_none() -> None:
    found = findings(samples=loaded(lambda seconds: 1e8 * (1 + 0.1 * seconds / 300)))
    assert found.growth is not None
    assert found.growth.part == pytest.approx(0.07, rel=0.1)
    (complaint,) = found.complaints
    assert complaint == "the memory grew by +6.64% ± 0.00%, more than 2%"
    assert findings(samples=loaded(lambda seconds: 1e8 * (1 + 0.02 * seconds / 300))).complaints == []
    jumping = findings(samples=loaded(lambda seconds: 2e8 if seconds % 14 else 1e8))
    assert jumping.growth == (0, 0)


def test_how_much_of_the_growth_may_be_chance_is_told_and_allowed() -> None:
    def memory(seconds: float) -> float:
        return 1e8 * (1 + (0.04 if seconds // LEVEL % 2 else 0) + 0.03 * seconds / 300)

    found = findings(samples=loaded(memory))
    assert found.growth is not None
    assert found.growth.part > MAX_GROWTH
    assert found.growth.chance > 0.02
    assert found.complaints == []


def test_what_python_still_holds_at_rest_is_a_complaint_but_for_a_little() -> None:
    found = findings(after=replace(census(), blocks=101_500))
    assert found.complaints == ["1.5% more blocks are held at rest, more than 1%"]
    assert findings(after=replace(census(), blocks=100_900)).complaints == []


def test_a_soak_that_is_too_short_does_not_judge_the_memory() -> None:
    found = findings(samples=loaded(lambda seconds: 1e8 * (1 + seconds))[:60], seconds=120)
    assert found.growth is None
    assert found.complaints == []


def test_free_memory_between_what_is_in_use_is_told_apart() -> None:
    program = """
from benchmarks.soak.memory import give_back_free_memory, holes, resident_memory
before = holes()
pieces = [bytes(1000) for _ in range(20_000)]
full = holes() - before, resident_memory()
del pieces[::2]
give_back_free_memory()
print(full[0], holes() - before, full[1] - resident_memory())
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    full, half, less = map(int, ended.stdout.split())
    assert full < 1_000_000 < 9_000_000 < half < 12_000_000
    assert less < 1_000_000


def test_outliers_do_not_bend_the_trend() -> None:
    assert trend([(0, 0), (1, 2), (2, 4), (3, 600), (4, 8)]) == 2


def test_the_pictures_show_every_sample() -> None:
    found = findings(samples=loaded(lambda seconds: 1e6 * seconds))
    lines = as_text(found.samples).splitlines()
    assert "282.3 ┤" in lines[0]
    assert lines[0].endswith("█")
    assert lines[-1].endswith("298 s")
    assert as_svg(found).count("<polyline") == 3
    assert as_svg(found).split('points="')[1].partition('"')[0].count(",") == 150


def test_memory_is_judged_a_while_after_the_connections_are_there_however_long_that_takes() -> None:
    few, all_of_them = loaded(connections=9)[:50], loaded(lambda seconds: 2e8)[50:]
    found = findings(samples=[*few, *all_of_them])
    assert found.watched[0].seconds == 100 + WARM_UP
    assert found.connected == 10
    assert found.growth == (0, 0)


def test_the_minutes_begin_when_those_have_come_who_stay() -> None:
    found = findings(samples=loaded(), gathered=100.0, seconds=150)
    assert found.watched[0].seconds == 100 + WARM_UP
    assert found.watched[-1].seconds == 250


def test_connections_that_never_came_are_a_complaint() -> None:
    found = findings(samples=loaded(connections=9))
    assert found.connected is None
    assert found.complaints == ["10 connections were never there, or too late for the memory to be judged"]


async def test_an_answer_is_waited_for_as_long_as_others_still_come(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    load = Load(AT_A_SERVER, Places(Path(), {}), ("plain",), 10, 1, 1)

    async def answer() -> None:
        for _ in range(10):
            await trio.sleep(ANSWER_PATIENCE * 0.45)
            load._tally.answered["echo"] += 1

    began = trio.current_time()
    async with trio.open_nursery() as sessions:
        nursery.start_soon(answer)
        nursery.start_soon(load._give_up, sessions)
        await trio.sleep_forever()
    assert trio.current_time() - began == pytest.approx(6 * ANSWER_PATIENCE)


async def test_as_many_stay_as_are_missing(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    load = Load(AT_A_SERVER, Places(Path(), {}), ("plain",), 10, 1, 1)
    connected = 7

    async def stay(scene: Scene, opened: Callable[[], object]) -> None:
        nonlocal connected
        await trio.sleep(0.7)  # longer than it takes to look again
        connected += 1
        opened()

    monkeypatch.setattr(honest, "stay", stay)
    monkeypatch.setattr("benchmarks.soak.load.open_descriptors", lambda: 20 + connected)
    async with trio.open_nursery() as sessions:
        sessions.start_soon(load._fill_up, load._scene(Tally(), nursery), sessions, 20)
        await trio.sleep(2)
        assert connected == 10
        connected = 4
        await trio.sleep(2)
        assert connected == 10
        sessions.cancel_scope.cancel()


@pytest.mark.parametrize(("each", "expected"), [(3.0, 3), (1e9, 300)], ids=["they come", "they never come"])
async def test_those_who_stay_come_first_and_are_waited_for_but_not_for_ever(
    nursery: trio.Nursery,
    monkeypatch: pytest.MonkeyPatch,
    autojump_clock: trio.testing.MockClock,
    each: float,
    expected: float,
) -> None:
    load = Load(AT_A_SERVER, Places(Path(), {}), ("plain",), 1010, 1, 1)
    came = 0

    async def stay(scene: Scene, opened: Callable[[], object]) -> None:
        nonlocal came
        came += 1
        await trio.sleep(each)
        opened()

    monkeypatch.setattr(honest, "stay", stay)
    began = trio.current_time()
    async with trio.open_nursery() as sessions:
        await load._gather(load._scene(Tally(), nursery), sessions)
        assert trio.current_time() - began == pytest.approx(expected, abs=1)
        assert came == 10
        sessions.cancel_scope.cancel()
