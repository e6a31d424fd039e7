"""Outgoing connections: from a host and a port to a transport.

This is where a client's transport is chosen: plain sockets go on the reactor where there is one, all else on streams.
And it is the border at which what the system and TLS raise becomes a `HandshakeError`.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

import trio

from ..errors import HandshakeError
from ..transport import Protocol, Transport
from .addresses import stream_addresses
from .loop import Loop
from .socket_transport import SocketTransport
from .stream_transport import StreamTransport

ProtocolT = TypeVar("ProtocolT", bound=Protocol)


async def dial(
    loop: Loop,
    host: str,
    port: int,
    make_protocol: Callable[[Transport], ProtocolT],
    ssl_context: ssl.SSLContext | None = None,
) -> ProtocolT:
    """Connect to a TCP port, trying its addresses as RFC 8305 says ("happy eyeballs"), and return the protocol.

    Args:
        loop: The loop that is to drive the connection.
        host: A name or an IP address; of a link-local one, with its zone: ``fe80::1%eth0``.
        port: The port.
        make_protocol: Makes the protocol of the connection.
        ssl_context: Encrypts the connection. ``host`` must be what the certificate says; it is named to the server
            unless it is an IP address.

    Raises:
        HandshakeError: Nothing listens there, or TLS failed; the message says where and why.
    """
    try:
        stream = await trio.open_tcp_stream(host, port)
    except OSError as error:
        raise HandshakeError(f"cannot connect to {_place(host, port)}: {_reason(error)}") from error
    if ssl_context is None:
        return await _attach(loop, stream, make_protocol)
    return await _attach_tls(loop, stream, host, port, make_protocol, ssl_context)


async def dial_unix(loop: Loop, path: str, make_protocol: Callable[[Transport], ProtocolT]) -> ProtocolT:
    """Connect to a Unix socket, and return the protocol. Raises `HandshakeError`."""
    try:
        stream = await trio.open_unix_socket(path)
    except (OSError, RuntimeError) as error:  # a RuntimeError where there are no Unix sockets
        raise HandshakeError(f"cannot connect to {path}: {_reason(error)}") from error
    return await _attach(loop, stream, make_protocol)


async def _attach(loop: Loop, stream: trio.SocketStream, make_protocol: Callable[[Transport], ProtocolT]) -> ProtocolT:
    remote, local = await _addresses(stream)
    if loop.reactor is None:
        return _run_stream(loop, StreamTransport(loop, stream, remote, local), make_protocol)
    transport = SocketTransport(loop, loop.reactor, _detach(stream), remote)
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


async def _attach_tls(
    loop: Loop,
    stream: trio.SocketStream,
    host: str,
    port: int,
    make_protocol: Callable[[Transport], ProtocolT],
    ssl_context: ssl.SSLContext,
) -> ProtocolT:
    remote, local = await _addresses(stream)
    # RFC 6874 §1: a zone has "no meaning outside" this machine: no certificate names one.
    tls = trio.SSLStream(stream, ssl_context, server_hostname=host.partition("%")[0])
    try:
        await tls.do_handshake()
    except BaseException as error:
        await trio.aclose_forcefully(tls)
        if isinstance(error, (trio.BrokenResourceError, ssl.SSLError)):
            raise HandshakeError(f"TLS with {_place(host, port)} failed: {_reason(error)}") from error
        raise
    return _run_stream(loop, StreamTransport(loop, tls, remote, local, is_secure=True), make_protocol)


def _run_stream(loop: Loop, transport: StreamTransport, make_protocol: Callable[[Transport], ProtocolT]) -> ProtocolT:
    protocol = make_protocol(transport)
    transport.set_protocol(protocol)
    loop.tasks.start_soon(transport.run)
    return protocol


async def _addresses(stream: trio.SocketStream) -> tuple[tuple[str, int], tuple[str, int]]:
    remote, local = stream_addresses(stream)
    if remote is None:
        await trio.aclose_forcefully(stream)
        raise HandshakeError("the connection was lost as soon as it was there")
    return remote, local


@lru_cache(maxsize=1)
def default_ssl_context() -> ssl.SSLContext:
    """Return a context that verifies servers by the system's authorities. Made once: it reads many files."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _place(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _reason(error: BaseException) -> str:
    """Return the innermost reason: trio wraps one error in another, and several in a group."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(dict.fromkeys(_reason(inner) for inner in error.exceptions))
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if error.__cause__ is not None:
        return _reason(error.__cause__)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
