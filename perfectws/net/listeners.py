"""Listening sockets: opened by trio, accepted from in tasks, each connection given to a protocol."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Callable

import trio

from ..callbacks import logger, report_failure
from ..transport import Address, Protocol, Transport
from .addresses import address_of, stream_addresses
from .loop import Loop
from .reactor import READABLE, Reactor
from .sockets import SocketTransport
from .streams import StreamTransport

#: Makes the protocol of a connection that was accepted.
ProtocolFactory = Callable[[Transport], Protocol]

#: How long a listener rests when the process has no file descriptors left, in seconds.
REST = 0.1
BACKLOG = 1024
#: The most connections accepted in one pass of the reactor.
BURST = 64

_OUT_OF_DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


async def open_listeners(address: str, port: int) -> list[socket.socket]:
    """Listen on an address.

    Args:
        address: A host name or IP address, ``""`` or ``"0.0.0.0"`` for every interface.
        port: The port; 0 asks the kernel for one.

    Raises:
        OSError: The address cannot be listened on.
    """
    listeners = await trio.open_tcp_listeners(port, host=address or None, backlog=BACKLOG)
    return [_detach(listener) for listener in listeners]


def _detach(listener: trio.SocketListener) -> socket.socket:
    listening = socket.socket(fileno=listener.socket.detach())
    listening.setblocking(False)
    # On Linux accepted sockets inherit it, which saves a system call for each.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def bound_port(listeners: list[socket.socket]) -> int:
    """Return the port that the kernel gave."""
    return address_of(listeners[0].getsockname())[1]


async def serve_listener(
    loop: Loop, listening: socket.socket, make_protocol: ProtocolFactory, ssl_context: ssl.SSLContext | None = None
) -> None:
    """Accept connections until cancelled, and close the listener.

    This is where the transport is chosen: plain sockets go on the reactor where there is one, all else on streams.
    """
    if loop.reactor is not None and ssl_context is None:
        acceptor = Acceptor(loop, loop.reactor, listening, make_protocol)
        try:
            await trio.sleep_forever()
        finally:
            acceptor.stop()
    else:
        await _serve_streams(loop, listening, make_protocol, ssl_context)


class Acceptor:
    """Accepts connections on the reactor, a burst at a time."""

    def __init__(self, loop: Loop, reactor: Reactor, listening: socket.socket, make_protocol: ProtocolFactory) -> None:
        self._loop = loop
        self._reactor = reactor
        self._listening = listening
        self._make_protocol = make_protocol
        self._is_stopped = False
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
        transport = SocketTransport(self._loop, self._reactor, connected, remote)
        try:
            transport.start(self._make_protocol(transport))
        except Exception as error:
            report_failure(self._loop.owner, error)
            connected.close()


async def _serve_streams(
    loop: Loop, listening: socket.socket, make_protocol: ProtocolFactory, ssl_context: ssl.SSLContext | None
) -> None:
    async with trio.SocketListener(trio.socket.from_stdlib_socket(listening)) as listener:
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
        _log_rest(error)
        await trio.sleep(REST)
        return None


def _log_rest(error: OSError) -> None:
    logger.error("Cannot accept connections: %s; trying again in %s s", error.strerror, REST)


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
