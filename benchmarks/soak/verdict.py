"""What a soak has found, and whether that is as it must be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from statistics import fmean, median
from typing import Any

from .census import Census

#: How long memory is given to find its level before it is judged, in seconds. A peer that takes nothing may stay for up
#: to 75 s: as many of them go as come only after twice that.
WARM_UP = 150.0
#: From this part of the most connections on, all are there.
ALL_THERE = 0.9
#: How long it has to be watched after that, in seconds: less says nothing.
WATCHED = 60.0
#: Over so long the levels of memory are taken that are told, in seconds.
LEVEL = 30.0
#: So much it may grow while it is watched, as a part of itself. It moves by a quarter with what is on its way, so less
#: could be chance; what is never freed is found by the blocks.
MAX_GROWTH = 0.1
#: So many more blocks may be held at the end, at rest, as a part of those at the beginning: what is remembered of paths
#: and classes, which does not grow with the number of messages.
MAX_BLOCKS = 0.01


@dataclass(frozen=True)
class Sample:
    """What the server held at one moment.

    Attributes:
        seconds: When, from the beginning.
        census: What was counted quickly.
    """

    seconds: float
    census: Census


@dataclass
class Findings:
    """What a soak has found.

    Attributes:
        connections, seconds: What was asked for.
        before, after: What the server held at both ends, at rest.
        samples: What it held in between.
        tally: The books of the load.
        faults: What the server, and the load, have logged as errors.
        left: What the load held at its end and not before.
        in_cycles: What the server held until it looked for cycles.
        subject: What was soaked, and so is called the server above: it, or clients.
    """

    connections: int
    seconds: float
    before: Census
    after: Census
    samples: Sequence[Sample]
    tally: dict[str, Any]
    faults: dict[str, dict[str, Any]]
    left: dict[str, int]
    in_cycles: dict[str, int] = field(default_factory=dict)
    subject: str = "server"

    @property
    def sent(self) -> int:
        """How many messages were sent; one to a room counts for each member."""
        return sum(self.tally["sent"].values())

    @property
    def answered(self) -> int:
        """How many were answered, rightly and in order."""
        return sum(self.tally["answered"].values())

    @property
    def lost(self) -> int:
        """How many were not."""
        return self.sent - self.answered

    @property
    def left_behind(self) -> dict[str, int]:
        """What either process still holds, though everybody is gone."""
        soaked = {f"{self.subject}: {name}": count for name, count in self.after.beyond(self.before).items()}
        return soaked | {f"client: {name}": count for name, count in self.left.items()}

    @property
    def watched(self) -> Sequence[Sample]:
        """The samples by which memory is judged: from when nearly all connections are there, however long that took."""
        soaking = [sample for sample in self.samples if sample.seconds <= self.seconds]
        most = max((sample.census.descriptors for sample in soaking), default=0)
        full = next((sample.seconds for sample in soaking if sample.census.descriptors >= ALL_THERE * most), 0.0)
        return [sample for sample in soaking if sample.seconds >= max(WARM_UP, full)]

    @property
    def growth(self) -> float | None:
        """How much the memory has grown while it was watched, as a part of itself; ``None`` if that was too short."""
        watched = self.watched
        if len(watched) < 10 or watched[-1].seconds - watched[0].seconds < WATCHED * 0.9:
            return None
        slope = trend([(sample.seconds, sample.census.memory) for sample in watched])
        return slope * (watched[-1].seconds - watched[0].seconds) / fmean(sample.census.memory for sample in watched)

    @property
    def levels(self) -> list[int]:
        """How much memory the server had while it was watched: the median of each half minute, in MiB."""
        halves: dict[int, list[int]] = {}
        for sample in self.watched:
            halves.setdefault(int(sample.seconds // LEVEL), []).append(sample.census.memory)
        return [round(median(memory) / 2**20) for memory in halves.values()]

    @property
    def most_descriptors(self) -> int:
        """How many descriptors the server had open at most."""
        return max(sample.census.descriptors for sample in self.samples)

    @property
    def more_blocks(self) -> float:
        """How many more blocks the server's Python holds at rest than it did, as a part of those."""
        return self.after.blocks / self.before.blocks - 1

    @property
    def complaints(self) -> list[str]:
        """What is not as it must be, in words."""
        found = [f"{self.lost:,} of {self.sent:,} messages were lost"] if self.lost else []
        silent = [name for name in self.tally["sent"] if not self.tally["answered"].get(name)]
        found += [f"none was answered: {name}" for name in silent] + self.tally["failures"]
        if self.tally["failed"] > len(self.tally["failures"]):
            found.append(f"… and so on, {self.tally['failed']:,} in all")
        found += [f"left behind: {count:,} {name}" for name, count in self.left_behind.items()]
        for process, faults in self.faults.items():
            found += [f"the {process} logged {faults['count']:,} errors"] if faults["count"] else []
            found += faults["first"]
        if self.growth is not None and self.growth > MAX_GROWTH:
            found.append(f"the memory grew by {self.growth:.1%}, more than {MAX_GROWTH:.0%}")
        if self.more_blocks > MAX_BLOCKS:
            found.append(f"{self.more_blocks:.1%} more blocks are held at rest, more than {MAX_BLOCKS:.0%}")
        return found

    @property
    def counts(self) -> dict[str, Any]:
        """What the pages say of it."""
        return {
            "connections": self.connections,
            "minutes": round(self.seconds / 60, 2),
            "sent": self.sent,
            "answered": self.answered,
            "lost": self.lost,
            "hostile": sum(self.tally["attacks"].values()),
            "descriptors": self.most_descriptors,
            "left": sum(self.left_behind.values()),
            "errors": sum(faults["count"] for faults in self.faults.values()),
            "complaints": len(self.complaints),
            "memory": self.levels,
            "growth": None if self.growth is None else round(self.growth, 4),
            "blocks": [self.before.blocks, self.after.blocks],
        }

    def as_json(self) -> dict[str, Any]:
        """Return all of it."""
        return {
            "connections": self.connections,
            "seconds": self.seconds,
            "sent": self.sent,
            "answered": self.answered,
            "lost": self.lost,
            "left": self.left_behind,
            "in_cycles": self.in_cycles,
            "growth": self.growth,
            "complaints": self.complaints,
            "tally": self.tally,
            "faults": self.faults,
            "before": self.before.as_json(),
            "after": self.after.as_json(),
            "samples": [{"seconds": sample.seconds, **sample.census.as_json()} for sample in self.samples],
        }


def trend(points: Sequence[tuple[float, float]]) -> float:
    """Return the slope of a line through the points: the median of those through two, which outliers do not bend."""
    return median((y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points, 2) if x2 > x1)
