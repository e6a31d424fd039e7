from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from .counting import counted_read, counted_write

if TYPE_CHECKING:
    from .tls_server import Server


@pytest.fixture(autouse=True)
def count_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count what `SocketTransport` reads and writes."""
    monkeypatch.setattr("perfectws.net.socket_transport.read", counted_read)
    monkeypatch.setattr("perfectws.net.socket_transport.write", counted_write)


@pytest.fixture
async def server(server_context: ssl.SSLContext, trusting: ssl.SSLContext) -> AsyncIterator[Server]:
    """A server with TLS on the reactor."""
    from .tls_server import running  # only here: it needs a reactor, which not every system has

    async with running(server_context, trusting) as server:
        yield server


@pytest.fixture(params=["reactor", "streams"])
async def either(
    request: pytest.FixtureRequest, server_context: ssl.SSLContext, trusting: ssl.SSLContext
) -> AsyncIterator[Server]:
    """A server on each of the transports that TLS has."""
    from .tls_server import running

    async with running(server_context, trusting, request.param == "reactor") as server:
        yield server
