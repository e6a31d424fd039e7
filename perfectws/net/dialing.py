"""Outgoing connections: from a route to a transport.

This is where a client's transport is chosen: plain sockets go on the reactor where there is one, all else on streams.
And it is the border at which what the system and TLS raise becomes a `HandshakeError`.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Callable, Coroutine
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias, TypeVar, cast
from typing import Protocol as Contract

import trio

from ..errors import HandshakeError
from ..transport import Address, DialedTransport, Protocol
from .addresses import address_of, stream_addresses
from .loop import Loop
from .outgoing import encrypt, open_tcp, open_unix
from .proxying import Proxy, dial_through
from .reactor import Reactor
from .reasons import reason_of
from .socket_transport import SocketTransport
from .stream_transport import StreamTransport
from .tls_end import close_at_once

ProtocolT = TypeVar("ProtocolT", bound=Protocol)

#: A connection: a socket, perhaps with TLS around it, perhaps twice.
Stream: TypeAlias = trio.SocketStream | trio.SSLStream[trio.SocketStream] | trio.SSLStream[trio.abc.Stream]


class Route(NamedTuple):
    """How to get to a server.

    Attributes:
        host: A name or an IP address; of a link-local one, with its zone: ``fe80::1%eth0``.
        port: The port.
        ssl_context: Encrypts the connection, and the way to an ``https:`` proxy.
        is_secure: Whether the connection is encrypted.
        proxy: What it leads through; ``None`` is the direct way.
        server_hostname: What the server's certificate must say; it is named to the server unless it is an IP address.
        local_address: Our own IP address; ``None`` leaves it to the system.
        sock: A socket that is connected already; ``None`` makes one. It is closed with the connection.
    """

    host: str
    port: int
    ssl_context: ssl.SSLContext | None = None
    is_secure: bool = False
    proxy: Proxy | None = None
    server_hostname: str = ""
    local_address: str | None = None
    sock: socket.socket | None = None

    @property
    def context(self) -> ssl.SSLContext:
        """What encrypts, be it the system's way."""
        return self.ssl_context or default_ssl_context()


class Dial(Contract):
    """What connects: `dial`, or what stands for it in a test."""

    def __call__(
        self, loop: Loop, route: Route, make_protocol: Callable[[DialedTransport], ProtocolT], /
    ) -> ProtocolT | Coroutine[Any, Any, ProtocolT]:
        """Connect, and return the protocol, or what waits for it. Both raise `HandshakeError`."""


def dial(
    loop: Loop, route: Route, make_protocol: Callable[[DialedTransport], ProtocolT]
) -> ProtocolT | Coroutine[Any, Any, ProtocolT]:
    """Connect, trying a host's addresses as RFC 8305 says ("happy eyeballs").

    Args:
        loop: The loop that is to drive the connection.
        route: Where to, and how.
        make_protocol: Makes the protocol of the connection.

    Returns:
        The protocol; or, unless the connection is there at once, a coroutine that returns it.

    Raises:
        HandshakeError: Nothing listens there, or TLS failed; the message says where and why.
    """
    if loop.reactor is None or not _is_direct(route):
        return _dial_stream(loop, route, make_protocol)
    connecting, is_connected = _begin_connecting(route)
    if is_connected:
        return _attach_socket(loop, loop.reactor, connecting, make_protocol)
    return _dial_socket(loop, loop.reactor, connecting, route, make_protocol)


async def _dial_stream(loop: Loop, route: Route, make_protocol: Callable[[DialedTransport], ProtocolT]) -> ProtocolT:
    stream = await _open_stream(route)
    ends = await _addresses(stream)  # before TLS: with TLS 1.3 a server may be gone when our side of that is done
    if route.is_secure:
        stream = await _encrypt(stream, route)
    return _attach(loop, stream, ends, make_protocol)


async def _open_stream(route: Route) -> Stream:
    host, port = route.host, route.port
    if route.sock is not None:
        return trio.SocketStream(trio.socket.from_stdlib_socket(route.sock))
    if route.proxy is not None:
        context = route.context if route.proxy.is_secure else None
        return await dial_through(route.proxy, host, port, context, route.local_address)
    try:
        return await open_tcp(host, port, route.local_address)
    except OSError as error:
        raise HandshakeError(f"cannot connect to {_place(host, port)}: {reason_of(error)}") from error


def _is_direct(route: Route) -> bool:
    """Tell whether a route is plain TCP to one address, which is known: there is nothing to choose, nor to look up."""
    if route.is_secure or route.proxy is not None or route.sock is not None or route.local_address is not None:
        return False
    try:
        socket.inet_pton(_family(route.host), route.host)
    except (OSError, ValueError):
        return False
    return True


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _begin_connecting(route: Route) -> tuple[socket.socket, bool]:
    """Begin to connect to the one address of a direct route; tell whether that is all."""
    try:
        connecting = socket.socket(_family(route.host), socket.SOCK_STREAM)
    except OSError as error:  # there may be no descriptor
        raise _cannot_connect(route, error) from error
    try:
        connecting.setblocking(False)
        connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        address = (route.host, route.port)
        status = connecting.connect_ex(address)
        if status == errno.EINPROGRESS:
            status = connecting.connect_ex(address)  # within one machine it is done by now
        if status and status != errno.EALREADY:
            raise OSError(status, os.strerror(status))
    except OSError as error:
        connecting.close()
        raise _cannot_connect(route, error) from error
    return connecting, not status


async def _dial_socket(
    loop: Loop,
    reactor: Reactor,
    connecting: socket.socket,
    route: Route,
    make_protocol: Callable[[DialedTransport], ProtocolT],
) -> ProtocolT:
    try:
        await trio.lowlevel.wait_writable(connecting)
        status = connecting.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if status:
            raise OSError(status, os.strerror(status))
    except BaseException as error:
        connecting.close()
        if isinstance(error, OSError):
            raise _cannot_connect(route, error) from error
        raise
    return _attach_socket(loop, reactor, connecting, make_protocol)


def _cannot_connect(route: Route, error: OSError) -> HandshakeError:
    return HandshakeError(f"cannot connect to {_place(route.host, route.port)}: {reason_of(error)}")


def _peer_of(connected: socket.socket) -> Address:
    try:
        return address_of(connected.getpeername())
    except OSError:
        connected.close()
        raise _lost() from None


def _lost() -> HandshakeError:
    return HandshakeError("the connection was lost as soon as it was there")


async def _encrypt(stream: Stream, route: Route) -> Stream:
    # RFC 6874 §1: a zone has "no meaning outside" this machine: no certificate names one.
    name = route.server_hostname or route.host.partition("%")[0]
    try:
        return await encrypt(cast(trio.abc.Stream, stream), route.context, name)
    except BaseException as error:
        await close_at_once(stream)  # TLS with a proxy is ended, if there is one; this one has not begun
        if isinstance(error, (trio.BrokenResourceError, ssl.SSLError)):
            raise HandshakeError(f"TLS with {_place(route.host, route.port)} failed: {reason_of(error)}") from error
        raise


async def dial_unix(loop: Loop, path: str, make_protocol: Callable[[DialedTransport], ProtocolT]) -> ProtocolT:
    """Connect to a Unix socket, and return the protocol. Raises `HandshakeError`."""
    try:
        stream = await open_unix(path)
    except OSError as error:
        raise HandshakeError(f"cannot connect to {path}: {reason_of(error)}") from error
    return _attach(loop, stream, await _addresses(stream), make_protocol)


def _attach(
    loop: Loop,
    stream: Stream,
    ends: tuple[Address, Address],
    make_protocol: Callable[[DialedTransport], ProtocolT],
) -> ProtocolT:
    remote, local = ends
    if loop.reactor is None or not isinstance(stream, trio.SocketStream):
        is_secure = isinstance(stream, trio.SSLStream)
        return run_stream(loop, StreamTransport(loop, stream, remote, local, is_secure), make_protocol)
    return _attach_socket(loop, loop.reactor, _detach(stream), make_protocol, remote)


def _attach_socket(
    loop: Loop,
    reactor: Reactor,
    connected: socket.socket,
    make_protocol: Callable[[DialedTransport], ProtocolT],
    remote: Address | None = None,
) -> ProtocolT:
    transport = SocketTransport(loop, reactor, connected, remote or _peer_of(connected))
    protocol = make_protocol(transport)
    transport.start(protocol)
    return protocol


def _detach(stream: trio.SocketStream) -> socket.socket:
    connected = socket.socket(fileno=stream.socket.detach())
    connected.setblocking(False)
    if connected.family != getattr(socket, "AF_UNIX", None) and hasattr(socket, "TCP_NOTSENT_LOWAT"):
        # trio keeps the kernel's buffer at 16 KiB; the system's own choice serves a reactor better.
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, 0)
    return connected


def run_stream(
    loop: Loop, transport: StreamTransport, make_protocol: Callable[[DialedTransport], ProtocolT]
) -> ProtocolT:
    """Begin a connection that stands already, and return its protocol."""
    protocol = make_protocol(transport)
    transport.set_protocol(protocol)
    loop.tasks.start_soon(transport.run)
    return protocol


async def _addresses(stream: Stream) -> tuple[Address, Address]:
    socket_stream: object = stream
    while isinstance(socket_stream, trio.SSLStream):
        socket_stream = socket_stream.transport_stream
    assert isinstance(socket_stream, trio.SocketStream)
    remote, local = stream_addresses(socket_stream)
    if remote is None:
        await trio.aclose_forcefully(stream)
        raise _lost()
    return remote, local


@lru_cache(maxsize=1)
def default_ssl_context() -> ssl.SSLContext:
    """Return a context that verifies servers by the system's authorities. Made once: it reads many files."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _place(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
