"""The command: ``python -m benchmarks.brokers``. See ``--help``."""

from __future__ import annotations

import argparse
import sys

from ..processes import Failure
from . import cost, faults, presence, recovery


def main() -> None:
    """Measure what is asked for, and print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.brokers", description=__doc__)
    commands = parser.add_subparsers(dest="what", required=True)
    command = commands.add_parser("cost", help="CPU time per message, and how long it takes, beside plain pub/sub")
    command.add_argument("--rate", type=float, default=4000, help="messages a second (default: 4000)")
    command.add_argument("--seconds", type=float, default=5, help="how long each is measured (default: 5)")
    command.add_argument("--rounds", type=int, default=3, help="how often (default: 3)")
    command = commands.add_parser("faults", help="what members hear while Redis fails")
    command.add_argument("--members", type=int, default=200, help="of each of two servers (default: 200)")
    command.add_argument("--rate", type=float, default=100, help="messages a second in all (default: 100)")
    command.add_argument("--only", default="", help="only the faults whose names have this in them")
    command = commands.add_parser("recovery", help="whether anything is missing to who comes back")
    command.add_argument("--clients", type=int, default=8)
    command.add_argument("--reconnects", type=int, default=15, help="of each (default: 15)")
    command.add_argument("--rate", type=float, default=190, help="messages a second in all (default: 190)")
    command = commands.add_parser("presence", help="after how long the people of a dead process are gone")
    command.add_argument("--people", type=int, default=100)
    command.add_argument("--lease", type=float, default=4.0)
    command.add_argument("--rounds", type=int, default=3)
    options = vars(parser.parse_args())
    measure = {"cost": cost, "faults": faults, "recovery": recovery, "presence": presence}[options.pop("what")].measure
    try:
        measure(**options)
    except Failure as failure:
        sys.exit(f"python -m benchmarks.brokers: {failure}")
    except KeyboardInterrupt:
        sys.exit("stopped")


if __name__ == "__main__":
    main()
