"""``connect(reconnect=…).send``: in order over all connections, nothing lost that waited, nothing twice."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from perfectws import (
    Backoff,
    ConnectionClosed,
    EventLoop,
    HandshakeError,
    InvalidURL,
    Promise,
    Reconnecting,
    WebSocket,
)

from ..calls import Calls
from .conftest import PATIENCE
from .raw_server import RawConnection, RawServer

FAST = Backoff(0.001, 1, 0.001)


def nothing(ws: WebSocket) -> None:
    """Take no messages."""


@asynccontextmanager
async def connecting(raw_server: RawServer, **options: Any) -> AsyncIterator[Reconnecting]:
    """Connect again and again; nothing is accepted yet."""
    async with trio.open_nursery() as nursery:
        options = {"reconnect": FAST, "on_upgrade": nothing, **options}
        yield WebSocket.connect(to=raw_server.url, on=nursery, **options)
        nursery.cancel_scope.cancel()


async def upgraded(raw_server: RawServer) -> RawConnection:
    connection = await raw_server.accept()
    await connection.upgrade()
    return connection


async def texts(connection: RawConnection, count: int) -> list[str]:
    return [(await connection.receive()).payload.decode() for _ in range(count)]


async def test_what_is_sent_before_it_is_open_goes_out_behind_what_on_upgrade_sends(
    transport: str, raw_server: RawServer
) -> None:
    async with connecting(raw_server, on_upgrade=lambda ws: ws.send("hello")) as future:
        for number in range(100):
            future.send(str(number))
        future.send(b"\xff\x00")
        future.send([1, 2, 3])
        assert future.queued_amount == 190 + 5
        connection = await upgraded(raw_server)
        assert await texts(connection, 101) == ["hello", *map(str, range(100))]
        frames = [await connection.receive() for _ in range(2)]
        assert [(frame.opcode, frame.payload) for frame in frames] == [(2, b"\xff\x00"), (2, b"\1\2\3")]
        assert future.queued_amount == 0


async def test_an_async_on_upgrade_comes_first_until_it_waits(transport: str, raw_server: RawServer) -> None:
    async def session(ws: WebSocket) -> None:
        ws.send("hello")
        answer = await ws.receive()
        ws.send(f"got {answer!r}")

    async with connecting(raw_server, on_upgrade=session) as future:
        future.send("waited")
        connection = await upgraded(raw_server)
        assert await texts(connection, 2) == ["hello", "waited"]
        await connection.send(1, "answer")
        assert await texts(connection, 1) == ["got 'answer'"]


async def test_messages_keep_their_order_over_connections(transport: str, raw_server: RawServer) -> None:
    drops, waited = Calls(), list[str]()
    async with connecting(raw_server, on_drop=drops) as future:
        for round_ in range(1, 6):
            connection = await upgraded(raw_server)
            promise = Promise[None]()
            future.send(f"open {round_}", promise)
            await promise.future_result
            assert await texts(connection, len(waited) + 1) == [*waited, f"open {round_}"]
            await connection.close_handshake(1012)
            await drops.until(round_)
            waited = [f"closed {round_}.{part}" for part in range(3)]
            for text in waited:
                future.send(text)


async def test_what_the_kernel_never_took_goes_out_on_the_next_connection_and_all_else_once(
    transport: str, raw_server: RawServer
) -> None:
    """The peer stops reading, then resets: what had left is gone, what had not arrives, in order, and nothing twice."""
    size, count = 10_000, 1_000
    async with connecting(raw_server, queue=100_000_000, max_message_size=size) as future:
        connection = await upgraded(raw_server)
        promises = [Promise[None]() for _ in range(count)]
        for number, promise in enumerate(promises):
            future.send(f"{number:04}".ljust(size, "x"), promise)
        await promises[0].future_result
        first = await texts(connection, 10)
        assert isinstance(connection.stream, trio.SocketStream)
        connection.stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        await connection.stream.aclose()
        connection = await upgraded(raw_server)
        numbers = [int((await connection.receive()).payload[:4])]
        while numbers[-1] < count - 1:
            numbers.append(int((await connection.receive()).payload[:4]))
        for promise in promises:
            await promise.future_result
    assert [text[:4] for text in first] == [f"{number:04}" for number in range(10)]
    assert numbers == list(range(numbers[0], count))
    assert numbers[0] > 10  # what the kernel took is not sent again


@pytest.mark.parametrize("max_write_buffer", [16 * 2**20, 1000])
async def test_while_the_peer_does_not_read_messages_wait_here_and_their_promises_with_them(
    transport: str, raw_server: RawServer, max_write_buffer: int
) -> None:
    async with connecting(raw_server, queue=50_000_000, max_write_buffer=max_write_buffer) as future:
        connection = await upgraded(raw_server)
        first, last = Promise[None](), Promise[None]()
        future.send("x", first)
        for _ in range(200):
            future.send("x" * 100_000)
        future.send("last", last)
        await first.future_result
        assert future.queued_amount > 5_000_000
        assert (await future).buffered_amount < 200_000
        assert not last.future_result.is_done
        await texts(connection, 201)
        assert await texts(connection, 1) == ["last"]
        await last.future_result
        assert future.queued_amount == 0


async def test_more_than_the_queue_holds_is_dropped_and_told(
    raw_server: RawServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with connecting(raw_server, queue=10) as future:
        await raw_server.accept()  # and no answer
        promises = [Promise[None]() for _ in range(4)]
        for text, promise in zip(["12345", "67890", "x", ""], promises, strict=True):
            future.send(text, promise)
        for promise in promises[2:]:
            with pytest.raises(ConnectionClosed, match="10 bytes of messages wait already"):
                await promise.future_result
        assert future.queued_amount == 10
    assert caplog.text.count("10 bytes of messages wait already: more are dropped") == 1
    for promise in promises[:2]:
        with pytest.raises(ConnectionClosed):
            await promise.future_result


async def test_a_queue_of_nothing_sends_only_what_can_be_sent_at_once(transport: str, raw_server: RawServer) -> None:
    async with connecting(raw_server, queue=0) as future:
        early = Promise[None]()
        future.send("early", early)
        with pytest.raises(ConnectionClosed):
            await early.future_result
        connection = await upgraded(raw_server)
        await future
        future.send("x" * 1000)
        assert await texts(connection, 1) == ["x" * 1000]


@pytest.mark.parametrize("how", ["close", "cancel", "give up"])
async def test_what_waits_at_the_end_is_dropped_and_told(transport: str, raw_server: RawServer, how: str) -> None:
    drops, gave_up = Calls(), Calls()
    options: dict[str, Any] = {"should_retry": lambda error: False, "on_give_up": gave_up} if how == "give up" else {}
    async with connecting(raw_server, reconnect=Backoff(1000, 1, 1000), on_drop=drops, **options) as future:
        connection = await upgraded(raw_server)
        ws = await future
        await connection.close_handshake(1012, "restart")
        await drops.until(1)
        waiting, late = Promise[None](), Promise[None]()
        future.send("waits", waiting)
        if how == "close":
            ws.close()
        elif how == "cancel":
            future.cancel()
        else:
            await gave_up.until(1)
        with pytest.raises(ConnectionClosed, match=r"1012 \(restart\)"):
            await waiting.future_result
        future.send("late", late)
        with pytest.raises(ConnectionClosed, match=r"1012 \(restart\)"):
            await late.future_result


async def test_what_was_sent_before_close_goes_out_before_it(transport: str, raw_server: RawServer) -> None:
    async with connecting(raw_server) as future:
        connection = await upgraded(raw_server)
        ws = await future
        sent = Promise[None]()
        future.send("goodbye", sent)
        ws.close(4000)
        assert await texts(connection, 1) == ["goodbye"]
        assert (await connection.receive_close()).close_code == 4000
        await sent.future_result
        late = Promise[None]()
        future.send("late", late)
        with pytest.raises(ConnectionClosed, match="4000"):
            await late.future_result


async def test_no_message_becomes_a_part_of_one_that_is_sent_in_fragments(
    transport: str, raw_server: RawServer
) -> None:
    async with connecting(raw_server) as future:
        connection = await upgraded(raw_server)
        ws = await future
        ws.send_string_message("begin", final=False)
        future.send("between")
        ws.send_string_message("end")
        frames = [await connection.receive() for _ in range(3)]
        assert [(f.opcode, f.payload, f.fin) for f in frames] == [
            (1, b"begin", False),
            (0, b"end", True),
            (1, b"between", True),
        ]


async def test_what_is_sent_in_the_turn_in_which_the_connection_is_lost_is_not_lost(
    transport: str, raw_server: RawServer
) -> None:
    async with connecting(raw_server) as future:
        connection = await upgraded(raw_server)
        ws = await future
        ws._transport.abort()
        future.send("late")
        await connection.receive_eof()
        connection = await upgraded(raw_server)
        assert await texts(connection, 1) == ["late"]


async def test_compressed_messages_are_counted_as_they_are_sent(transport: str, raw_server: RawServer) -> None:
    async with connecting(raw_server, compression={"min_size": 0}) as future:
        connection = await raw_server.accept()
        await connection.upgrade("Sec-WebSocket-Extensions: permessage-deflate")
        sent = Promise[None]()
        future.send("again " * 10_000, sent)
        await sent.future_result
        frame = await connection.receive()
        assert frame.rsv1
        assert len(frame.payload) < 1000


async def test_what_cannot_be_sent_raises_at_once(raw_server: RawServer) -> None:
    async with trio.open_nursery() as nursery:
        once = WebSocket.connect(to=raw_server.url, on=nursery)
        assert not hasattr(once, "send")
        wrong = WebSocket.connect(to="http://x", on=nursery, reconnect=True, on_upgrade=nothing)
        promise = Promise[None]()
        wrong.send("x", promise)
        assert wrong.queued_amount == 0
        with pytest.raises(ConnectionClosed, match="no connection was ever open"):
            await promise.future_result
        with pytest.raises(InvalidURL):
            await wrong
        once.cancel()
        with pytest.raises(HandshakeError):
            await once
    async with connecting(raw_server) as future:
        with pytest.raises(TypeError, match="send takes a str or bytes"):
            future.send(5)  # type: ignore[arg-type]  # on purpose
        with pytest.raises(TypeError, match="promise is a Promise"):
            future.send("x", print)  # type: ignore[arg-type]  # on purpose
        with pytest.raises(UnicodeEncodeError, match="surrogates not allowed: replace them"):
            future.send("\ud800")


async def test_from_any_thread_each_message_has_its_place(raw_server: RawServer) -> None:
    """A script's thread sends, while the event loop is another's."""
    with EventLoop(close_timeout=0) as event_loop:
        future = WebSocket.connect(to=raw_server.url, on=event_loop, reconnect=FAST, on_upgrade=nothing)
        for number in range(100):
            future.send(str(number))
        connection = await upgraded(raw_server)
        assert await texts(connection, 100) == list(map(str, range(100)))
        sent = Promise[None]()
        threading.Thread(target=lambda: future.send("a thread", sent)).start()
        assert await texts(connection, 1) == ["a thread"]
        await trio.to_thread.run_sync(sent.future_result.wait, PATIENCE)
        await trio.aclose_forcefully(connection.stream)
