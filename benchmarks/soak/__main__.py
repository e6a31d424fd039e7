"""The command: ``python -m benchmarks.soak``. See ``--help``, and the package's own words."""

from __future__ import annotations

import argparse
import json
import secrets
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from .. import recorded
from ..output import check_writable, write_file
from ..processes import Failure
from ..runner import say
from . import picture
from .census import Census
from .control import allow_descriptors, running_foreign, running_load, running_server
from .load import Stage
from .places import TRANSPORTS, prepared_directory
from .verdict import JUDGED, MAX_BLOCKS, MAX_GROWTH, WARM_UP, Findings, Sample

_DESCRIPTION = """\
Soak a server of perfectws: honest traffic, each message of which must be answered, beside peers that do everything
wrong. Over plain TCP, TLS and Unix sockets, with perfectws's own client and others. With --over client it is that
client which is soaked, over all three: at a server of other people's, and at one that does everything wrong. Exits with
1 if a message is lost, anything is left behind when all are gone, an error is logged, or memory grows."""
#: Instead of transports: it is the client that is soaked.
CLIENT = "client"
#: How often the server is looked at in one soak.
_SAMPLES = 150
#: Whose versions are recorded.
_PACKAGES = ("trio", "wsproto", "h11", "websockets")


def main() -> None:
    """Soak, and print what was found."""
    arguments = parse(sys.argv[1:])
    signal.signal(signal.SIGTERM, _stop)
    try:
        findings = soak(arguments)
    except Failure as failure:
        sys.exit(f"python -m benchmarks.soak: {failure}")
    except KeyboardInterrupt:
        sys.exit("stopped")
    sys.stdout.write(as_text(findings))
    if arguments.record:
        record(findings, arguments)
    written = [
        write_file(arguments.json, lambda: json.dumps(findings.as_json(), indent=1) + "\n"),
        write_file(arguments.svg, lambda: picture.as_svg(findings)),
    ]
    if findings.complaints or not all(written):
        sys.exit(1)


def _stop(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def record(findings: Findings, arguments: argparse.Namespace) -> None:
    """Write what was found to where the pages find it: for each choice of transports, and for clients, apart."""
    over = [each for each in (*TRANSPORTS, CLIENT) if each in arguments.over.split(",")]
    name = "soak" if over == list(TRANSPORTS) else f"soak-{'-'.join(over)}"
    command = f"python -m benchmarks.soak --connections {arguments.connections} --minutes {arguments.minutes:g}"
    command += f" --over {','.join(over)} --seed {arguments.seed} --record"
    recorded.record(name, command, findings.counts, packages=_PACKAGES)


def make_parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.soak",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--connections", type=_count, default=2500, help="how many at once, at least (default: 2500)")
    parser.add_argument("--minutes", type=_minutes, default=5.0, help="how long, also a fraction (default: 5)")
    parser.add_argument("--over", default=",".join(TRANSPORTS), help="some of plain,tls,unix (default: all), or client")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32), help="what chance begins with")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw the memory over time")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was found")
    parser.add_argument("--record", action="store_true", help=recorded.HELP)
    return parser


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = make_parser()
    found = parser.parse_args(arguments)
    try:
        if found.over != CLIENT and (unknown := set(found.over.split(",")) - set(TRANSPORTS)):
            raise ValueError(f"--over takes some of {', '.join(TRANSPORTS)}, not {min(unknown)!r}")
        allow_descriptors(found.connections)
        for path in filter(None, (found.json, found.svg)):
            check_writable(path)
    except ValueError as error:
        parser.error(str(error))
    return found


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"at least 1, not {text}")
    return number


def _minutes(text: str) -> float:
    number = float(text)
    if not 0 < number <= 24 * 60:
        raise argparse.ArgumentTypeError(f"a number above 0, at most a day, not {text}")
    return number


def soak(arguments: argparse.Namespace) -> Findings:
    """Run the server and the load, and return what they were found to do."""
    say(f"{arguments.connections} connections for {arguments.minutes:g} minutes, --seed {arguments.seed}")
    with prepared_directory() as directory:
        return (_soak_clients if arguments.over == CLIENT else _soak_server)(arguments, directory)


def _soak_server(arguments: argparse.Namespace, directory: Path) -> Findings:
    with running_server(directory) as server:
        before = held = after = server.census()
        watch = _Watch()
        with running_load(server.places, **_asked_of_load(arguments), over=arguments.over) as load:
            for report in load.reports():
                watch.look(report, server.sample())
                if report["stage"] == Stage.SQUATTING:
                    held = server.when_quiet(before)
                    after = server.at_rest(before)
                    load.let_go()
        return Findings(
            connections=arguments.connections,
            seconds=arguments.minutes * 60,
            before=before,
            after=after,
            samples=watch.samples,
            tally=watch.report["tally"],
            faults={"server": server.faults(), "load": watch.report["faults"]},
            left=watch.report["left"],
            gathered=watch.gathered,
            in_cycles=held.beyond(after),
        )


def _soak_clients(arguments: argparse.Namespace, directory: Path) -> Findings:
    """Soak perfectws's own clients, which are a load that tells of itself what it holds."""
    with running_foreign(directory, arguments.seed) as places:
        watch = _Watch()
        with running_load(places, "--clients", **_asked_of_load(arguments)) as load:
            for report in load.reports():
                watch.look(report, Census(**report["sample"]))
    return Findings(
        connections=arguments.connections,
        seconds=arguments.minutes * 60,
        before=Census(**watch.report["before"]),
        after=Census(**watch.report["after"]),
        samples=watch.samples,
        tally=watch.report["tally"],
        faults={"clients": watch.report["faults"]},
        left={},
        gathered=watch.gathered,
        subject="clients",
    )


def _asked_of_load(arguments: argparse.Namespace) -> dict[str, Any]:
    seconds = arguments.minutes * 60
    return {
        "connections": arguments.connections,
        "seconds": seconds,
        "interval": max(0.5, seconds / _SAMPLES),
        "seed": arguments.seed,
    }


class _Watch:
    """What is seen of a soak while it goes on, and told at once.

    Attributes:
        samples: What was held at each report of the load, in seconds from the first.
        report: The last of these.
        gathered: When all had come who stay.
    """

    def __init__(self) -> None:
        self.samples: list[Sample] = []
        self.report: dict[str, Any] = {"stage": Stage.GATHERING}
        self.gathered = 0.0
        self._began: float | None = None
        self._told = 0

    def look(self, report: dict[str, Any], census: Census) -> None:
        """Keep what is reported and held now, and say how far it is, and what has failed since."""
        now = time.monotonic()
        self._began = now if self._began is None else self._began
        self.samples.append(Sample(now - self._began, census))
        if self.report["stage"] == Stage.GATHERING:
            self.gathered = now - self._began
        self.report = report
        self._tell(self.samples[-1], report["tally"])

    def _tell(self, sample: Sample, tally: dict[str, Any]) -> None:
        census, sent, answered = sample.census, sum(tally["sent"].values()), sum(tally["answered"].values())
        say(
            f"{sample.seconds:6.0f} s  {sent:10,} sent {answered:10,} answered {tally['failed']:4,} failures  "
            f"{census.memory / 2**20:7.1f} MiB {census.descriptors:6,} descriptors {census.tasks:5,} tasks"
        )
        for failure in tally["failures"][self._told :]:
            say(f"    {failure}")
        self._told = len(tally["failures"])


def as_text(findings: Findings) -> str:
    """Return all that was found, in words and in a picture."""
    tally, before, after = findings.tally, findings.before, findings.after
    lines = [f"{'honest':24} {'sent':>12} {'answered':>12} {'lost':>6}"]
    for name, sent in tally["sent"].items():
        answered = tally["answered"].get(name, 0)
        lines.append(f"{name:24} {sent:12,} {answered:12,} {sent - answered:6,}")
    lines += [f"{'in all':24} {findings.sent:12,} {findings.answered:12,} {findings.lost:6,}", "", "hostile"]
    lines += [f"{name:24} {count:12,}" for name, count in sorted(tally["attacks"].items())]
    lines += ["", f"{'descriptors, at most':24} {findings.most_descriptors:12,}"]
    if findings.connected is not None:
        lines.append(f"{'connections, at least':24} {findings.connected:12,}")
    lines += ["", f"{'at rest':24} {'before':>12} {'after':>12}"]
    for name in ("descriptors", "tasks", "timers", "blocks"):
        lines.append(f"{name:24} {getattr(before, name):12,} {getattr(after, name):12,}")
    lines.append(f"{'objects':24} {sum(before.objects.values()):12,} {sum(after.objects.values()):12,}")
    for name in ("memory", "holes"):
        lines.append(f"{name + ', MiB':24} {getattr(before, name) / 2**20:12.1f} {getattr(after, name) / 2**20:12.1f}")
    lines += ["", f"the memory of the {findings.subject}", picture.as_text(findings.samples)]
    return "\n".join([*lines, *_conclusion(findings), ""])


def _conclusion(findings: Findings) -> list[str]:
    if findings.growth is None:
        memory = f"memory: not judged, which takes {JUDGED:.0f} s"
    else:
        memory = f"memory: {findings.growth} from {WARM_UP:.0f} s after all had come ({MAX_GROWTH:.0%} are allowed)"
        least, most = (size / 2**20 for size in findings.holes)
        memory += f"\nbeside it, holes that glibc keeps: {least:.1f} to {most:.1f} MiB"
    left = sum(findings.left_behind.values())
    blocks = f"blocks at rest: {findings.more_blocks:+.2%} ({MAX_BLOCKS:.0%} are allowed)"
    lines = [f"sent: {findings.sent:,}", f"answered: {findings.answered:,}", f"lost: {findings.lost:,}"]
    lines.append(f"left behind: {left:,}")
    for name in ("descriptors", "tasks", "timers"):
        of_it = sum(count for kind, count in findings.left_behind.items() if kind.endswith(f": {name}"))
        lines.append(f"    {name}: {of_it:,}")
    lines += [memory, blocks]
    if findings.in_cycles:
        lines.append(f"freed by the collector of cycles only: {findings.in_cycles}")
    return lines + [f"FAILED: {complaint}" for complaint in findings.complaints]


if __name__ == "__main__":
    main()
