"""A network that loses, delays and halves packets, and then is gone for a while."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from ..conftest import PATIENCE
from ..examples.running import ROOT
from .over_bad_network import CLIENTS, FORBIDDEN


def test_all_is_answered_over_a_bad_network_and_all_come_back_when_it_was_gone(is_long: bool) -> None:
    seconds = 60 if is_long else 1
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.chaos.over_bad_network", str(seconds)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=5 * PATIENCE + seconds,
    )
    if ended.returncode == FORBIDDEN:
        pytest.skip(ended.stderr)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    bad, gone, end, packets = found["bad"], found["gone"], found["end"], found["packets"]

    # It is as bad as it was meant to be, and nobody is dropped for it.
    assert min(packets[kind] for kind in ("lost", "late", "cut")) >= 10
    assert bad.get("dropped", 0) == 0
    assert bad["opened"] == CLIENTS
    assert bad["answered"] >= 2 * CLIENTS

    # Without one each is told so, and comes back.
    assert gone["dropped"] == CLIENTS
    assert (end["opened"], end["dropped"], end["closed"]) == (2 * CLIENTS, CLIENTS, CLIENTS)
    assert end["answered"] >= gone["answered"] + 2 * CLIENTS

    # Each message was answered rightly, or its sender told.
    assert end.get("wrong", 0) == 0
    assert end["sent"] == end["answered"] + end["answers missed, and told"]
    assert found["left"] == 0
    assert "ERROR" not in ended.stderr
    assert "Traceback" not in ended.stderr
