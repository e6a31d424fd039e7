"""The reactor, and the transport on it: what a reactor must get right."""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trio.testing

from perfectws.net.acceptors import Acceptor
from perfectws.net.loop import Connections, Loop, make_reactor, open_loop
from perfectws.net.reactor import READABLE, Reactor
from perfectws.net.socket_transport import FIRST_READ_SIZE, LAST_READ_SIZE, READ_SIZE, SocketTransport
from perfectws.transport import HIGH_WATER, Protocol, Transport

from .counting import CountingSocket, reads_of, sends_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a reactor")

LINGER_RESET = struct.pack("ii", 1, 0)


class Recorder(Protocol):
    """A protocol that keeps what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Any] = []
        self.changed = trio.Event()
        self.failures: list[Exception] = []

    def _tell(self, event: Any) -> None:
        self.events.append(event)
        self.changed.set()
        self.changed = trio.Event()

    def data_received(self, data: bytes) -> None:
        self._tell(data)

    def eof_received(self) -> None:
        self._tell("eof")

    def resume_writing(self) -> None:
        self._tell("room")

    def connection_lost(self, error: Exception | None) -> None:
        self._tell(("lost", type(error)))

    def shut_down(self) -> None:
        self._tell("shut down")

    def callback_failed(self, error: Exception) -> None:
        self.failures.append(error)

    async def until(self, event: Any) -> None:
        while event not in self.events:
            await self.changed.wait()


@asynccontextmanager
async def running_loop() -> AsyncIterator[Loop]:
    with trio.fail_after(10):
        async with open_loop(with_reactor=True) as loop:
            try:
                yield loop
            finally:
                await loop.end_connections(0)


def connected(loop: Loop, protocol: Recorder | None = None) -> tuple[SocketTransport, Recorder, socket.socket]:
    """Return a transport with a recorder on it, and the blocking socket of its peer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        peer = socket.create_connection(server.getsockname())
        accepted, _ = server.accept()
    ours = CountingSocket(accepted.detach())
    ours.setblocking(False)
    peer.settimeout(5)
    assert loop.reactor is not None
    recorder = protocol or Recorder()
    transport = SocketTransport(loop, loop.reactor, ours, ("peer", 1))
    transport.start(recorder)
    return transport, recorder, peer


async def settled() -> None:
    await trio.testing.wait_all_tasks_blocked(0.01)


async def test_what_is_written_in_one_turn_is_one_system_call() -> None:
    async with running_loop() as loop:
        transport, _, peer = connected(loop)
        with peer:
            for number in range(100):
                transport.write(b"%03d" % number)
            await settled()
            assert len(sends_of(transport)) == 1
            assert peer.recv(1000) == b"".join(b"%03d" % number for number in range(100))


async def test_what_is_written_at_once_waits_for_no_turn_but_stays_behind_what_does() -> None:
    async with running_loop() as loop:
        transport, _, peer = connected(loop)
        with peer:
            transport.write_at_once(b"first ")
            assert len(sends_of(transport)) == 1
            transport.write(b"second ")
            transport.write_at_once(b"third")
            assert len(sends_of(transport)) == 1
            await settled()
            assert len(sends_of(transport)) == 2
            assert peer.recv(100) == b"first second third"


async def test_what_the_kernel_does_not_take_at_once_goes_out_when_there_is_room() -> None:
    async with running_loop() as loop:
        transport, recorder, peer = connected(loop)
        with peer:
            data = bytes(range(256)) * 80_000
            transport.write_at_once(data)
            assert 0 < transport.buffered_amount < len(data)
            transport.discard_unsent()
            assert transport.buffered_amount > 0  # it has begun
            got = bytearray()
            while len(got) < len(data):
                got += await trio.to_thread.run_sync(peer.recv, 1 << 20)
            assert got == data
            await recorder.until("room")
            assert transport.buffered_amount == 0


async def test_a_peer_that_is_gone_when_something_is_written_at_once_is_lost() -> None:
    async with running_loop() as loop:
        transport, recorder, peer = connected(loop)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
        peer.close()
        transport.write_at_once(b"nobody there")
        transport.write_at_once(b"nor there")
        await recorder.until(("lost", ConnectionResetError))


async def test_reads_grow_with_what_the_peer_sends_and_shrink_again() -> None:
    async with running_loop() as loop:
        transport, recorder, peer = connected(loop)
        with peer:
            peer.sendall(b"short")
            await settled()
            assert set(reads_of(transport)) == {FIRST_READ_SIZE}
            transport.pause_reading()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.to_thread.run_sync, lambda: peer.sendall(b"l" * 4_000_000))
                await trio.sleep(0.1)  # the kernel holds as much as it can
                reads_of(transport).clear()
                transport.resume_reading()
            while sum(map(len, recorder.events)) < 4_000_005:
                await recorder.changed.wait()
            peer.sendall(b"short")
            await recorder.until(b"short")
            await settled()
            assert reads_of(transport)[:3] == [FIRST_READ_SIZE, READ_SIZE, LAST_READ_SIZE]
            reads_of(transport).clear()
            peer.sendall(b"again")
            await recorder.until(b"again")
            assert reads_of(transport) == [FIRST_READ_SIZE]


async def test_a_full_kernel_buffer_is_waited_for_without_spinning() -> None:
    async with running_loop() as loop:
        transport, recorder, peer = connected(loop)
        with peer:
            transport.write(b"x" * 20_000_000)
            await settled()
            sends = len(sends_of(transport))
            passes = 0
            assert loop.reactor is not None
            original = loop.reactor.run_pass

            def counted() -> bool:
                nonlocal passes
                passes += 1
                return original()

            loop.reactor.run_pass = counted  # type: ignore[method-assign]
            await trio.sleep(0.05)
            assert passes <= 2
            transport.write(b"more")
            await settled()
            assert len(sends_of(transport)) == sends
            assert transport.buffered_amount >= HIGH_WATER
            got = 0
            while got < 20_000_004:
                got += len(await trio.to_thread.run_sync(peer.recv, 1 << 20))
            await recorder.until("room")
            assert transport.buffered_amount == 0
            assert recorder.events == ["room"]


async def test_small_writes_beyond_one_write_go_on_in_the_next_turn() -> None:
    async with running_loop() as loop:
        transport, _, peer = connected(loop)
        with peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            for _ in range(6_000):
                transport.write(b"y" * 100)
            await settled()
            got = 0
            while got < 600_000:
                got += len(await trio.to_thread.run_sync(peer.recv, 1 << 20))
            assert len(sends_of(transport)) < 12


async def test_what_has_not_begun_is_discarded_and_what_has_is_kept_whole() -> None:
    async with running_loop() as loop:
        transport, _, peer = connected(loop)
        with peer:
            transport.write(b"a" * 10_000_000)
            await settled()
            assert 0 < transport.buffered_amount < 10_000_000
            transport.write(b"b" * 100)
            transport.discard_unsent()
            transport.write(b"c" * 100)
            transport.close(5)
            data = bytearray()
            while piece := await trio.to_thread.run_sync(peer.recv, 1 << 20):
                data += piece
            assert bytes(data) == b"a" * 10_000_000 + b"c" * 100


async def test_a_callback_may_close_another_socket_that_is_ready_in_the_same_pass() -> None:
    class Killer(Recorder):
        victim: Transport

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self.victim.abort()

    async with running_loop() as loop:
        (a, killer_a, peer_a), (b, killer_b, peer_b) = connected(loop, Killer()), connected(loop, Killer())
        killer_a.victim, killer_b.victim = b, a  # type: ignore[attr-defined]
        with peer_a, peer_b:
            peer_a.send(b"ready")
            peer_b.send(b"ready")
            await settled()
            heard = [event for event in killer_a.events + killer_b.events if event == b"ready"]
            lost = [event for event in killer_a.events + killer_b.events if event == ("lost", type(None))]
            assert heard == [b"ready"]
            assert lost == [("lost", type(None))]


async def test_a_descriptor_is_not_free_for_another_before_the_pass_is_over() -> None:
    taken: list[int] = []

    class Replacer(Recorder):
        victim: SocketTransport

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self.victim.abort()
            with socket.socket() as newcomer:
                taken.append(newcomer.fileno())

    async with running_loop() as loop:
        (a, first, peer_a), (b, second, peer_b) = connected(loop, Replacer()), connected(loop, Replacer())
        first.victim, second.victim = b, a  # type: ignore[attr-defined]
        descriptors = {a._descriptor, b._descriptor}
        with peer_a, peer_b:
            peer_a.send(b"ready")
            peer_b.send(b"ready")
            await settled()
        assert len(taken) == 1
        assert not descriptors & set(taken)


@pytest.mark.parametrize("end", ["reset", "half-close", "close"])
async def test_a_paused_socket_whose_peer_ends_does_not_spin(end: str) -> None:
    async with running_loop() as loop:
        transport, recorder, peer = connected(loop)
        transport.pause_reading()
        peer.send(b"unread")
        if end == "reset":
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
            peer.close()
            await recorder.until(("lost", ConnectionResetError))
            return
        if end == "half-close":
            peer.shutdown(socket.SHUT_WR)
        else:
            peer.close()
        await settled()
        assert loop.reactor is not None
        assert loop.reactor._poller.poll(0, 1) == []
        assert recorder.events == []
        transport.resume_reading()
        await recorder.until("eof")
        assert recorder.events == [b"unread", "eof"]
        await settled()
        assert loop.reactor._poller.poll(0, 1) == []
        transport.write(b"still there")
        transport.close(5)
        if end == "half-close":
            assert await trio.to_thread.run_sync(peer.recv, 100) == b"still there"
        await recorder.until(("lost", type(None)))
        peer.close()


async def test_the_last_bytes_arrive_though_there_is_unread_input() -> None:
    async with running_loop() as loop:
        transport, recorder, peer = connected(loop)
        with peer:
            transport.pause_reading()
            peer.send(b"never read " * 1000)
            await settled()
            transport.write(b"goodbye")
            transport.close(5)
            assert await trio.to_thread.run_sync(peer.recv, 100) == b"goodbye"
            assert await trio.to_thread.run_sync(peer.recv, 100) == b""
            peer.send(b"more that nobody reads")
            await settled()
            assert recorder.events == []
        await recorder.until(("lost", type(None)))
        assert recorder.events == [("lost", type(None))]


async def test_a_peer_that_never_ends_is_closed_when_the_linger_is_over() -> None:
    async with running_loop() as loop:
        transport, recorder, peer = connected(loop)
        with peer:
            transport.close(0.02)
            await recorder.until(("lost", type(None)))
            assert len(loop.timers) == 0


async def test_writes_outside_a_turn_wake_the_pump_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_loop() as loop:
        transport, _, peer = connected(loop)
        with peer:
            await settled()
            wakes: list[None] = []
            assert loop.reactor is not None
            original = loop.reactor.wake

            def wake() -> None:
                wakes.append(None)
                original()

            monkeypatch.setattr(loop.reactor, "wake", wake)
            for _ in range(5):
                transport.write(b"tick")
            assert len(wakes) == 1
            await settled()
            assert peer.recv(100) == b"tick" * 5
            await trio.to_thread.run_sync(loop.call_from_thread, loop.owner, transport.write, b"thread")
            assert await trio.to_thread.run_sync(peer.recv, 100) == b"thread"


async def test_an_error_in_a_protocol_costs_its_socket_only() -> None:
    class Faulty(Recorder):
        def data_received(self, data: bytes) -> None:
            raise ZeroDivisionError

        def connection_lost(self, error: Exception | None) -> None:
            raise KeyError

    async with running_loop() as loop:
        faulty, recorder, peer = connected(loop, Faulty())
        _, other, other_peer = connected(loop)
        with peer, other_peer:
            peer.send(b"!")
            other_peer.send(b"fine")
            await other.until(b"fine")
            faulty.abort()
            await settled()
            assert [type(error) for error in recorder.failures] == [ZeroDivisionError, KeyError]


async def test_twenty_flooding_sockets_leave_trios_other_tasks_their_time() -> None:
    async with running_loop() as loop:
        peers: list[socket.socket] = []

        class Busy(Recorder):
            def data_received(self, data: bytes) -> None:
                loop.call(self, self.work)

            def work(self) -> None:
                loop.call(self, self.work)  # a callback that never comes to an end

        for _ in range(20):
            _, _, peer = connected(loop, Busy())
            peer.send(b"go")
            peers.append(peer)
        for _ in range(50):
            await trio.lowlevel.checkpoint()  # each would hang if the pump never let go
        for transport in list(loop.transports):
            transport.abort()
        loop.ready.clear()
        for peer in peers:
            peer.close()


class FullTable:
    """A listener whose process has no descriptors left, for a while."""

    def __init__(self, listening: socket.socket, failures: int) -> None:
        self.listening = listening
        self.failures = failures

    def __getattr__(self, name: str) -> Any:
        return getattr(self.listening, name)

    def _accept(self) -> Any:
        if self.failures:
            self.failures -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return self.listening._accept()  # type: ignore[attr-defined]


async def test_a_listener_rests_while_there_are_no_descriptors_and_says_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with running_loop() as loop:
        listening = socket.create_server(("127.0.0.1", 0))
        listening.setblocking(False)
        recorder = Recorder()
        assert loop.reactor is not None
        table: Any = FullTable(listening, failures=1)
        acceptor = Acceptor(loop, loop.reactor, table, lambda transport: recorder, Connections(loop))
        with socket.create_connection(listening.getsockname()) as peer:
            peer.send(b"patience")
            await recorder.until(b"patience")
        acceptor.stop()
        assert len(caplog.records) == 1
        assert "Too many open files" in caplog.text


async def test_a_hundred_connections_at_once_are_accepted() -> None:
    async with running_loop() as loop:
        listening = socket.create_server(("127.0.0.1", 0), backlog=200)
        listening.setblocking(False)
        recorders: list[Recorder] = []

        def make(transport: Transport) -> Recorder:
            recorders.append(Recorder())
            return recorders[-1]

        assert loop.reactor is not None
        acceptor = Acceptor(loop, loop.reactor, listening, make, Connections(loop))
        peers = [socket.create_connection(listening.getsockname()) for _ in range(100)]
        while len(recorders) < 100:
            await trio.sleep(0)
        acceptor.stop()
        for peer in peers:
            peer.close()


def test_a_reactor_that_is_looked_at_for_a_while_tells_whether_something_became_ready() -> None:
    reactor = make_reactor()
    assert reactor is not None
    assert not reactor.becomes_ready_within(0.001)
    reactor.wake()
    assert reactor.becomes_ready_within(60)
    assert reactor.run_pass()
    assert not reactor.becomes_ready_within(0)
    reactor.close()


def test_a_handler_that_is_left_when_a_reactor_closes_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    class Forgotten:
        def on_readable(self) -> int:
            return 0

        def on_events(self, events: int) -> int:
            return 0

        def remove(self) -> None: ...

    left, right = socket.socketpair()
    with left, right:
        reactor = make_reactor()
        assert reactor is not None
        reactor.add(left.fileno(), Forgotten(), READABLE)
        reactor.close()
    assert "1 descriptors" in caplog.text


class Failing(Recorder):
    """A protocol with an error of its own."""

    def resume_writing(self) -> None:
        raise ZeroDivisionError("an error in perfectws itself")


async def test_an_error_when_there_is_room_again_costs_its_connection_and_not_the_loop() -> None:
    async with running_loop() as loop:
        transport, failing, peer = connected(loop, Failing())
        other, _, other_peer = connected(loop)
        with peer, other_peer:
            transport.write(bytes(HIGH_WATER))
            await settled()
            assert [type(error) for error in failing.failures] == [ZeroDivisionError]
            other.write(b"still here")
            await settled()
            assert other_peer.recv(100) == b"still here"


async def test_a_connection_that_the_kernel_will_not_watch_is_closed_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(self: Reactor, descriptor: int, handler: object, events: int = READABLE) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    async with running_loop() as loop:
        with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as peer:
            accepted, _ = server.accept()
            assert loop.reactor is not None
            transport = SocketTransport(loop, loop.reactor, accepted, ("peer", 1))
            with monkeypatch.context() as patch:
                patch.setattr(Reactor, "add", refuse)
                with pytest.raises(OSError, match="No space left"):
                    transport.start(Recorder())
            peer.settimeout(5)
            assert peer.recv(1) == b""
            transport.abort()
            await settled()
            assert loop.transports == set()


async def test_a_read_for_which_there_is_no_memory_is_tried_with_less(monkeypatch: pytest.MonkeyPatch) -> None:
    least = FIRST_READ_SIZE

    def read(descriptor: int, size: int) -> bytes:
        if size > least:
            raise MemoryError
        return os.read(descriptor, size)

    async with running_loop() as loop:
        _, recorder, peer = connected(loop)
        _, other, other_peer = connected(loop)
        with peer, other_peer:
            peer.sendall(bytes(FIRST_READ_SIZE))  # the next read would be larger
            await settled()
            monkeypatch.setattr("perfectws.net.socket_transport.read", read)
            peer.sendall(b"still served")
            await recorder.until(b"still served")
            least = 0
            peer.sendall(b"no more")
            await recorder.until(("lost", OSError))
            least = FIRST_READ_SIZE
            other_peer.sendall(b"and others")
            await other.until(b"and others")


async def test_output_for_which_there_is_no_memory_costs_that_connection_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def write(descriptor: int, data: bytes) -> int:
        raise MemoryError

    async with running_loop() as loop:
        transport, recorder, peer = connected(loop)
        other, _, other_peer = connected(loop)
        with peer, other_peer:
            with monkeypatch.context() as patch:
                patch.setattr("perfectws.net.socket_transport.write", write)
                transport.write(b"lost")
                await recorder.until(("lost", OSError))
            other.write(b"still here")
            await settled()
            assert other_peer.recv(100) == b"still here"


async def test_an_abort_ends_the_connection_though_another_process_has_the_socket_too() -> None:
    async with running_loop() as loop:
        transport, recorder, peer = connected(loop)
        with peer, socket.socket(fileno=os.dup(transport._descriptor)):  # as a forked child has it
            transport.abort()
            await recorder.until(("lost", type(None)))
            assert peer.recv(1) == b""


@pytest.mark.parametrize("with_reactor", [True, False])
async def test_what_is_queued_when_the_loop_has_ended_is_called_as_long_as_the_trio_run_lasts(
    with_reactor: bool,
) -> None:
    called: list[int] = []
    async with open_loop(with_reactor=with_reactor) as loop:
        pass
    for number in range(3):
        await trio.to_thread.run_sync(loop.call_from_thread, loop.owner, called.append, number)
    loop.call(loop.owner, lambda: loop.call(loop.owner, called.append, 3))
    await settled()
    assert called == [0, 1, 2, 3]
