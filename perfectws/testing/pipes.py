"""Streams in memory that hold only so much, as a kernel's do: what a peer does not read stops the sender.

(`trio.testing.memory_stream_pair` holds any amount, so nobody would ever be slow.)
"""

from __future__ import annotations

import trio

#: What one direction holds, in bytes.
CAPACITY = 256 * 1024


class Pipe:
    """One direction."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.has_ended = False
        self.is_broken = False
        self._changed = trio.lowlevel.ParkingLot()

    @property
    def has_room(self) -> bool:
        return len(self.data) < CAPACITY

    async def put(self, data: bytes | bytearray | memoryview) -> None:
        """Take ``data``, as much at a time as there is room for."""
        rest = memoryview(data)
        while rest:
            while not (self.has_room or self.is_broken):
                await self._changed.park()
            if self.is_broken:
                raise trio.BrokenResourceError("the other end is closed")
            size = CAPACITY - len(self.data)
            self.data += rest[:size]
            rest = rest[size:]
            self._changed.unpark_all()

    async def get(self, max_bytes: int | None) -> bytes:
        while not (self.data or self.has_ended or self.is_broken):
            await self._changed.park()
        if self.is_broken:
            raise trio.BrokenResourceError("reset by the other end")
        taken = bytes(self.data[:max_bytes])
        del self.data[: len(taken)]
        self._changed.unpark_all()
        return taken

    def end(self) -> None:
        self.has_ended = True
        self._changed.unpark_all()

    def break_off(self) -> None:
        self.is_broken = True
        self._changed.unpark_all()


class PipeStream(trio.abc.HalfCloseableStream):
    """One end of a connection in memory.

    Attributes:
        writes: The sizes of what `send_all` was given, in order.
    """

    def __init__(self, outgoing: Pipe, incoming: Pipe) -> None:
        self.writes: list[int] = []
        self._outgoing = outgoing
        self._incoming = incoming
        self._is_closed = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._checkpoint()
        self.writes.append(len(data))
        await self._outgoing.put(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._checkpoint()

    async def send_eof(self) -> None:
        await self._checkpoint()
        self._outgoing.end()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        await self._checkpoint()
        return await self._incoming.get(max_bytes)

    async def _checkpoint(self) -> None:
        if self._is_closed:
            raise trio.ClosedResourceError("this stream is closed")
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        """Close. As with TCP, what was sent arrives, unless something lies here unread: then both directions break."""
        if not self._is_closed:
            self._is_closed = True
            if self._incoming.data:
                self._outgoing.break_off()
            self._outgoing.end()
            self._incoming.break_off()
        await trio.lowlevel.checkpoint()

    def reset(self) -> None:
        """Close so that the other end sees a reset, and what it has not read is lost."""
        self._is_closed = True
        self._outgoing.break_off()
        self._incoming.break_off()


def stream_pair() -> tuple[PipeStream, PipeStream]:
    """Return two ends that are connected."""
    there, back = Pipe(), Pipe()
    return PipeStream(there, back), PipeStream(back, there)
