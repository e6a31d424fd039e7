"""The harness: a session on one end, a `Peer` on the other, over each transport that there is.

Rules: loopback only, port 0, nothing sleeps for long, every wait is bounded, warnings are errors. Several processes run
tests side by side: no two tests share a file, a name or a port. A test that takes ``connect`` runs once per transport.
Virtual time (``autojump_clock``) only where every peer is in the same trio run and no real socket is between: with
``memory_connect``.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme
from hypothesis import HealthCheck, settings

from perfectws import HTTPRequest, Routes, WebSocket, WebSocketHandler
from perfectws.http.http11 import HTTPConnection
from perfectws.http.service import HTTPService
from perfectws.net.acceptors import serve_listener
from perfectws.net.listeners import bound_port, open_listeners
from perfectws.net.loop import Loop, open_loop
from perfectws.net.stream_transport import StreamTransport
from perfectws.testing.pipes import stream_pair

from . import certificates
from .calls import Calls, is_time_virtual
from .peer import Peer

#: No test waits longer for anything, in seconds.
PATIENCE = 60

#: The folders all of whose tests are slow: they start programs.
SLOW_FOLDERS = {"browser", "chaos", "examples", "interop", "typing"}

# On a machine under load an example may take any time.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

Session = Callable[[HTTPRequest, WebSocket], object]
OpenStream = Callable[[Routes], Awaitable[trio.abc.Stream]]


@dataclass
class Handler:
    """A session handler made of a function."""

    session: Session
    socket_protocol: str | None = None

    def handle_session(self, request: HTTPRequest, socket: WebSocket) -> object:
        return self.session(request, socket)


class Connect:
    """Opens connections to sessions: ``peer = await connect(session)``."""

    def __init__(self, loop: Loop, open_stream: OpenStream) -> None:
        self.loop = loop
        self.open_stream = open_stream
        self.peers: list[Peer] = []

    async def stop(self, timeout: float = 0) -> None:
        """Stop the server, as far as its connections can tell."""
        await self.loop.end_connections(timeout)

    async def close(self) -> None:
        """Let go of every peer."""
        for peer in self.peers:
            await peer.vanish()

    async def __call__(
        self,
        session: Session,
        *,
        headers: list[tuple[str, str]] | None = None,
        more: bytes = b"",
        socket_protocol: str | None = None,
        **options: Any,
    ) -> Peer:
        """Open a WebSocket to a session and return the peer, its handshake done."""
        routes = Routes()
        routes.add("GET", "/", WebSocketHandler(lambda *_: Handler(session, socket_protocol), **options))
        peer = await self.to(routes)
        await peer.handshake(headers=headers, more=more)
        assert peer.status == 101, (peer.status, peer.buffer)
        return peer

    async def socket(self, **options: Any) -> tuple[Peer, WebSocket]:
        """Open a WebSocket whose session does nothing, and return both ends."""
        opened = Calls()
        peer = await self(opened, **options)
        ((_, socket),) = await opened.until(1)
        return peer, socket

    async def to(self, routes: Routes) -> Peer:
        """Connect to routes, and say nothing yet."""
        self.peers.append(Peer(await self.open_stream(routes)))
        return self.peers[-1]


@asynccontextmanager
async def memory_streams() -> AsyncIterator[Connect]:
    """Serve over streams in memory: no kernel, no real time."""
    async with open_loop(with_reactor=False) as loop:

        async def open_stream(routes: Routes) -> trio.abc.Stream:
            ours, theirs = stream_pair()
            transport = StreamTransport(loop, theirs, ("memory", 1), ("memory", 2))
            transport.set_protocol(HTTPConnection(transport, loop, HTTPService(routes.navigator)))
            loop.tasks.start_soon(transport.run)
            return ours

        try:
            yield Connect(loop, open_stream)
        finally:
            await loop.end_connections(0)


@asynccontextmanager
async def sockets(with_reactor: bool, with_tls: bool = False) -> AsyncIterator[Connect]:
    """Serve over TCP: on the reactor, as a user's server does, or on streams."""
    server_context = certificates.server_context("test") if with_tls else None
    client_context = certificates.client_context() if with_tls else None
    async with open_loop(with_reactor=with_reactor) as loop, trio.open_nursery() as accepting:

        async def open_stream(routes: Routes) -> trio.abc.Stream:
            service = HTTPService(routes.navigator)
            listeners = await open_listeners("127.0.0.1", 0)
            tls = None if server_context is None else lambda: server_context
            make = partial(HTTPConnection, loop=loop, service=service)
            accepting.start_soon(serve_listener, loop, listeners[0], make, tls)
            stream = await trio.open_tcp_stream("127.0.0.1", bound_port(listeners))
            return stream if client_context is None else trio.SSLStream(stream, client_context, server_hostname="test")

        try:
            yield Connect(loop, open_stream)
        finally:
            accepting.cancel_scope.cancel()
            await loop.end_connections(0)


TRANSPORTS: dict[str, Callable[[], AbstractAsyncContextManager[Connect]]] = {
    "memory": memory_streams,
    "streams": partial(sockets, with_reactor=False),
    "reactor": partial(sockets, with_reactor=True),
    "tls": partial(sockets, with_reactor=True, with_tls=True),
}
if sys.platform != "linux":
    del TRANSPORTS["reactor"]  # there it would be the streams again


def patience() -> float:
    """Return how long to wait at most: virtual time passes in no time."""
    return 100_000 if is_time_virtual() else PATIENCE


@asynccontextmanager
async def connecting(transport: str) -> AsyncIterator[Connect]:
    """Connect over one transport, and let go of every peer at the end."""
    with trio.fail_after(patience()):
        async with TRANSPORTS[transport]() as connect:
            try:
                yield connect
            finally:
                await connect.close()


@pytest.fixture(autouse=True)
def levels_of_logs() -> Iterator[None]:
    """Let the loggers have their levels again behind a test: a command line sets them."""
    loggers = [logging.getLogger(name) for name in ("perfectws", "perfectws.access")]
    levels = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.fixture(params=list(TRANSPORTS))
async def connect(request: pytest.FixtureRequest) -> AsyncIterator[Connect]:
    """Connect over each transport in turn."""
    async with connecting(request.param) as connect:
        yield connect


@pytest.fixture(params=[name for name in TRANSPORTS if name != "memory"])
async def network_connect(request: pytest.FixtureRequest) -> AsyncIterator[Connect]:
    """Connect over each transport that has a kernel between."""
    async with connecting(request.param) as connect:
        yield connect


@pytest.fixture
async def memory_connect() -> AsyncIterator[Connect]:
    """Connect over memory streams, where time may be virtual."""
    async with connecting("memory") as connect:
        yield connect


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let who has the time give it to what needs it."""
    parser.addoption("--long", action="store_true", help="let the trouble of tests/chaos last as long as in real life")


def pytest_configure() -> None:
    """Let SIGINT interrupt: a shell that runs this in its background has it ignored, also by the programs we start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[name]  # a client of ours would ask this machine's proxy for names that nobody has


def pytest_xdist_auto_num_workers() -> int:
    """Let twice as many processes run tests as there are processors: half of a test's time is waiting."""
    return 2 * (os.cpu_count() or 1)


def pytest_collection_finish() -> None:
    """Let the collector of cycles pass over the tests themselves, from now on: they are many, and take it long."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of the slow folders; and let those that only wait come first, while others have much to do."""
    for item in items:
        if item.path.parent.name in SLOW_FOLDERS:
            item.add_marker("slow")
    items.sort(key=lambda item: item.path.stem != "test_write_timeout")


@pytest.fixture
def authority() -> trustme.CA:
    """What signs every certificate."""
    return certificates.authority()


@pytest.fixture
def server_context() -> ssl.SSLContext:
    """The context of a server that is called "test"."""
    return certificates.server_context("test")


@pytest.fixture
def trusting() -> ssl.SSLContext:
    """The context of a client that trusts the authority."""
    return certificates.client_context()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The files of a certificate for this machine, and of its key."""
    directory = tmp_path_factory.mktemp("certificate")
    issued = certificates.certificate_for("127.0.0.1", "localhost")
    chain, key = directory / "cert.pem", directory / "key.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(str(key))
    return chain, key
