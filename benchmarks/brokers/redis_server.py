"""A real redis-server, on a Unix socket or a port of its own, that dies with who started it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

#: How long the server may take to start or to answer, in seconds.
PATIENCE = 30.0


class RedisServer:
    """One redis-server, which may be killed and started again, and stopped and let go on.

    Args:
        *options: More of its options.
        tcp: Whether it listens on a port, besides a Unix socket.
        tls: Whether it listens on one with TLS.
        watched: What it watches, and is called ``chat``, if it is a sentinel.
    """

    def __init__(self, *options: str, tcp: bool = False, tls: bool = False, watched: RedisServer | None = None) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="pws"))
        self.port = _free_port() if tcp else 0
        self.tls_port = _free_port() if tls else 0
        self._watched = watched
        self.path = str(self.directory / "redis.sock")
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://127.0.0.1:{self.port}" if self.port else f"unix://{self.path}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = ["redis-server", *self._mode(), "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--unixsocket", self.path, "--dir", str(self.directory), "--loglevel", "warning", *self._options]
        if self.tls_port:
            command += ["--tls-port", str(self.tls_port)]
        if sys.platform == "linux" and shutil.which("setpriv"):
            command = ["setpriv", "--pdeathsig", "KILL", *command]  # nobody else would stop it
        log = self.directory / "log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            assert self._process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, "redis-server does not answer"
            time.sleep(0.005)

    def _mode(self) -> list[str]:
        if self._watched is None:
            return ["--save", ""]
        file = self.directory / "sentinel.conf"  # a sentinel writes into it
        file.write_text(f"sentinel monitor chat 127.0.0.1 {self._watched.port} 1\n")
        return [str(file), "--sentinel"]

    def _answers(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(PATIENCE)
                probe.connect(self.path)
                probe.sendall(b"PING\r\n")
                return bool(probe.recv(100))
        except OSError:
            return False

    def kill(self) -> None:
        """Kill it at once. Harmless if it does not run."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """Stop it, as SIGSTOP does: connections stay, nothing answers."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)

    def ask(self, *arguments: str | bytes) -> str:
        """Ask it something, as a user does at the command line, and return the answer as it is shown there."""
        command = ["redis-cli", "-s", self.path, *arguments]
        done = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=True, stdin=subprocess.DEVNULL)
        return done.stdout.decode(errors="replace").strip()

    def publish(self, channel: str, said: bytes) -> None:
        """Say something on a channel that may hold any bytes."""
        command = b"*3\r\n" + b"".join(
            b"$%d\r\n%b\r\n" % (len(part), part) for part in (b"PUBLISH", channel.encode(), said)
        )
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(PATIENCE)
            peer.connect(self.path)
            peer.sendall(command)
            assert peer.recv(100).startswith(b":")

    def remove(self) -> None:
        """Kill it, and remove its files."""
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
