"""What two workers carry that have something to do for each message, beside one process; and what a message costs."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from statistics import median

from ..compiler import compiled_load
from ..processes import Failure, running_process
from .judgement import Judgement
from .service import Service, running_service

#: How many clients talk, each with one message under way.
CONNECTIONS = 64
#: The work for a message, in microseconds, and by how much two workers must carry more than one process.
LEAST = {50: 1.5, 100: 1.7}
#: One process alone must get this part of a core: else others have it, and nothing is measured.
LEAST_CORE = 0.97
#: By how much what a message costs may differ.
MOST_COST = 0.07


@dataclass(frozen=True)
class Carried:
    """What a server has carried.

    Attributes:
        rate: Messages per second.
        cores: How many cores it has used.
    """

    rate: float
    cores: float

    @property
    def cost(self) -> float:
        """CPU time for a message, in microseconds."""
        return self.cores / self.rate * 1e6


def measure(judgement: Judgement, *, rounds: int = 3, seconds: float = 4.0) -> None:
    """Measure all of it: one process and two workers in turn, so that what else runs meets both."""
    for work, least in LEAST.items():
        alone, two = [], []
        for _ in range(rounds):
            alone.append(_carry(1, work, seconds))
            two.append(_carry(2, work, seconds))
        one = max(alone, key=lambda carried: carried.cores)
        if one.cores < LEAST_CORE:
            judgement.say(f"{work} µs for a message: measured nothing, one process gets {one.cores:.2f} of a core")
            continue
        judgement.tell(f"{work} µs for a message, one process", one.rate, digits=0, unit="/s")
        factor = median(after.rate / before.rate for before, after in zip(alone, two, strict=True))
        judgement.must_reach(f"{'':24}two workers carry as much of it", factor, least)
        costs = [median(each.cost for each in carried) for carried in (alone, two)]
        judgement.tell(f"{'':24}CPU for a message, one process", costs[0], unit=" µs")
        judgement.tell(f"{'':24}CPU for a message, two workers", costs[1], unit=" µs")
        judgement.must(f"{'':24}by how much these differ", abs(costs[1] / costs[0] - 1), MOST_COST, digits=3)


def _carry(workers: int, work: float, seconds: float) -> Carried:
    with running_service(workers, work=work) as service:
        return _load(service, seconds)


def _load(service: Service, seconds: float) -> Carried:
    options = {"port": service.port, "pid": service.process.pid, "connections": CONNECTIONS, "opening": 8}
    options |= {"sleepy": 1}  # where two workers have both cores, it must not spin on one
    command = [str(compiled_load()), "echo", "--seconds", str(seconds), "--warmup", "1"]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    with running_process(command, stdout=-1, stderr=-1) as load:
        time.sleep(1 + seconds / 4)
        began, used = time.monotonic(), service.cpu_seconds()
        time.sleep(seconds / 2)
        cores = (service.cpu_seconds() - used) / (time.monotonic() - began)
        output, errors = load.communicate(timeout=4 * seconds + 60)
    if load.returncode:
        raise Failure(errors.decode())
    window = json.loads(output)["window"]
    return Carried(window["messages"] / window["seconds"], cores)
