"""A member of the room: a WebSocket of few bytes and no framework, that may leave without a word."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from ..soak.wire import TEXT, frame, handshake


@asynccontextmanager
async def joined(port: int, query: str = "") -> AsyncIterator[Member]:
    """Be a member around a block, and gone without a word behind it.

    Args:
        port: The server's.
        query: What to join with.
    """
    member = Member(await trio.open_tcp_stream("127.0.0.1", port))
    try:
        await member.open(f"/room?{query}")
        yield member
    finally:
        await member.vanish()


class Member:
    """One connection to a server's room."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._received = b""

    async def open(self, path: str) -> None:
        """Upgrade to a WebSocket."""
        await self._stream.send_all(handshake(path))
        while b"\r\n\r\n" not in self._received:
            self._received += await self._receive()
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        assert b" 101 " in head.partition(b"\r\n")[0], head

    async def say(self, text: str) -> None:
        """Say something to the room."""
        await self._stream.send_all(frame(TEXT, text.encode()))

    async def texts(self) -> AsyncIterator[list[tuple[str, str, str]]]:
        """Yield what comes, several at once: id, position, and what was said. Ends with the connection."""
        while True:
            found, start = [], 0
            received = self._received
            while (end := _end_of_frame(received, start)) is not None:
                opcode, text = received[start] & 0x0F, received[_payload_at(received, start) : end]
                if opcode == TEXT:
                    first, second, rest = text.decode().split(" ", 2)
                    found.append((first, second, rest))
                start = end
            self._received = received[start:]
            if found:
                yield found
            data = await self._receive()
            if not data:
                return
            self._received += data

    async def drain(self) -> None:
        """Read what comes, and look at none of it, until the connection ends."""
        while await self._receive():
            pass

    async def _receive(self) -> bytes:
        try:
            return bytes(await self._stream.receive_some(65536))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return b""

    async def vanish(self) -> None:
        """Be gone without a word."""
        await trio.aclose_forcefully(self._stream)


def _payload_at(data: bytes, start: int) -> int:
    return start + {126: 4, 127: 10}.get(data[start + 1], 2)


def _end_of_frame(data: bytes, start: int) -> int | None:
    """Return where the frame ends that begins there, ``None`` if it has not all come."""
    if len(data) < start + 2:
        return None
    begin = _payload_at(data, start)
    if len(data) < begin:
        return None
    size = data[start + 1] if begin == start + 2 else int.from_bytes(data[start + 2 : begin], "big")
    return begin + size if begin + size <= len(data) else None
