"""Runs the suite's two programs, the fuzzing client and the fuzzing server, against our testees."""

from __future__ import annotations

import ast
import json
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .report import Report

HERE = Path(__file__).parent
WSTEST = HERE / "wstest_on_loopback.py27"
TESTEES = [sys.executable, "-m", f"{__package__}.testees"]
ROOT = HERE.parents[2]
#: How long a run may take, in seconds: with compression all cases take ten minutes on an idle machine.
RUN_LIMIT = 3600
#: How long a program may take to listen, in seconds.
START_LIMIT = 60


class SuiteFailed(Exception):
    """The suite, or a testee, could not run."""


class Suite:
    """The suite, for one testee.

    Args:
        python: The Python 2.7 that has the suite.
        folder: Where the reports and the logs go; what is there is removed.
        cases: Which cases to run, as patterns such as ``6.4.*``.
    """

    def __init__(self, python: Path, folder: Path, cases: Sequence[str]) -> None:
        self._python = python
        self._folder = folder
        self._cases = list(cases)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

    def test_server(self, echo: str) -> Report:
        """Let the suite's client loose on our server. Raises `SuiteFailed`."""
        agent = f"server, {echo}"
        with self._started([*TESTEES, "server"], "testee.log", ROOT) as server:
            port = self._first_line(server)
            command = self._wstest("fuzzingclient", servers=[{"agent": agent, "url": f"ws://127.0.0.1:{port}/{echo}"}])
            self._run(command, "wstest.log", self._folder)
        return self._report(agent)

    def test_client(self, echo: str) -> Report:
        """Let our client loose on the suite's server. Raises `SuiteFailed`."""
        agent = f"client, {echo}"
        url = f"ws://127.0.0.1:{free_port()}"
        command = self._wstest("fuzzingserver", url=url)
        with self._started(command, "wstest.log", self._folder) as server:
            wait_for_port(int(url.rpartition(":")[2]), server)
            self._run([*TESTEES, "client", url, agent, echo], "testee.log", ROOT)
        return self._report(agent)

    def _wstest(self, mode: str, **options: object) -> list[str]:
        spec = {
            "options": {"failByDrop": False},
            "outdir": str(self._folder),
            "cases": self._cases,
            "exclude-cases": [],
            "exclude-agent-cases": {},
            **options,
        }
        path = self._folder / "spec.json"
        path.write_text(json.dumps(spec))
        # -u 0: without its web server, which would take port 8080
        no_pages = ["-u", "0"] if mode == "fuzzingserver" else []
        return [str(self._python), "-u", str(WSTEST), "-m", mode, *no_pages, "-s", str(path)]

    def _report(self, agent: str) -> Report:
        log = (self._folder / "wstest.log").read_text(errors="replace")
        listed = re.search(r"^Cases = (\[.*\])$", log, re.MULTILINE)
        if listed is None:
            raise SuiteFailed(f"the suite did not begin:\n{log[-2000:]}")
        return Report.read(self._folder, agent, [str(case) for case in ast.literal_eval(listed[1])])

    # Programs

    @contextmanager
    def _started(self, command: Sequence[str], log: str, directory: Path) -> Iterator[subprocess.Popen[str]]:
        """Run a program around a block."""
        path = self._folder / log
        with path.open("w") as errors:
            output = subprocess.PIPE if command[: len(TESTEES)] == TESTEES else errors
            program = subprocess.Popen(
                command, cwd=directory, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, text=True
            )
        try:
            yield program
        finally:
            program.terminate()
            program.wait()
            if program.stdout is not None:
                program.stdout.close()

    def _run(self, command: Sequence[str], log: str, directory: Path) -> None:
        """Run a program to its end."""
        path = self._folder / log
        with path.open("w") as output:
            ended = subprocess.run(
                command,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
                timeout=RUN_LIMIT,
            )
        if ended.returncode:
            raise SuiteFailed(f"{' '.join(command)} ended with {ended.returncode}:\n{path.read_text()[-2000:]}")

    def _first_line(self, program: subprocess.Popen[str]) -> str:
        assert program.stdout is not None
        line = program.stdout.readline().strip()
        if not line:
            raise SuiteFailed(f"the testee did not start; see {self._folder / 'testee.log'}")
        return line


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_for_port(port: int, program: subprocess.Popen[str]) -> None:
    """Wait until something listens there. Raises `SuiteFailed` if ``program``, which is to, does not."""
    end = time.monotonic() + START_LIMIT
    while time.monotonic() < end and program.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SuiteFailed("the suite's server did not start; see wstest.log")
