"""The load for ``wss``: in Python, on asyncio, because it needs TLS.

It costs more than what it measures, so that no server is saturated: their CPU time per message is what counts here.

Runs as a program of its own: ``python -m benchmarks.tls_load --port PORT --pid PID``, and reports as ``load.c`` does.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .processes import Failure, RunningServer, failure_text, process_clock
from .servers.__main__ import die_with_parent

_REQUEST = (
    "GET /echo HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: echo\r\n\r\n"
)
_ACCEPT = b"\r\nsec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n"
#: How many different messages each connection sends in turn.
_MESSAGES = 64


@contextlib.contextmanager
def certificate() -> Iterator[Path]:
    """Make a certificate for localhost around a block, and give the PEM file that holds it and its key."""
    try:
        import trustme
    except ImportError:
        raise Failure("trustme, which makes the certificate, is not installed") from None
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "server.pem"
        issued = trustme.CA().issue_cert("localhost", "127.0.0.1")
        issued.private_key_and_cert_chain_pem.write_to_path(str(path))
        yield path


def command(port: int, pid: int, cpu: int | None, options: dict[str, Any]) -> list[str]:
    """Return the command line of this load."""
    line = [sys.executable, "-m", "benchmarks.tls_load", "--port", str(port), "--pid", str(pid)]
    line += ["--parent", str(os.getpid())] + ([] if cpu is None else ["--cpu", str(cpu)])
    for name in ("connections", "size", "seconds", "warmup"):
        line += [f"--{name}", str(options[name])]
    return line


def run(line: list[str], running: RunningServer, timeout: float) -> dict[str, Any]:
    """Run the command line, and return what it reports.

    Raises:
        Failure: The server did not do as it must, or it took too long.
    """
    folder = Path(__file__).parent.parent
    try:
        finished = subprocess.run(
            line, capture_output=True, timeout=timeout, stdin=subprocess.DEVNULL, cwd=folder, check=False
        )
    except subprocess.TimeoutExpired:
        raise Failure(f"not done after {timeout:.0f} s") from None
    if finished.returncode:
        raise Failure(failure_text(finished.stderr, running)[-2000:])
    report: dict[str, Any] = json.loads(finished.stdout)
    return report


class Load:
    """Connections that echo as fast as it goes, one message under way on each."""

    def __init__(self, port: int, pid: int, size: int) -> None:
        self.port = port
        self.clock = process_clock(pid)
        self.size = size
        self.latencies: list[float] = []
        self.is_measuring = False
        self.is_over = False
        self.opened = 0

    async def measure(self, connections: int, seconds: float, warmup: float) -> dict[str, Any]:
        """Run them all, and return the report."""
        async with asyncio.TaskGroup() as group:
            for index in range(connections):
                group.create_task(self.talk(index))
            while self.opened < connections:
                await asyncio.sleep(0.01)
            await asyncio.sleep(warmup)
            self.is_measuring = True
            began, cpu_began = time.perf_counter(), time.clock_gettime(self.clock)
            await asyncio.sleep(seconds)
            self.is_measuring = False
            ended, cpu_ended = time.perf_counter(), time.clock_gettime(self.clock)
            self.is_over = True
        window = {
            "messages": len(self.latencies),
            "seconds": ended - began,
            "server_cpu_seconds": cpu_ended - cpu_began,
        }
        return {"window": window | {"busy": 1.0}, "latency": self.quantiles()}

    def quantiles(self) -> dict[str, float]:
        """Return the median and the 99th percentile of the latencies, in microseconds."""
        ordered = sorted(self.latencies) or [0.0]
        return {f"p{part}_us": ordered[len(ordered) * part // 100] * 1e6 for part in (50, 99)}

    async def hold(self, connections: int) -> None:
        """Open connections, have a message echoed on each, and hold them until killed."""
        held = []
        for index in range(connections):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=self.context())
            await self.shake_hands(reader, writer)
            frame, expected = self.exchange(index)
            writer.write(frame)
            if await reader.readexactly(len(expected)) != expected:
                raise Failure(f"connection {index}: what came back is not what was sent")
            held.append(writer)
        print("open", flush=True)  # noqa: T201
        await asyncio.Event().wait()

    async def talk(self, index: int) -> None:
        """Open a connection and echo until it is over."""
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=self.context(), limit=4 * 1024 * 1024
        )
        await self.shake_hands(reader, writer)
        self.opened += 1
        exchanges = [self.exchange(index * _MESSAGES + number) for number in range(_MESSAGES)]
        while not self.is_over:
            for frame, expected in exchanges:
                began = time.perf_counter()
                writer.write(frame)
                if await reader.readexactly(len(expected)) != expected:
                    raise Failure(f"connection {index}: what came back is not what was sent")
                if self.is_measuring:
                    self.latencies.append(time.perf_counter() - began)
                if self.is_over:
                    break
        writer.write(b"\x88\x82\x00\x00\x00\x00\x03\xe8")
        writer.close()

    def context(self) -> ssl.SSLContext:
        """Return a context that asks for no known certificate: who it is does not matter here."""
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context

    async def shake_hands(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Send the opening handshake, and check the answer."""
        writer.write(_REQUEST.encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        if not answer.startswith(b"HTTP/1.1 101 ") or _ACCEPT not in answer.lower():
            raise Failure(f"the handshake failed:\n{answer.decode(errors='replace')}")

    def exchange(self, number: int) -> tuple[bytes, bytes]:
        """Return a masked frame, and the frame that must come back."""
        payload = f"{number:012}".encode() + b"abcdefghijklmnopqrstuvwxyz" * (self.size // 26 + 1)
        payload = payload[: self.size]
        mask = os.urandom(4)
        key = mask * (self.size // 4 + 1)
        masked = bytes(byte ^ key[index] for index, byte in enumerate(payload))
        return _header(self.size, 0x80) + mask + masked, _header(self.size, 0) + payload


def _header(size: int, mask_bit: int) -> bytes:
    if size < 126:
        return bytes((0x81, mask_bit | size))
    if size < 65536:
        return bytes((0x81, mask_bit | 126)) + size.to_bytes(2, "big")
    return bytes((0x81, mask_bit | 127)) + size.to_bytes(8, "big")


def main() -> None:
    """Run the load, and print its report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tls_load")
    for name in ("port", "pid", "parent", "cpu"):
        parser.add_argument(f"--{name}", type=int)
    parser.add_argument("--connections", type=int, default=20)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--warmup", type=float, default=0.25)
    parser.add_argument("--idle", action="store_true")
    arguments = parser.parse_args()
    if arguments.parent is not None:
        die_with_parent(arguments.parent)
    if arguments.cpu is not None:
        os.sched_setaffinity(0, {arguments.cpu})
    load = Load(arguments.port, arguments.pid, arguments.size)
    if arguments.idle:
        _run(load.hold(arguments.connections))
        return
    report = _run(load.measure(arguments.connections, arguments.seconds, arguments.warmup))
    print(json.dumps(report))  # noqa: T201


def _run(main: Any) -> Any:
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    return uvloop.run(main)


if __name__ == "__main__":
    main()
