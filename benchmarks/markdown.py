"""Writes the results in Markdown: a table for each figure, scenarios down and servers across."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .results import Block, Outcome, Results, in_one_line
from .table import short

#: The title of each table, what its numbers are, and the figure.
_TABLES = (
    (
        "CPU time",
        "µs of the server's CPU for each message, delivery or connection; KB of memory for an idle one",
        "cpu_us",
    ),
    ("Rate", "messages, deliveries or connections a second, as fast as it goes", "rate"),
    ("p50", "µs, as fast as it goes", "p50_us"),
    ("p99", "µs, as fast as it goes", "p99_us"),
    ("CPU time at half load", "µs, at half the rate that the server itself reaches", "half_cpu_us"),
    ("p50 at half load", "µs", "half_p50_us"),
    ("p99 at half load", "µs", "half_p99_us"),
    ("How busy the load was", "part of the time; near 1 it is the load that limits", "load_busy"),
)


#: What a table says of a bound: that it is met need not be said.
_VERDICTS = {"PASS": "", "FAIL": "missed", "n/a": "not measured"}


def as_markdown(results: Results) -> str:
    """Return a table for each figure, scenarios down and servers across; below, why a figure is missing.

    Of ``--check`` it is the bounds alone.
    """
    if results.targets:
        return _bounds(results.targets)
    blocks = [block for block in results.blocks if block.scenario.kind not in ("gap", "polite")]
    tables = [_table(blocks, *table) for table in _TABLES]
    return "\n".join([*filter(None, tables), *_notes(blocks)]) + "\n"


def _bounds(targets: Sequence[Mapping[str, Any]]) -> str:
    rows = ["| | measured | aim | |", "|---|---|---|---|"]
    for target in targets:
        figure, aim = ("" if target[name] is None else f"{target[name]:.2f}" for name in ("figure", "aim"))
        rows.append(f"| {target['target']} | {figure} | {aim} | {_VERDICTS[target['verdict']]} |")
    return "\n".join(rows) + "\n"


def _table(blocks: Sequence[Block], title: str, unit: str, name: str) -> str:
    shown = [block for block in blocks if any(_has(outcome, name) for outcome in block.outcomes.values())]
    if not shown:
        return ""
    servers = {key: outcome.server.title for block in shown for key, outcome in block.outcomes.items()}
    head = [f"## {title}", "", f"({unit})", ""]
    rows = [f"| | {' | '.join(servers.values())} |", "|---|" + "---|" * len(servers)]
    for block in shown:
        cells = " | ".join(_cell(block.outcomes.get(key), name) for key in servers)
        rows.append(f"| {block.scenario.title} | {cells} |")
    return "\n".join([*head, *rows, ""])


def _has(outcome: Outcome, name: str) -> bool:
    return _cell(outcome, name) not in ("", "n/a")


def _cell(outcome: Outcome | None, name: str) -> str:
    if outcome is None:
        return ""
    if not outcome.rounds:
        return "n/a"
    memory = outcome.median("memory")
    if memory is not None and name == "cpu_us":
        return f"{short(memory / 1024)} KB"
    value = outcome.median(name)
    return "" if value is None else short(value)


def _notes(blocks: Sequence[Block]) -> list[str]:
    """Return what a reader should know: which shape flatters whom, and why a figure is missing."""
    notes = [f"- {block.scenario.title}: {block.scenario.note}." for block in blocks if block.scenario.note]
    missing = [
        f"- {block.scenario.title}, {outcome.server.title}: {in_one_line(outcome.reason or 'not measured')}."
        for block in blocks
        for outcome in block.outcomes.values()
        if not outcome.rounds
    ]
    return ["## Notes", "", *notes, *missing]
