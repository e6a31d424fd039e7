"""Law 12: how a connection closes, and in which order its end is told."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from perfectws import ConnectionClosed, HTTPRequest, LocalProtocolError, Promise, WebSocket

from .. import peer as wire
from ..calls import NOTHING, TEXT, Calls, Reads, quiet
from ..conftest import Connect


async def test_the_peers_close_is_answered_with_its_code_and_reason(connect: Connect) -> None:
    peer, socket = await connect.socket()
    close = await peer.close_handshake(4001, "bye")
    assert (close.close_code, close.close_reason) == (4001, "bye")
    await socket.on_close
    assert (socket.close_code, socket.close_reason) == (4001, "bye")


async def test_a_close_without_a_code_is_answered_without_one_and_told_as_1005(connect: Connect) -> None:
    peer, socket = await connect.socket()
    await peer.send_close(None)
    assert (await peer.receive_close()).payload == b""
    assert socket.close_code == 1005


async def test_the_first_close_frame_holds_whoever_sent_it(connect: Connect) -> None:
    peer, socket = await connect.socket()
    socket.close(4001, "ours")
    socket.close(4002, "ours again")
    assert (await peer.receive_close()).payload == wire.close_payload(4001, "ours")
    await peer.send_close(4003, "theirs")
    await peer.receive_eof()
    await peer.vanish()
    await socket.on_close
    assert (socket.close_code, socket.close_reason) == (4001, "ours")


async def test_closes_that_cross_are_both_content(connect: Connect) -> None:
    peer, socket = await connect.socket()
    socket.close(4001, "ours")
    await peer.send_close(4003, "theirs")  # sent before ours is seen
    assert (await peer.receive_close()).close_code == 4001
    await peer.receive_eof()
    await peer.vanish()
    await socket.on_close
    assert (socket.close_code, socket.close_reason) == (4001, "ours")


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65536, -1])
async def test_a_code_that_must_not_be_sent_raises(connect: Connect, code: int) -> None:
    _, socket = await connect.socket()
    with pytest.raises(LocalProtocolError, match="close code"):
        socket.close(code)
    assert socket.is_connected


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1008, 1011, 1012, 1013, 1014, 3000, 4999])
async def test_a_code_that_may_be_sent_is_sent(memory_connect: Connect, code: int) -> None:
    peer, socket = await memory_connect.socket()
    socket.close(code, "ü" * 61)
    assert (await peer.receive_close()).payload == wire.close_payload(code, "ü" * 61)


async def test_a_reason_that_is_too_long_raises(connect: Connect) -> None:
    _, socket = await connect.socket()
    with pytest.raises(LocalProtocolError, match="123 bytes"):
        socket.close(1000, "ü" * 62)
    assert socket.is_connected


async def test_is_connected_is_false_as_soon_as_either_close_frame_is_seen(connect: Connect) -> None:
    _, socket = await connect.socket()
    closed = socket.close()
    assert not socket.is_connected
    assert not closed.is_done
    other_peer, other = await connect.socket()
    await other_peer.send_close()
    await other_peer.receive_close()
    assert not other.is_connected


async def test_what_was_sent_before_close_arrives_before_it(connect: Connect) -> None:
    peer, socket = await connect.socket()
    for _ in range(10):
        socket.send_binary_message(bytes(1000))
    socket.close()
    assert [(await peer.receive()).opcode for _ in range(11)] == [wire.BINARY] * 10 + [wire.CLOSE]


async def test_nothing_is_sent_behind_our_close_frame_not_even_a_pong(connect: Connect) -> None:
    peer, socket = await connect.socket()
    socket.close()
    socket.send_string_message("late")
    socket.send_ping()
    await peer.send(wire.PING)
    await peer.receive_close()
    await peer.send_close()
    await peer.receive_eof()
    assert not peer.buffer


async def test_frames_that_the_peer_sent_before_it_saw_our_close_are_delivered(connect: Connect) -> None:
    reads = Reads()
    peer = await connect(reads.session)
    await quiet()
    reads.socket.close()
    await peer.send_text("crossing")
    await peer.send_close()
    assert [args[0] for args in await reads.until_end()] == ["crossing", None]


async def test_a_peer_that_does_not_answer_our_close_is_dropped_after_close_timeout(
    memory_connect: Connect, autojump_clock: MockClock
) -> None:
    _, socket = await memory_connect.socket(close_timeout=7)
    begun = trio.current_time()
    await socket.close(4001, "enough")
    assert trio.current_time() - begun == pytest.approx(7)
    assert (socket.close_code, socket.close_reason) == (4001, "enough")


async def test_a_peer_that_answers_but_does_not_go_is_dropped_after_close_timeout(
    memory_connect: Connect, autojump_clock: MockClock
) -> None:
    peer, socket = await memory_connect.socket(close_timeout=7)
    begun = trio.current_time()
    await peer.send_close()
    await socket.on_close
    assert trio.current_time() - begun == pytest.approx(7)


async def test_a_peer_that_floods_instead_of_answering_our_close_is_dropped_too(
    memory_connect: Connect, autojump_clock: MockClock
) -> None:
    peer, socket = await memory_connect.socket(close_timeout=7)

    async def flood() -> None:
        try:
            while True:
                await peer.send(wire.BINARY, bytes(100_000))
                await trio.sleep(0.1)
        except trio.BrokenResourceError:
            pass

    async with trio.open_nursery() as nursery:
        nursery.start_soon(flood)
        await socket.close()
    assert socket.close_code == 1000


async def test_the_end_is_told_in_order(connect: Connect) -> None:
    peer, socket = await connect.socket()
    order: list[object] = []

    def received(data: object, *_: object) -> None:
        order.append(data)
        if data is not None:
            socket.send_string_message("x", completion=lambda: order.append("completion"))
            socket.read_string_message(received)

    socket.on_close.when_success(lambda _: order.append("closed"))
    socket.read_string_message(received)
    await peer.stream.send_all(
        b"".join(wire.frame_bytes(wire.TEXT, str(number)) for number in range(3))
        + wire.frame_bytes(wire.CLOSE, wire.close_payload(1000))
    )
    await peer.receive_close()
    await peer.vanish()
    await socket.on_close
    await quiet()
    assert [what for what in order if what != "completion"] == ["0", "1", "2", None, "closed"]
    assert order.count("completion") == 3
    assert order[-2:] == [None, "closed"]


async def test_on_close_is_one_future_that_never_fails_and_may_be_asked_for_at_any_time(connect: Connect) -> None:
    peer, socket = await connect.socket()
    early = Calls()
    assert socket.on_close is socket.on_close
    socket.on_close.when_complete(early)
    await peer.vanish()
    await early.until(1)
    late = Calls()
    socket.on_close.when_success(late)
    assert await late.until(1) == [(None,)]
    await socket.on_close
    await socket.on_close
    await socket.close()
    assert len(early.got) == 1
    fresh_peer, fresh = await connect.socket()
    await fresh_peer.close_handshake()
    await quiet()
    await fresh.on_close  # asked for the first time when all is over


async def test_close_fulfils_its_promise_and_returns_the_future_of_the_connections_end(connect: Connect) -> None:
    peer, socket = await connect.socket()
    promise = Promise[None]()
    closing = socket.close(promise=promise)
    await peer.close_handshake()
    await promise.future_result
    await closing
    again = Promise[None]()
    socket.close(promise=again)
    await again.future_result


async def test_a_send_on_a_closed_socket_is_no_error(connect: Connect) -> None:
    peer, socket = await connect.socket()
    await peer.close_handshake()
    await socket.on_close
    completions = Calls()
    socket.send_string_message("x", completion=completions)
    socket.send_binary_message(b"x", completion=completions)
    socket.send_ping(completions)
    socket.send_pong(completions)
    await completions.until(4)
    promise = Promise[None]()
    socket.send("x", promise)
    with pytest.raises(ConnectionClosed) as raised:
        await promise.future_result
    assert (raised.value.code, raised.value.reason) == (1000, "")
    socket.send("x")
    assert socket.buffered_amount == 0


async def test_a_socket_may_be_closed_by_another_ones_callback(connect: Connect) -> None:
    pairs = [await connect.socket() for _ in range(3)]
    sockets: list[WebSocket] = [socket for _, socket in pairs]
    reads = [Calls() for _ in pairs]
    for socket, read in zip(sockets, reads, strict=True):
        socket.read_string_message(read)
    for _, socket in pairs:
        socket.on_ping(lambda *_: [other.close(4001) for other in sockets])
    async with trio.open_nursery() as nursery:
        for peer, _ in pairs:
            nursery.start_soon(peer.send, wire.PING)
    for peer, _ in pairs:
        assert (await peer.receive_close()).close_code == 4001
        await peer.send_close(4001)
        await peer.vanish()
    for read in reads:
        assert await read.until(1) == [NOTHING]


async def test_a_stop_sends_1001_and_waits_for_the_answers(connect: Connect) -> None:
    peer, socket = await connect.socket()
    read = Calls()
    socket.read_string_message(read)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(connect.stop, 5)
        close = await peer.receive_close()
        assert (close.close_code, close.close_reason) == (1001, "")
        await peer.send_text("one more")
        await peer.send_close(1001)
        await peer.receive_eof()
        await peer.vanish()
    assert await read.until(1) == [("one more", 1, True)]
    assert socket.close_code == 1001


async def test_a_session_that_changes_to_handlers_behind_the_end_does_not_put_it_off(
    memory_connect: Connect, autojump_clock: MockClock
) -> None:
    peer, socket = await memory_connect.socket(close_timeout=10)
    socket.read_string_message(lambda *_: socket.on_text(lambda *_: None))
    await peer.stream.send_all(
        wire.frame_bytes(wire.TEXT, "a") + wire.frame_bytes(wire.CLOSE, wire.close_payload(1000))
    )
    await peer.receive_close()
    await peer.vanish()
    await socket.on_close
    assert trio.current_time() < 1


async def test_a_closed_socket_holds_nothing_of_a_frame_that_did_not_arrive(connect: Connect) -> None:
    peer, socket = await connect.socket()
    await peer.stream.send_all(wire.frame_bytes(wire.TEXT, "x" * 900_000)[:600_000])
    await quiet()
    await peer.vanish()
    await socket.on_close
    connection: Any = socket._connection
    assert connection.missing == 0
    assert connection._frames._buffer == b""


class TestOnClose:
    """It comes when all was given, however the packets fell: with virtual time, in which ``close_timeout`` shows."""

    @pytest.mark.parametrize("together", [True, False], ids=["in one packet", "apart"])
    async def test_waits_for_no_read_of_the_end_that_nobody_makes(
        self, memory_connect: Connect, autojump_clock: MockClock, together: bool
    ) -> None:
        peer, socket = await memory_connect.socket()
        told, read = Calls(), Calls()
        socket.on_close.when_complete(told)
        socket.read_string_message(read)
        began = trio.current_time()
        close = wire.frame_bytes(wire.CLOSE, wire.close_payload(4000, "bye"))
        if together:
            await peer.stream.send_all(wire.frame_bytes(wire.TEXT, "last") + close)
        else:
            await peer.send_text("last")
            await read.until(1)
            await peer.stream.send_all(close)
        await peer.receive_close()
        await peer.stream.aclose()
        await told.until(1)
        assert trio.current_time() - began < 1
        assert read.got == [("last", TEXT, True)]

    async def test_comes_behind_the_read_of_the_end_that_a_session_makes_soon(
        self, memory_connect: Connect, autojump_clock: MockClock
    ) -> None:
        peer, socket = await memory_connect.socket()
        order: list[str] = []
        socket.on_close.when_complete(lambda result: order.append("on_close"))

        async def session() -> None:
            try:
                while True:
                    order.append(str((await socket.read_string_message()).data))
                    await trio.lowlevel.checkpoint()
            except ConnectionClosed:
                order.append("closed")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(session)
            await quiet()
            frames = [wire.frame_bytes(wire.TEXT, str(number)) for number in range(5)]
            close = wire.frame_bytes(wire.CLOSE, wire.close_payload(4000, "bye"))
            await peer.stream.send_all(b"".join([*frames, close]))
            await peer.receive_close()
            await peer.stream.aclose()
            while "on_close" not in order:
                await quiet()
        assert order == ["0", "1", "2", "3", "4", "closed", "on_close"]


class TestTheSideThatCloses:
    """It is done when the connection is gone: with virtual time, so that ``close_timeout`` would show."""

    async def test_waits_for_no_frame_that_nobody_reads(
        self, memory_connect: Connect, autojump_clock: MockClock
    ) -> None:
        peer, socket = await memory_connect.socket()
        told = Calls()
        socket.on_close.when_complete(told)
        await peer.send_text("an unread greeting")
        await quiet()
        began = trio.current_time()
        closing = socket.close()
        await peer.close_handshake()
        await closing
        await told.until(1)
        assert trio.current_time() - began < 1
        read = Calls()
        socket.read_string_message(read)  # what came is still there for a late reader
        assert await read.until(1) == [("an unread greeting", TEXT, True)]

    async def test_may_be_a_handler_of_the_same_socket(
        self, memory_connect: Connect, autojump_clock: MockClock
    ) -> None:
        order: list[str] = []

        def session(request: HTTPRequest, socket: WebSocket) -> None:
            @socket.on_text
            async def close(socket: WebSocket, text: str) -> None:
                await socket.close(4000)
                order.append("closed")

            socket.on_close.when_complete(lambda result: order.append("on_close"))

        peer = await memory_connect(session)
        began = trio.current_time()
        await peer.send_text("close, please")
        await peer.receive_close()
        await peer.send_close(4000)
        await peer.receive_eof()
        await peer.vanish()
        await quiet()
        assert order == ["closed", "on_close"]
        assert trio.current_time() - began < 1

    async def test_may_break_off_its_reading(self, memory_connect: Connect, autojump_clock: MockClock) -> None:
        over = Calls()

        async def session(request: HTTPRequest, socket: WebSocket) -> None:
            async for _ in socket:
                break
            await socket.close()
            await socket.on_close
            over()

        peer = await memory_connect(session)
        began = trio.current_time()
        for number in range(5):
            await peer.send_text(str(number))
        await peer.receive_close()
        await peer.send_close()
        await peer.vanish()
        await over.until(1)
        assert trio.current_time() - began < 1

    async def test_reads_to_the_end_all_the_same_if_a_read_is_pending(self, connect: Connect) -> None:
        reads = Reads()
        peer = await connect(reads.session)
        reads.socket.close()
        await peer.send_text("on its way")
        await peer.close_handshake()
        assert await reads.until_end() == [("on its way", TEXT, True), NOTHING]
