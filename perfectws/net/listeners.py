"""Listening sockets: opened by plain calls, accepted from in tasks, each connection given to a protocol."""

from __future__ import annotations

import errno
import socket
import ssl
import sys
from collections.abc import Callable

import trio

from ..callbacks import logger, report_failure
from ..complaints import Complaints
from ..transport import Address, Protocol, Transport
from .addresses import address_of, stream_addresses
from .connections import Connections
from .files import send_file
from .loop import Loop
from .reactor import READABLE, Reactor
from .sockets import SocketTransport
from .streams import StreamTransport
from .tls import accept_tls
from .tls_sockets import TLSTransport
from .unix_sockets import SCHEME, BoundPath, listen_unix

#: Makes the protocol of a connection that was accepted.
ProtocolFactory = Callable[[Transport], Protocol]

#: How long a listener rests when the process has no file descriptors left, in seconds.
REST = 0.1
BACKLOG = 1024
#: The most connections accepted in one pass of the reactor.
BURST = 64

#: Where one listens on these, the kernel has to say which address a client has reached.
_EVERY_INTERFACE = ("", "0.0.0.0", "::")

_OUT_OF_DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


async def open_listeners(address: str, port: int) -> list[socket.socket]:
    """Listen on an address, as `listen` does."""
    return await trio.to_thread.run_sync(listen, address, port)


def listen(address: str, port: int) -> list[socket.socket]:
    """Listen on an address. It blocks while a host name is resolved.

    Args:
        address: A host name or IP address, ``""`` or ``"0.0.0.0"`` for every interface; or ``unix:`` and a path.
        port: The port; 0 asks the kernel for one, which is the same for every address of the host.

    Raises:
        OSError: The address cannot be listened on.
    """
    if address.startswith(SCHEME):
        listening = listen_unix(address.removeprefix(SCHEME), BACKLOG)
        listening.setblocking(False)
        return [listening]
    listeners: list[socket.socket] = []
    try:
        for family, _, _, _, name in _resolve(address, port):
            listeners.append(_listen_tcp(family, name[0], port or (bound_port(listeners) if listeners else 0)))
    except OSError:
        for listening in listeners:
            listening.close()
        raise
    return listeners


def _resolve(address: str, port: int) -> list[tuple[int, int, int, str, tuple[str, int]]]:
    infos = socket.getaddrinfo(address or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    has_ipv6 = socket.has_ipv6 and _can_open(socket.AF_INET6)
    usable = [info for info in dict.fromkeys(infos) if info[0] != socket.AF_INET6 or has_ipv6]
    return usable or infos  # type: ignore[return-value]  # the names of IP sockets are known


def _can_open(family: int) -> bool:
    try:
        socket.socket(family, socket.SOCK_STREAM).close()
    except OSError:
        return False
    return True


def _listen_tcp(family: int, host: str, port: int) -> socket.socket:
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        # On Linux accepted sockets inherit it, which saves a system call for each.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except OSError:
        listening.close()
        raise
    listening.setblocking(False)
    return listening


class Listening:
    """The listening sockets of one server.

    Args:
        address, port: As for `listen`.

    Attributes:
        sockets: The sockets.
        port: The port that the kernel gave; 0 on a Unix socket.

    Raises:
        OSError: The address cannot be listened on.
    """

    def __init__(self, address: str, port: int) -> None:
        self.sockets = listen(address, port)
        self.port = bound_port(self.sockets)
        self._path = BoundPath(address.removeprefix(SCHEME)) if address.startswith(SCHEME) else None

    def close(self) -> None:
        """Listen no more."""
        for listening in self.sockets:
            listening.close()
        if self._path is not None:
            self._path.remove()


def bound_port(listeners: list[socket.socket]) -> int:
    """Return the port that the kernel gave."""
    return address_of(listeners[0].getsockname())[1]


async def serve_listener(
    loop: Loop,
    listening: socket.socket,
    make_protocol: ProtocolFactory,
    ssl_context: ssl.SSLContext | None = None,
    connections: Connections | None = None,
) -> None:
    """Accept connections until cancelled, and close the listener.

    This is where the transport is chosen: sockets go on the reactor where there is one, with TLS over them or without;
    else on streams.

    Args:
        loop: The loop that drives them.
        listening: The listener.
        make_protocol: Makes the protocol of each connection, which counts among ``connections`` already.
        ssl_context: Makes it TLS.
        connections: The server's, which learn of each connection.
    """
    connections = Connections(loop) if connections is None else connections
    if loop.reactor is not None:
        acceptor = Acceptor(loop, loop.reactor, listening, make_protocol, connections, ssl_context)
        try:
            await trio.sleep_forever()
        finally:
            acceptor.stop()
    else:
        await _StreamAcceptor(loop, make_protocol, ssl_context, connections).serve(listening)


class AcceptedSocket(SocketTransport):
    """The transport of a connection that a server has accepted.

    Args:
        local: Our own address; ``None`` asks the kernel.
    """

    __slots__ = ("_connections", "_local", "_sending")

    def __init__(
        self,
        loop: Loop,
        reactor: Reactor,
        connected: socket.socket,
        remote: Address,
        connections: Connections,
        local: Address | None = None,
    ) -> None:
        super().__init__(loop, reactor, connected, remote)
        self._connections = connections
        self._local = local
        self._sending: trio.CancelScope | None = None
        connections.add(self)

    @property
    def local_address(self) -> Address:
        """Our own address."""
        return super().local_address if self._local is None else self._local

    async def send_file(self, descriptor: int, part: range) -> bool:
        """Send a part of a file as `perfectws.net.files.send_file` does; nothing is to be written meanwhile."""
        with trio.CancelScope() as self._sending:
            if await send_file(self._socket, descriptor, part, lambda: not self.buffered_amount):
                return True
            # The kernel tells of a reset once, and did so here: to a read the peer would merely have ended.
            self.abort(ConnectionResetError("the peer reset the connection while a file was sent"))
        return False

    def remove(self) -> None:
        """Close the socket, which is no longer registered, and tell the protocol and the server."""
        super().remove()
        if self._sending is not None:
            self._sending.cancel()
        self._connections.discard(self)


class Acceptor:
    """Accepts connections on the reactor, a burst at a time."""

    def __init__(
        self,
        loop: Loop,
        reactor: Reactor,
        listening: socket.socket,
        make_protocol: ProtocolFactory,
        connections: Connections | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._connections = Connections(loop) if connections is None else connections
        self._ssl_context = ssl_context
        self._complaints = Complaints()
        self._loop = loop
        self._reactor = reactor
        self._listening = listening
        self._make_protocol = make_protocol
        self._is_stopped = False
        self._local = _one_address(listening)
        reactor.add(listening.fileno(), self)

    def stop(self) -> None:
        """Accept no more."""
        self._is_stopped = True
        self._reactor.remove_later(self._listening.fileno(), self)
        self._loop.wake_if_idle()

    def remove(self) -> None:
        """Close the listener, which is no longer registered."""
        self._listening.close()

    def on_events(self, events: int) -> None:
        """Accept what is waiting; what failed tells so when it is accepted."""
        self.on_readable()

    def on_readable(self) -> None:
        """Accept what is waiting, up to a burst."""
        for _ in range(BURST):
            if self._is_stopped:
                return
            try:
                connected, name = self._listening.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _OUT_OF_DESCRIPTORS:
                    self._rest(error)
                    return
                continue  # a connection that failed before it was accepted: the next one may not
            self._begin(connected, address_of(name))

    def _rest(self, error: OSError) -> None:
        """Look away for a moment: a listener that cannot accept stays ready, and would be reported for ever."""
        _log_rest(error)
        self._reactor.modify(self._listening.fileno(), 0)
        self._loop.call_later(self._loop.owner, REST, self._resume)

    def _resume(self) -> None:
        if not self._is_stopped:
            self._reactor.modify(self._listening.fileno(), READABLE)

    def _begin(self, connected: socket.socket, remote: Address) -> None:
        connected.setblocking(False)
        if self._ssl_context is not None:
            self._begin_tls(connected, remote, self._ssl_context)
            return
        transport = AcceptedSocket(self._loop, self._reactor, connected, remote, self._connections, self._local)
        try:
            transport.start(self._make_protocol(transport))
        except Exception as error:
            report_failure(self._loop.owner, error)
            connected.close()
            self._connections.discard(transport)

    def _begin_tls(self, connected: socket.socket, remote: Address, context: ssl.SSLContext) -> None:
        lower = SocketTransport(self._loop, self._reactor, connected, remote)
        transport = TLSTransport(self._loop, lower, context, self._make_protocol, self._connections, self._complaints)
        try:
            lower.start(transport)
        except Exception as error:
            report_failure(self._loop.owner, error)
            transport.abort()
            self._connections.discard(transport)


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
        ssl_context: ssl.SSLContext | None,
        connections: Connections,
    ) -> None:
        self._loop = loop
        self._make_protocol = make_protocol
        self._ssl_context = ssl_context
        self._connections = connections
        self._complaints = Complaints()

    async def serve(self, listening: socket.socket) -> None:
        """Accept until cancelled, and close the listener."""
        async with trio.SocketListener(trio.socket.from_stdlib_socket(listening)) as listener:
            while True:
                stream = await _accept(listener)
                if stream is not None:
                    self._loop.tasks.start_soon(self._serve_stream, stream)

    async def _serve_stream(self, stream: trio.SocketStream) -> None:
        remote, local = stream_addresses(stream)
        if remote is None:
            await trio.aclose_forcefully(stream)  # it was gone before it was here
            return
        if self._ssl_context is None:
            await self._run(StreamTransport(self._loop, stream, remote, local))
            return
        tls = await accept_tls(stream, self._ssl_context, remote, self._complaints)
        if tls is not None:
            await self._run(StreamTransport(self._loop, tls, remote, local, is_secure=True))

    async def _run(self, transport: StreamTransport) -> None:
        self._connections.add(transport)
        try:
            transport.set_protocol(self._make_protocol(transport))
            await transport.run()
        finally:
            self._connections.discard(transport)


async def _accept(listener: trio.SocketListener) -> trio.SocketStream | None:
    try:
        return await listener.accept()
    except OSError as error:
        if error.errno not in _OUT_OF_DESCRIPTORS:
            raise
        _log_rest(error)
        await trio.sleep(REST)
        return None


def _log_rest(error: OSError) -> None:
    logger.error("Cannot accept connections: %s; trying again in %s s", error.strerror, REST)
