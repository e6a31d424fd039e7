"""The keepalive: pings, and what becomes of a peer that does not answer. In virtual time."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from perfectws import OpcodeType, WebSocket
from perfectws.callbacks import CallbackOwner
from perfectws.websocket.keepalive import MAX_UNANSWERED_PINGS, Keepalive

from .. import peer as wire
from ..calls import NOTHING, Calls, Reads
from ..conftest import Connect
from ..http.fakes import FakeLoop
from ..peer import Peer


async def answer_pings(peer: Peer) -> None:
    while True:
        frame = await peer.receive()
        if frame.opcode == wire.PING:
            await peer.send(wire.PONG, frame.payload)


async def test_a_ping_is_sent_at_every_interval(memory_connect: Connect, autojump_clock: MockClock) -> None:
    peer, socket = await memory_connect.socket(ping_interval=20, ping_timeout=30)
    payloads = set()
    for number in range(1, 6):
        frame = await peer.receive()
        assert frame.opcode == wire.PING
        assert trio.current_time() == pytest.approx(20 * number, abs=0.1)
        payloads.add(frame.payload)
        await peer.send(wire.PONG, frame.payload)
    assert len(payloads) == 5
    assert socket.is_connected


async def test_a_peer_that_does_not_answer_is_dropped_with_1006_and_a_reason(
    memory_connect: Connect, autojump_clock: MockClock
) -> None:
    _, socket = await memory_connect.socket(ping_interval=20, ping_timeout=7)
    read, closed = Calls(), Calls()
    socket.read_string_message(read)
    socket.on_close.when_success(closed)
    assert await read.until(1) == [NOTHING]
    assert trio.current_time() == pytest.approx(27, abs=0.1)
    assert socket.close_code == 1006
    assert "pong" in socket.close_reason
    await closed.until(1)
    assert trio.current_time() == pytest.approx(27, abs=0.1)


async def test_a_timeout_longer_than_the_interval_is_kept(memory_connect: Connect, autojump_clock: MockClock) -> None:
    _, socket = await memory_connect.socket(ping_interval=5, ping_timeout=12)
    await socket.on_close
    assert trio.current_time() == pytest.approx(17, abs=0.1)


async def test_an_unsolicited_pong_or_a_pong_of_another_ping_is_no_sign_of_life(
    memory_connect: Connect, autojump_clock: MockClock
) -> None:
    peer, socket = await memory_connect.socket(ping_interval=20, ping_timeout=20)
    socket.on_pong(Calls())
    socket.send_ping(data=b"application")
    await peer.receive()
    await trio.sleep(30)
    await peer.send(wire.PONG, b"nobody's")
    await peer.send(wire.PONG, b"application")
    await socket.on_close
    assert trio.current_time() == pytest.approx(40, abs=0.1)


async def test_a_pong_to_a_later_ping_of_the_application_answers_the_keepalive_too(
    memory_connect: Connect, autojump_clock: MockClock
) -> None:
    peer, socket = await memory_connect.socket(ping_interval=20, ping_timeout=15)
    await peer.receive()
    socket.send_ping(data=b"later")
    await peer.receive()
    await peer.send(wire.PONG, b"later")
    await trio.sleep(17)
    assert socket.is_connected


async def test_a_pong_to_the_newest_of_very_many_pings_answers_the_keepalive_too(
    memory_connect: Connect, autojump_clock: MockClock
) -> None:
    peer, socket = await memory_connect.socket(ping_interval=20, ping_timeout=5)
    await peer.receive()
    for number in range(MAX_UNANSWERED_PINGS):
        socket.send_ping(data=str(number).encode())
    while (frame := await peer.receive()).payload != str(MAX_UNANSWERED_PINGS - 1).encode():
        pass
    await peer.send(wire.PONG, frame.payload)
    await trio.sleep(10)
    assert socket.is_connected


async def test_the_pong_of_the_keepalive_goes_to_on_pong_and_never_to_a_read(
    memory_connect: Connect, autojump_clock: MockClock
) -> None:
    peer, socket = await memory_connect.socket()
    reads, pongs = Reads(), Calls()
    reads.session(socket.request, socket)  # type: ignore[arg-type]
    frame = await peer.receive()
    await peer.send(wire.PONG, frame.payload)
    await peer.send_text("x")
    await reads.until(1)
    assert reads.got[0][0] == "x"
    socket.on_pong(pongs)
    frame = await peer.receive()
    await peer.send(wire.PONG, frame.payload)
    assert await pongs.until(1) == [(socket, frame.payload)]


async def test_a_living_peer_is_not_dropped_because_the_application_reads_slowly(
    memory_connect: Connect, autojump_clock: MockClock
) -> None:
    peer, socket = await memory_connect.socket(ping_interval=5, ping_timeout=5)
    await peer.stream.send_all(wire.frame_bytes(wire.TEXT, "x" * 1000) * 200)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer_pings, peer)
        await trio.sleep(1000)
        assert socket.is_connected
        reads = Reads()
        reads.session(socket.request, socket)  # type: ignore[arg-type]
        await reads.until(200)
        await trio.sleep(1000)
        assert socket.is_connected
        nursery.cancel_scope.cancel()


async def test_a_peer_that_learns_late_that_we_read_again_has_time_to_answer(
    memory_connect: Connect, autojump_clock: MockClock
) -> None:
    peer, socket = await memory_connect.socket(ping_interval=5, ping_timeout=5)
    await peer.stream.send_all(wire.frame_bytes(wire.TEXT, "x") * 40)
    ping = await peer.receive()
    await trio.sleep(4.5)  # its pong waits behind what we do not read
    reads = Reads()
    reads.session(socket.request, socket)  # type: ignore[arg-type]
    await reads.until(40)
    await trio.sleep(1)  # the verdict falls here
    assert socket.is_connected
    await peer.send(wire.PONG, ping.payload)
    await trio.sleep(1)
    assert socket.is_connected


async def test_a_peer_that_died_while_we_did_not_read_is_dropped_once_we_do(
    memory_connect: Connect, autojump_clock: MockClock
) -> None:
    peer, socket = await memory_connect.socket(ping_interval=5, ping_timeout=5)
    for _ in range(40):
        await peer.send_text("x")
    await trio.sleep(100)
    assert socket.is_connected
    reads = Reads()
    reads.session(socket.request, socket)  # type: ignore[arg-type]
    await socket.on_close
    assert len(reads.got) == 41
    assert socket.close_code == 1006
    assert trio.current_time() < 111


async def test_a_peer_whose_pong_is_stuck_behind_a_long_frame_is_not_dropped_while_that_arrives(
    memory_connect: Connect, autojump_clock: MockClock
) -> None:
    peer, socket = await memory_connect.socket(ping_interval=5, ping_timeout=5)
    socket.on_binary(Calls())
    frame = wire.frame_bytes(wire.BINARY, bytes(100_000))
    for start in range(0, len(frame), 1000):
        await peer.stream.send_all(frame[start : start + 1000])
        await trio.sleep(1)
    assert socket.is_connected


async def test_a_peer_that_stalls_in_the_middle_of_a_frame_is_dropped(
    memory_connect: Connect, autojump_clock: MockClock
) -> None:
    peer, socket = await memory_connect.socket(ping_interval=5, ping_timeout=5)
    await peer.stream.send_all(wire.frame_bytes(wire.BINARY, bytes(100_000))[:50_000])
    await socket.on_close
    assert trio.current_time() <= 21


async def test_no_ping_is_sent_without_an_interval(memory_connect: Connect, autojump_clock: MockClock) -> None:
    peer, socket = await memory_connect.socket(ping_interval=None)
    assert socket.ping_interval is None
    with trio.move_on_after(1000) as scope:
        await peer.receive()
    assert scope.cancelled_caught
    assert socket.is_connected


async def test_without_a_timeout_nobody_is_dropped(memory_connect: Connect, autojump_clock: MockClock) -> None:
    _, socket = await memory_connect.socket(ping_interval=1, ping_timeout=None)
    await trio.sleep(500)
    assert socket.is_connected
    assert socket.ping_interval == 1


async def test_ping_interval_may_be_set_and_begins_anew(memory_connect: Connect, autojump_clock: MockClock) -> None:
    peer, socket = await memory_connect.socket(ping_interval=20)
    await trio.sleep(15)
    socket.ping_interval = 10
    await peer.receive()
    assert trio.current_time() == pytest.approx(25, abs=0.1)
    socket.ping_interval = None
    await trio.sleep(100)
    assert not peer.buffer
    assert socket.is_connected
    socket.ping_interval = 3
    await peer.receive()
    assert trio.current_time() == pytest.approx(128, abs=0.1)


@pytest.mark.parametrize("end", ["close", "vanish", "drop"])
async def test_no_timer_is_left_when_the_connection_is_gone(
    memory_connect: Connect, autojump_clock: MockClock, end: str
) -> None:
    timers = memory_connect.loop.timers
    peer, socket = await memory_connect.socket()
    socket.read_timeout_seconds = 3600
    read = Calls()
    socket.read_string_message(read)
    await peer.send_text("x")
    await read.until(1)
    socket.read_string_message(read)
    socket.ping_interval = 7
    if end == "close":
        await peer.close_handshake()
    elif end == "vanish":
        await peer.vanish()
    await socket.on_close
    assert len(timers) == 0
    socket.ping_interval = 5
    assert len(timers) == 0


async def test_a_closing_socket_pings_no_more(memory_connect: Connect, autojump_clock: MockClock) -> None:
    peer, socket = await memory_connect.socket(ping_interval=1, ping_timeout=1, close_timeout=60)
    socket.close(4001)
    await peer.receive_close()
    await trio.sleep(50)
    await peer.send_close(4001)
    await peer.receive_eof()
    assert not peer.buffer
    await peer.vanish()
    await socket.on_close
    assert socket.close_code == 4001


async def test_read_timeouts_are_counted_from_the_read(memory_connect: Connect, autojump_clock: MockClock) -> None:
    peer, socket = await memory_connect.socket(ping_interval=None)
    times: list[float] = []

    def read_with(socket: WebSocket, seconds: float) -> Calls:
        calls = Calls(lambda *_: times.append(trio.current_time()))
        socket.read_timeout_seconds = seconds
        socket.read_string_message(calls)
        return calls

    begun = trio.current_time()
    await read_with(socket, 10).until(1)
    await read_with(socket, 1).until(1)
    long = read_with(socket, 100)
    await trio.sleep(50)
    await peer.send_text("x")
    await long.until(1)
    short = read_with(socket, 2)  # earlier than the timer that still runs
    await short.until(1)
    assert times == [pytest.approx(begun + at, abs=0.1) for at in (10, 11, 61, 63)]
    await trio.sleep(1000)
    assert len(times) == 4
    await read_with(socket, 0).until(1)
    assert times[-1] == pytest.approx(begun + 1063, abs=0.1)


class Sent(CallbackOwner):
    """A connection whose sending the test holds in the hand: ``unsent`` bytes wait, and ``taken`` were taken."""

    is_connected = True
    is_reading_paused = False
    missing = 0

    def __init__(self, loop: FakeLoop) -> None:
        super().__init__()
        self.unsent = self.taken = 0
        self.dropped_at: float | None = None
        self._loop = loop

    def unsent_amount(self) -> int:
        return self.unsent

    def progress(self) -> int:
        return self.taken

    def send_control(self, opcode: OpcodeType, payload: bytes) -> None:
        pass

    def drop(self, reason: str) -> None:
        self.is_connected = False
        self.dropped_at = self._loop.now


class TestWithoutVerdict:
    """Where no pong is waited for, who takes nothing for ``write_timeout`` is dropped."""

    def begin(self, interval: float | None, timeout: float | None) -> tuple[FakeLoop, Sent, Keepalive]:
        loop = FakeLoop()
        connection: Any = Sent(loop)
        keepalive = Keepalive(connection, loop, interval, timeout, 60)
        keepalive.start()
        return loop, connection, keepalive

    @pytest.mark.parametrize(("interval", "timeout"), [(None, 20), (20, None), (None, None)])
    def test_one_that_takes_nothing_is_dropped(self, interval: float | None, timeout: float | None) -> None:
        loop, connection, _ = self.begin(interval, timeout)
        loop.advance(500)
        connection.unsent = 1
        loop.advance(59)
        assert connection.dropped_at is None
        loop.advance(16)
        assert connection.dropped_at is not None

    def test_one_that_owes_a_pong_is_not(self) -> None:
        loop, connection, _ = self.begin(400, 400)
        connection.unsent = 1
        loop.advance(799)
        assert connection.dropped_at is None
        assert loop.live_timers == 1

    def test_it_begins_and_ends_with_the_interval(self) -> None:
        loop, connection, keepalive = self.begin(None, 400)
        connection.unsent = 1
        loop.advance(50)
        keepalive.interval = 300
        keepalive.start()
        loop.advance(200)
        assert connection.dropped_at is None
        keepalive.interval = None
        keepalive.start()
        began = loop.now
        loop.advance(200)
        assert connection.dropped_at == pytest.approx(began + 60, abs=16)

    def test_a_keepalive_that_is_stopped_watches_nobody(self) -> None:
        loop, connection, keepalive = self.begin(None, None)
        connection.unsent = 1
        loop.advance(30)
        keepalive.stop()
        loop.advance(200)
        assert (connection.dropped_at, loop.live_timers) == (None, 0)


class TestProgress:
    """While a peer takes what is sent, it lives, and its pong may wait behind that."""

    def begin(self) -> tuple[FakeLoop, Sent]:
        loop = FakeLoop()
        connection: Any = Sent(loop)
        Keepalive(connection, loop, 20, 30).start()
        loop.advance(20)
        return loop, connection

    def test_a_living_peer_that_reads_slowly_is_not_dropped(self) -> None:
        loop, connection = self.begin()
        connection.unsent = 14 * 2**20
        for _ in range(100):
            loop.advance(10)
            connection.taken += 1
        assert connection.dropped_at is None

    def test_a_deaf_one_is_though_the_ping_waits_behind_output(self) -> None:
        loop, connection = self.begin()
        began = loop.now
        connection.unsent = 14 * 2**20
        loop.advance(100)
        assert connection.dropped_at == pytest.approx(began + 30)

    def test_one_that_stops_taking_is_after_another_ping_timeout(self) -> None:
        loop, connection = self.begin()
        began = loop.now
        connection.unsent, connection.taken = 1000, 1
        loop.advance(100)
        assert connection.dropped_at == pytest.approx(began + 60)

    def test_one_that_has_taken_everything_and_answers_nothing_is(self) -> None:
        loop, connection = self.begin()
        began = loop.now
        connection.taken = 6
        loop.advance(100)
        assert connection.dropped_at == pytest.approx(began + 30)

    @pytest.mark.parametrize(("unsent", "is_dropped"), [(0, False), (6, True)])
    def test_while_we_read_nothing_it_lives_if_it_has_taken_our_ping(self, unsent: int, is_dropped: bool) -> None:
        loop, connection = self.begin()
        connection.is_reading_paused = True
        connection.unsent = unsent
        loop.advance(1000)
        assert (connection.dropped_at is not None) is is_dropped
