"""Starts the servers and the load, each pinned to a core of its own, and sees to it that none outlives the command."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from .compiler import compiled_load
from .servers import Server

#: How long a server may take to start or to come to rest, in seconds.
PATIENCE = 20.0
#: A server that uses less than this part of its core is at rest.
REST = 0.05


class Failure(Exception):
    """A server or the load failed, so that there is no figure."""


@dataclass(frozen=True)
class Cores:
    """Which core the server has, and which the load; ``None`` where there are not two."""

    server: int | None
    load: int | None


def choose_cores() -> Cores:
    """Return two cores that this process may use, which are not two halves of one if that can be had."""
    first, *others = sorted(os.sched_getaffinity(0))
    if not others:
        return Cores(None, None)
    halves = _threads_beside(first)
    return Cores(first, next((core for core in others if core not in halves), others[0]))


def _threads_beside(core: int) -> set[int]:
    """Return the hardware threads of a core, by what Linux says: ``0,4`` or ``0-1``."""
    try:
        text = Path(f"/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list").read_text()
    except OSError:
        return set()
    ends = [part.split("-") for part in text.strip().split(",")]
    return {number for part in ends for number in range(int(part[0]), int(part[-1]) + 1)}


@dataclass
class RunningServer:
    """A server in a process of its own.

    Attributes:
        client: Whose client is measured against it; ``None`` where it is the server that is measured.
    """

    server: Server
    process: subprocess.Popen[bytes]
    port: int
    log: IO[bytes]
    rest: float
    client: Server | None = None

    @property
    def cpu_seconds(self) -> float:
        """How much CPU time its process has used, all threads, user and system."""
        return time.clock_gettime(process_clock(self.process.pid))

    def memory(self) -> int:
        """Return the resident memory of its process, in bytes."""
        for line in Path(f"/proc/{self.process.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Rss:"):
                return int(line.split()[1]) * 1024
        raise Failure("smaps_rollup names no Rss")

    def last_words(self) -> str:
        """Return the end of what it wrote."""
        self.log.seek(0)
        return self.log.read().decode(errors="replace")[-2000:].strip()

    def wait_for_rest(self) -> None:
        """Wait until it has nothing left to do of what the last load left behind."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            before = self.cpu_seconds
            time.sleep(0.05)
            if self.cpu_seconds - before < 0.05 * self.rest:
                return


def process_clock(pid: int) -> int:
    """Return the identifier of a process's CPU clock, as ``clock_getcpuclockid`` makes it."""
    return ~pid << 3 | 2


@contextlib.contextmanager
def running_server(
    server: Server,
    cores: Cores,
    *,
    ping_interval: float | None = None,
    certificate: str | None = None,
    deflate: bool = False,
    module: str = "benchmarks.servers",
    rest: float = REST,
) -> Iterator[RunningServer]:
    """Run a server around a block."""
    port = free_port()
    command = [sys.executable, "-m", module, server.name, "--port", str(port), "--parent", str(os.getpid())]
    if cores.server is not None:
        command += ["--cpu", str(cores.server)]
    if ping_interval is not None:
        command += ["--ping-interval", str(ping_interval)]
    if certificate is not None:
        command += ["--certificate", certificate]
    if deflate:
        command += ["--deflate"]
    with tempfile.TemporaryFile() as log, running_process(command, stdout=log, stderr=log) as process:
        running = RunningServer(server, process, port, log, rest)
        _wait_until_it_accepts(running)
        yield running


@contextlib.contextmanager
def running_process(command: list[str], **streams: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in this folder's parent around a block; it is killed at the end."""
    process = subprocess.Popen(command, cwd=Path(__file__).parent.parent, stdin=subprocess.PIPE, **streams)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_it_accepts(running: RunningServer) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and running.process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", running.port), 1):
            running.wait_for_rest()
            if running.process.poll() is None:  # else it was somebody else who accepted
                return
        time.sleep(0.02)
    raise Failure(f"{running.server.name} did not start:\n{running.last_words()}")


def load_command(mode: str, running: RunningServer, cores: Cores, **options: float | str) -> list[str]:
    """Return the command line of the load: ``in_flight=10`` is ``--in-flight 10``."""
    options = {
        "port": running.port,
        "pid": running.process.pid,
        "cpu": -1 if cores.load is None else cores.load,
    } | options
    if cores.load is None:
        options["sleepy"] = 1  # it would spin on the server's own core
    if not running.server.offers_deflate:
        options["offer_deflate"] = 0
    command = [str(compiled_load()), mode]
    for name, value in options.items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    return command


def run_load(
    mode: str, running: RunningServer, cores: Cores, *, timeout: float, **options: float | str
) -> dict[str, Any]:
    """Run the load against a server to its end, and return what it reports.

    Raises:
        Failure: The server did not do as it must, or it took too long.
    """
    command = load_command(mode, running, cores, **options)
    try:
        finished = subprocess.run(command, capture_output=True, timeout=timeout, stdin=subprocess.DEVNULL, check=False)
    except subprocess.TimeoutExpired:
        raise Failure(f"not done after {timeout:.0f} s") from None
    if finished.returncode:
        raise Failure(failure_text(finished.stderr, running))
    running.wait_for_rest()
    report: dict[str, Any] = json.loads(finished.stdout)
    return report


def failure_text(errors: bytes, running: RunningServer) -> str:
    """Say what the load said, and the server's last words if it is gone."""
    text = errors.decode(errors="replace").strip()
    if running.process.poll() is not None:
        text += f"\nthe server ended with {running.process.returncode}:\n{running.last_words()}"
    return text


@contextlib.contextmanager
def running_load(
    mode: str, running: RunningServer, cores: Cores, **options: float | str
) -> Iterator[subprocess.Popen[bytes]]:
    """Run the load around a block, its standard streams piped."""
    command = load_command(mode, running, cores, **options)
    with running_process(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        yield process
