"""Law 6: completions wait above the high water; a sender that waits for nothing is cut off with 1013."""

from __future__ import annotations

import random
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from perfectws import ConnectionClosed, Promise, WebSocket
from perfectws.transport import HIGH_WATER

from .. import peer as wire
from ..calls import Calls, quiet
from ..conftest import Connect
from ..peer import Frame, Peer


async def test_a_completion_below_the_high_water_waits_for_nobody(connect: Connect) -> None:
    _, socket = await connect.socket()
    completions = Calls()
    socket.send_binary_message(bytes(HIGH_WATER // 2), completion=completions)
    await completions.until(1)


async def test_completions_above_the_high_water_wait_until_the_peer_reads_and_keep_their_order(
    connect: Connect,
) -> None:
    peer, socket = await connect.socket(ping_interval=None)
    order: list[int] = []
    sent = 0
    while len(order) == sent:
        socket.send_binary_message(bytes(200_000), completion=lambda number=sent: order.append(number))  # type: ignore[misc]
        sent += 1
        await quiet()
    socket.send_string_message("small", completion=lambda: order.append(sent))
    await quiet()
    assert socket.buffered_amount >= HIGH_WATER
    assert order == list(range(sent - 1))
    for _ in range(sent + 1):
        await peer.receive()
    await quiet()
    assert order == list(range(sent + 1))
    assert socket.buffered_amount == 0


@pytest.mark.parametrize("size", [1000, 100_000])
async def test_a_sender_that_waits_for_its_completions_keeps_the_buffer_bounded(connect: Connect, size: int) -> None:
    peer, socket = await connect.socket(ping_interval=None)
    highest = 0
    left = 2000 if size == 1000 else 300
    count = left

    def send() -> None:
        nonlocal highest, left
        highest = max(highest, socket.buffered_amount)
        if left:
            left -= 1
            socket.send_binary_message(bytes(size), completion=send)

    send()
    await quiet()
    for _ in range(count):
        assert len((await peer.receive()).payload) == size
    assert left == 0
    assert highest < HIGH_WATER


async def test_awaiting_a_send_waits_for_room(connect: Connect) -> None:
    peer, socket = await connect.socket(ping_interval=None)
    sent = 0
    highest = 0

    async def send_many() -> None:
        nonlocal sent, highest
        for _ in range(200):
            await socket.send_binary_message(bytes(100_000))
            highest = max(highest, socket.buffered_amount)
            sent += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send_many)
        await quiet()
        assert sent < 200
        for _ in range(200):
            await peer.receive()
    assert sent == 200
    assert highest < HIGH_WATER


async def read_all(peer: Peer) -> list[Frame]:
    """Read up to the close frame, and that nothing comes behind it."""
    frames: list[Frame] = []
    while not frames or frames[-1].opcode != wire.CLOSE:
        frames.append(await peer.receive())
    await peer.send_close()
    await peer.receive_eof()
    assert not peer.buffer
    return frames


@pytest.mark.parametrize("size", [100, 70_000, 700_000])
async def test_a_sender_that_waits_for_nothing_is_cut_off_with_1013_behind_whole_frames(
    connect: Connect, size: int
) -> None:
    peer, socket = await connect.socket(max_write_buffer=1_000_000, ping_interval=None)
    sent = 0
    while socket.is_connected:
        socket.send_binary_message(sent.to_bytes(4, "big") + bytes(size - 4))
        sent += 1
        if not sent % 1000:
            await quiet()
    assert socket.close_code == 1013
    *messages, close = await read_all(peer)
    assert close.close_code == 1013
    assert [int.from_bytes(frame.payload[:4], "big") for frame in messages] == list(range(len(messages)))
    assert all(len(frame.payload) == size for frame in messages)
    assert len(messages) < sent


@pytest.mark.parametrize("compression", [False, True])
async def test_a_message_larger_than_the_buffer_goes_out_whole_where_nothing_waits_before_it(
    connect: Connect, compression: bool
) -> None:
    opened = Calls()
    offer = [("Sec-WebSocket-Extensions", "permessage-deflate")] if compression else []
    peer = await connect(
        lambda request, socket: opened(socket), headers=offer, max_write_buffer=100_000, compression=compression
    )
    ((socket,),) = await opened.until(1)
    payload = random.Random(1).randbytes(1_500_000)
    for _ in range(3):
        completions = Calls()
        socket.send_binary_message(payload, completion=completions)
        frame = await peer.receive()
        assert frame.payload == payload if not compression else len(frame.payload) > 1_000_000
        await completions.until(1)
    assert socket.is_connected


async def test_what_is_sent_beside_it_is_cut_off_behind_it(connect: Connect) -> None:
    peer, socket = await connect.socket(max_write_buffer=100_000)
    completions = Calls()
    socket.send_binary_message(bytes(1_500_000), completion=completions)
    socket.send_string_message("one more", completion=completions)
    whole, close = await read_all(peer)
    assert len(whole.payload) == 1_500_000
    assert close.close_code == 1013
    await completions.until(2)


async def test_the_answer_to_the_handshake_is_not_cut_off(connect: Connect) -> None:
    def session(request: Any, socket: WebSocket) -> None:
        for _ in range(100):
            socket.send_string_message("x" * 100)

    peer = await connect(session, max_write_buffer=1000, close_timeout=1)
    *_, close = await read_all(peer)
    assert close.close_code == 1013


async def test_when_cut_off_every_completion_is_called_once_and_every_promise_fails(connect: Connect) -> None:
    peer, socket = await connect.socket(max_write_buffer=1_000_000, ping_interval=None)
    completions, promised = Calls(), Calls()
    waited = Calls()

    async def wait_for_room() -> None:
        with pytest.raises(ConnectionClosed) as raised:
            await socket.send_string_message("x")
        waited(raised.value.code)

    while socket.buffered_amount < HIGH_WATER:
        socket.send_binary_message(bytes(100_000))
        await quiet()
    socket.send_binary_message(bytes(100_000), completion=completions)
    promise = Promise[None]()
    promise.future_result.when_failure(promised)
    socket.send(bytes(100_000), promise)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait_for_room)
        await quiet()
        assert not completions.got
        assert not promised.got
        while socket.is_connected:
            socket.send_binary_message(bytes(100_000))
    await read_all(peer)
    assert (await waited.until(1)) == [(1013,)]
    ((error,),) = await promised.until(1)
    assert isinstance(error, ConnectionClosed)
    await quiet()
    assert len(completions.got) == 1


async def test_a_peer_that_pings_and_does_not_read_is_closed_with_1008_before_the_pongs_pile_up(
    connect: Connect,
) -> None:
    peer, socket = await connect.socket()
    await peer.stream.send_all(wire.frame_bytes(wire.PING, bytes(125)) * 1001)
    await quiet()
    assert socket.close_code == 1008
    *pongs, close = await read_all(peer)
    assert len(pongs) == 1000
    assert close.close_code == 1008


async def test_control_frames_are_counted_in_any_ten_seconds_and_what_was_before_is_forgotten(
    memory_connect: Connect, autojump_clock: MockClock
) -> None:
    peer, socket = await memory_connect.socket(ping_interval=None)

    async def ping(count: int) -> None:
        await peer.stream.send_all(wire.frame_bytes(wire.PING) * count)

    for count, pause in ((1000, 10), (500, 9), (500, 2), (500, 20), (1, 0)):
        await ping(count)
        for _ in range(count):
            assert (await peer.receive()).opcode == wire.PONG
        await trio.sleep(pause)
    assert len(socket._connection._control_times) == 1  # type: ignore[attr-defined]
    await ping(1000)
    assert [frame.close_code for frame in await read_all(peer) if frame.opcode == wire.CLOSE] == [1008]


async def test_who_waits_is_not_cut_off_for_our_ping_nor_for_the_answer_to_the_peer_s(connect: Connect) -> None:
    peer, socket = await connect.socket(max_write_buffer=100_000, ping_interval=0.02, ping_timeout=60)
    completions = Calls()
    socket.send_binary_message(bytes(8_000_000), completion=completions)
    await quiet()
    for number in range(10):
        await peer.send(wire.PING, b"%d" % number)
        await trio.sleep(0.02)
    assert socket.buffered_amount > 100_000  # or this shows nothing
    seen = []
    while (frame := await peer.receive()).opcode != wire.PONG:
        seen.append(len(frame.payload))
    assert frame.payload == b"9"
    assert seen in ([8_000_000], [8_000_000, 4])  # and a ping, which may also come behind
    await completions.until(1)
    await socket.send_string_message("more")
    assert socket.is_connected


async def test_who_waits_for_room_gets_it_however_small_the_buffer_is(connect: Connect) -> None:
    peer, socket = await connect.socket(max_write_buffer=1000)
    for size in (900, 1001, 5000, 500_000):
        completions = Calls()
        socket.send_binary_message(bytes(size), completion=completions)
        assert len((await peer.receive()).payload) == size
        await completions.until(1)

    async def send_many() -> None:
        for _ in range(100):
            await socket.send_binary_message(bytes(900))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send_many)
        for _ in range(100):
            await peer.receive()
    assert socket.is_connected


async def test_buffered_amount_is_what_is_not_with_the_kernel_yet(connect: Connect) -> None:
    _, socket = await connect.socket()
    await quiet()
    assert socket.buffered_amount == 0
    socket.send_string_message("x" * 100)
    assert socket.buffered_amount == 102
    socket.send_string_message("y" * 1000)
    assert socket.buffered_amount == 102 + 1004
    await quiet()
    assert socket.buffered_amount == 0


async def test_a_promise_of_what_overflows_fails(connect: Connect) -> None:
    _, socket = await connect.socket(max_write_buffer=1000)
    promise: Promise[None] = Promise()
    socket.send(b"x" * 5000)
    socket.send(b"x", promise)
    with pytest.raises(ConnectionClosed) as closed:
        await promise.future_result
    assert closed.value.code == 1013
