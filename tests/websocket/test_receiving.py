"""`socket.receive()`: whole messages, one for each who asks, in order, and none for who cannot take it any more."""

from __future__ import annotations

import gc
import threading
from typing import Any

import pytest
import trio

from perfectws import ConnectionClosed, HTTPRequest, LocalProtocolError, Promise, WebSocket

from .. import peer as wire
from ..calls import Calls, quiet
from ..conftest import PATIENCE, Connect
from ..peer import Peer


async def test_a_message_in_fragments_comes_whole(connect: Connect) -> None:
    peer, socket = await connect.socket()
    await peer.send(wire.TEXT, "one ", fin=False)
    await peer.send(wire.CONTINUATION, "message")
    await peer.send(wire.BINARY, b"\x00")
    assert await socket.receive() == "one message"
    assert await socket.receive() == b"\x00"


async def test_who_asks_while_others_wait_gets_the_message_behind_theirs(connect: Connect) -> None:
    peer, socket = await connect.socket()
    futures = [socket.receive() for _ in range(3)]
    for number in range(3):
        await peer.send_text(str(number))
    assert [await future for future in futures] == ["0", "1", "2"]


async def test_messages_wait_for_who_asks_and_reading_pauses_meanwhile(connect: Connect) -> None:
    peer, socket = await connect.socket()
    first = socket.receive()
    async with trio.open_nursery() as nursery:

        async def send() -> None:
            for number in range(200):
                await peer.send_text(f"{number:>1000}")

        nursery.start_soon(send)
        await quiet()
        assert int(await first) == 0
        assert socket.inbox.is_full
        assert [int(await socket.receive()) for _ in range(199)] == list(range(1, 200))


class TestNobodyLeft:
    """Who cannot take a message any more consumes none."""

    async def test_a_cancelled_await_leaves_the_future_which_gets_the_next(self, connect: Connect) -> None:
        peer, socket = await connect.socket()
        future = socket.receive()
        with trio.move_on_after(0.01) as scope:
            await future
        assert scope.cancelled_caught
        await peer.send_text("x")
        assert await future == "x"

    async def test_a_future_that_was_dropped_consumes_nothing(self, connect: Connect) -> None:
        peer, socket = await connect.socket()
        with trio.move_on_after(0.01):
            await socket.receive()
        with trio.move_on_after(0.01):
            async for _ in socket:
                pass
        await peer.send_text("x")
        await quiet()
        assert await socket.receive() == "x"

    async def test_a_wait_that_timed_out_consumes_nothing(self, connect: Connect) -> None:
        peer, socket = await connect.socket()

        def wait() -> None:
            with pytest.raises(TimeoutError):
                socket.receive().wait(0.01)

        await trio.to_thread.run_sync(wait)
        await peer.send_text("x")
        await quiet()
        assert await trio.to_thread.run_sync(lambda: socket.receive().wait(30)) == "x"

    async def test_a_message_that_had_come_to_a_future_that_is_dropped_is_put_back_ahead_of_the_others(
        self, connect: Connect
    ) -> None:
        peer, socket = await connect.socket()
        dropped = socket.receive()
        for text in ("first", "second"):
            await peer.send_text(text)
        await quiet()
        assert dropped.is_done
        del dropped
        await quiet()
        assert [await socket.receive(), await socket.receive()] == ["first", "second"]

    async def test_the_last_message_is_put_back_also_when_the_connection_is_gone(self, connect: Connect) -> None:
        peer, socket = await connect.socket()
        dropped = socket.receive()
        await peer.send_text("last")
        await peer.send_close()
        await quiet()
        assert dropped.is_done
        del dropped
        await quiet()
        assert await socket.receive() == "last"
        with pytest.raises(ConnectionClosed):
            await socket.receive()

    async def test_callbacks_hold_a_future_that_nobody_else_does(self, connect: Connect) -> None:
        peer, socket = await connect.socket()
        got = Calls()
        socket.receive().when_success(got)
        socket.receive().map(str).when_complete(lambda result: got(result.unwrap()))
        promise = Promise[str | bytes]()
        socket.receive().cascade(promise)
        gc.collect()
        for number in range(3):
            await peer.send_text(str(number))
        assert await promise.future_result == "2"
        assert await got.until(2) == [("0",), ("1",)]


class TestTheEnd:
    async def test_what_came_before_the_close_is_received_and_then_it_fails(self, connect: Connect) -> None:
        peer, socket = await connect.socket()
        futures = [socket.receive() for _ in range(3)]
        closed = Calls()
        socket.on_close.when_success(lambda _: closed([future.is_done for future in futures]))
        await peer.send_text("last")
        await peer.send_close(4000, "bye")
        assert await futures[0] == "last"
        for future in futures[1:]:
            with pytest.raises(ConnectionClosed, match="bye"):
                await future
        await peer.receive_close()
        await peer.receive_eof()
        await peer.stream.aclose()
        assert await closed.until(1) == [([True, True, True],)]  # on_close comes last
        with pytest.raises(ConnectionClosed, match="bye"):
            await socket.receive()

    async def test_on_close_waits_for_a_session_that_is_still_receiving(self, connect: Connect) -> None:
        order: list[str | bytes] = []

        async def session(request: HTTPRequest, socket: WebSocket) -> None:
            socket.on_close.when_success(lambda _: order.append("on_close"))
            async for message in socket:
                await trio.lowlevel.checkpoint()
                order.append(message)
            order.append("ended")

        peer = await connect(session)
        for number in range(5):
            await peer.send_text(str(number))
        await peer.close_handshake()
        while "on_close" not in order:
            await quiet()
        assert order == ["0", "1", "2", "3", "4", "ended", "on_close"]

    async def test_a_message_that_is_too_long_closes_with_1009(self, connect: Connect) -> None:
        peer, socket = await connect.socket(max_message_size=1000)
        await peer.send(wire.TEXT, "x" * 600, fin=False)
        await peer.send(wire.CONTINUATION, "x" * 600)
        with pytest.raises(ConnectionClosed) as closed:
            await socket.receive()
        assert closed.value.code == 1009

    async def test_the_read_timeout_counts(self, connect: Connect) -> None:
        peer, socket = await connect.socket()
        socket.read_timeout_seconds = 0.01
        with pytest.raises(TimeoutError, match=r"no message came within 0\.01 seconds"):
            await socket.receive()
        with pytest.raises(TimeoutError):
            async for _ in socket:
                pass
        socket.read_timeout_seconds = 60
        await peer.send_text("x")
        assert await socket.receive() == "x"


class TestBesideOthers:
    async def test_frames_that_waited_are_put_together(self, connect: Connect) -> None:
        peer, socket = await connect.socket()
        await peer.send(wire.TEXT, "a", fin=False)
        await quiet()
        future = socket.receive()
        await peer.send(wire.CONTINUATION, "b")
        assert await future == "ab"

    async def test_after_frames_were_read(self, connect: Connect) -> None:
        peer, socket = await connect.socket()
        await peer.send_text("frame")
        assert (await socket.read_string_message()).data == "frame"
        await peer.send_text("message")
        assert await socket.receive() == "message"
        with pytest.raises(LocalProtocolError, match="whole messages are received"):
            socket.read_string_message(Calls())
        with pytest.raises(LocalProtocolError, match="whole messages are received"):
            await socket.read_string_message()

    async def test_beside_a_pending_read_it_is_refused(self, connect: Connect) -> None:
        _, socket = await connect.socket()
        socket.read_string_message(Calls())
        with pytest.raises(LocalProtocolError, match="a read is pending"):
            socket.receive()
        with pytest.raises(LocalProtocolError, match="a read is pending"):
            await trio.to_thread.run_sync(lambda: socket.receive().wait(30))

    async def test_beside_handlers_it_is_refused_and_so_are_they_beside_it(self, connect: Connect) -> None:
        peer, socket = await connect.socket()
        pending = socket.receive()
        with pytest.raises(LocalProtocolError, match="a receive is pending"):
            socket.on_text(Calls())
        await peer.send(wire.TEXT, "a", fin=False)
        await peer.send(wire.CONTINUATION, "")
        assert await pending == "a"
        await peer.send(wire.TEXT, "b", fin=False)
        await quiet()
        texts = Calls()
        socket.on_text(lambda socket, text: texts(text))
        await peer.send(wire.CONTINUATION, "c")
        assert await texts.until(1) == [("bc",)]
        with pytest.raises(LocalProtocolError, match="messages go to on_text and on_binary"):
            socket.receive()

    async def test_whole_messages_that_wait_go_to_handlers_as_they_are_beside_one_that_is_in_parts(
        self, connect: Connect
    ) -> None:
        peer, socket = await connect.socket()
        for text in "ab":
            await peer.send_text(text)
        await peer.send(wire.TEXT, "c", fin=False)
        await quiet()
        assert await socket.receive() == "a"
        texts = Calls()
        socket.on_text(lambda socket, text: texts(text))
        await peer.send(wire.CONTINUATION, "d")
        assert await texts.until(2) == [("b",), ("cd",)]

    async def test_an_async_session_that_receives_is_not_over_while_it_waits(self, connect: Connect) -> None:
        futures: list[Any] = []

        async def session(request: HTTPRequest, socket: WebSocket) -> None:
            await trio.lowlevel.checkpoint()
            futures.append(socket.receive())

        peer = await connect(session)
        await quiet()
        await peer.send_text("still open")
        assert await futures[0] == "still open"


async def test_nothing_is_given_before_the_session_has_begun(connect: Connect) -> None:
    got: list[Any] = []
    go_on = threading.Event()

    def session(request: HTTPRequest, socket: WebSocket) -> None:
        future = socket.receive()
        got.append(future)
        got.append(future.is_done)
        go_on.set()

    peer = await connect(session, more=wire.frame_bytes(wire.TEXT, "early"))
    assert await got[0] == "early"
    assert got[1] is False
    await peer.close_handshake()


class TestWhenTheEndIsTold:
    """Once what came before has been given, whoever asks for more or does not.

    ``close_timeout`` is longer than a test waits: no deadline may be what tells it.
    """

    @staticmethod
    async def close(peer: Peer) -> None:
        await peer.stream.send_all(wire.frame_bytes(wire.TEXT, "last"))
        await peer.close_handshake()

    async def test_behind_the_last_message_though_nobody_asks_for_another(
        self, connect: Connect, nursery: trio.Nursery
    ) -> None:
        peer, socket = await connect.socket(close_timeout=10 * PATIENCE)
        asked = socket.receive()
        nursery.start_soon(self.close, peer)
        assert await asked == "last"
        await socket.on_close

    async def test_behind_a_loop_that_was_left(self, connect: Connect, nursery: trio.Nursery) -> None:
        peer, socket = await connect.socket(close_timeout=10 * PATIENCE)
        nursery.start_soon(self.close, peer)
        async for _ in socket:
            break
        await socket.on_close

    async def test_behind_a_session_that_asks_once_and_waits_for_it(self, connect: Connect) -> None:
        told = Calls()

        async def session(request: HTTPRequest, socket: WebSocket) -> None:
            told(await socket.receive())
            await socket.on_close
            told("the end")

        peer = await connect(session, close_timeout=10 * PATIENCE)
        await self.close(peer)
        assert await told.until(2) == [("last",), ("the end",)]

    async def test_not_before_who_asks_again_at_once_was_told(self, connect: Connect, nursery: trio.Nursery) -> None:
        order: list[str] = []
        peer, socket = await connect.socket(close_timeout=10 * PATIENCE)
        socket.on_close.when_complete(lambda _: order.append("on_close"))
        nursery.start_soon(self.close, peer)
        assert await socket.receive() == "last"
        with pytest.raises(ConnectionClosed):
            await socket.receive()
        order.append("told")
        await socket.on_close
        await quiet()
        assert order == ["told", "on_close"]

    async def test_not_while_a_message_waits_that_may_be_asked_for(
        self, connect: Connect, nursery: trio.Nursery
    ) -> None:
        peer, socket = await connect.socket(close_timeout=10 * PATIENCE)
        asked = socket.receive()
        await peer.send_text("first")
        await self.close(peer)
        assert await asked == "first"
        await quiet()
        ended = socket.on_close
        assert not ended.is_done
        assert await socket.receive() == "last"
        await ended
