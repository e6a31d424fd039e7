"""What a process holds: memory, descriptors, tasks, timers, and objects of perfectws and of what it stands on."""

from __future__ import annotations

import gc
import os
import sys
import urllib.parse
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import trio

from perfectws.client import url as client_url
from perfectws.net.timers import HeapTimer, Timers

from .memory import give_back_free_memory, holes, resident_memory

#: Whose objects are counted.
PACKAGES = ("perfectws", "h11", "wsproto")
#: A timer that was cancelled stays in the heap until the next sweep, and holds nothing: live ones are counted. The last
#: URLs that a client was given are remembered, a bounded number of them.
_NOT_COUNTED = (HeapTimer, client_url.WebSocketURL)


@dataclass(frozen=True)
class Census:
    """What a process holds at one moment.

    Attributes:
        memory: Its resident memory without the holes in it, in bytes.
        holes: What glibc holds free between what is in use, in bytes.
        descriptors: Its open file descriptors.
        tasks: The tasks of its trio run.
        timers: The calls that its loops are still to make.
        blocks: The pieces of memory that Python's allocator has given out: what is freed counts no more, however much
            of it the process keeps.
        objects: How many objects of each class there are.
    """

    memory: int
    holes: int
    descriptors: int
    tasks: int
    timers: int
    blocks: int
    objects: dict[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return it for the other process."""
        return asdict(self)

    @property
    def figures(self) -> dict[str, int]:
        """What is counted whatever it belongs to; the memory is left out."""
        return {"descriptors": self.descriptors, "tasks": self.tasks, "timers": self.timers}

    def figures_beyond(self, before: Census) -> dict[str, int]:
        """Return how many more descriptors, tasks and timers there are than there were."""
        return _beyond(self.figures, before.figures)

    def beyond(self, before: Census) -> dict[str, int]:
        """Return what there is more of than there was."""
        return _beyond(self.figures | self.objects, before.figures | before.objects)


def _beyond(now: Mapping[str, int], then: Mapping[str, int]) -> dict[str, int]:
    return {name: count - then.get(name, 0) for name, count in now.items() if count > then.get(name, 0)}


def take_sample() -> Census:
    """Count what is counted quickly. To be called inside a trio run.

    What glibc keeps of freed memory, so that the next message finds it, is given back first, or counted apart: neither
    its peaks are growth nor its holes.
    """
    give_back_free_memory()
    between = holes()
    return Census(
        memory=resident_memory() - between,
        holes=between,
        descriptors=open_descriptors(),
        tasks=trio.lowlevel.current_statistics().tasks_living,
        timers=0,
        blocks=sys.getallocatedblocks(),
    )


def take_census() -> Census:
    """Count everything: it walks over all objects of the process.

    What is remembered of the last URLs, a bounded number of them, is forgotten first: it is no growth.
    """
    urllib.parse.clear_cache()  # type: ignore[attr-defined]  # typeshed does not know it
    client_url._parse_and_remember.cache_clear()
    objects, timers = Counter[str](), 0
    for each in gc.get_objects():
        kind = type(each)
        if isinstance(each, Timers):
            timers += len(each)
        if kind.__module__.partition(".")[0] in PACKAGES and kind not in _NOT_COUNTED:
            objects[f"{kind.__module__}.{kind.__qualname__}"] += 1
    sample = take_sample()
    return replace(sample, timers=timers, objects=dict(objects))


def open_descriptors() -> int:
    """Return how many file descriptors this process has open."""
    return len(os.listdir("/proc/self/fd")) - 1  # but for the one that lists them
