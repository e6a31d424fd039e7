"""Connections accepted from a listener: on the reactor where there is one, else on streams.

Several processes may accept from one listener: `Sharing` is how they come to have as many each.
"""

from __future__ import annotations

import errno
import logging
import socket
import ssl
import sys
from collections.abc import Callable
from typing import Protocol as Contract

import trio

from ..callbacks import report_failure
from ..log_limit import LogLimit
from ..transport import Address, Protocol, Transport
from .addresses import address_of, stream_addresses
from .loop import Connections, Loop
from .reactor import READABLE, Reactor
from .socket_transport import AcceptedSocket, SocketTransport
from .stream_transport import StreamTransport
from .tls import accept_tls
from .tls_transport import TLSTransport

#: Makes the protocol of a connection that was accepted.
ProtocolFactory = Callable[[Transport], Protocol]
#: Returns what makes a connection TLS that begins now.
CurrentContext = Callable[[], ssl.SSLContext]

#: How long a listener rests when the process has no file descriptors left, in seconds.
REST = 0.1
#: How long further rests of a listener are only counted, in seconds.
REST_LOG_INTERVAL = 60.0
#: The most connections accepted in one pass of the reactor.
BURST = 64

#: Where one listens on these, the kernel has to say which address a client has reached.
_EVERY_INTERFACE = ("", "0.0.0.0", "::")

_OUT_OF_DESCRIPTORS = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
if sys.platform == "win32":
    _OUT_OF_DESCRIPTORS.add(errno.WSAEMFILE)  # sockets are counted apart from files


class Sharing(Contract):
    """What several processes share that accept from the same listeners, as one of them sees it."""

    def begin(self, listening: socket.socket, take: Callable[[socket.socket], None]) -> None:
        """Serve by ``take`` what others pass on of what a listener has accepted."""

    def look(self) -> None:
        """Find out who has how many. Called before a few connections are accepted."""

    def passes_on(self, key: int, connected: int) -> bool:
        """Pass a connection on, if another process should have it; tell whether that was done.

        Args:
            key: The descriptor of the listener that has accepted it.
            connected: The descriptor of the connection, which is to be closed here if it was passed on.
        """


async def serve_listener(
    loop: Loop,
    listening: socket.socket,
    make_protocol: ProtocolFactory,
    tls: CurrentContext | None = None,
    connections: Connections | None = None,
    sharing: Sharing | None = None,
) -> None:
    """Accept connections until cancelled, and close the listener.

    This is where the transport is chosen: sockets go on the reactor where there is one, with TLS over them or without;
    else on streams.

    Args:
        loop: The loop that drives them.
        listening: The listener.
        make_protocol: Makes the protocol of each connection, which counts among ``connections`` already.
        tls: Makes it TLS: what this returns when a client connects.
        connections: The server's, to which each connection is added; ``None`` if nobody asks for them.
        sharing: Says which of them are left to other processes; ``None`` where there is no other.
    """
    connections = Connections(loop) if connections is None else connections
    if loop.reactor is not None:
        acceptor = Acceptor(loop, loop.reactor, listening, make_protocol, connections, tls, sharing)
        try:
            await trio.sleep_forever()
        finally:
            acceptor.stop()
    else:
        await _StreamAcceptor(loop, make_protocol, tls, connections, sharing).serve(listening)


class Acceptor:
    """Accepts connections on the reactor, a burst at a time."""

    def __init__(
        self,
        loop: Loop,
        reactor: Reactor,
        listening: socket.socket,
        make_protocol: ProtocolFactory,
        connections: Connections,
        tls: CurrentContext | None = None,
        sharing: Sharing | None = None,
    ) -> None:
        self._connections = connections
        self._tls = tls
        self._log_limit = LogLimit()
        self._shortages = _shortages()
        self._loop = loop
        self._reactor = reactor
        self._listening = listening
        #: What `socket.accept` calls, which would ask for family and type of each connection, as members of enums, and
        #: wrap it in a class of Python's for the sake of `makefile`.
        self._accept: Callable[[], tuple[int, object]] = listening._accept  # type: ignore[attr-defined]
        self._kind = (int(listening.family), int(listening.type), listening.proto)
        self._make_protocol = make_protocol
        self._is_stopped = False
        self._local = _one_address(listening)
        self._sharing = sharing
        self._key = listening.fileno()
        if sharing is not None:
            sharing.begin(listening, self._adopt)
        reactor.add(listening.fileno(), self)

    def stop(self) -> None:
        """Accept no more. What others have accepted is still taken."""
        if self._is_stopped:
            return
        self._is_stopped = True
        self._reactor.remove_later(self._listening.fileno(), self)
        self._loop.wake_if_idle()

    def remove(self) -> None:
        """Close the listener, which is no longer registered."""
        self._listening.close()

    def on_events(self, events: int) -> int:
        """Accept what is waiting; what is wrong with the listener is what `accept` raises."""
        return self.on_readable()

    def on_readable(self) -> int:
        """Accept what is waiting, up to a burst; nothing is read."""
        if self._sharing is not None:
            self._sharing.look()
        for _ in range(BURST):
            if self._is_stopped:
                break
            try:
                descriptor, name = self._accept()
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno in _OUT_OF_DESCRIPTORS:
                    self._rest(error)
                    break
                continue  # a connection that failed before it was accepted: the next one may not
            if self._sharing is not None and self._sharing.passes_on(self._key, descriptor):
                socket.close(descriptor)
            else:
                self._begin(socket.SocketType(*self._kind, descriptor), address_of(name))
        return 0

    def _adopt(self, connected: socket.socket) -> None:
        """Serve a connection that another process has accepted."""
        remote = _peer_of(connected)
        if remote is not None:
            self._begin(connected, remote)

    def _rest(self, error: OSError) -> None:
        """Rest for a moment: a listener that cannot accept stays ready, and would be reported for ever."""
        _log_rest(self._shortages, error)
        self._reactor.modify(self._listening.fileno(), 0)
        self._loop.call_later(self._loop.owner, REST, self._resume)

    def _resume(self) -> None:
        if not self._is_stopped:
            self._reactor.modify(self._listening.fileno(), READABLE)

    def _begin(self, connected: socket.SocketType, remote: Address) -> None:
        per_address = self._connections.per_address
        if per_address is not None and not self._connections.admits(remote[0]):
            connected.close()
            return
        connected.setblocking(False)
        if self._tls is not None:
            self._begin_tls(connected, remote, self._tls())
            return
        transport = AcceptedSocket(self._loop, self._reactor, connected, remote, self._connections, self._local)
        if per_address is not None:
            per_address.add(transport, remote[0])
        try:
            transport.start(self._make_protocol(transport))
        except Exception as error:
            report_failure(self._loop.owner, error)
            connected.close()
            self._connections.discard(transport)

    def _begin_tls(self, connected: socket.SocketType, remote: Address, context: ssl.SSLContext) -> None:
        lower = SocketTransport(self._loop, self._reactor, connected, remote)
        transport = TLSTransport(self._loop, lower, context, self._make_protocol, self._connections, self._log_limit)
        self._connections.count_for(remote[0], transport)
        try:
            lower.start(transport)
        except Exception as error:
            report_failure(self._loop.owner, error)
            transport.abort()
            self._connections.discard(transport)


def _peer_of(connected: socket.socket) -> Address | None:
    """Return the address of who has connected; ``None``, and it is closed, if it was gone before it was here."""
    try:
        return address_of(connected.getpeername())
    except OSError:
        connected.close()
        return None


def _one_address(listening: socket.socket) -> Address | None:
    """Return the address that all accepted sockets have; ``None`` if each has its own."""
    address = address_of(listening.getsockname())
    return None if address[0] in _EVERY_INTERFACE else address


class _StreamAcceptor:
    """Accepts connections on streams, each with a task of its own."""

    def __init__(
        self,
        loop: Loop,
        make_protocol: ProtocolFactory,
        tls: CurrentContext | None,
        connections: Connections,
        sharing: Sharing | None,
    ) -> None:
        self._loop = loop
        self._make_protocol = make_protocol
        self._tls = tls
        self._connections = connections
        self._sharing = sharing
        self._log_limit = LogLimit()
        self._shortages = _shortages()

    async def serve(self, listening: socket.socket) -> None:
        """Accept until cancelled, and close the listener."""
        key = listening.fileno()
        if self._sharing is not None:
            self._sharing.begin(listening, self._adopt)
        async with trio.SocketListener(trio.socket.from_stdlib_socket(listening)) as listener:
            while True:
                stream = await _accept(listener, self._shortages)
                if stream is not None and not self._is_passed_on(key, stream):
                    self._loop.tasks.start_soon(self._serve_stream, stream)

    def _is_passed_on(self, key: int, stream: trio.SocketStream) -> bool:
        if self._sharing is None:
            return False
        self._sharing.look()
        if not self._sharing.passes_on(key, stream.socket.fileno()):
            return False
        stream.socket.close()
        return True

    def _adopt(self, connected: socket.socket) -> None:
        """Serve a connection that another process has accepted."""
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(connected))
        self._loop.tasks.start_soon(self._serve_stream, stream)

    async def _serve_stream(self, stream: trio.SocketStream) -> None:
        remote, local = stream_addresses(stream)
        if remote is None:
            await trio.aclose_forcefully(stream)  # it was gone before it was here
            return
        if not self._connections.admits(remote[0]):
            await trio.aclose_forcefully(stream)
            return
        self._connections.count_for(remote[0], stream)
        try:
            await self._serve(stream, remote, local)
        finally:
            self._connections.uncount(stream)

    async def _serve(self, stream: trio.SocketStream, remote: Address, local: Address) -> None:
        if self._tls is None:
            await self._run(StreamTransport(self._loop, stream, remote, local))
            return
        encrypted = await accept_tls(stream, self._tls(), remote, self._log_limit)
        if encrypted is not None:
            await self._run(StreamTransport(self._loop, encrypted, remote, local, is_secure=True))

    async def _run(self, transport: StreamTransport) -> None:
        await serve_stream(transport, self._make_protocol, self._connections)


async def serve_stream(transport: StreamTransport, make_protocol: ProtocolFactory, connections: Connections) -> None:
    """Serve a connection that stands already, until it is gone.

    Args:
        transport: Moves its bytes.
        make_protocol: Makes its protocol; it counts among ``connections`` already.
        connections: The server's.
    """
    connections.add(transport)
    try:
        transport.set_protocol(make_protocol(transport))
        await transport.run()
    finally:
        connections.discard(transport)


async def _accept(listener: trio.SocketListener, shortages: LogLimit) -> trio.SocketStream | None:
    try:
        return await listener.accept()
    except OSError as error:
        if error.errno not in _OUT_OF_DESCRIPTORS:
            raise
        _log_rest(shortages, error)
        await trio.sleep(REST)
        return None


def _shortages() -> LogLimit:
    """Return what tells of the descriptors that a listener lacks: at once, then once a minute how often."""
    return LogLimit(logging.ERROR, REST_LOG_INTERVAL)


def _log_rest(shortages: LogLimit, error: OSError) -> None:
    message = "Cannot accept connections: %s; trying again every %s s"
    shortages.log("rest", message, error.strerror, REST)
