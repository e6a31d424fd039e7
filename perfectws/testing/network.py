"""The network of a test server: pipes in memory, and what dials through them."""

from __future__ import annotations

import errno
from collections.abc import Callable
from ipaddress import ip_address
from itertools import count
from typing import TypeVar

import trio

from ..errors import HandshakeError
from ..net.dialing import Route, run_stream
from ..net.loop import Loop
from ..net.reasons import reason_of
from ..net.stream_transport import StreamTransport
from ..server.accepting import Accepting
from ..transport import Address, DialedTransport, Protocol
from .pipes import PipeStream, stream_pair

ProtocolT = TypeVar("ProtocolT", bound=Protocol)

#: Where clients connect from, unless a test says otherwise.
CLIENT_HOST = "127.0.0.1"
#: Dynamic ports. Source: RFC 6335 §6.
_FIRST_PORT, _LAST_PORT = 49152, 65535


class Network:
    """What lies between a server in memory and its clients.

    Args:
        loop: The loop that the server runs on.
        accepting: What takes the server's connections.
        is_secure: Whether they count as encrypted.

    Attributes:
        server_address: The address that the server is reached at, as requests tell it.
        is_closed: Whether no connection can be opened any more.
    """

    def __init__(self, loop: Loop, accepting: Accepting, is_secure: bool) -> None:
        self.is_secure = is_secure
        self.server_address: Address = ("127.0.0.1", 443 if is_secure else 80)
        self._loop = loop
        self._accepting = accepting
        self._ports = count()
        self.is_closed = False

    def address(self, host: str) -> Address:
        """Return an address on ``host`` that no connection had lately. Raises `ValueError` if that is no IP address."""
        if not isinstance(host, str) or not _is_ip_address(host):
            raise ValueError(f"remote_address is an IP address, a str, not {host!r}")
        return host, _FIRST_PORT + next(self._ports) % (_LAST_PORT + 1 - _FIRST_PORT)

    def open(self, client: Address) -> PipeStream:
        """Connect, and return the client's end. Raises `ConnectionRefusedError` once the server accepts no more."""
        if self.is_closed or self._accepting.has_stopped:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "nothing listens: the test server has stopped")
        ours, theirs = stream_pair()
        self._accepting.take(StreamTransport(self._loop, theirs, client, self.server_address, self.is_secure))
        return ours

    def close(self) -> None:
        """Let no connection be opened any more, and cut those that are left."""
        self.is_closed = True
        for transport in list(self._accepting.connections):
            transport.abort()


def _is_ip_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


class MemoryDial:
    """What connects a client's WebSocket to the server of a test.

    Args:
        network: The network.
        host: Where the client connects from.

    Attributes:
        transport: That of the last connection.
    """

    def __init__(self, network: Network, host: str) -> None:
        self._network = network
        self._host = host
        self.transport: StreamTransport | None = None

    async def __call__(
        self, loop: Loop, route: Route, make_protocol: Callable[[DialedTransport], ProtocolT], /
    ) -> ProtocolT:
        """Connect, and return the protocol. Raises `HandshakeError` if nothing listens."""
        await trio.lowlevel.checkpoint()
        client, server = self._network.address(self._host), self._network.server_address
        try:
            stream = self._network.open(client)
        except ConnectionRefusedError as error:
            raise HandshakeError(f"cannot connect to {route.host}:{route.port}: {reason_of(error)}") from error
        self.transport = StreamTransport(loop, stream, server, client, route.is_secure)
        return run_stream(loop, self.transport, make_protocol)
