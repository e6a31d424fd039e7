"""Law 2: every continuation and every completion is called exactly once, however the connection ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio

from perfectws import ConnectionClosed, Promise, WebSocket

from .. import peer as wire
from ..calls import NOTHING, TEXT, Calls, quiet
from ..conftest import Connect
from ..peer import Peer

Ending = Callable[[Connect, Peer, WebSocket], Awaitable[object]]


async def vanishes(connect: Connect, peer: Peer, socket: WebSocket) -> None:
    await peer.vanish()


async def resets(connect: Connect, peer: Peer, socket: WebSocket) -> None:
    peer.reset()


async def ends_its_side(connect: Connect, peer: Peer, socket: WebSocket) -> None:
    await peer.end()


async def closes(connect: Connect, peer: Peer, socket: WebSocket) -> None:
    await peer.close_handshake(4001, "bye")


async def closes_without_a_code(connect: Connect, peer: Peer, socket: WebSocket) -> None:
    await peer.send_close(None)
    await peer.receive_close()
    await peer.vanish()


async def breaks_a_rule(connect: Connect, peer: Peer, socket: WebSocket) -> None:
    await peer.send(0x3, "what is this?")
    await peer.receive_close()
    await peer.vanish()


async def is_closed_by_us(connect: Connect, peer: Peer, socket: WebSocket) -> None:
    socket.close(4002, "enough")
    await peer.receive_close()
    await peer.send_close(4002)
    await peer.receive_eof()
    await peer.vanish()


async def server_stops(connect: Connect, peer: Peer, socket: WebSocket) -> None:
    await connect.stop()


#: Name, what happens, the code and the reason that tell it from the others.
ENDINGS = [
    pytest.param(vanishes, 1006, None, id="vanishes"),
    pytest.param(resets, 1006, None, id="resets"),
    pytest.param(ends_its_side, 1006, "the peer ended the connection without a close frame", id="ends its side"),
    pytest.param(closes, 4001, "bye", id="closes"),
    pytest.param(closes_without_a_code, 1005, "", id="closes without a code"),
    pytest.param(breaks_a_rule, 1002, None, id="breaks a rule"),
    pytest.param(is_closed_by_us, 4002, "enough", id="is closed by us"),
    pytest.param(server_stops, 1001, "", id="server stops"),
]


@pytest.mark.parametrize(("happens", "code", "reason"), ENDINGS)
async def test_the_pending_read_learns_of_the_end_once(
    connect: Connect, happens: Ending, code: int, reason: str | None
) -> None:
    peer, socket = await connect.socket()
    read, closed = Calls(), Calls()
    socket.read_string_message(read)
    socket.on_close.when_complete(closed)
    await happens(connect, peer, socket)
    assert await read.until(1) == [NOTHING]
    assert not socket.is_connected
    assert socket.close_code == code
    assert reason is None or socket.close_reason == reason
    await closed.until(1)
    assert socket.is_closed
    await quiet()
    assert len(read.got) == len(closed.got) == 1


@pytest.mark.parametrize(("happens", "code", "reason"), ENDINGS)
async def test_completions_above_the_high_water_are_called_once_at_the_end(
    connect: Connect, happens: Ending, code: int, reason: str | None
) -> None:
    peer, socket = await connect.socket(close_timeout=0.1)
    order: list[object] = []
    count = await fill(socket, order)
    read = Calls(lambda *_: order.append("read"))
    socket.read_string_message(read)
    socket.on_close.when_complete(lambda _: order.append("closed"))
    promise = Promise[None]()
    promised = Calls()
    promise.future_result.when_complete(promised)
    socket.send("x", promise)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(happens, connect, peer, socket)
        await read.until(1)
        await socket.on_close
        await quiet()
    assert order == [*range(count), "read", "closed"]
    assert len(promised.got) == 1
    assert socket.close_code == code


async def fill(socket: WebSocket, order: list[object]) -> int:
    """Send until a completion waits; return how many frames that took."""
    count = 0
    while True:
        socket.send_binary_message(bytes(200_000), completion=lambda count=count: order.append(count))  # type: ignore[misc]
        count += 1
        await quiet()
        if len(order) < count:
            return count


@pytest.mark.parametrize("happens", [vanishes, resets])
async def test_a_promise_that_waits_for_room_fails_when_the_connection_is_lost(
    connect: Connect, happens: Ending
) -> None:
    peer, socket = await connect.socket()
    await fill(socket, [])
    promise = Promise[None]()
    socket.send("x", promise)
    await happens(connect, peer, socket)
    with pytest.raises(ConnectionClosed) as raised:
        await promise.future_result
    assert raised.value.code == socket.close_code


async def test_a_read_that_times_out_is_told_from_an_end_and_may_be_followed_by_another(connect: Connect) -> None:
    peer, socket = await connect.socket()
    socket.read_timeout_seconds = 0.01
    read = Calls()
    socket.read_string_message(read)
    assert await read.until(1) == [NOTHING]
    assert socket.is_connected
    assert socket.close_code is None
    socket.read_timeout_seconds = None
    socket.read_string_message(read)
    await peer.send_text("late")
    assert await read.until(2) == [NOTHING, ("late", TEXT, True)]


async def test_reads_of_a_closed_socket_get_nothing_once_each(connect: Connect) -> None:
    peer, socket = await connect.socket()
    await closes(connect, peer, socket)
    await socket.on_close
    for number in range(3):
        read = Calls()
        socket.read_bytes_message(read)
        assert await read.until(1) == [NOTHING], number


async def test_frames_that_came_before_a_reset_of_the_connection_are_not_lost(connect: Connect) -> None:
    peer, socket = await connect.socket()
    for number in range(3):
        await peer.send_text(str(number))
    await quiet()
    peer.reset()
    await quiet()
    got = []
    for _ in range(4):
        read = Calls()
        socket.read_string_message(read)
        got += await read.until(1)
    assert got == [("0", TEXT, True), ("1", TEXT, True), ("2", TEXT, True), NOTHING]


async def test_frames_that_came_with_the_end_in_one_segment_are_delivered(connect: Connect) -> None:
    peer, socket = await connect.socket()
    frames = [wire.frame_bytes(wire.TEXT, str(number)) for number in range(40)]
    await peer.stream.send_all(b"".join(frames))
    got = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ends_its_side, connect, peer, socket)  # over TLS it ends when the frames are read
        await quiet()
        while NOTHING not in got:
            read = Calls()
            socket.read_string_message(read)
            got += await read.until(1)
    assert [data for data, _, _ in got[:-1]] == [str(number) for number in range(40)]
    assert socket.close_code == 1006


async def test_a_stop_settles_what_waits_also_where_nobody_ever_reads(connect: Connect) -> None:
    _, socket = await connect.socket()
    closed = Calls()
    socket.on_close.when_complete(closed)
    await connect.stop()
    await closed.until(1)
    assert len(closed.got) == 1
