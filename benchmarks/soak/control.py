"""The server's process and the load's, as the command has them in its hands."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from ..processes import Failure, running_process
from .census import Census
from .load import Stage
from .places import Places
from .scene import PATIENCE

#: Descriptors that a process needs besides those of its connections: for the files that it serves just now, and for
#: connections beyond those that were asked for, as a part of these.
_SPARE_DESCRIPTORS = 200
_SPARE_PART = 0.2


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class SoakServer:
    """The server of a soak.

    Attributes:
        places: Where it listens.
    """

    def __init__(self, process: subprocess.Popen[bytes], places: Places, log: IO[bytes]) -> None:
        self.places = places
        self._process = process
        self._log = log

    def sample(self) -> Census:
        """Ask for what is counted quickly."""
        return Census(**json.loads(self._ask("/sample")))

    def census(self) -> Census:
        """Ask for all that it holds."""
        return Census(**json.loads(self._ask("/census")))

    def faults(self) -> dict[str, Any]:
        """Ask for what it has logged as errors."""
        found: dict[str, Any] = json.loads(self._ask("/faults"))
        return found

    def when_quiet(self, before: Census) -> Census:
        """Return what it holds once it has no more descriptors, tasks and timers than before, or after a while."""
        return self._census_when(lambda now: not now.figures_beyond(before))

    def at_rest(self, before: Census) -> Census:
        """Let it look for cycles, and return what it holds once it is no more than before, or after a while."""
        self._ask("/collect")
        return self._census_when(lambda now: not now.beyond(before))

    def _census_when(self, condition: Callable[[Census], bool]) -> Census:
        deadline = time.monotonic() + PATIENCE
        while not condition(now := self.census()) and time.monotonic() < deadline:
            time.sleep(0.5)
        return now

    def _ask(self, path: str) -> bytes:
        connection = _UnixConnection(self.places.control)
        try:
            connection.request("GET", path, headers={"Connection": "close"})
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise Failure(f"the server does not answer: {error!r}\n{last_words(self._log)}") from error
        finally:
            connection.close()
        if response.status != http.HTTPStatus.OK:
            raise Failure(f"the server answers {path} by {response.status}:\n{last_words(self._log)}")
        return body


@contextlib.contextmanager
def running_server(directory: Path) -> Iterator[SoakServer]:
    """Run the server of a soak around a block."""
    command = [sys.executable, "-m", "benchmarks.soak.server", "--directory", str(directory)]
    command += ["--parent", str(os.getpid())]
    with tempfile.TemporaryFile() as log, running_process(command, stdout=subprocess.PIPE, stderr=log) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise Failure(f"the server did not start:\n{last_words(log)}")
        yield SoakServer(process, Places(directory, json.loads(line)), log)


class SoakLoad:
    """The load of a soak."""

    def __init__(self, process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
        self._process = process
        self._log = log

    def reports(self) -> Iterator[dict[str, Any]]:
        """Yield what it reports, to its end."""
        assert self._process.stdout is not None
        report: dict[str, Any] = {}
        for line in self._process.stdout:
            report = json.loads(line)
            yield report
        if self._process.wait() or report.get("stage") != Stage.OVER:
            raise Failure(f"the load ended with {self._process.returncode}:\n{last_words(self._log)}")

    def let_go(self) -> None:
        """Let the squatters go."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()


@contextlib.contextmanager
def running_foreign(directory: Path, seed: int) -> Iterator[Places]:
    """Run the servers to which clients go that are soaked, around a block."""
    command = [sys.executable, "-m", "benchmarks.soak.foreign", "--directory", str(directory)]
    command += ["--parent", str(os.getpid()), "--seed", str(seed)]
    with tempfile.TemporaryFile() as log, running_process(command, stdout=subprocess.PIPE, stderr=log) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise Failure(f"the servers did not start:\n{last_words(log)}")
        yield Places(directory, json.loads(line))
        if process.poll() is not None:
            raise Failure(f"the servers ended with {process.returncode}:\n{last_words(log)}")


@contextlib.contextmanager
def running_load(places: Places, *flags: str, **options: object) -> Iterator[SoakLoad]:
    """Run the load of a soak around a block."""
    command = [sys.executable, "-m", "benchmarks.soak.load", "--directory", str(places.directory), *flags]
    command += ["--parent", str(os.getpid()), "--ports", json.dumps(places.ports)]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    with tempfile.TemporaryFile() as log, running_process(command, stdout=subprocess.PIPE, stderr=log) as process:
        yield SoakLoad(process, log)


def last_words(log: IO[bytes]) -> str:
    """Return the end of what a process wrote."""
    log.seek(0)
    return log.read().decode(errors="replace")[-4000:].strip()


def allow_descriptors(connections: int) -> None:
    """Let the processes that are started have so many connections. Raises `ValueError` if that cannot be."""
    needed = round(connections * (1 + _SPARE_PART)) + _SPARE_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise ValueError(f"{connections} connections need {needed} descriptors, and {hard} are allowed: see ulimit -Hn")
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
