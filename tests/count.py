"""How many tests there are, and how many of them hold each promise: ``python -m tests.count``.

pytest collects them and runs none.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from typing import Any

from benchmarks import recorded

from .promises import ROOT, read_promises


def collected() -> Counter[str]:
    """Return how many tests each file has. Raises `SystemExit` if one cannot be collected."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-n0", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"pytest cannot collect them all:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
    return Counter(line.partition("::")[0] for line in done.stdout.splitlines() if ".py::" in line)


def counts_of(files: Mapping[str, int]) -> dict[str, Any]:
    """Return what the pages say of them."""
    promises = {each.name: sum(files.get(test, 0) for test in each.tests) for each in read_promises().values()}
    return {"collected": sum(files.values()), "files": len(files), "promises": promises}


def make_parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.count", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--record", action="store_true", help=recorded.HELP)
    return parser


def main(arguments: list[str]) -> None:
    """Do as the command line says."""
    options = make_parser().parse_args(arguments)
    counts = counts_of(collected())
    if options.record:
        recorded.record("tests", "python -m tests.count --record", counts, packages=["pytest", "hypothesis"])
    sys.stdout.write(f"{counts['collected']:,} tests in {counts['files']:,} files\n")
    for name, count in counts["promises"].items():
        sys.stdout.write(f"{name}: {count:,}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
