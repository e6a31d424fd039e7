"""A room of a thousand, twenty of whom read nothing: the others get every message in order, and memory stays bounded.

The members are sockets of the kernel on both sides, served by the reactor as a user's are. The readers compare what
comes, byte by byte, with the one stream that the frames of all messages make.
"""

from __future__ import annotations

import gc
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import perf_counter

import pytest
import trio
import trio.testing

from perfectws import HTTPRequest, Room, Routes, WebSocket, WebSocketHandler
from perfectws.http.http11 import HTTPConnection
from perfectws.http.service import HTTPService
from perfectws.net.acceptors import serve_listener
from perfectws.net.listeners import bound_port, open_listeners
from perfectws.net.loop import open_loop

from ..conftest import Handler
from ..peer import CLOSE, TEXT, Peer, frame_bytes

if sys.platform != "linux":
    pytest.skip("what it measures stands in /proc", allow_module_level=True)
assert sys.platform == "linux"  # which type checkers understand

import resource  # noqa: E402  # which Windows has not

pytestmark = pytest.mark.slow

READERS = 980
SLEEPERS = 20
MESSAGES = 60
ENOUGH_TO_CLOSE = 36  # messages: more than are kept for a sleeper, in the kernel too
BATCH = 2  # messages sent in one go
AHEAD = 2  # messages: how far the fastest reader may be ahead of the slowest
MESSAGE_SIZE = 12 * 1024  # bytes: a few of them are as much as a thousand small ones
MAX_WRITE_BUFFER = 128 * 1024  # bytes
KERNEL_BUFFER = 32 * 1024  # bytes
PATIENCE = 120  # seconds; a bound for a machine under load, not a measure

TEXTS = [f"{number} ".ljust(MESSAGE_SIZE, ".") for number in range(MESSAGES)]
FRAMES = [frame_bytes(TEXT, text, mask=b"") for text in TEXTS]
STREAM = memoryview(b"".join(FRAMES))
FRAME_SIZE = len(FRAMES[0])

#: What this process's memory may grow by, in bytes: what is kept for the sleepers, and 6 MiB for all else; what is on
#: its way to the readers is one copy, and the kernel's. Had each sleeper a copy of all, that alone would be 14 MiB.
BOUND = SLEEPERS * MAX_WRITE_BUFFER + 6 * 2**20


@dataclass
class Crowd:
    """Everybody in the room.

    Attributes:
        room: The room.
        readers: The peers that read.
        sleepers: The peers that don't.
        sockets: The server's ends of the sleepers.
        progress: How many bytes each reader has.
    """

    room: Room
    readers: list[Peer] = field(default_factory=list)
    sleepers: list[Peer] = field(default_factory=list)
    sockets: list[WebSocket] = field(default_factory=list)
    progress: list[int] = field(default_factory=list)
    moved: trio.Event = field(default_factory=trio.Event)

    @property
    def slowest(self) -> int:
        """How many messages everybody who reads has."""
        return min(self.progress) // FRAME_SIZE

    async def read(self, number: int, messages: int) -> None:
        """Read so many messages, and compare each byte."""
        peer = self.readers[number]
        position = 0
        while position < messages * FRAME_SIZE:
            data = await peer.stream.receive_some()
            assert data, f"reader {number} was sent away"
            assert memoryview(data) == STREAM[position : position + len(data)], f"reader {number} got something else"
            position += len(data)
            del data  # else each reader's last piece counts for memory that the server takes
            self.progress[number] = position
            self.moved.set()

    async def send(self, messages: int) -> int:
        """Send so many messages, and no faster than all readers read; return the server's memory at its height."""
        height = 0
        for start in range(0, messages, BATCH):
            for text in TEXTS[start : start + BATCH]:
                self.room.send_string_message(text)
            while self.slowest < start + BATCH - AHEAD:
                self.moved = trio.Event()
                await self.moved.wait()
            await trio.lowlevel.checkpoint()
            height = max(height, resident())
            assert sum(sleeper.buffered_amount for sleeper in self.sockets) <= SLEEPERS * MAX_WRITE_BUFFER
        return height


def resident() -> int:
    """Return how much memory this process has, in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


@pytest.fixture(autouse=True)
def _enough_descriptors() -> None:
    needed = 2 * (READERS + SLEEPERS) + 200
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(needed, hard), hard))


async def dial(port: int) -> Peer:
    """Open a WebSocket whose buffers in the kernel are small."""
    client = trio.socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BUFFER)
    await client.connect(("127.0.0.1", port))
    peer = Peer(trio.SocketStream(client))
    await peer.handshake()
    assert peer.status == 101
    assert not peer.buffer
    return peer


@asynccontextmanager
async def crowd_in(room: Room) -> AsyncIterator[Crowd]:
    """Serve a room, and let everybody in."""
    crowd = Crowd(room)

    def session(request: HTTPRequest, socket: WebSocket) -> None:
        room.join(socket)
        if len(crowd.sockets) < SLEEPERS:
            crowd.sockets.append(socket)

    routes = Routes()
    handler = WebSocketHandler(
        lambda *_: Handler(session),
        max_write_buffer=MAX_WRITE_BUFFER,
        close_timeout=PATIENCE,
        ping_interval=None,  # on a busy machine this takes longer than 20 s, and a ping is not in STREAM
        write_timeout=None,  # the sleepers sleep as long as it takes
    )
    routes.add("GET", "/", handler)
    async with open_loop() as loop, trio.open_nursery() as nursery:
        (listener,) = await open_listeners("127.0.0.1", 0)
        # Each connection has it from its listener: so a sleeper's buffers are full soon.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BUFFER)
        make_protocol = partial(HTTPConnection, loop=loop, service=HTTPService(routes.navigator))
        nursery.start_soon(serve_listener, loop, listener, make_protocol)
        try:
            for peers, count in ((crowd.sleepers, SLEEPERS), (crowd.readers, READERS)):
                for _ in range(count):
                    peers.append(await dial(bound_port([listener])))
            while len(room) < READERS + SLEEPERS:
                await trio.sleep(0)
            crowd.progress = [0] * READERS
            yield crowd
        finally:
            for peer in crowd.readers + crowd.sleepers:
                await peer.vanish()
            nursery.cancel_scope.cancel()
            await loop.end_connections(0)


async def everybody_reads_but_the_sleepers(crowd: Crowd, messages: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Send so many messages; the readers get them all, and memory stays within its bounds."""
    async with trio.open_nursery() as readers:
        for number in range(READERS):
            readers.start_soon(crowd.read, number, messages)
        await trio.testing.wait_all_tasks_blocked()
        gc.collect()
        before, began = resident(), perf_counter()
        height = await crowd.send(messages)
    seconds = perf_counter() - began
    figures = crowd.room.figures
    with capsys.disabled():
        sys.stdout.write(
            f"\n{crowd.room}: {figures}\n{seconds:.2f} s, {figures.deliveries / seconds:,.0f} deliveries a second with "
            f"{READERS} readers in the same process; memory grew by {(height - before) / 2**20:.1f} MiB\n"
        )
    assert figures.messages == messages
    assert height - before < BOUND


async def test_of_1000_members_980_get_all_in_order_and_20_who_read_nothing_are_closed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with trio.fail_after(PATIENCE):
        async with crowd_in(Room("closes who is slow", slow="close")) as crowd:
            await everybody_reads_but_the_sleepers(crowd, ENOUGH_TO_CLOSE, capsys)
            figures = crowd.room.figures
            assert figures.members == READERS
            assert READERS * ENOUGH_TO_CLOSE <= figures.deliveries < (READERS + SLEEPERS) * ENOUGH_TO_CLOSE
            assert {sleeper.close_code for sleeper in crowd.sockets} == {1013}
            for peer in crowd.sleepers:
                await expect_beginning_and_close(peer)


async def test_of_1000_members_980_get_all_in_order_and_20_who_read_nothing_miss_some(
    capsys: pytest.CaptureFixture[str],
) -> None:
    told: dict[WebSocket, int] = {}

    def has_room(sleeper: WebSocket, missed: int) -> None:
        told[sleeper] = missed
        sleeper.send_string_message("end")

    with trio.fail_after(PATIENCE):
        async with crowd_in(Room("drops", slow="drop", on_drop=has_room)) as crowd:
            await everybody_reads_but_the_sleepers(crowd, MESSAGES, capsys)
            figures = crowd.room.figures
            assert figures.members == READERS + SLEEPERS
            assert figures.drops > 0
            assert figures.deliveries + figures.drops == (READERS + SLEEPERS) * MESSAGES
            assert all(0 < sleeper.buffered_amount <= MAX_WRITE_BUFFER for sleeper in crowd.sockets)
            assert not told
            for peer, sleeper in zip(crowd.sleepers, crowd.sockets, strict=True):
                # Awake again, it gets what was kept for it, and what is said from then on.
                assert await count_missed(peer) == told[sleeper]
            assert sum(told.values()) == figures.drops


async def expect_beginning_and_close(peer: Peer) -> None:
    """Read what a sleeper was sent: the first messages, whole and in order, then the close."""
    number = 0
    while (frame := await peer.receive()).opcode != CLOSE:
        assert frame.payload.decode() == TEXTS[number]
        number += 1
    assert 0 < number < ENOUGH_TO_CLOSE
    assert frame.close_code == 1013


async def count_missed(peer: Peer) -> int:
    """Wake a sleeper up: what was kept for it is in order; return how many messages it missed."""
    received = 0
    while (text := await peer.receive_text()) != "end":
        assert text == TEXTS[received]
        received += 1
    return MESSAGES - received
