"""Servers in background threads, as ``launch(wait=False)`` gives them, and clients that know nothing of perfectws."""

from __future__ import annotations

import re
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakSet

import httpx
import pytest

from perfectws import HTTPRequest, HTTPResponse, HTTPServer, LaunchContext, Routes

#: No test waits longer for anything, in seconds.
PATIENCE = 30.0

Launch = Callable[..., LaunchContext]


@pytest.fixture(autouse=True)
def no_brokers_of_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a server's figures count the brokers of its own test only: others may not be freed yet."""
    monkeypatch.setattr("perfectws.rooms.broker._brokers", WeakSet())


@pytest.fixture
def launch() -> Iterator[Launch]:
    """Launch a server on loopback, in the background, until the test ends."""
    contexts: list[LaunchContext] = []

    def start(**keywords: Any) -> LaunchContext:
        keywords = {"name": "test", "address": "127.0.0.1", "port": 0, "close_timeout": 5, **keywords}
        contexts.append(HTTPServer.launch(wait=False, **keywords))
        return contexts[-1]

    yield start
    for context in contexts:
        context.terminate()
    for context in contexts:
        assert context.wait(PATIENCE)


def url(context: LaunchContext, path: str = "/", scheme: str = "http") -> str:
    return f"{scheme}://127.0.0.1:{context.port}{path}"


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    """A client that keeps its connections."""
    with httpx.Client(timeout=PATIENCE, trust_env=False) as client:
        yield client


class Raw:
    """A connection whose bytes the test writes itself."""

    def __init__(self, address: tuple[str, int] | str, context: ssl.SSLContext | None = None) -> None:
        self.socket = _connected(address)
        self.socket.settimeout(PATIENCE)
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_hostname="127.0.0.1")
        self.buffer = b""

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read_all(self) -> bytes:
        """Read to the end of the stream, however it ends."""
        try:
            while data := self.socket.recv(65536):
                self.buffer += data
        except OSError:
            pass
        return self.buffer

    def ask(self, data: bytes) -> tuple[bytes, bytes]:
        """Send a request and return the head and the body of its response, which has a Content-Length."""
        self.send(data)
        while b"\r\n\r\n" not in self.buffer:
            self._receive()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\nContent-Length: (\d+)", head)
        size = int(length[1]) if length else 0
        while len(self.buffer) < size:
            self._receive()
        body, self.buffer = self.buffer[:size], self.buffer[size:]
        return head, body

    def _receive(self) -> None:
        received = self.socket.recv(65536)
        assert received, self.buffer
        self.buffer += received


def _connected(address: tuple[str, int] | str) -> socket.socket:
    if sys.platform == "win32" or isinstance(address, tuple):
        assert isinstance(address, tuple), "Windows has no Unix sockets"
        return socket.create_connection(address, PATIENCE)
    unix = socket.socket(socket.AF_UNIX)
    unix.connect(address)
    return unix


def raw(context: LaunchContext, tls: ssl.SSLContext | None = None) -> Raw:
    """Connect to a server."""
    return Raw(("127.0.0.1", context.port), tls)


def hello(request: HTTPRequest, response: HTTPResponse) -> None:
    """Answer with what the server thinks of the client."""
    response.set_header("Content-Type", "text/plain")
    host = request.remote_address[0]
    response.set_body(f"{host} {'secure' if request.is_secure else 'plain'} {request.server_name}").completed()


@pytest.fixture
def routes() -> Routes:
    """Routes with one that says hello."""
    routes = Routes()
    routes.add("GET", "/hello", hello)
    return routes
