"""A server that keeps what it was asked, and a peer of it."""

from __future__ import annotations

from perfectws import HTTPRequest, HTTPResponse, Routes

from ..conftest import Connect
from ..peer import Peer


class Asked:
    """A server whose handler answers every request with what it was asked, and a peer of it.

    Attributes:
        requests: What the handler was asked.
        peer: The peer.
    """

    def __init__(self) -> None:
        self.requests: list[HTTPRequest] = []
        self.peer: Peer

    def handle(self, request: HTTPRequest, response: HTTPResponse) -> None:
        self.requests.append(request)
        response.set_body(f"{request.path} ").append_body(request.post_body_bytes).completed()

    @classmethod
    async def on(cls, serve: Connect) -> Asked:
        asked = cls()
        routes = Routes()
        routes.add(uri="/**", handler=asked.handle)
        asked.peer = await serve.to(routes)
        return asked

    async def send(self, first: str, *fields: str, host: str | None = "Host: test", body: str | bytes = b"") -> int:
        """Send a request, and return the status of the answer."""
        lines = [first, *([] if host is None else [host]), *fields, "", ""]
        data = body.encode() if isinstance(body, str) else body
        await self.peer.stream.send_all("\r\n".join(lines).encode("latin-1") + data)
        await self.peer.read_head()
        return self.peer.status

    async def assert_refused(self, status: int) -> None:
        """Find that the answer had this status, that the connection has ended, and that no handler was asked."""
        assert (self.peer.status, self.peer.headers["connection"]) == (status, "close")
        await self.peer.read_body()
        await self.peer.receive_eof()
        assert not self.peer.buffer
        assert not self.requests

    async def answers(self) -> list[bytes]:
        """Return the bodies of the answers that come to the connection's end, the last head read included."""
        bodies = [await self.peer.read_body()]
        while True:
            try:
                await self.peer.read_head()
            except EOFError:
                return bodies
            bodies.append(await self.peer.read_body())
