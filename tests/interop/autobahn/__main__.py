"""Run the Autobahn test suite against perfectws: as a server and as a client, by frames and by whole messages.

    python -m tests.interop.autobahn FOLDER [--testee server-frames …] [--cases 1.*,6.4.* …] [--jobs 2] [--record]

It makes an environment for the suite in ``FOLDER/environment`` with pip, unless it is there, puts the reports beside it
as pages to be read with a browser, and prints the counts, and why each case that is neither OK nor informational is
not. All 517 cases take about ten minutes for each of the four testees. Nothing leaves the loopback interface. The suite
gives a close handshake one second: on a machine that is busy with something else, a case may be called unclean for it.

The exit status is 0 if all is OK or informational, 1 if not, 2 if it could not run: without a Python 2.7, say.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from benchmarks import recorded

from .environment import REQUIREMENTS, PythonMissing, make_environment
from .report import Report
from .suite import Suite, SuiteFailed

TESTEES = ("server-frames", "server-messages", "client-frames", "client-messages")


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.interop.autobahn",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, help="where everything goes")
    parser.add_argument("--testee", nargs="+", choices=TESTEES, default=TESTEES, help="which to test; all by default")
    parser.add_argument("--cases", default="*", help="which cases, as patterns with commas between; all by default")
    parser.add_argument("--jobs", type=int, default=1, help="how many testees to test at the same time")
    parser.add_argument("--record", action="store_true", help=f"of all testees and cases: {recorded.HELP}")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    parser = make_parser()
    options = parser.parse_args(arguments)
    if options.record and (set(options.testee) != set(TESTEES) or options.cases != "*"):
        parser.error("--record is for all testees and all cases: choose none")
    folder = options.folder.absolute()
    try:
        python = make_environment(folder / "environment")
        reports = run_all(python, folder, options.testee, options.cases.split(","), options.jobs)
    except (PythonMissing, SuiteFailed, subprocess.SubprocessError) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    if options.record:
        record(reports, options.jobs)
    return 0 if all(report.is_right for report in reports) else 1


def record(reports: Sequence[Report], jobs: int) -> None:
    """Write how many cases of each testee ended how to where the pages find it."""
    testees = {report.agent: dict(sorted(report.counts.items())) for report in reports}
    suite = re.search(r"^autobahntestsuite==(.+)$", REQUIREMENTS.read_text(), re.MULTILINE)
    assert suite is not None
    recorded.record(
        "autobahn",
        f"python -m tests.interop.autobahn FOLDER --jobs {jobs} --record",
        {"cases": max(len(report.wanted) for report in reports), "testees": testees},
        packages=["wsproto"],
        versions={"autobahntestsuite": suite[1]},
    )


def run_all(python: Path, folder: Path, testees: Sequence[str], cases: Sequence[str], jobs: int) -> list[Report]:
    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(partial(run_one, python, folder, cases), testees))


def run_one(python: Path, folder: Path, cases: Sequence[str], testee: str) -> Report:
    role, _, echo = testee.partition("-")
    suite = Suite(python, folder / testee, cases)
    report = suite.test_server(echo) if role == "server" else suite.test_client(echo)
    print(report, flush=True)  # noqa: T201
    return report


if __name__ == "__main__":
    sys.exit(main())
