"""Writes the results as a table for the terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from .results import Block, Outcome, Results, in_one_line


class Column(NamedTuple):
    """A column of the table: its title, what stands in it, and how it is written."""

    title: str
    value: Callable[[Block, Outcome], float | None]
    format: Callable[[float], str]


def short(value: float) -> str:
    """Write a number with three digits that count."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _of(name: str, factor: float = 1) -> Callable[[Block, Outcome], float | None]:
    def value(block: Block, outcome: Outcome) -> float | None:
        found = outcome.median(name)
        return None if found is None else found * factor

    return value


def _ratio(block: Block, outcome: Outcome) -> float | None:
    return block.ratio(outcome.server.name)


def _core(block: Block, outcome: Outcome) -> float | None:
    """Return how much of its core the server used, in percent."""
    rate, cpu_us = outcome.median("rate"), outcome.median("cpu_us")
    return None if rate is None or cpu_us is None else rate * cpu_us / 1e4


def _whole(value: float) -> str:
    return f"{value:,.0f}"


_COLUMNS = (
    Column("a second", _of("rate"), _whole),
    Column("CPU µs", _of("cpu_us"), short),
    Column("× picows", _ratio, lambda value: f"{value:.2f}"),
    Column("p50 µs", _of("p50_us"), short),
    Column("p99 µs", _of("p99_us"), short),
    Column("CPU µs ½", _of("half_cpu_us"), short),
    Column("p50 µs ½", _of("half_p50_us"), short),
    Column("p99 µs ½", _of("half_p99_us"), short),
    Column("core", _core, lambda value: f"{value:.0f}%"),
    Column("load", _of("load_busy", 100), lambda value: f"{value:.0f}%"),
    Column("KB each", _of("memory", 1 / 1024), short),
    Column("gap ms", _of("gap_ms"), short),
    Column("of CPU", _of("gap_cpu_ms"), short),
)

EXPLANATION = """\
CPU µs: the server's CPU time, user and system, per message (delivery, connection). × picows: that, over picows +
uvloop's in the same round; medians over the rounds. ½: at half load, half the rate that the server itself reaches.
core: how much of its core the server used; far below 100% something else held it up. load: which part of the time the
load was busy; near 100% it is the load that limits. p50 and p99 are of the time that a message is under way, or that
opening a connection takes. Whatever came back was checked."""


def as_text(results: Results) -> str:
    """Return the table of all results."""
    width = max(
        (len(outcome.server.title) for block in results.blocks for outcome in block.outcomes.values()), default=0
    )
    lines = []
    for block in results.blocks:
        lines += ["", *_block_lines(block, width)]
    return "\n".join([*lines, "", EXPLANATION, ""])


def _block_lines(block: Block, width: int) -> list[str]:
    columns = [column for column in _COLUMNS if _is_used(column, block)]
    scenario = block.scenario
    head = "".join(f"{column.title:>12}" for column in columns)
    lines = [f"{scenario.title}  [{scenario.name}], per {scenario.unit}"]
    if scenario.note:
        lines.append(f"  ({scenario.note})")
    lines.append(f"  {'':{width}}{head}")
    outcomes = block.outcomes.values()
    return lines + [f"  {outcome.server.title:{width}}{_cells(block, outcome, columns)}" for outcome in outcomes]


def _is_used(column: Column, block: Block) -> bool:
    return any(column.value(block, outcome) is not None for outcome in block.outcomes.values())


def _cells(block: Block, outcome: Outcome, columns: Sequence[Column]) -> str:
    if not outcome.rounds:
        return f"{'n/a':>12}  {in_one_line(outcome.reason or 'not measured')}"
    cells = [_cell(column, block, outcome) for column in columns]
    failure = f"  failed in a later round: {in_one_line(outcome.reason)}" if outcome.reason else ""
    return "".join(f"{cell:>12}" for cell in cells) + failure


def _cell(column: Column, block: Block, outcome: Outcome) -> str:
    value = column.value(block, outcome)
    return "" if value is None else column.format(value)
