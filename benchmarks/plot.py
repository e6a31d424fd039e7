"""Draws the results as SVG, in plain Python: a panel for each scenario, a bar for each server, shorter is better."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from statistics import median

from . import svg
from .results import Block, Outcome, Results, machine, versions
from .table import short

_COLUMNS = 3
_WIDTH = 1280
_MARGIN = 40
_GUTTER = 34
_PANEL_WIDTH = (_WIDTH - 2 * _MARGIN - (_COLUMNS - 1) * _GUTTER) / _COLUMNS
_HEAD = 150
_PANEL_HEAD = 58
_ROW = 20
_BAR = 13
_LABELS = 164
_VALUES = 56
_NOTE_LINE = 14
#: A bar ends at this many times the median, so that the short ones can be told apart; it is then drawn broken.
_LIMIT = 2.2

_TITLE = "Server CPU time per message: perfectws and its peers"
_OURS, _COMPILED, _PYTHON = "#d9480f", "#5c7cba", "#a9b4c0"
_SUBTITLE = (
    "Shorter is better. One core for the server, another for the load, on loopback. "
    "A broken bar is longer than it is drawn."
)
_LEGEND = (
    ("perfectws (Python, on trio)", _OURS),
    ("frameworks whose WebSockets are in C, C++ or Cython", _COMPILED),
    ("frameworks in Python", _PYTHON),
)
_PEERS = ("picows", "uvloop", "socketify", "aiohttp", "uvicorn", "websockets", "tornado", "trio-websocket", "hypercorn")
_COMPILED_MODULES = ("picows_server", "aiohttp_server", "socketify_server")


def draw(results: Results) -> str:
    """Return the picture."""
    blocks = [block for block in results.blocks if block.scenario.plotted] or results.blocks
    rows = [blocks[index : index + _COLUMNS] for index in range(0, len(blocks), _COLUMNS)]
    parts, top = [_head(results)], float(_HEAD)
    for row in rows:
        for column, block in enumerate(row):
            parts.append(_panel(block, _MARGIN + column * (_PANEL_WIDTH + _GUTTER), top))
        top += max(_panel_height(block) for block in row) + 34
    return svg.document("\n".join(parts), _TITLE, _WIDTH, top + 16)


def _head(results: Results) -> str:
    found = versions([*_PEERS, "trio"])
    packages = ", ".join(f"{name} {number}" for name, number in found.items() if name != "python")
    lines = [
        svg.text(_MARGIN, 48, "What a message, a delivery or a connection costs the server", 25, weight=700),
        svg.text(
            _MARGIN,
            73,
            _SUBTITLE,
            14.5,
            svg.SOFT,
        ),
        svg.text(_MARGIN, 94, f"{results.date:%-d %B %Y}, {machine()}; {_rounds(results)}", 12.5, svg.SOFT),
        svg.text(_MARGIN, 111, packages, 12.5, svg.SOFT),
    ]
    left = float(_MARGIN)
    for label, colour in _LEGEND:
        lines.append(f'<rect x="{left:.0f}" y="122" width="13" height="13" rx="2.5" fill="{colour}"/>')
        lines.append(svg.text(left + 20, 133, label, 13))
        left += 20 + 7.1 * len(label) + 30
    return "\n".join(lines)


def _rounds(results: Results) -> str:
    rounds = {len(outcome.rounds) for block in results.blocks for outcome in block.outcomes.values()}
    most = max(rounds, default=0)
    return "one round" if most == 1 else f"medians over {most} rounds"


def _panel(block: Block, left: float, top: float) -> str:
    longest = _scale(block)
    lines = [
        svg.text(left, top + 18, block.scenario.title, 16, weight=650),
        svg.text(left, top + 36, f"{_unit(block)} per {block.scenario.unit}", 12.5, svg.SOFT),
        svg.line(left, top + 46, left + _PANEL_WIDTH, top + 46, svg.RULE, 1),
    ]
    for number, outcome in enumerate(block.outcomes.values()):
        lines.append(_bar(outcome, left, top + _PANEL_HEAD + number * _ROW, longest))
    below = top + _PANEL_HEAD + len(block.outcomes) * _ROW + 14
    for number, line in enumerate(_note(block)):
        lines.append(svg.text(left, below + number * _NOTE_LINE, line, 11.5, svg.SOFT, style="italic"))
    return "\n".join(lines)


def _scale(block: Block) -> float:
    values = [value for outcome in block.outcomes.values() if (value := _value(outcome)) is not None]
    return min(max(values), _LIMIT * median(values)) if values else 1.0


def _panel_height(block: Block) -> float:
    return _PANEL_HEAD + len(block.outcomes) * _ROW + 4 + len(_note(block)) * _NOTE_LINE


def _note(block: Block) -> Sequence[str]:
    return textwrap.wrap(block.scenario.note, 58)


def _unit(block: Block) -> str:
    return "KB of memory" if block.scenario.kind.endswith("idle") else "CPU µs"


def _value(outcome: Outcome) -> float | None:
    memory = outcome.median("memory")
    return outcome.median("cpu_us") if memory is None else memory / 1024


def _bar(outcome: Outcome, left: float, top: float, longest: float) -> str:
    value, is_ours = _value(outcome), outcome.server.module == "perfectws_server"
    weight, middle = 700 if is_ours else 400, top + _BAR - 2
    label = svg.text(left + _LABELS - 8, middle, outcome.server.title, 12.5, anchor="end", weight=weight)
    if value is None:
        return label + svg.text(left + _LABELS, middle, "n/a", 12.5, svg.SOFT)
    length = max(1.5, (_PANEL_WIDTH - _LABELS - _VALUES) * min(1.0, value / longest))
    bar = (
        f'<rect x="{left + _LABELS:.1f}" y="{top:.1f}" width="{length:.1f}" height="{_BAR}" rx="2" '
        f'fill="{_colour(outcome)}"/>'
    )
    if value > longest:
        bar += _break(left + _LABELS + length - 16, top)
    return label + bar + svg.text(left + _LABELS + length + 6, middle, short(value), 12.5, weight=weight)


def _break(x: float, top: float) -> str:
    low, high = top + _BAR + 1, top - 1
    return "".join(svg.line(x + at, low, x + at + 4, high, "#ffffff", 2) for at in (0, 5))


def _colour(outcome: Outcome) -> str:
    if outcome.server.module == "perfectws_server":
        return _OURS
    return _COMPILED if outcome.server.module in _COMPILED_MODULES else _PYTHON
