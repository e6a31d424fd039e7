"""A Python program in a process of its own, whose port is read from the line that perfectws logs when it starts."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue

from ..platforms import python

ROOT = Path(__file__).parents[2]
START_LINE = re.compile(r"Starting HTTPS? server (?P<name>\S+) on https?://(?P<address>\S+?):(?P<port>\d+)/")
#: What is in the lines that an untroubled server writes beside those of level INFO.
ORDINARY = ("HTTP server localhost", ' HTTP/1.1" ', "was refused: origins=")
PATIENCE = 30.0  # seconds; a bound for a machine under load, not a measure


class RunningServer:
    """A server's process and what it has written to its standard error."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._lines: Queue[str | None] = Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.lines: list[str] = []
        self.port = self._wait_for_port()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, wait for the end and return the exit code."""
        self.process.send_signal(number)
        return self._end()

    def kill(self) -> int:
        """End it without a word, as the system does, and return the exit code."""
        self.process.kill()
        return self._end()

    def _end(self) -> int:
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        while (line := self._lines.get_nowait()) is not None:
            self.lines.append(line)
        return code

    def complaints(self) -> list[str]:
        """Return what it has written that tells of no start, end, request or refused origin: warnings, tracebacks."""
        return [line for line in self.lines if not line.startswith("INFO:") and not any(map(line.count, ORDINARY))]

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def _wait_for_port(self) -> int:
        while True:
            try:
                line = self._lines.get(timeout=PATIENCE)
            except Empty:
                raise TimeoutError(f"the server logged no start line, only {self.lines}") from None
            if line is None:
                raise EOFError("the server ended before it listened:\n" + "\n".join(self.lines))
            self.lines.append(line)
            if match := START_LINE.search(line):
                return int(match["port"])


@contextmanager
def running(*arguments: str, within: Sequence[str] = ()) -> Iterator[RunningServer]:
    """Run ``python ARGUMENTS`` at the repository's root, with warnings as errors, until the block ends.

    Args:
        arguments: Those of Python.
        within: A command that becomes another, such as ``("unshare", "--net")``.
    """
    command = [*within, *python(), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, encoding="utf-8") as process:
        try:
            yield RunningServer(process)
        finally:
            process.kill()
