"""Proxies: tinyproxy and microsocks, each in a process of its own, and one that a test holds in the hand."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from .raw_server import RawConnection, RawServer

USER, PASSWORD = "ann", "opensesame"  # letters alone: tinyproxy takes no others


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.fail(f"{name} is not installed; this installs it: bash .ci/setup", pytrace=False)
    return found


@asynccontextmanager
async def tinyproxy(folder: Path, with_password: bool = False) -> AsyncIterator[int]:
    """Run an HTTP proxy, and give its port."""
    config = folder / "tinyproxy.conf"

    def command(port: int) -> list[str]:
        lines = [f"Port {port}", "Listen 127.0.0.1", "Timeout 60", "LogLevel Critical"]
        if with_password:
            lines.append(f"BasicAuth {USER} {PASSWORD}")
        config.write_text("\n".join(lines) + "\n")
        return [program("tinyproxy"), "-d", "-c", str(config)]

    async with _running(command) as port:
        yield port


@asynccontextmanager
async def microsocks(with_password: bool = False) -> AsyncIterator[int]:
    """Run a SOCKS 5 proxy, and give its port."""

    def command(port: int) -> list[str]:
        password = ["-u", USER, "-P", PASSWORD] if with_password else []
        return [program("microsocks"), "-i", "127.0.0.1", "-p", str(port), *password]

    async with _running(command) as port:
        yield port


@asynccontextmanager
async def _running(command: Callable[[int], list[str]]) -> AsyncIterator[int]:
    """Run a program that listens on a port, which it cannot choose itself: so some are tried until one is free."""
    for _ in range(5):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        process = await trio.lowlevel.open_process(command(port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if await _listens(process, port):
            break
    else:
        pytest.fail(f"{command(port)[0]} does not run")
    try:
        yield port
    finally:
        process.kill()
        await process.wait()


async def _listens(process: trio.Process, port: int) -> bool:
    """Wait until the program listens; tell whether it does."""
    while process.poll() is None:
        try:
            await (await trio.open_tcp_stream("127.0.0.1", port)).aclose()
            return process.poll() is None
        except OSError:
            await trio.sleep(0.01)
    return False


class HeldProxy:
    """An HTTP proxy that leads to one port whatever it is asked for, and keeps what it was asked.

    Attributes:
        targets: What it was asked to connect to.
        credentials: The ``Proxy-Authorization`` of each.
    """

    def __init__(self, raw: RawServer, leads_to: int, ssl_context: ssl.SSLContext | None) -> None:
        self.port = raw.port
        self.targets: list[str] = []
        self.credentials: list[str | None] = []
        self._raw = raw
        self._leads_to = leads_to
        self._ssl_context = ssl_context

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            while True:
                nursery.start_soon(self._serve, await self._raw.accept())

    async def _serve(self, connection: RawConnection) -> None:
        if self._ssl_context is not None:
            connection.stream = trio.SSLStream(connection.stream, self._ssl_context, server_side=True)
        try:
            await connection.read_request()
            method, target, _ = connection.request_line.split(" ")
            assert method == "CONNECT"
            self.targets.append(target)
            self.credentials.append(connection.headers.get("proxy-authorization"))
            await connection.stream.send_all(b"HTTP/1.1 200 Connection established\r\nServer: held\r\n\r\n")
            onward = await trio.open_tcp_stream("127.0.0.1", self._leads_to)
            async with onward, trio.open_nursery() as nursery:
                nursery.start_soon(_copy, connection.stream, onward)
                await _copy(onward, connection.stream)
        except (EOFError, trio.BrokenResourceError):
            pass  # the client has left


async def _copy(source: trio.abc.Stream, target: trio.abc.Stream) -> None:
    try:
        while data := await source.receive_some(65536):
            await target.send_all(data)
        if isinstance(target, trio.abc.HalfCloseableStream):
            await target.send_eof()
        else:
            await target.aclose()
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass


@asynccontextmanager
async def held_proxy(leads_to: int, ssl_context: ssl.SSLContext | None = None) -> AsyncIterator[HeldProxy]:
    async with RawServer.listen() as raw, trio.open_nursery() as nursery:
        proxy = HeldProxy(raw, leads_to, ssl_context)
        nursery.start_soon(proxy.run)
        yield proxy
        nursery.cancel_scope.cancel()
