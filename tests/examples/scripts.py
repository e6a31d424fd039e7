"""A script of the examples in a process of its own, whose lines are read as they come."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, Queue

from ..platforms import python
from .running import PATIENCE, ROOT


class Script:
    """A running script, and what it says."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said: list[str] = []
        self._lines: Queue[str | None] = Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def next_line(self) -> str:
        """Return the next line that it says."""
        try:
            line = self._lines.get(timeout=PATIENCE)
        except Empty:
            raise TimeoutError(f"the script said no more, only {self.said}") from None
        if line is None:
            raise EOFError(f"the script ended, and had said {self.said}")
        self.said.append(line)
        return line

    def interrupt(self) -> int:
        """End it with Ctrl-C, and return its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE)


@contextmanager
def script(*arguments: str) -> Iterator[Script]:
    """Run ``python ARGUMENTS`` at the repository's root, with warnings as errors, until the block ends."""
    command = [*python(), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    ) as process:
        try:
            yield Script(process)
        finally:
            process.kill()
