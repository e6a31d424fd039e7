"""Connections that the test answers byte by byte, inside TLS, and the authority that vouches for them."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio
import trustme

from .raw_server import RawConnection


@dataclass
class TLSServer:
    """A listener inside TLS.

    Attributes:
        port: Its port.
        authority: What signs its certificate.
        names: The names that clients asked for (SNI), ``None`` where one named none.
    """

    listener: trio.SSLListener[trio.SocketStream]
    port: int
    authority: trustme.CA
    names: list[str | None] = field(default_factory=list)

    def trusting(self) -> ssl.SSLContext:
        """A client's context that trusts the authority, and nobody else."""
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        return context

    async def accept(self) -> RawConnection:
        return RawConnection(await self.listener.accept())


@asynccontextmanager
async def tls_server(*identities: str) -> AsyncIterator[TLSServer]:
    """Listen on 127.0.0.1 with a certificate for these names or addresses."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*identities).configure_cert(context)
    (tcp,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with tcp:
        server = TLSServer(trio.SSLListener(tcp, context), tcp.socket.getsockname()[1], authority)
        context.sni_callback = lambda _, name, __: server.names.append(name)
        yield server
