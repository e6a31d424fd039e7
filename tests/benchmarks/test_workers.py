"""The command ``python -m benchmarks.workers``: what it judges, and a small reload to its end."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from benchmarks.workers.__main__ import parse
from benchmarks.workers.herd import Herd
from benchmarks.workers.judgement import Judgement
from benchmarks.workers.work import Carried

from .test_command import PATIENCE, ROOT


def test_what_is_not_as_it_must_be_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    judgement = Judgement()
    judgement.must("small enough", 1.0, 1.1)
    judgement.must("too large", 1.2, 1.1)
    judgement.must_reach("large enough", 1.7, 1.5)
    judgement.must_reach("too small", 1.4, 1.5)
    judgement.tell("whatever", 5)
    assert judgement.failed == ["too large", "too small"]
    assert capsys.readouterr().out.count("FAILED") == 2


def test_unevenness_is_the_fullest_over_the_mean() -> None:
    herd = Herd(0, processes=dict(enumerate([1, 1, 1, 2])))
    assert herd.unevenness(2) == 1.5
    assert herd.unevenness(4) == 3  # two have none


def test_the_cost_of_a_message_is_what_the_cores_were_used_for() -> None:
    assert Carried(rate=20_000, cores=1.5).cost == pytest.approx(75)


def test_what_is_no_subject_is_refused() -> None:
    assert parse(["balance", "reload", "--small"]).subjects == ["balance", "reload"]
    with pytest.raises(SystemExit):
        parse(["speed"])


@pytest.mark.slow
def test_a_small_reload_refuses_and_loses_nobody() -> None:
    command = [sys.executable, "-m", "benchmarks.workers", "reload", "--small"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=5 * PATIENCE, check=False)
    for what in ("clients that lost their connection", "connections that were refused", "requests that were not"):
        assert re.search(rf"^{what} +0 ", run.stdout, re.MULTILINE), run.stdout + run.stderr
