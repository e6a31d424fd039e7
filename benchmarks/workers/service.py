"""The server's processes, as the benchmarks have them in their hands."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ..processes import Failure, free_port, process_clock, running_process

#: How long anything may take that is waited for, in seconds.
PATIENCE = 60.0


@dataclass
class Service:
    """A server, in one process or in several."""

    process: subprocess.Popen[bytes]
    port: int
    log: IO[bytes]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process that was started."""
        self.process.send_signal(number)

    def serving(self) -> list[int]:
        """Return the processes that serve: those that have no children; also the one alone."""
        return [pid for pid in _tree(self.process.pid) if not _children(pid)]

    def cpu_seconds(self) -> float:
        """Return how much CPU time those have used that serve."""
        return sum(time.clock_gettime(process_clock(pid)) for pid in self.serving())

    def words(self) -> list[str]:
        """Return what it has written."""
        self.log.seek(0)
        return self.log.read().decode(errors="replace").splitlines()

    def wait_for(self, text: str, count: int = 1) -> None:
        """Wait until it has written something so many times."""
        deadline = time.monotonic() + PATIENCE
        while sum(text in line for line in self.words()) < count:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise Failure("it did not write {!r}:\n{}".format(text, "\n".join(self.words()[-20:])))
            time.sleep(0.02)


def _children(pid: int) -> list[int]:
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _tree(pid: int) -> list[int]:
    return [pid, *(each for child in _children(pid) for each in _tree(child))]


@contextlib.contextmanager
def running_service(
    workers: int, *, work: float = 0, drain: float = 5, options: Sequence[str] = ()
) -> Iterator[Service]:
    """Run the server around a block.

    Args:
        workers: How many processes serve; 1 is one alone.
        work: How long it works for a message, in microseconds.
        drain: Its ``drain=``.
        options: For the interpreter.
    """
    port = free_port()
    command = [sys.executable, *options, "-m", "benchmarks.workers.server", "--parent", str(os.getpid())]
    for name, value in {"port": port, "workers": workers, "work": work, "drain": drain}.items():
        command += [f"--{name}", str(value)]
    with tempfile.TemporaryFile() as log, running_process(command, stdout=log, stderr=log) as process:
        service = Service(process, port, log)
        service.wait_for("Starting HTTP")
        yield service
