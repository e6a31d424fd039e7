"""The fuzzing itself: choices out of bytes, mutations, the shortest input, and the command."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import recorded

from . import TARGETS, seeds
from .__main__ import Failing, Result, as_typed, main, make_parser, record, tell_failure
from .child import MAX_LENGTH, mutate
from .data import Data, cut
from .http import PIECES, World
from .shrinking import failure_of, shrink


def test_choices_are_made_of_bytes_from_the_front_and_behind_them_are_the_first() -> None:
    data = Data(b"\x05\x01abc\x02")
    assert (data.number(), data.flag(), data.take(3)) == (5, True, b"abc")
    assert data.choice("xyz") == "z"
    assert not data
    assert (data.number(), data.flag(), data.take(3), data.choice("xyz")) == (0, False, b"", "x")


def test_bytes_are_cut_at_places_or_everywhere() -> None:
    assert cut(b"abcd", [0]) == [b"abcd"]
    assert cut(b"abcd", [1, 8, 1]) == [b"a", b"bc", b"d"]
    assert cut(b"abcd", []) == [b"a", b"b", b"c", b"d"]
    assert cut(b"", [3]) == []


def test_the_same_seed_makes_the_same_mutations() -> None:
    def made() -> list[bytes]:
        dice = random.Random(1)
        return [mutate(b"abc", [b"defg"], dice) for _ in range(20)]

    assert made() == made()
    assert len(set(made())) > 10
    assert len(mutate(b"a" * MAX_LENGTH, [b"b"], random.Random(2))) <= MAX_LENGTH


def test_an_input_is_shortened_as_long_as_it_fails_in_the_same_way() -> None:
    def target(data: bytes) -> None:
        if b"b" in data and b"d" in data:
            raise ValueError(f"{len(data)} bytes with b and d")
        if data:
            raise KeyError

    assert shrink(target, b"a longer one: abcd, and more") in (b"bd", b"db")
    assert failure_of(target, b"bd") == failure_of(target, b"b...d") != failure_of(target, b"b")
    assert failure_of(target, b"") is None


def test_of_what_was_sent_each_step_holds_what_is_new() -> None:
    """Else a long script would take gigabytes, and the fuzzer end it."""
    world = World([0])
    for _ in range(2):
        world.wire.bring(PIECES[0])
        world.loop.run()
        sent = world.seen()[0]
        assert isinstance(sent, bytes)
        assert sent.count(b"HTTP/1.1 200 OK") == 1
    assert world.seen()[0] == b""
    world.finish()


def test_the_command_runs_a_target_on_one_input_again(capsys: pytest.CaptureFixture[str]) -> None:
    path = seeds("frames")[0]
    assert main(["frames", str(path)]) == 0
    assert "frames takes the" in capsys.readouterr().out


def test_the_command_names_the_targets_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["frame"])
    assert "choose from frames, plain_head, http, web_socket" in capsys.readouterr().err


DEFECT = """
import sys
from unittest import mock
from perfectws.websocket.frame_reader import FrameReader
from tests.fuzz import child
sys.argv = ["child", "mutate", "frames", "--seconds", "20", "--failing", sys.argv[1]]
lone_frame = FrameReader.lone_frame
def wrong(reader, data):
    frame = lone_frame(reader, data)
    return None if frame is None else (frame[0], frame[1][:-1], True)
with mock.patch.object(FrameReader, "lone_frame", wrong):
    child.main()
"""


@pytest.mark.slow
def test_a_defect_is_found_and_its_input_kept(tmp_path: Path) -> None:
    failing = tmp_path / "failing"
    command = [sys.executable, "-c", DEFECT, str(failing)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout)["executions"] > 0
    assert failing.exists()


@pytest.mark.slow
def test_the_command_tells_executions_and_coverage_and_writes_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results.json"
    assert main(["frames", "--plain", "--seconds", "0.2", "--results", str(results)]) == 0
    (told,) = json.loads(results.read_text())["targets"]
    assert told["executions"] >= len(seeds("frames"))
    assert told["lines"] > 100
    assert f"frames: {told['executions']} executions in" in capsys.readouterr().out


@pytest.mark.slow
def test_two_targets_at_once_are_told_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plain_head", "frames", "--plain", "--seconds", "0.2", "--jobs", "2"]) == 0
    assert [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()] == ["plain_head", "frames"]


def test_of_an_input_that_does_not_fail_again_it_is_told_what_was_said_then(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = seeds("frames")[0].read_bytes()
    result = Result("frames", "atheris", 7, 1000, 15.0, 300)
    tell_failure(result, Failing(data, "=== Uncaught Python exception: ===\nAssertionError: once"), tmp_path)
    assert (tmp_path / f"frames-{len(data)}").read_bytes() == data
    assert "fails only sometimes: === Uncaught Python exception: ===\nAssertionError: once" in capsys.readouterr().out


def test_what_came_of_all_targets_is_recorded_with_the_command_that_repeats_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorded, "FILE", tmp_path / "results.json")
    results = [Result(name, "atheris", 7, 1000, 15.0, 300) for name in TARGETS]
    results[0].failure = "it is wrong"
    record(results, as_typed(make_parser().parse_args(["--seconds", "60", "--seed", "7", "--jobs", "2", "--record"])))
    entry = recorded.read()["fuzz"]
    assert entry["command"] == "python -m tests.fuzz --seconds 60 --seed 7 --jobs 2 --record"
    assert (entry["counts"]["executions"], entry["counts"]["seconds"], entry["counts"]["failures"]) == (4000, 60, 1)
    assert entry["counts"]["targets"].keys() == TARGETS.keys()
    assert entry["counts"]["targets"]["frames"] == {
        "engine": "atheris",
        "executions": 1000,
        "lines": 300,
        "failures": 1,
    }


def test_what_came_of_some_targets_is_not_recorded(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["frames", "--record"])
    assert "--record is for all targets" in capsys.readouterr().err
