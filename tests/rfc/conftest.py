"""Both roles of perfectws over real sockets, each with a peer that the test holds in the hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from perfectws import Future, WebSocket

from ..client.raw_server import RawConnection, RawServer
from ..conftest import PATIENCE, TRANSPORTS, Connect, connecting
from ..peer import Peer, frame_bytes

#: The transport of our server where a requirement is not about transports: the one that users have.
SERVER_TRANSPORT = "reactor" if "reactor" in TRANSPORTS else "streams"

#: What a test holds: a client of our server, or a server of our client.
Other = Peer | RawConnection


class Dial:
    """Opens connections of our client to a server in the test's hand: ``other, socket = await dial()``."""

    def __init__(self, raw: RawServer, nursery: trio.Nursery) -> None:
        self.raw = raw
        self.nursery = nursery
        #: An attempt whose result nobody can get any more would be given up.
        self._futures: list[Future[WebSocket]] = []

    def begin(self, to: str | None = None, **options: Any) -> Future[WebSocket]:
        """Begin to connect."""
        future: Future[WebSocket] = WebSocket.connect(to=self.raw.url if to is None else to, on=self.nursery, **options)
        self._futures.append(future)
        return future

    async def asked(self, to: str | None = None, **options: Any) -> tuple[RawConnection, Future[WebSocket]]:
        """Connect up to the request, which the server has read and not answered."""
        future = self.begin(to, **options)
        other = await self.raw.accept()
        await other.read_request()
        return other, future

    async def __call__(self, *headers: str, **options: Any) -> tuple[RawConnection, WebSocket]:
        """Open a WebSocket; ``headers`` stand in the 101 besides."""
        other, future = await self.asked(**options)
        await other.stream.send_all(other.response(*headers))
        return other, await future


class Link:
    """Opens WebSockets of which ours is of one role: ``other, socket = await link()``.

    Attributes:
        is_client: Whether ours is the client.
    """

    def __init__(self, opener: Connect | Dial) -> None:
        self._opener = opener
        self.is_client = isinstance(opener, Dial)

    async def __call__(self, **options: Any) -> tuple[Other, WebSocket]:
        """Open a WebSocket whose session does nothing by itself."""
        if isinstance(self._opener, Dial):
            return await self._opener(**options)
        return await self._opener.socket(**options)

    async def compressed(self, parameters: str = "", **options: Any) -> tuple[Other, WebSocket]:
        """Open a WebSocket with permessage-deflate: ``parameters`` are offered, or answered."""
        extension = f"permessage-deflate{parameters}"
        if isinstance(self._opener, Dial):
            return await self._opener(f"Sec-WebSocket-Extensions: {extension}", compression=options)
        return await self._opener.socket(headers=[("Sec-WebSocket-Extensions", extension)], compression=options)

    def wire(self, opcode: int, payload: bytes | str = b"", fin: bool = True, rsv: int = 0) -> bytes:
        """Return a frame as the other end has to send it."""
        return frame_bytes(opcode, payload, fin, rsv, b"" if self.is_client else None)

    def header(self, *header: int) -> bytes:
        """Return the first bytes of a frame of the other end, with the mask bit that it has to have."""
        first, second, *rest = header
        return bytes((first, second, *rest)) if self.is_client else bytes((first, second | 0x80, *rest, 1, 2, 3, 4))


@asynccontextmanager
async def dialing() -> AsyncIterator[Dial]:
    """Connect our client to a server in the test's hand, and end all that is open behind it."""
    with trio.fail_after(PATIENCE):
        async with RawServer.listen() as raw, trio.open_nursery() as nursery:
            yield Dial(raw, nursery)
            nursery.cancel_scope.cancel()


@pytest.fixture
async def dial() -> AsyncIterator[Dial]:
    """Connect our client to a server in the test's hand."""
    async with dialing() as dial:
        yield dial


@pytest.fixture
async def serve() -> AsyncIterator[Connect]:
    """Connect a client in the test's hand to our server."""
    async with connecting(SERVER_TRANSPORT) as connect:
        yield connect


@pytest.fixture(params=["server", "client"])
async def link(request: pytest.FixtureRequest) -> AsyncIterator[Link]:
    """Open WebSockets of our server, then of our client."""
    if request.param == "server":
        async with connecting(SERVER_TRANSPORT) as connect:
            yield Link(connect)
        return
    async with dialing() as dial:
        yield Link(dial)


async def assert_failed(other: Other, code: int) -> None:
    """Wait for our close frame, which has this code and is the last that comes, and for the connection's end."""
    close = await other.receive_close()
    assert close.close_code == code, close
    await assert_ended(other)


async def assert_ended(other: Other) -> None:
    """Wait for the connection's end, before which nothing more comes, and let go of it, so that ours is told soon."""
    await other.receive_eof()
    assert not other.buffer
    await trio.aclose_forcefully(other.stream)
