"""One process that runs one target: guided by atheris, by plain mutation, or over folders of inputs, once.

``python -m tests.fuzz`` starts it. It prints one line of JSON: what it did, and how much of perfectws was reached. By
atheris it prints what libFuzzer does.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

from coverage import Coverage

from . import load, seeds

#: No input is longer: what a longer one shows, a shorter one does too.
MAX_LENGTH = 2000

#: The most bytes that one mutation leaves out, doubles or puts in.
MAX_PIECE = 32


def mutate(data: bytes, others: list[bytes], dice: random.Random) -> bytes:
    """Return bytes that are a little different."""
    for _ in range(dice.choice([1, 1, 2, 4, 8])):
        at, size = dice.randrange(len(data) + 1), dice.randrange(1, MAX_PIECE)
        before, these, after = data[:at], data[at : at + size], data[at + size :]
        match dice.randrange(6):
            case 0:
                data = before + after
            case 1:
                data = before + these + these + after
            case 2:
                data = before + dice.randbytes(dice.randrange(1, 5)) + these + after
            case 3:
                other = dice.choice(others)
                start = dice.randrange(len(other) + 1)
                data = before + other[start : start + size] + these + after
            case 4:
                data = before + bytes(byte ^ (1 << dice.randrange(8)) for byte in these[:1]) + these[1:] + after
            case _:
                data = before + dice.randbytes(len(these[:2])) + these[2:] + after
    return data[:MAX_LENGTH]


def mutations(name: str, seconds: float, seed: int) -> Iterator[bytes]:
    """Yield the corpus, and then what becomes of it by chance, for so long."""
    inputs = [path.read_bytes() for path in seeds(name)]
    yield from inputs
    dice, end = random.Random(seed), monotonic() + seconds
    while monotonic() < end:
        yield mutate(dice.choice(inputs), inputs, dice)


def run(name: str, inputs: Callable[[], Iterator[bytes]], failing: Path | None) -> dict[str, object]:
    """Run a target over inputs, and return how many, and how many lines of perfectws they reached, beyond its import.

    The first input that fails is written to ``failing``.
    """
    coverage = Coverage(data_file=None, source_pkgs=["perfectws"], config_file=False)
    coverage.start()
    target = load(name)
    at_import = count_lines(coverage)
    executions = 0
    began = monotonic()
    for data in inputs():
        executions += 1
        try:
            target(data)
        except Exception:
            if failing is not None:
                failing.write_bytes(data)
                break
    seconds = monotonic() - began
    coverage.stop()
    return {
        "executions": executions,
        "seconds": round(seconds, 1),
        "lines": count_lines(coverage) - at_import,
    }


def count_lines(coverage: Coverage) -> int:
    """Return how many lines of perfectws were reached so far."""
    data = coverage.get_data()
    return sum(len(data.lines(path) or ()) for path in data.measured_files())


def guide(name: str, arguments: list[str]) -> None:
    """Run a target by libFuzzer, which never returns. It sees what perfectws does, and nothing else."""
    import atheris

    with atheris.instrument_imports(include=["perfectws"], enable_loader_override=False):
        target = load(name)
    atheris.Setup([sys.argv[0], *arguments], target)
    atheris.Fuzz()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.child")
    parser.add_argument("way", choices=["guide", "mutate", "replay"])
    parser.add_argument("target")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--failing", type=Path)
    parser.add_argument("--folder", type=Path, action="append", default=[])
    options, others = parser.parse_known_args()
    if options.way == "guide":
        guide(options.target, others)
    elif options.way == "mutate":
        result = run(options.target, lambda: mutations(options.target, options.seconds, options.seed), options.failing)
        sys.stdout.write(json.dumps(result) + "\n")
    else:
        paths = sorted(path for folder in options.folder for path in folder.iterdir())
        result = run(options.target, lambda: (path.read_bytes() for path in paths), None)
        sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
