"""Programs that serve by workers: each a process of its own, which ends with its test."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Queue
from threading import Thread

assert sys.platform != "win32"  # where this is not imported

import pytest

from tests.platforms import python

ROOT = Path(__file__).parents[2]
#: No test waits longer for anything, in seconds.
PATIENCE = 60.0

#: What each program begins with.
HEAD = """
import logging, os, sys, time
from perfectws import *
logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
routes = Routes()

@routes.add("GET", "/pid")
def pid(request, response):
    response.set_body(str(os.getpid())).completed()

routes.web_socket("/ws", lambda request, ws: ws.send(str(os.getpid())))
"""


class Program:
    """A program that runs, and what it has written to its standard error."""

    def __init__(self, arguments: list[str], activated_by: socket.socket | None = None) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [*python(), *arguments]
        given = None if activated_by is None else activated_by.fileno()
        if given is not None:  # as systemd does it: the socket is descriptor 3, and meant for that process
            script = 'exec 3<&0 0</dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"'
            command = ["sh", "-c", script, "sh", *command]
        self.process = subprocess.Popen(
            command,
            env=environment,
            stdin=given,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        self.lines: list[str] = []
        self._queue: Queue[str | None] = Queue()
        self._thread = Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._queue.put(line.rstrip("\n"))
        self._queue.put(None)

    def line(self, *parts: str) -> str:
        """Return the next line that has all of these in it."""
        deadline = time.monotonic() + PATIENCE
        while True:
            line = self._queue.get(timeout=max(0, deadline - time.monotonic()))
            assert line is not None, self.lines
            self.lines.append(line)
            if all(part in line for part in parts):
                return line

    def port(self) -> int:
        """Return the port that it has logged, once it serves."""
        return int(self.line("Starting HTTP").partition("127.0.0.1:")[2].partition("/")[0])

    def workers(self) -> list[int]:
        """Return its children."""
        return children_of(self.process.pid)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        """Wait until it has ended, and return its exit code."""
        code = self.process.wait(PATIENCE)
        self._thread.join(PATIENCE)
        while (line := self._queue.get_nowait()) is not None:
            self.lines.append(line)
        return code

    def stop(self) -> int:
        """Let it end in order."""
        self.signal(signal.SIGTERM)
        return self.end()


def children_of(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(each) for each in path.read_text().split()]


def is_running(pid: int) -> bool:
    """Tell whether a process runs: one that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(condition: Callable[[], object]) -> None:
    """Wait until something holds that nobody tells us of."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


Start = Callable[..., Program]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Start]:
    """Run programs until the test ends: ``run(code, *arguments)``."""
    programs: list[Program] = []

    def start(code: str, *arguments: str, activated_by: socket.socket | None = None) -> Program:
        (tmp_path / "program.py").write_text(HEAD + code)
        return start_command(str(tmp_path / "program.py"), *arguments, activated_by=activated_by)

    def start_command(*arguments: str, activated_by: socket.socket | None = None) -> Program:
        programs.append(Program(list(arguments), activated_by))
        return programs[-1]

    start.command = start_command  # type: ignore[attr-defined]
    yield start
    for program in programs:
        if program.process.poll() is None:
            program.signal(signal.SIGCONT)
            program.signal(signal.SIGKILL)  # its workers end with it
        program.process.wait(PATIENCE)
        assert program.process.stderr is not None
        program._thread.join(PATIENCE)
        program.process.stderr.close()


class Client:
    """A connection on which one asks again and again."""

    def __init__(self, address: tuple[str, int] | str) -> None:
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.socket = socket.socket(family)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(address)

    def send(self, path: str) -> None:
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())

    def answer(self) -> str:
        """Return the body of the next response, ``""`` at the end."""
        received = b""
        while b"\r\n\r\n" not in received:
            data = self.socket.recv(65536)
            if not data:
                return ""
            received += data
        head, _, body = received.partition(b"\r\n\r\n")
        size = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        while len(body) < size:
            body += self.socket.recv(65536)
        return body.decode()

    def ask(self, path: str = "/pid") -> str:
        self.send(path)
        return self.answer()

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
