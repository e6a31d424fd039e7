"""How many workers there are to be, and how they go: what `HTTPServer.launch` is told, and whether that can be."""

from __future__ import annotations

import os
import signal
import sys
import threading
from math import ceil
from pathlib import Path
from typing import Literal, NamedTuple

from ...checks.quantities import SECONDS_OR_UNSET, whole_number
from ...errors import LaunchFailure
from ...rooms.lone import lone_rooms, lone_rooms_error
from .started import PROGRAM, Program

#: Each worker is told how many connections each of the others has: it is a matter of processors, not of thousands.
MOST_WORKERS = 512
WORKERS = whole_number(1, MOST_WORKERS)
#: Over how many seconds connections are closed when others take over, unless another time is given.
DRAIN = 5.0
#: Where a container says how much of the processors it may use: microseconds, in so many.
_CPU_MAX = Path("/sys/fs/cgroup/cpu.max")
#: How trio calls a thread of its own that has nothing to do: it knows how to be forked.
_IDLE_THREAD = "Trio thread "


class Contradiction(LaunchFailure, TypeError):
    """`HTTPServer.launch` was given what does not go together: it was called wrongly, and cannot start."""


class Plan(NamedTuple):
    """What is to be done.

    Attributes:
        workers: How many processes serve.
        drain: Over how many seconds they close their connections when others take over.
        reload_on: The signal for that.
        program: What takes over then: this program, with the code that it has at that time.
    """

    workers: int
    drain: float
    reload_on: signal.Signals
    program: Program = PROGRAM


def make_plan(
    workers: int | Literal["auto"],
    drain: float | None = None,
    reload_on: signal.Signals | None = None,
    *,
    wait: bool = True,
) -> Plan | None:
    """Return what ``workers=`` and ``drain=`` mean; ``None`` if this process is to serve, alone.

    Args:
        workers, drain, wait: As for `HTTPServer.launch`.
        reload_on: The signal that reloads, if another than SIGHUP; with it there is a supervisor for one worker too.

    Raises:
        ValueError: They are no such numbers.
        LaunchFailure: This cannot be done here.
    """
    SECONDS_OR_UNSET.check("drain", drain)
    if workers != "auto":
        WORKERS.check("workers", workers)
    if workers == 1 and reload_on is None:
        return None
    if sys.platform == "win32" or not hasattr(os, "fork"):
        raise LaunchFailure(f"workers={workers!r}: this system cannot fork processes; leave workers out")
    _check_process(workers, wait)
    if lone := lone_rooms():
        raise LaunchFailure(lone_rooms_error(*lone))
    count = processors() if workers == "auto" else workers
    return Plan(count, DRAIN if drain is None else drain, reload_on or signal.SIGHUP)


def _check_process(workers: int | Literal["auto"], wait: bool) -> None:
    """Raise `LaunchFailure` unless this process can be forked as it is."""
    given = f"workers={workers!r}"
    if not wait:
        raise Contradiction(
            f"launch() with 'workers' blocks: with wait=True this process looks after {given}, and does nothing else"
        )
    if threading.current_thread() is not threading.main_thread():
        raise LaunchFailure(f"{given} needs the main thread, which is told of signals: launch the servers there")
    others = [each.name for each in threading.enumerate() if each is not threading.current_thread()]
    busy = [name for name in others if not name.startswith(_IDLE_THREAD)]
    if busy:
        raise LaunchFailure(
            f"{given} forks this process, which has other threads: {', '.join(busy)}. A fork has none of them, and "
            "what they hold stays locked: begin them in server.on_start(callback), which each worker calls"
        )


def processors() -> int:
    """Return how many processors this process may use."""
    if sys.platform != "linux":
        return os.cpu_count() or 1
    count = len(os.sched_getaffinity(0))
    try:
        quota, period = _CPU_MAX.read_text().split()
        return max(1, min(count, ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # there is no such limit
        return count
