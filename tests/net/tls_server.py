"""A server with TLS on a loop, whose transports a test holds in its hands; and a client that is moved by hand."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import trio

from perfectws import Routes, WebSocketHandler
from perfectws.http.http11 import HTTPConnection
from perfectws.http.service import HTTPService
from perfectws.net.acceptors import serve_listener
from perfectws.net.listeners import bound_port, listen
from perfectws.net.loop import Connections, Loop, open_loop
from perfectws.transport import Protocol, Transport

from ..conftest import PATIENCE, Handler, Session
from .counting import CountingSocket
from .test_reactor import Recorder


class Server:
    """A listener with TLS on a loop, and the protocols that it has made."""

    def __init__(self, loop: Loop, nursery: trio.Nursery, server: ssl.SSLContext, client: ssl.SSLContext) -> None:
        self.loop = loop
        self.connections = Connections(loop)
        self.made: list[tuple[Transport, Any]] = []
        self._changed = trio.lowlevel.ParkingLot()
        self._nursery = nursery
        self._server = server
        self.client = client
        self.listening: list[socket.socket] = []
        self.streams: list[trio.SocketStream] = []

    def begin(self, make: Callable[[Transport], Protocol] = lambda transport: Recorder()) -> None:
        """Accept connections for the protocols that ``make`` makes."""

        def make_protocol(transport: Transport) -> Protocol:
            protocol = make(transport)
            self.made.append((transport, protocol))
            self._changed.unpark_all()
            return protocol

        self.listening = listen("127.0.0.1", 0)
        self._nursery.start_soon(
            serve_listener, self.loop, self.listening[0], make_protocol, lambda: self._server, self.connections
        )

    def begin_sessions(self, session: Session, **options: Any) -> None:
        """Serve WebSockets."""
        routes = Routes()
        routes.add("GET", "/", WebSocketHandler(lambda *_: Handler(session), **options))
        self.begin(partial(HTTPConnection, loop=self.loop, service=HTTPService(routes.navigator)))

    async def plain(self) -> trio.SocketStream:
        """Connect, and say nothing yet."""
        if not self.listening:
            self.begin()
        self.streams.append(await trio.open_tcp_stream("127.0.0.1", bound_port(self.listening)))
        return self.streams[-1]

    def let_go(self) -> None:
        """Close what was connected."""
        for stream in self.streams:
            stream.socket.close()

    async def stream(self, through: Callable[[Any], trio.abc.Stream] = lambda stream: stream) -> Any:
        """Connect, and do the handshake."""
        stream = trio.SSLStream(through(await self.plain()), self.client, server_hostname="test")
        await stream.do_handshake()
        return stream

    async def until_made(self, count: int = 1) -> tuple[Any, Any]:
        """Return the last transport and its protocol, once there are so many."""
        while len(self.made) < count:
            await self._changed.park()
        return self.made[-1]

    async def until_empty(self) -> None:
        """Wait until every connection is gone."""
        while self.connections._open:
            await trio.sleep(0.001)

    async def assert_serves(self) -> None:
        """Assert that somebody else is served as if nothing had been."""
        before = len(self.made)
        async with await self.stream() as stream:
            await stream.send_all(b"undisturbed")
            _, recorder = await self.until_made(before + 1)
            await recorder.until(b"undisturbed")


@asynccontextmanager
async def running(server: ssl.SSLContext, client: ssl.SSLContext, with_reactor: bool = True) -> AsyncIterator[Server]:
    with trio.fail_after(PATIENCE):
        async with open_loop(with_reactor=with_reactor) as loop, trio.open_nursery() as accepting:
            running = Server(loop, accepting, server, client)
            try:
                yield running
            finally:
                running.let_go()
                accepting.cancel_scope.cancel()
                await loop.end_connections(0)


class ByHand:
    """A client that decides which records leave in which segment."""

    def __init__(self, stream: trio.SocketStream, context: ssl.SSLContext) -> None:
        self.stream = stream
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname="test")

    async def do_handshake(self, last: bytes = b"") -> None:
        """Do the handshake; ``last`` leaves in one segment with its end."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self.stream.send_all(self._outgoing.read())
                self._incoming.write(await self.stream.receive_some())
            else:
                break
        await self.stream.send_all(self._outgoing.read() + self.encrypt(last))

    def encrypt(self, *messages: bytes) -> bytes:
        """Return a record for each message."""
        for message in messages:
            if message:
                self._tls.write(message)
        return self._outgoing.read()

    def close_notify(self) -> bytes:
        """Return the record that ends our side."""
        with pytest.raises(ssl.SSLWantReadError):
            self._tls.unwrap()
        return self._outgoing.read()

    async def read_all(self) -> bytes:
        """Return what is in all records until the peer's close_notify."""
        data = bytearray()
        while True:
            try:
                piece = self._tls.read(1 << 16)
            except ssl.SSLWantReadError:
                received = await self.stream.receive_some()
                assert received, "the connection was cut off"
                self._incoming.write(received)
            except ssl.SSLZeroReturnError:
                return bytes(data)
            else:
                if not piece:
                    return bytes(data)
                data += piece


async def by_hand(server: Server, last: bytes = b"") -> ByHand:
    client = ByHand(await server.plain(), server.client)
    await client.do_handshake(last)
    return client


class Around:
    """Something of OpenSSL's, as it is but for what a test watches or changes."""

    def __init__(self, actual: Any) -> None:
        self._actual = actual

    def __getattr__(self, name: str) -> Any:
        return getattr(self._actual, name)


def connected_pair() -> tuple[CountingSocket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        peer = socket.create_connection(listening.getsockname())
        accepted, _ = listening.accept()
    ours = CountingSocket(accepted.detach())
    ours.setblocking(False)
    peer.setblocking(False)
    return ours, peer
