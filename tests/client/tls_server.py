"""Connections that the test answers byte by byte, inside TLS."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio

from ..certificates import server_context
from .raw_server import RawConnection


@dataclass
class TLSServer:
    """A listener inside TLS.

    Attributes:
        port: Its port.
        names: The names that clients asked for (SNI), ``None`` where one named none.
    """

    listener: trio.SSLListener[trio.SocketStream]
    port: int
    names: list[str | None] = field(default_factory=list)

    async def accept(self) -> RawConnection:
        return RawConnection(await self.listener.accept())


@asynccontextmanager
async def tls_server(*identities: str) -> AsyncIterator[TLSServer]:
    """Listen on 127.0.0.1 with a certificate for these names or addresses."""
    context = server_context(*identities)
    (tcp,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with tcp:
        server = TLSServer(trio.SSLListener(tcp, context), tcp.socket.getsockname()[1])
        context.sni_callback = lambda _, name, __: server.names.append(name)
        yield server
