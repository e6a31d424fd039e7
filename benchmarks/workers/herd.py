"""Clients that come at once, stay, and come back when they are sent away; each knows which process it has."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio

from ..soak.wire import CLOSE, PING, PONG, TEXT, frame, handshake
from .service import PATIENCE

#: How many clients dial at a time: more would only wait in the listener's queue, or find it full.
DIALING = 200


@dataclass
class Herd:
    """The clients, and what has become of them.

    Attributes:
        port: Where they connect.
        processes: Which process each has that is connected.
        closed: How often they were sent away, by code; 1006 is a connection that was lost.
        refused: How often they could not connect.
        came_back: When the last of them came back.
    """

    port: int
    processes: dict[int, int] = field(default_factory=dict)
    closed: Counter[int] = field(default_factory=Counter)
    refused: int = 0
    came_back: float = 0.0
    _limit: trio.CapacityLimiter = field(default_factory=lambda: trio.CapacityLimiter(DIALING))
    _changed: trio.Event = field(default_factory=trio.Event)

    @property
    def spread(self) -> Counter[int]:
        """How many of them each process has."""
        return Counter(self.processes.values())

    def unevenness(self, workers: int) -> float:
        """Return by how much the fullest process is above the mean."""
        return max(self.spread.values()) * workers / len(self.processes)

    async def until(self, count: int) -> None:
        """Wait until so many are connected."""
        while len(self.processes) < count:
            self._changed = trio.Event()
            await self._changed.wait()

    async def member(self, number: int) -> None:
        """Connect, and again each time the connection is over, until cancelled."""
        while True:
            try:
                await self._stay(number)
            except OSError:
                self.refused += 1
                await trio.sleep(0.05)

    async def _stay(self, number: int) -> None:
        async with self._limit:
            stream = await trio.open_tcp_stream("127.0.0.1", self.port)
        async with stream:
            try:
                code = await self._session(number, stream)
            except (trio.BrokenResourceError, EOFError):
                code = 1006
        self.closed[code] += 1
        self.processes.pop(number, None)

    async def _session(self, number: int, stream: trio.SocketStream) -> int:
        """Hold a WebSocket until it is closed, and return the code."""
        await stream.send_all(handshake("/who"))
        received = b""
        while b"\r\n\r\n" not in received:
            received += await _some(stream)
        received = received.partition(b"\r\n\r\n")[2]
        while True:
            while len(received) >= 2 and len(received) >= 2 + received[1]:
                opcode, payload = received[0] & 0x0F, received[2 : 2 + received[1]]
                received = received[2 + received[1] :]
                if opcode == CLOSE:
                    await stream.send_all(frame(CLOSE, payload))
                    return int(struct.unpack("!H", payload[:2])[0])
                if opcode == TEXT:
                    self._connected(number, int(payload))
                elif opcode == PING:
                    await stream.send_all(frame(PONG, payload))
            received += await _some(stream)

    def _connected(self, number: int, process: int) -> None:
        self.processes[number] = process
        self.came_back = trio.current_time()
        self._changed.set()


async def _some(stream: trio.SocketStream) -> bytes:
    data = await stream.receive_some(4096)
    if not data:
        raise EOFError
    return bytes(data)


@asynccontextmanager
async def herd(port: int, count: int) -> AsyncIterator[Herd]:
    """Let so many clients come around a block; they are all there when it begins."""
    async with trio.open_nursery() as nursery:
        found = Herd(port)
        for number in range(count):
            nursery.start_soon(found.member, number)
        with trio.fail_after(PATIENCE):
            await found.until(count)
        yield found
        nursery.cancel_scope.cancel()
