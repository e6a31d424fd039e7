"""What a server does on a loop: it accepts connections from sockets that listen, until it is to stop."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from typing import Protocol

import trio

from ..http.http11 import HTTPConnection
from ..http.service import HTTPService
from ..net import acceptors
from ..net.acceptors import serve_listener, serve_stream
from ..net.budget import Budget
from ..net.loop import Connections, Loop
from ..net.stream_transport import StreamTransport
from ..transport import Transport
from .certificates import Certificates
from .retiring import retire
from .stopping import StopRequest


class Sharing(acceptors.Sharing, Protocol):
    """What the processes share that run one server, as one of them sees it."""

    def make_connections(self, loop: Loop) -> Connections:
        """Return what is to hold the connections of this process."""


class Accepting:
    """The connections of one server on a loop.

    Args:
        loop: The loop, on which other servers may accept too.
        service: What is served, and within which limits.
        certificates: Make the connections TLS; ``None`` if they are not.
        sharing: What it shares with other processes; ``None`` where there is no other.

    Attributes:
        connections: Those that are open.
        has_stopped: Whether it is to stop, and accepts no more.
    """

    def __init__(
        self, loop: Loop, service: HTTPService, certificates: Certificates | None, sharing: Sharing | None = None
    ) -> None:
        self._loop = loop
        self._service = service
        self._certificates = certificates
        self._sharing = sharing
        self.has_stopped = False
        self.connections = Connections(loop) if sharing is None else sharing.make_connections(loop)
        self.connections.per_address = service.per_address
        if service.max_buffered is not None:
            Budget(loop, self.connections, service.max_buffered)

    async def run(self, sockets: Sequence[socket.socket], stop: StopRequest, begun: Callable[[], object]) -> None:
        """Accept until ``stop`` is made, then end the connections as `perfectws.server.stopping` says.

        Args:
            sockets: Those that listen, if any do; they are closed at the end.
            stop: What is waited for. A cancellation does the same.
            begun: Called without arguments once connections are accepted.
        """
        try:
            async with trio.open_nursery() as nursery:
                for listening in sockets:
                    nursery.start_soon(self._accept, listening)
                if self._certificates is not None:
                    nursery.start_soon(self._certificates.watch)
                begun()
                await stop.wait()
                self.has_stopped = True
                nursery.cancel_scope.cancel()
            await self._retire(stop)
        finally:
            await self.connections.end(self._service.close_timeout)

    def take(self, transport: StreamTransport) -> None:
        """Serve a connection that stands already. In the loop's thread, from whatever task."""
        context = self._loop.owner.context.copy()  # in which callbacks find the loop
        context.run(self._loop.tasks.start_soon, serve_stream, transport, self._make_protocol, self.connections)

    async def _accept(self, listening: socket.socket) -> None:
        tls = None if self._certificates is None else self._certificates.current
        await serve_listener(self._loop, listening, self._make_protocol, tls, self.connections, self._sharing)

    async def _retire(self, stop: StopRequest) -> None:
        """Tell connections one after the other, if that is asked for, until it is asked for haste."""
        if stop.drain is None:
            return
        async with trio.open_nursery() as nursery:

            async def hurry() -> None:
                await stop.wait_until_urgent()
                nursery.cancel_scope.cancel()

            nursery.start_soon(hurry)
            await retire(self.connections, stop.drain, has_successor=stop.has_successor)
            nursery.cancel_scope.cancel()

    def _make_protocol(self, transport: Transport) -> HTTPConnection:
        """Return what serves a connection, which counts already: past ``max_connections`` it only answers 503."""
        connection = HTTPConnection(transport, self._loop, self._service)
        most = self._service.max_connections
        if most is not None and self.connections.count_everywhere > most:
            self.connections.refuse(transport)
            self._loop.call(connection, connection.refuse_full)
        if self.has_stopped:  # another process has passed it on just before
            connection.retire()
        return connection
