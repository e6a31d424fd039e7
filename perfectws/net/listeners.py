"""Listening sockets: opened by trio, accepted from in tasks, each connection given to a protocol."""

from __future__ import annotations

import errno
import os
import ssl
from collections.abc import Callable

import trio

from ..callbacks import logger
from ..transport import Address, Protocol, Transport
from .loop import Loop
from .streams import StreamTransport

#: Makes the protocol of a connection that was accepted.
ProtocolFactory = Callable[[Transport], Protocol]

#: How long a listener rests when the process has no file descriptors left, in seconds.
REST = 0.1
BACKLOG = 1024

_OUT_OF_DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


async def open_listeners(address: str, port: int) -> list[trio.SocketListener]:
    """Listen on an address.

    Args:
        address: A host name or IP address, ``""`` or ``"0.0.0.0"`` for every interface.
        port: The port; 0 asks the kernel for one.

    Raises:
        OSError: The address cannot be listened on.
    """
    return await trio.open_tcp_listeners(port, host=address or None, backlog=BACKLOG)


def bound_port(listeners: list[trio.SocketListener]) -> int:
    """Return the port that the kernel gave."""
    name = listeners[0].socket.getsockname()
    return int(name[1]) if isinstance(name, tuple) else 0


async def serve_listener(
    loop: Loop, listener: trio.SocketListener, make_protocol: ProtocolFactory, ssl_context: ssl.SSLContext | None = None
) -> None:
    """Accept connections until cancelled; each runs in the loop's nursery."""
    while True:
        stream = await _accept(listener)
        if stream is not None:
            loop.tasks.start_soon(_serve_stream, loop, stream, make_protocol, ssl_context)


async def _accept(listener: trio.SocketListener) -> trio.SocketStream | None:
    try:
        return await listener.accept()
    except OSError as error:
        if error.errno not in _OUT_OF_DESCRIPTORS:
            raise
        logger.error("Cannot accept connections: %s; trying again in %s s", os.strerror(error.errno), REST)
        await trio.sleep(REST)
        return None


async def _serve_stream(
    loop: Loop, stream: trio.SocketStream, make_protocol: ProtocolFactory, ssl_context: ssl.SSLContext | None
) -> None:
    remote, local = stream_addresses(stream)
    if remote is None:
        await trio.aclose_forcefully(stream)  # it was gone before it was here
        return
    if ssl_context is not None:
        tls = trio.SSLStream(stream, ssl_context, server_side=True)
        transport = StreamTransport(loop, tls, remote, local, is_secure=True)
    else:
        transport = StreamTransport(loop, stream, remote, local)
    transport.set_protocol(make_protocol(transport))
    await transport.run()


def stream_addresses(stream: trio.SocketStream) -> tuple[Address | None, Address]:
    """Return the peer's address, ``None`` if it is gone already, and our own."""
    try:
        return address_of(stream.socket.getpeername()), address_of(stream.socket.getsockname())
    except OSError:
        return None, ("", 0)


def address_of(name: object) -> Address:
    """Return what a socket calls its end, as (host, port)."""
    if isinstance(name, tuple):
        return (str(name[0]), int(name[1]))
    return (os.fsdecode(name) if isinstance(name, (str, bytes)) else "", 0)
