"""The targets, and whether they are met: ``python -m benchmarks --check``."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .measure import Timing
from .processes import Cores
from .results import REFERENCE, Block, Results, in_one_line
from .runner import run, say
from .scenarios import find_scenarios
from .servers import SERVERS

_US = "perfectws"
_PLAIN = "perfectws-plain"
_BY_MESSAGE = "perfectws-on-text"
_AIOHTTP = "aiohttp-uvloop"
_WEBSOCKETS_UVLOOP = "websockets-uvloop"
_WEBSOCKETS = "websockets"
_IMPORT_ROUNDS = 9


_WORDS = {
    "cpu_us": "CPU",
    "p99_us": "p99",
    "half_p99_us": "p99 at half of its own load",
    "memory": "memory",
    "gap_ms": "longest gap of another task",
}


@dataclass(frozen=True)
class Target:
    """A bound on one figure of one scenario.

    Attributes:
        scenario: The scenario.
        bound: What it must not exceed.
        aim: What is really wanted, or ``None``.
        ours: Whose figure.
        of: Which figure.
        to: Over whose; ``None`` judges the figure itself.
        over: Over ours in another scenario, instead.
        scale: What the figure itself is multiplied by.
        unit: The figure's unit.
    """

    scenario: str
    bound: float
    aim: float | None = None
    ours: str = _US
    of: str = "cpu_us"
    to: str | None = REFERENCE
    over: str | None = None
    scale: float = 1
    unit: str = "×"

    @property
    def whose(self) -> dict[str, list[str]]:
        """Whose figures it needs, by scenario."""
        if self.over is not None:
            return {self.scenario: [self.ours], self.over: [self.ours]}
        return {self.scenario: [self.ours] if self.to is None else [self.ours, self.to]}

    def figure(self, blocks: Mapping[str, Block]) -> float | None:
        """Return the figure that is judged."""
        block = blocks[self.scenario]
        value = block.outcomes[self.ours].median(self.of)
        if self.over is not None:
            other = blocks[self.over].outcomes[self.ours].median(self.of)
            return None if value is None or not other else value / other
        if self.to is not None:
            return block.ratio(self.ours, self.to, self.of)
        return None if value is None else value * self.scale

    def text(self, blocks: Mapping[str, Block]) -> str:
        """Say what is judged."""
        what = _WORDS[self.of]
        whom = f"{SERVERS[self.ours].title}: {what}" if self.ours != _US else what
        over = f" × {SERVERS[self.to].title}" if self.to is not None else f" {self.unit}"
        if self.over is not None:
            over = f" × {blocks[self.over].scenario.title}"
        return f"{blocks[self.scenario].scenario.title}: {whom} ≤ {self.bound:g}{over}"

    def why_missing(self, blocks: Mapping[str, Block]) -> str:
        """Say why there is no figure, as far as anybody has failed."""
        outcomes = [blocks[scenario].outcomes[name] for scenario, names in self.whose.items() for name in names]
        return "; ".join(outcome.reason for outcome in outcomes if outcome.reason)


TARGETS = (
    Target("echo-64-50x10", 0.6, 0.4),
    Target("echo-1024-50x10", 0.6, 0.4),
    Target("echo-64-1x1", 1.5, 1.0),
    Target("echo-64-10x1", 1.5, 1.0),
    Target("echo-1024-10x1", 1.5, 1.0),
    Target("echo-64-100x1", 1.3, 1.0),
    Target("echo-1024-100x1", 1.3, 1.0),
    Target("echo-64-1000x1", 1.3, 1.0),
    Target("echo-64-10000x1", 1.0),
    Target("echo-16384-20x1", 1.3, 1.0),
    Target("echo-1048576-10x1", 1.3, 1.0),
    Target("echo-64-100x1", 1.0, ours=_PLAIN, to=_AIOHTTP),
    Target("echo-64-50x10", 1.0, ours=_PLAIN, to=_AIOHTTP),
    Target("room-100", 0.1, 0.03),
    Target("fanout-1000", 1.1, 1.0),
    Target("echo-64-100x1", 1.2, of="half_p99_us"),
    Target("echo-64-100x1-paced", 1.2, of="p99_us"),
    Target("idle", 6, 3, of="memory", to=None, scale=1 / 1024, unit="KB"),
    Target("fairness-gap", 20, of="gap_ms", to=None, unit="ms"),
    Target("wss", 1.5, to=_WEBSOCKETS),
    Target("wss", 1.3, 1.0),
    Target("wss", 1.0, to=_AIOHTTP),
    Target("client-64-100x1", 1.3, 1.0),
    Target("client-64-100x1", 0.85, to=_AIOHTTP),
    Target("client-64-1x1", 1.3, 1.0, to=_AIOHTTP),
    Target("client-open", 1.0, to=_AIOHTTP),
    Target("echo-1024-100x1-deflate", 0.9, 0.7, to=_AIOHTTP),
    Target("echo-1024-100x1-deflate", 0.65, to=_WEBSOCKETS),
    *(Target("room-100-deflate", 0.1, to=peer) for peer in (_AIOHTTP, _WEBSOCKETS_UVLOOP, _WEBSOCKETS)),
    *(Target("fanout-1000-deflate", 0.6, to=peer) for peer in (_AIOHTTP, _WEBSOCKETS_UVLOOP, _WEBSOCKETS)),
    *(Target("echo-1024-100x1-4parts", 2.0, ours=ours, over="echo-1024-100x1") for ours in (_US, _BY_MESSAGE)),
    *(Target("echo-1048576-10x1-256parts", 1.5, ours=ours, over="echo-1048576-10x1") for ours in (_US, _BY_MESSAGE)),
    *(Target("echo-1024-100x1-4parts", 0.5, ours=ours, to=_WEBSOCKETS) for ours in (_US, _BY_MESSAGE)),
    Target("open", 1.15, 1.0),
    Target("open", 0.55, to=_AIOHTTP),
    Target("idle-deflate", 1.0, to=_AIOHTTP, of="memory"),
    Target("wss-idle", 1.0, to=_AIOHTTP, of="memory"),
)
_IMPORT_BOUND = 1.3
_IMPORTED = "import trio, wsproto, h11"
#: The second loads what describes a server, which loads the rest as it is bound; the first next to nothing.
_IMPORTS = ("import perfectws", "from perfectws import HTTPServer, Routes, WebSocketHandler")


def check(cores: Cores, timing: Timing, rounds: int) -> Results:
    """Measure what the targets need, and judge each."""
    needed: dict[str, dict[str, None]] = {}
    for target in TARGETS:
        for scenario, names in target.whose.items():
            needed.setdefault(scenario, {}).update(dict.fromkeys(names))
    plan = [(find_scenarios(name)[0], [SERVERS[server] for server in servers]) for name, servers in needed.items()]
    plan.append((find_scenarios("fairness-polite")[0], [SERVERS[_US], SERVERS[REFERENCE]]))
    results = run(plan, cores, timing, rounds)
    if results.was_stopped:
        return results
    blocks = {block.scenario.name: block for block in results.blocks}
    results.targets = [_judge(target, blocks) for target in TARGETS] + _judge_imports()
    return results


def _judge(target: Target, blocks: Mapping[str, Block]) -> dict[str, Any]:
    return _verdict(target.text(blocks), target.figure(blocks), target.bound, target.aim, target.why_missing(blocks))


def _verdict(text: str, figure: float | None, bound: float, aim: float | None, reason: str = "") -> dict[str, Any]:
    verdict = "n/a" if figure is None else "PASS" if figure <= bound else "FAIL"
    return {"target": text, "figure": figure, "bound": bound, "aim": aim, "verdict": verdict, "reason": reason}


def _judge_imports() -> list[dict[str, Any]]:
    return [_judge_import(statement) for statement in _IMPORTS]


def _judge_import(statement: str) -> dict[str, Any]:
    say(f"[…] {statement}")
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as bytecode:
        _import_seconds(statement, bytecode), _import_seconds(_IMPORTED, bytecode)  # compiles them
        for _ in range(_IMPORT_ROUNDS):
            theirs.append(_import_seconds(_IMPORTED, bytecode))
            ours.append(_import_seconds(statement, bytecode))
    text = f"{statement}: CPU time ≤ {_IMPORT_BOUND:g} × {_IMPORTED}"
    return _verdict(text, min(ours) / min(theirs), _IMPORT_BOUND, None)


def _import_seconds(statement: str, bytecode: str) -> float:
    """Return the CPU time of an import in a fresh interpreter, whose compiled modules lie in a folder of their own."""
    code = f"import time; began = time.process_time(); {statement}; print(time.process_time() - began)"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    finished = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parent.parent,
        check=True,
        env=environment | {"PYTHONPYCACHEPREFIX": bytecode},
    )
    return float(finished.stdout)


def as_text(judged: list[dict[str, Any]], write: Callable[[float], str] = "{:.2f}".format) -> str:
    """Return the targets, each with its verdict and its figure."""
    lines = []
    for target in judged:
        figure = "–" if target["figure"] is None else write(target["figure"])
        aim = "" if target["aim"] is None else f"  (aim {target['aim']:g})"
        reason = f"  {in_one_line(target['reason'])}" if target["reason"] else ""
        lines.append(f"{target['verdict']:5} {figure:>8}  {target['target']}{aim}{reason}")
    return "\n".join(lines) + "\n"
