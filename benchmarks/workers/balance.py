"""Whether all workers have as many connections: when they come, after one was killed, and while one is stopped."""

from __future__ import annotations

import os
import signal
from statistics import median

import trio

from .herd import herd
from .judgement import Judgement
from .service import PATIENCE, running_service

#: By how much the fullest worker may be above the mean.
MOST = 1.10
#: Within which time newcomers are answered though one of the workers is stopped, in seconds.
ANSWERED = 2.0
NEWCOMERS = 100


def measure(judgement: Judgement, *, rounds: int = 5, counts: tuple[int, ...] = (200, 2000)) -> None:
    """Measure all of it."""
    for workers in (2, 4):
        for count in counts:
            found = [trio.run(_come, workers, count) for _ in range(rounds)]
            judgement.must(f"{count:,} connections on {workers} workers, max over mean, median", median(found), MOST)
            judgement.must(f"{'':24}worst of {rounds}", max(found), MOST)
    for count in counts:
        found = [trio.run(_kill_one, count) for _ in range(rounds)]
        judgement.must(f"one of two is killed, its clients of {count:,} come back, median", median(found), MOST)
        judgement.must(f"{'':24}worst of {rounds}", max(found), MOST)
    times = [trio.run(_stop_one) for _ in range(rounds)]
    judgement.must(f"one of two is stopped: {NEWCOMERS} newcomers answered, worst", max(times), ANSWERED, unit=" s")


async def _come(workers: int, count: int) -> float:
    with running_service(workers) as service:
        async with herd(service.port, count) as found:
            return found.unevenness(workers)


async def _kill_one(count: int) -> float:
    """Kill one of two, and return how uneven they are once all of its clients are back, and another is there."""
    with running_service(2) as service:
        async with herd(service.port, count) as found:
            killed = service.serving()[0]
            os.kill(killed, signal.SIGKILL)
            with trio.fail_after(PATIENCE):
                while killed in found.spread or len(found.processes) < count:
                    await trio.sleep(0.05)
            return found.unevenness(2)


async def _stop_one() -> float:
    """Stop one of two, let newcomers come at once, and return how long it takes until all are answered."""
    with running_service(2) as service:
        async with herd(service.port, 200):
            stopped = service.serving()[0]
            os.kill(stopped, signal.SIGSTOP)
            try:
                began = trio.current_time()
                async with herd(service.port, NEWCOMERS):
                    return trio.current_time() - began
            finally:
                os.kill(stopped, signal.SIGCONT)
