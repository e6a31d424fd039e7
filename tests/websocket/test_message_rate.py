"""``message_rate``: a peer may send only so fast; past that reading pauses, and nothing is lost."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from perfectws import WebSocket, WebSocketHandler
from perfectws.websocket.connection import WebSocketConnection
from perfectws.websocket.frame_reader import FrameReader
from perfectws.websocket.message_rate import Allowance, Rate, rate_of
from perfectws.websocket.options import WebSocketOptions
from perfectws.websocket.rated_connection import RatedConnection, connection_class

from .. import peer as wire
from ..calls import Calls, quiet
from ..conftest import Connect
from ..peer import Peer
from .test_read_ahead import FLOODS, KERNEL, Flood


def texts(count: int) -> bytes:
    return b"".join(wire.frame_bytes(wire.TEXT, str(number)) for number in range(count))


class Session:
    """Whole messages as they come, and when; how often it was told that the peer is too fast."""

    def __init__(self) -> None:
        self.received: list[str] = []
        self.times: list[float] = []
        self.limited = Calls()

    def __call__(self, request: object, socket: WebSocket) -> None:
        self.socket = socket
        socket.on_text(self._got)
        socket.on_rate_limited(self.limited)

    def _got(self, socket: WebSocket, text: str) -> None:
        self.received.append(text)
        self.times.append(trio.current_time())

    async def until(self, count: int) -> None:
        while len(self.received) < count:
            await trio.sleep(0.01)


class TestAllowance:
    def test_a_burst_may_come_at_once_and_then_so_many_per_second(self) -> None:
        now = [0.0]
        allowance = Allowance(Rate(10, 5), lambda: now[0])
        assert allowance.count() == 5
        allowance.take(5)
        assert allowance.count() == 0
        now[0] += 0.2
        assert allowance.count() == 2
        now[0] += 1000
        assert allowance.count() == 5

    @pytest.mark.parametrize(
        ("rate", "seconds"), [(Rate(10, 5), 0.1), (Rate(1000, 2000), 0.05), (Rate(1000, 10), 0.01)]
    )
    def test_it_is_waited_for_one_message_or_what_comes_in_a_moment(self, rate: Rate, seconds: float) -> None:
        allowance = Allowance(rate, lambda: 0.0)
        allowance.take(allowance.count())
        assert allowance.seconds_to_wait() == pytest.approx(seconds)

    def test_without_a_burst_a_second_may_come_at_once(self) -> None:
        assert rate_of(20) == (20, 20)
        assert rate_of(0.5) == (0.5, 1)
        assert rate_of((4, 100)) == (4, 100)


@pytest.mark.parametrize("given", [1, 0.5, (1, 1), (0.1, 20), 10**6, None])
def test_a_rate_is_a_number_or_that_and_a_burst(given: Any) -> None:
    WebSocketHandler(lambda *_: None, message_rate=given)


@pytest.mark.parametrize(
    "given", [0, -1, inf, nan, True, "4", (4,), (4, 0), (4, 0.5), (0, 4), (4, inf), (4, "1"), (1, 2, 3), [4, 20], 1j]
)
def test_all_else_is_refused(given: Any) -> None:
    with pytest.raises(
        ValueError, match=r"^message_rate is a number of messages per second above 0, or \(number, burst"
    ):
        WebSocketHandler(lambda *_: None, message_rate=given)


def test_who_has_no_rate_has_nothing_of_all_this() -> None:
    assert connection_class(WebSocketOptions.of()) is WebSocketConnection
    assert connection_class(WebSocketOptions.of(message_rate=1)) is RatedConnection


async def test_a_connection_without_a_rate_reads_by_a_plain_reader(memory_connect: Connect) -> None:
    _, socket = await memory_connect.socket()
    connection: Any = socket._connection
    assert type(connection) is WebSocketConnection
    assert type(connection._frames) is FrameReader


async def test_what_comes_too_fast_comes_later_all_of_it_and_in_order(
    memory_connect: Connect, autojump_clock: MockClock
) -> None:
    session = Session()
    peer = await memory_connect(session, message_rate=(10, 5))
    began = trio.current_time()
    await peer.stream.send_all(texts(30))
    await session.until(30)
    assert session.received == [str(number) for number in range(30)]
    assert [round(when - began, 2) for when in session.times[:5]] == [0] * 5
    assert 2.4 < session.times[-1] - began < 2.7
    assert len(session.limited.got) == 1
    assert session.limited.got == [(session.socket,)]


async def test_one_by_one_they_are_counted_as_well(memory_connect: Connect, autojump_clock: MockClock) -> None:
    session = Session()
    peer = await memory_connect(session, message_rate=(10, 5))
    began = trio.current_time()
    for number in range(15):
        await peer.send_text(str(number))
        await quiet()
    await session.until(15)
    assert 0.9 < session.times[-1] - began < 1.2


async def test_who_keeps_to_it_is_never_held_up(memory_connect: Connect, autojump_clock: MockClock) -> None:
    session = Session()
    peer = await memory_connect(session, message_rate=(10, 5))
    for number in range(50):
        sent = trio.current_time()
        await peer.send_text(str(number))
        await session.until(number + 1)
        assert session.times[-1] == sent
        await trio.sleep(0.1)
    assert session.limited.got == []


async def test_it_is_told_again_when_there_was_quiet_for_a_burst(
    memory_connect: Connect, autojump_clock: MockClock
) -> None:
    session = Session()
    peer = await memory_connect(session, message_rate=(10, 5))
    for number in range(1, 4):
        await peer.stream.send_all(texts(10))
        await session.until(10 * number)
        await trio.sleep(0.2)
        await peer.stream.send_all(texts(1))  # too early for a whole burst
        await session.until(10 * number)
        await trio.sleep(10)
        session.received = session.received[: 10 * number]
        assert len(session.limited.got) == number


async def test_each_fragment_counts(memory_connect: Connect, autojump_clock: MockClock) -> None:
    session = Session()
    peer = await memory_connect(session, message_rate=(10, 5))
    began = trio.current_time()
    pieces = wire.frame_bytes(wire.TEXT, "x", fin=False) + wire.frame_bytes(wire.CONTINUATION, "y", fin=False) * 23
    await peer.stream.send_all(pieces + wire.frame_bytes(wire.CONTINUATION, "z"))
    await session.until(1)
    assert session.received == ["x" + "y" * 23 + "z"]
    assert 1.9 < session.times[-1] - began < 2.2


async def test_compressed_messages_count(memory_connect: Connect, autojump_clock: MockClock) -> None:
    session = Session()
    headers = [("Sec-WebSocket-Extensions", "permessage-deflate; client_no_context_takeover")]
    peer = await memory_connect(session, message_rate=(10, 5), compression=True, headers=headers)
    began = trio.current_time()
    for _ in range(15):
        await peer.send(wire.TEXT, bytes.fromhex("f248cdc9c90700"), rsv=0x40)  # RFC 7692 §7.2.3.1: "Hello"
    await session.until(15)
    assert session.received == ["Hello"] * 15
    assert 0.9 < session.times[-1] - began < 1.2


async def test_a_ping_ahead_of_what_is_withheld_is_answered_at_once(
    memory_connect: Connect, autojump_clock: MockClock
) -> None:
    session = Session()
    peer = await memory_connect(session, message_rate=(0.01, 5))
    began = trio.current_time()
    await peer.stream.send_all(texts(5) + wire.frame_bytes(wire.PING, "?") + texts(1))
    assert (await peer.receive()).payload == b"?"
    assert trio.current_time() == began


async def test_who_is_held_back_is_not_taken_for_dead(memory_connect: Connect, autojump_clock: MockClock) -> None:
    session = Session()
    peer = await memory_connect(session, message_rate=(1, 1), ping_interval=0.5, ping_timeout=0.5)
    await peer.stream.send_all(texts(20))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer_pings, peer)
        await session.until(20)
        await trio.sleep(5)
        assert session.socket.is_connected
        nursery.cancel_scope.cancel()


async def answer_pings(peer: Peer) -> None:
    while True:
        frame = await peer.receive()
        if frame.opcode == wire.PING:
            await peer.send(wire.PONG, frame.payload)


async def test_a_close_of_ours_does_not_wait_for_what_is_withheld(
    memory_connect: Connect, autojump_clock: MockClock
) -> None:
    session = Session()
    peer = await memory_connect(session, message_rate=(0.01, 5))
    await peer.stream.send_all(texts(50))
    await session.until(5)
    began = trio.current_time()
    session.socket.close(4000)
    await peer.close_handshake(4000)
    await session.socket.on_close
    assert trio.current_time() - began < 1
    assert session.socket.close_code == 4000
    assert session.received == [str(number) for number in range(5)]


async def test_what_is_withheld_when_the_peer_goes_is_delivered_as_far_as_there_is_time(
    memory_connect: Connect, autojump_clock: MockClock
) -> None:
    session = Session()
    peer = await memory_connect(session, message_rate=(10, 1), close_timeout=2)
    await peer.stream.send_all(texts(1000))
    await session.until(1)
    began = trio.current_time()
    await peer.vanish()
    await session.socket.on_close
    assert 10 < len(session.received) < 1000
    assert trio.current_time() - began < 200
    assert session.received == [str(number) for number in range(len(session.received))]


@pytest.mark.parametrize("flood", list(FLOODS))
async def test_a_flood_is_held_back_by_tcp(network_connect: Connect, flood: str) -> None:
    peer = await network_connect(Session(), message_rate=1, ping_interval=None)
    flooding = Flood(peer, FLOODS[flood])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(flooding.run)
        await flooding.until_stopped()
        assert flooding.sent < KERNEL
        nursery.cancel_scope.cancel()


async def test_the_callback_is_checked_and_may_be_given_where_nothing_is_limited(memory_connect: Connect) -> None:
    _, socket = await memory_connect.socket()
    callback = Calls()
    assert socket.on_rate_limited(callback) is callback
    wrong: Any = lambda: None  # noqa: E731
    with pytest.raises(TypeError, match="on_rate_limited"):
        socket.on_rate_limited(wrong)
