"""The command: ``python -m benchmarks.workers``. See ``--help``."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from ..processes import Failure
from ..soak.control import allow_descriptors
from . import balance, cost, reload, work
from .judgement import Judgement

_DESCRIPTION = """\
balance   whether all workers have as many connections, also after one was killed; what one that is stopped costs others
work      what two workers carry that have something to do for each message, and what a message costs
cost      what an echo costs a server in one process, in instructions
reload    whether anybody is refused or lost when the code is loaded anew under many clients

Exits with 1 if something is not as it must be. Times want a machine that does nothing else."""


def main() -> None:
    """Measure, and print what was found."""
    arguments = parse(sys.argv[1:])
    signal.signal(signal.SIGTERM, _stop)
    judgement = Judgement()
    subjects: dict[str, Callable[[], None]] = {
        "balance": lambda: balance.measure(judgement),
        "work": lambda: work.measure(judgement),
        "cost": lambda: cost.measure(judgement, against=arguments.against),
        "reload": lambda: reload.measure(judgement),
    }
    if arguments.small:
        subjects |= {
            "balance": lambda: balance.measure(judgement, rounds=1, counts=(200,)),
            "work": lambda: work.measure(judgement, rounds=1, seconds=2.0),
            "cost": lambda: cost.measure(judgement, against=arguments.against, rounds=1),
            "reload": lambda: reload.measure(judgement, clients=100, drain=1.0),
        }
    try:
        allow_descriptors(2000)
        for name in arguments.subjects:
            subjects[name]()
    except Failure as failure:
        sys.exit(f"python -m benchmarks.workers: {failure}")
    except KeyboardInterrupt:
        sys.exit("stopped")
    if judgement.failed:
        sys.exit(1)


def _stop(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.workers",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("subjects", nargs="+", choices=["balance", "work", "cost", "reload"], metavar="SUBJECT")
    parser.add_argument("--small", action="store_true", help="fewer clients, once: to see that all works")
    parser.add_argument(
        "--against", type=Path, metavar="DIRECTORY", help="cost: another checkout, the code of which is measured too"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
