"""Memory over time, as a picture: of characters for a terminal, and as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from .. import svg
from .verdict import Findings, Sample

_WIDTH, _HEIGHT = 72, 8
_BLOCKS = " ▁▂▃▄▅▆▇█"


def as_text(samples: Sequence[Sample]) -> str:
    """Draw with block characters; the scale begins at 0, so that what looks flat is flat."""
    columns = _columns(samples, _WIDTH)
    highest = max(columns, default=0) or 1
    lines = []
    for row in reversed(range(_HEIGHT)):
        cells = (_cell(value / highest * _HEIGHT - row) for value in columns)
        label = f"{highest:8.1f}" if row == _HEIGHT - 1 else " " * 8
        lines.append(f"{label} ┤{''.join(cells)}".rstrip())
    last = samples[-1].seconds if samples else 0
    lines.append(f"{0:8} └{'─' * len(columns)}")
    lines.append(f"{'MiB':>8}  0{f'{last:.0f} s':>{max(1, len(columns) - 1)}}")
    return "\n".join(lines) + "\n"


def _columns(samples: Sequence[Sample], width: int) -> list[float]:
    """Return the memory in MiB, as the median of the samples of each column."""
    width = min(width, len(samples))
    cuts = [index * len(samples) // width for index in range(width + 1)] if width else [0]
    groups = [samples[first:end] for first, end in pairwise(cuts)]
    return [median(sample.census.memory for sample in group) / 2**20 for group in groups]


def _cell(height: float) -> str:
    return _BLOCKS[round(min(1.0, max(0.0, height)) * (len(_BLOCKS) - 1))]


# SVG

_PANEL = (1280, 220)
_LEFT, _RIGHT, _TOP = 90, 40, 96
_GAP = 64
_COLOURS = {"memory": "#d9480f", "descriptors": "#5c7cba", "tasks": "#a9b4c0"}


def as_svg(findings: Findings) -> str:
    """Draw the memory, the descriptors and the tasks, one above the other."""
    title = f"A soak of {findings.connections:,} connections"
    parts = [
        svg.text(_LEFT, 44, title, 25, weight=700),
        svg.text(_LEFT, 68, _subtitle(findings), 14.5, svg.SOFT),
    ]
    curves = {
        "memory": (
            f"memory of the {findings.subject}, MiB",
            [sample.census.memory / 2**20 for sample in findings.samples],
        ),
        "descriptors": ("its descriptors", [float(sample.census.descriptors) for sample in findings.samples]),
        "tasks": ("its tasks", [float(sample.census.tasks) for sample in findings.samples]),
    }
    times = [sample.seconds for sample in findings.samples]
    for number, (name, (label, values)) in enumerate(curves.items()):
        parts.append(_panel(label, times, values, _TOP + number * (_PANEL[1] + _GAP), _COLOURS[name]))
    return svg.document("\n".join(parts), title, _PANEL[0], _TOP + len(curves) * (_PANEL[1] + _GAP))


def _subtitle(findings: Findings) -> str:
    growth = "too short to judge the memory" if findings.growth is None else f"memory {findings.growth}"
    return f"{findings.sent:,} messages sent, {findings.lost:,} lost; {growth}"


def _panel(label: str, times: Sequence[float], values: Sequence[float], top: float, colour: str) -> str:
    width, height = _PANEL[0] - _LEFT - _RIGHT, _PANEL[1]
    latest, highest = max(times, default=1) or 1, max(values, default=1) or 1
    points = " ".join(
        f"{_LEFT + width * at / latest:.1f},{top + height * (1 - value / highest):.1f}"
        for at, value in zip(times, values, strict=True)
    )
    bottom = top + height
    return "\n".join(
        [
            svg.line(_LEFT, bottom, _LEFT + width, bottom, svg.RULE, 1),
            svg.line(_LEFT, top, _LEFT + width, top, svg.RULE, 1),
            svg.text(_LEFT - 8, top + 5, f"{highest:,.0f}", 12.5, svg.SOFT, anchor="end"),
            svg.text(_LEFT - 8, bottom + 5, "0", 12.5, svg.SOFT, anchor="end"),
            svg.text(_LEFT, bottom + 20, f"{label}, over {latest:,.0f} s", 12.5, svg.SOFT),
            f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{points}"/>',
        ]
    )
