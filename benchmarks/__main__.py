"""The command: ``python -m benchmarks``. See ``--help``, and docs/performance.md."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from . import markdown, plot, table, targets
from .compiler import NoCompiler, compiled_load
from .measure import Timing
from .output import check_writable, write_file
from .processes import choose_cores
from .results import Results
from .runner import Plan, run, say
from .scenarios import Scenario, default_scenarios, find_scenarios
from .servers import SERVERS, Server

_DESCRIPTION = """\
Measure perfectws and its peers: each server in a process of its own on one core, the load on the other, on loopback.
In each round every server runs once; figures are medians over the rounds, ratios are taken within a round."""
_EPILOG = """\
--scenario takes a name, the beginning of names (echo, room, echo-64), or any shape as
echo-SIZE-CONNECTIONSxINFLIGHT, also with -spread (each message in a segment of its own), -paced (half of picows' rate),
-deflate (compressed) or -Nparts (each message in N fragments), for example echo-64-100x1 or echo-16384-20x1-4parts.
Several are separated by commas; --list names them all."""


def main() -> None:
    """Measure, and print the table."""
    arguments = parse(sys.argv[1:])
    signal.signal(signal.SIGTERM, _stop)
    try:
        compiled_load()
        results = measure(arguments)
    except NoCompiler as error:
        sys.exit(f"python -m benchmarks: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # what was measured is not lost to a second one
    is_written = write(results, arguments)
    if results.was_stopped:
        say("stopped before the end")
        sys.exit(130)
    if not is_written or results.failures or any(target["verdict"] == "FAIL" for target in results.targets):
        sys.exit(1)


def _stop(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--scenario", metavar="NAMES", help="the scenarios to measure (default: all but those of --full)"
    )
    parser.add_argument(
        "--servers",
        metavar="NAMES",
        help="the servers to measure (default: perfectws and all its peers)",
    )
    parser.add_argument("--rounds", type=_count, help="how many rounds (default: 3, with --quick 1)")
    parser.add_argument("--seconds", type=_seconds, help="how long a figure is taken (default: 2, with --quick 0.5)")
    parser.add_argument("--quick", action="store_true", help="about a second for each figure, one round")
    parser.add_argument("--full", action="store_true", help="all shapes of echo: hours, not minutes")
    parser.add_argument("--check", action="store_true", help="measure what the targets need, and judge it")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to a file")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw the CPU time per message")
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="write the figures as tables in Markdown, of --check the bounds"
    )
    parser.add_argument("--list", action=_List, nargs=0, help="name the scenarios and the servers")
    found = parser.parse_args(arguments)
    found.rounds = found.rounds or (1 if found.quick else 3)
    found.seconds = found.seconds or (0.5 if found.quick else 2.0)
    if found.check and (found.scenario or found.servers or found.full):
        parser.error("--check measures what the targets need: it takes no --scenario, --servers or --full")
    try:
        found.plan = make_plan(found)
        for path in filter(None, (found.json, found.svg, found.markdown)):
            check_writable(path)
    except ValueError as error:
        parser.error(str(error))
    return found


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"at least 1, not {text}")
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 < number < 3600:
        raise argparse.ArgumentTypeError(f"a number above 0, below an hour, not {text}")
    return number


class _List(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        lines = [f"  {scenario.name:24} {scenario.title}" for scenario in default_scenarios(full=True)]
        servers = [f"  {name:24} {server.title}" for name, server in SERVERS.items()]
        sys.stdout.write("\n".join(["scenarios:", *lines, "servers:", *servers, ""]))
        parser.exit()


def make_plan(arguments: argparse.Namespace) -> Plan:
    """Return what to measure. Raises `ValueError` for a name that is not known."""
    servers = choose_servers(arguments.servers)
    return [(scenario, servers) for scenario in choose_scenarios(arguments.scenario, arguments.full)]


def choose_scenarios(names: str | None, full: bool) -> list[Scenario]:
    """Return the scenarios that were asked for."""
    if names is None:
        return default_scenarios(full=full)
    chosen = [scenario for name in _names(names) for scenario in find_scenarios(name, full=full)]
    return list({scenario.name: scenario for scenario in chosen}.values())


def choose_servers(names: str | None) -> list[Server]:
    """Return the servers that were asked for; a name may be written with underscores."""
    if names is None:
        return [server for server in SERVERS.values() if server.is_default]
    chosen = [name.replace("_", "-") for name in _names(names)]
    unknown = [name for name in chosen if name not in SERVERS]
    if unknown:
        raise ValueError(f"there is no server {unknown[0]!r}; there are {', '.join(SERVERS)}")
    return [SERVERS[name] for name in chosen]


def _names(text: str) -> list[str]:
    """Return what stands between commas. Raises `ValueError` where nothing does."""
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise ValueError(f"a name is missing in {text!r}")
    return names


def timing_of(arguments: argparse.Namespace) -> Timing:
    """Return how long each figure is taken."""
    return Timing(arguments.seconds, min(0.5, arguments.seconds / 3))


def measure(arguments: argparse.Namespace) -> Results:
    """Measure what was asked for."""
    cores = choose_cores()
    if cores.server is None:
        say("there is only one core: the servers and the load share it, and the figures say little")
    if arguments.check:
        return targets.check(cores, timing_of(arguments), arguments.rounds)
    return run(arguments.plan, cores, timing_of(arguments), arguments.rounds)


def write(results: Results, arguments: argparse.Namespace) -> bool:
    """Print the table, and write the files that were asked for. Return whether all of them could be."""
    sys.stdout.write(table.as_text(results))
    if results.targets:
        sys.stdout.write("\n" + targets.as_text(results.targets))
    written = [
        write_file(arguments.json, lambda: json.dumps(results.as_json(), indent=1) + "\n"),
        write_file(arguments.markdown, lambda: markdown.as_markdown(results)),
        write_file(arguments.svg, lambda: plot.draw(results)),
    ]
    for failure in results.failures:
        say(f"FAILED: {failure}")
    return all(written)


if __name__ == "__main__":
    main()
