"""Fuzz: ``python -m tests.fuzz [TARGET …] [--seconds 20]``, or one input again: ``python -m tests.fuzz TARGET FILE``.

Each target runs in a process of its own for its part of the seconds: guided by what it reaches, where atheris is
installed (the extra ``fuzz``), else on mutations of its corpus by chance. What is printed: executions, the lines of
perfectws that they reached beyond importing it, and of an input that fails the shortest that fails in the same way,
with the file that it is in.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import recorded

from . import CORPUS, TARGETS, load
from .shrinking import failure_of, shrink

#: An input that takes so long, in seconds, has failed, and so has one that takes so much memory, in MiB. A second is
#: many on a machine that does other work besides; what hangs, hangs longer.
TIMEOUT, MEMORY = 120, 2048
#: What a process may take beyond its part of the seconds: what was found is run once more, to count lines.
PATIENCE = 600


@dataclass
class Result:
    """What came of one target."""

    target: str
    engine: str
    seed: int
    executions: int
    seconds: float
    #: Lines of perfectws that were reached, beyond importing it.
    lines: int
    failure: str | None = None
    reproduce: str | None = None


def child(*arguments: object, timeout: float) -> subprocess.CompletedProcess[str]:
    """Run one process of the fuzzing to its end."""
    command = [sys.executable, "-m", "tests.fuzz.child", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=timeout)


def last_json(process: subprocess.CompletedProcess[str]) -> dict[str, float]:
    """Return what a process has printed last. Raises `SystemExit` if it has failed otherwise than by its target."""
    try:
        found: dict[str, float] = json.loads(process.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        raise SystemExit(f"the fuzzing itself failed:\n{process.stderr[-3000:]}") from None
    return found


class Failing(NamedTuple):
    """An input that fails, and what was said of it then."""

    data: bytes
    said: str


def fuzz(name: str, seconds: float, seed: int, is_guided: bool) -> tuple[Result, Failing | None]:
    """Run one target, until an input fails."""
    with tempfile.TemporaryDirectory() as made:
        found = Path(made) / "found"
        found.mkdir()
        failing, said = Path(made) / "failing", ""
        if is_guided:
            result, said = guided(name, seconds, seed, found, failing)
        else:
            options = ["--seconds", seconds, "--seed", seed, "--failing", failing]
            counts = last_json(child("mutate", name, *options, timeout=seconds + PATIENCE))
            result = Result(name, "mutation", seed, int(counts["executions"]), counts["seconds"], int(counts["lines"]))
        return result, Failing(failing.read_bytes(), said) if failing.exists() else None


def guided(name: str, seconds: float, seed: int, found: Path, failing: Path) -> tuple[Result, str]:
    """Run one target by libFuzzer, and return what came of it, with what was said if an input failed."""
    limits = [f"-max_total_time={max(1, round(seconds))}", f"-timeout={TIMEOUT}", f"-rss_limit_mb={MEMORY}"]
    ways = ["-max_len=2000", "-len_control=20", f"-seed={seed or 1}", f"-exact_artifact_path={failing}"]
    options = [*limits, *ways, "-print_final_stats=1", found, CORPUS / name]
    process = child("guide", name, *options, timeout=seconds + PATIENCE)
    executed = re.search(r"number_of_executed_units: (\d+)", process.stderr)
    if executed is None:
        raise SystemExit(f"the fuzzing itself failed:\n{process.stderr[-3000:]}")
    folders = ["--folder", found, "--folder", CORPUS / name]
    replayed = last_json(child("replay", name, *folders, timeout=seconds + PATIENCE))
    said = re.search(r"(?s)(=== Uncaught Python|==\d+== ERROR).{,3000}", process.stderr)
    return Result(name, "atheris", seed, int(executed[1]), seconds, int(replayed["lines"])), said[0] if said else ""


def tell_failure(result: Result, failing: Failing, failures: Path) -> None:
    """Shorten an input that fails, and write it where it can be had again."""
    target = load(result.target)
    data = shrink(target, failing.data)
    failures.mkdir(parents=True, exist_ok=True)
    path = failures / f"{result.target}-{len(data)}"
    path.write_bytes(data)
    result.failure = (
        failure_of(target, data) or f"it took too long or too much memory, or fails only sometimes: {failing.said}"
    )
    result.reproduce = f"python -m tests.fuzz {result.target} {path}"
    say(f"{result.target} FAILS: {result.failure}")
    say(f"    shortest input, {len(data)} bytes: {data!r}\n    {result.reproduce}")


def say(text: str) -> None:
    """Print something at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def run_again(name: str, path: Path) -> None:
    """Run a target on one input, whose error is shown as it is raised."""
    load(name)(path.read_bytes())
    say(f"{name} takes the {path.stat().st_size} bytes of {path}")


def report(results: list[Result]) -> dict[str, object]:
    """Return what is written for machines."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "targets": [asdict(result) for result in results],
    }


def record(results: list[Result], command: str) -> None:
    """Write what came of all targets to where the pages find it."""
    targets = {each.target: counts_of(each) for each in results}
    counts = {
        "executions": sum(each.executions for each in results),
        "seconds": round(sum(each.seconds for each in results)),
        "failures": sum(each.failure is not None for each in results),
        "targets": targets,
    }
    recorded.record("fuzz", command, counts, packages=["atheris", "wsproto", "h11"])


def counts_of(result: Result) -> dict[str, Any]:
    """Return what the pages say of one target."""
    counts = {"engine": result.engine, "executions": result.executions, "lines": result.lines}
    return {**counts, "failures": int(result.failure is not None)}


def as_typed(options: argparse.Namespace) -> str:
    """Return the command that does the same again."""
    more = f" --seed {options.seed}" if options.seed else ""
    more += f" --jobs {options.jobs}" if options.jobs > 1 else ""
    return f"python -m tests.fuzz --seconds {options.seconds:g}{more}{' --plain' if options.plain else ''} --record"


def make_parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"{', '.join(TARGETS)}; then perhaps one FILE")
    parser.add_argument("--seconds", type=float, default=20, help="how long in all (20)")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other inputs (0)")
    parser.add_argument("--jobs", type=int, default=1, help="how many targets at once, each for its part (1)")
    parser.add_argument("--plain", action="store_true", help="by chance, though atheris is installed")
    parser.add_argument("--failures", type=Path, default=Path("fuzz-failures"), help="where inputs that fail go")
    parser.add_argument("--results", type=Path, help="where to write what came of it, as JSON")
    parser.add_argument("--record", action="store_true", help=f"of all targets: {recorded.HELP}")
    return parser


def main(arguments: list[str]) -> int:
    """Do as the command line says; return the exit status."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    if options.record and options.targets:
        parser.error("--record is for all targets: name none")
    names = options.targets or list(TARGETS)
    if len(names) == 2 and names[0] in TARGETS and names[1] not in TARGETS:
        run_again(names[0], Path(names[1]))
        return 0
    for name in names:
        if name not in TARGETS:
            parser.error(f"there is no target {name!r}: choose from {', '.join(TARGETS)}")
    is_guided = find_spec("atheris") is not None and not options.plain
    run = partial(fuzz, seconds=options.seconds / len(names), seed=options.seed, is_guided=is_guided)
    results = []
    with ThreadPoolExecutor(options.jobs) as pool:
        for result, failing in pool.map(run, names):
            if failing is not None:
                tell_failure(result, failing, options.failures)
            say(
                f"{result.target}: {result.executions} executions in {result.seconds:.0f} s by {result.engine}, "
                f"{result.lines} lines of perfectws reached"
            )
            results.append(result)
    if options.record:
        record(results, as_typed(options))
    if options.results is not None:
        options.results.write_text(json.dumps(report(results), indent=1) + "\n")
    return 1 if any(result.failure for result in results) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
