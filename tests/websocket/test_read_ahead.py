"""Law 5: a socket reads ahead a bounded amount; meanwhile pings are answered and a close is seen."""

from __future__ import annotations

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from perfectws import WebSocket

from .. import peer as wire
from ..calls import NOTHING, Calls, Reads, quiet
from ..conftest import Connect
from ..peer import Peer

#: What may wait with the kernels of both sides, at most.
KERNEL = 12 * 1024 * 1024


class Flood:
    """A peer that sends and sends."""

    def __init__(self, peer: Peer, chunk: bytes, limit: int = 4 * KERNEL) -> None:
        self.sent = 0
        self._peer = peer
        self._chunk = chunk
        self._limit = limit

    async def run(self) -> None:
        while self.sent < self._limit:
            await self._peer.stream.send_all(self._chunk)
            self.sent += len(self._chunk)

    async def until_stopped(self) -> None:
        """Wait until no more goes through."""
        before = -1
        while before < self.sent:
            before = self.sent
            await wait_all_tasks_blocked(0.05)


FLOODS = {
    "small frames": wire.frame_bytes(wire.TEXT, "x" * 10) * 1000,
    "empty frames": wire.frame_bytes(wire.TEXT) * 1000,
    "large frames": wire.frame_bytes(wire.BINARY, bytes(200_000)),
    "fragments": wire.frame_bytes(wire.TEXT, "x", fin=False)
    + wire.frame_bytes(wire.CONTINUATION, "y" * 100, fin=False) * 100
    + wire.frame_bytes(wire.CONTINUATION),
}


@pytest.mark.parametrize("flood", list(FLOODS))
async def test_a_peer_that_floods_a_session_that_does_not_read_is_held_back(connect: Connect, flood: str) -> None:
    peer, socket = await connect.socket(ping_interval=None)
    flooding = Flood(peer, FLOODS[flood])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(flooding.run)
        await flooding.until_stopped()
        assert flooding.sent < KERNEL
        assert socket.is_connected
        nursery.cancel_scope.cancel()


async def test_a_session_that_reads_again_gets_every_frame_of_a_flood_in_order(connect: Connect) -> None:
    peer, socket = await connect.socket(ping_interval=None)
    frames = [wire.frame_bytes(wire.TEXT, f"{number:06}" * 100) for number in range(20_000)]
    reads = Reads()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(peer.stream.send_all, b"".join(frames))
        await wait_all_tasks_blocked(0.05)
        reads.session(socket.request, socket)  # type: ignore[arg-type]
        got = await reads.until(20_000)
    assert [data[:6] for data, _, _ in got] == [f"{number:06}" for number in range(20_000)]


async def test_pings_are_answered_and_told_while_there_is_room_though_nobody_reads(connect: Connect) -> None:
    peer, socket = await connect.socket()
    pings = Calls()
    socket.on_ping(pings)
    for number in range(15):
        await peer.send_text("nobody reads this")
        await peer.send(wire.PING, str(number))
        assert await peer.receive() == (wire.PONG, str(number).encode(), True, False)
    assert await pings.until(15) == [(socket, str(number).encode()) for number in range(15)]


async def test_a_close_is_seen_while_there_is_room_though_nobody_reads(connect: Connect) -> None:
    peer, socket = await connect.socket()
    for _ in range(15):
        await peer.send_text("nobody reads this")
    await peer.send_close(4001, "bye")
    assert (await peer.receive_close()).close_code == 4001
    assert not socket.is_connected
    assert (socket.close_code, socket.close_reason) == (4001, "bye")


async def test_a_close_behind_more_frames_than_are_read_ahead_is_seen_when_they_are_read(connect: Connect) -> None:
    peer, socket = await connect.socket()
    for number in range(40):
        await peer.send_text(str(number))
    await peer.send_close(4001)
    await quiet()
    assert socket.is_connected
    reads = Reads()
    reads.session(socket.request, socket)  # type: ignore[arg-type]
    assert [data for data, _, _ in (await reads.until_end())[:-1]] == [str(number) for number in range(40)]
    assert socket.close_code == 4001


@pytest.mark.parametrize("with_read", [False, True])
async def test_a_slow_async_handler_is_flooded_no_further_than_the_read_ahead(
    connect: Connect, with_read: bool
) -> None:
    peer, socket = await connect.socket(ping_interval=None)
    go_on = trio.Event()

    async def slow(*_: object) -> None:
        await go_on.wait()

    if with_read:
        socket.read_string_message(slow)
    else:
        socket.on_text(slow)
    flooding = Flood(peer, FLOODS["small frames"])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(flooding.run)
        await flooding.until_stopped()
        assert flooding.sent < KERNEL
        nursery.cancel_scope.cancel()


async def test_one_frame_of_the_largest_size_is_read_ahead_and_delivered(connect: Connect) -> None:
    peer, socket = await connect.socket()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(peer.send, wire.BINARY, bytes(1024 * 1024))
        await wait_all_tasks_blocked(0.01)
        read = Calls()
        socket.read_bytes_message(read)
        await read.until(1)
    assert read.got[0][0] == bytes(1024 * 1024)


async def test_our_close_is_answered_though_the_peer_has_40_frames_under_way_that_nobody_reads(
    connect: Connect,
) -> None:
    peer, socket = await connect.socket()
    for number in range(40):
        await peer.send_text(str(number))
    await quiet()
    socket.close(4000)
    assert (await peer.receive_close()).close_code == 4000
    for number in range(40, 80):
        await peer.send_text(str(number))
    await peer.send_close(4000)
    await peer.receive_eof()
    await peer.vanish()
    reads = Reads(WebSocket.read_string_message)
    reads.session(socket.request, socket)  # type: ignore[arg-type]
    got = await reads.until_end()
    assert got[-1] == NOTHING
    # What found no room was let go; but what is delivered is without a gap.
    assert [data for data, _, _ in got[:-1]] == [str(number) for number in range(len(got) - 1)]
    assert len(got) > 16
