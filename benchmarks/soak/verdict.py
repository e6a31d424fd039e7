"""What a soak has found, and whether that is as it must be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import inf, sqrt
from statistics import fmean, median, stdev
from typing import Any, NamedTuple

from .census import Census

#: How long memory is given to find its level before it is judged, in seconds, from when all connections are there.
WARM_UP = 60.0
#: From this part of the connections that were asked for, all are there.
ALL_THERE = 0.99
#: Over so long a level of memory is taken, in seconds, and so many of them are needed: fewer say nothing.
LEVEL = 30.0
ENOUGH_LEVELS = 4
#: How long a soak has to be, in seconds, so that memory is judged.
JUDGED = 240.0
#: So much it may grow while it is watched, as a part of itself, beyond what may be chance.
MAX_GROWTH = 0.02
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


class Growth(NamedTuple):
    """How much memory has grown, as a part of itself.

    Attributes:
        part: How much.
        chance: How much of it may be chance: twice the standard error.
    """

    part: float
    chance: float

    def __str__(self) -> str:
        return f"{self.part:+.2%} ± {self.chance:.2%}"


def growth_of(levels: Sequence[tuple[float, float]]) -> Growth:
    """Return how much the levels of memory have grown from the first to the last."""
    slope = trend(levels)
    mean = fmean(memory for _, memory in levels)
    scatter = stdev(memory - slope * seconds for seconds, memory in levels)
    return Growth(slope * (levels[-1][0] - levels[0][0]) / mean, 2 * scatter * sqrt(12 / len(levels)) / mean)


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
        gathered: When all had come who stay, as the samples count: the seconds that were asked for begin then.
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
    gathered: float = 0.0
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
        """The samples by which memory is judged: from a while after all connections are there, until they are to go."""
        end = self.gathered + self.seconds
        soaking = [sample for sample in self.samples if self.gathered <= sample.seconds <= end]
        enough = self.before.descriptors + ALL_THERE * self.connections
        full = next((sample.seconds for sample in soaking if sample.census.descriptors >= enough), inf)
        return [sample for sample in soaking if sample.seconds >= full + WARM_UP]

    @property
    def connected(self) -> int | None:
        """How many connections there were at least while it was watched."""
        return min((each.census.descriptors - self.before.descriptors for each in self.watched), default=None)

    @property
    def levels(self) -> list[tuple[float, float]]:
        """When, and how much memory the server had while it was watched: the least of each half minute.

        What is on its way comes on top of that, now and then.
        """
        watched = self.watched
        halves: dict[int, list[Sample]] = {}
        for sample in watched:
            halves.setdefault(int((sample.seconds - watched[0].seconds) // LEVEL), []).append(sample)
        return [
            (fmean(sample.seconds for sample in half), min(sample.census.memory for sample in half))
            for half in halves.values()
        ]

    @property
    def holes(self) -> list[int]:
        """The holes that were seen in the memory while it was watched, which are no growth: the least, and the most."""
        seen = [sample.census.holes for sample in self.watched]
        return [min(seen), max(seen)] if seen else []

    @property
    def growth(self) -> Growth | None:
        """How much the memory has grown while it was watched; ``None`` if that was too short."""
        levels = self.levels
        return growth_of(levels) if len(levels) >= ENOUGH_LEVELS else None

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
        if self.growth is None and self.seconds >= JUDGED:
            found.append(f"{self.connections:,} connections were never there, or too late for the memory to be judged")
        if self.growth is not None and self.growth.part - self.growth.chance > MAX_GROWTH:
            found.append(f"the memory grew by {self.growth}, more than {MAX_GROWTH:.0%}")
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
            "connected": self.connected,
            "memory": [round(memory / 2**20) for _, memory in self.levels],
            "holes": [round(size / 2**20) for size in self.holes],
            "growth": None if self.growth is None else str(self.growth),
            "blocks": [self.before.blocks, self.after.blocks],
        }

    def as_json(self) -> dict[str, Any]:
        """Return all of it."""
        return {
            "connections": self.connections,
            "seconds": self.seconds,
            "gathered": self.gathered,
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
