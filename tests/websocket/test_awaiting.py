"""The same names with ``await``: messages, errors, and that a cancelled ``await`` consumes nothing."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from perfectws import ConnectionClosed, LocalProtocolError, Message, WebSocket

from .. import peer as wire
from ..calls import BINARY, NOTHING, PONG, TEXT, Calls, quiet
from ..conftest import Connect


async def test_a_read_gives_a_message(connect: Connect) -> None:
    peer, socket = await connect.socket()
    await peer.send_text("text")
    await peer.send(wire.TEXT, "ü", fin=False)
    await peer.send(wire.CONTINUATION, "")
    message = await socket.read_string_message()
    assert isinstance(message, Message)
    assert (message.data, message.opcode, message.final) == ("text", TEXT, True)
    assert await socket.read_bytes_message() == ("ü".encode(), TEXT, False)
    assert (await socket.read_binary_message()).final


@pytest.mark.parametrize("code", [1000, 1001, 4001])
async def test_a_read_of_a_connection_that_closes_raises(connect: Connect, code: int) -> None:
    peer, socket = await connect.socket()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(peer.close_handshake, code, "bye")
        with pytest.raises(ConnectionClosed) as raised:
            await socket.read_string_message()
    assert (raised.value.code, raised.value.reason) == (code, "bye")
    with pytest.raises(ConnectionClosed):
        await socket.read_string_message()


async def test_a_read_of_a_connection_that_is_lost_raises_1006(connect: Connect) -> None:
    peer, socket = await connect.socket()
    peer.reset()
    with pytest.raises(ConnectionClosed) as raised:
        await socket.read_string_message()
    assert raised.value.code == 1006


async def test_frames_before_the_close_are_given_first(connect: Connect) -> None:
    peer, socket = await connect.socket()
    await peer.send_text("one")
    await peer.send_text("two")
    await peer.send_close()
    await quiet()
    assert (await socket.read_string_message()).data == "one"
    assert (await socket.read_string_message()).data == "two"
    with pytest.raises(ConnectionClosed):
        await socket.read_string_message()


async def test_a_read_that_times_out_raises_timeout_error_and_loses_nothing(connect: Connect) -> None:
    peer, socket = await connect.socket()
    socket.read_timeout_seconds = 0.01
    with pytest.raises(TimeoutError):
        await socket.read_string_message()
    assert socket.is_connected
    socket.read_timeout_seconds = -1
    await peer.send_text("late")
    assert (await socket.read_string_message()).data == "late"


async def test_a_second_read_raises_and_the_first_goes_on(connect: Connect) -> None:
    peer, socket = await connect.socket()
    got = Calls()

    async def first() -> None:
        got(await socket.read_string_message())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(first)
        await quiet()
        with pytest.raises(LocalProtocolError, match="awaits"):
            await socket.read_string_message()
        with pytest.raises(LocalProtocolError, match="awaits"):
            socket.read_string_message(Calls())
        await peer.send_text("x")
    assert got.got == [(("x", TEXT, True),)]


async def test_a_read_whose_scope_is_cancelled_leaves_room_for_another(connect: Connect) -> None:
    peer, socket = await connect.socket()
    with trio.CancelScope() as scope:
        scope.cancel()
        await socket.read_string_message()
    assert scope.cancelled_caught
    await peer.send_text("x")
    calls = Calls()
    socket.read_string_message(calls)
    assert await calls.until(1) == [("x", TEXT, True)]


async def test_a_read_cancelled_while_its_frame_is_on_the_way_consumes_nothing(connect: Connect) -> None:
    peer, socket = await connect.socket()
    await peer.send_text("x")
    await quiet()
    with trio.CancelScope() as scope:
        scope.cancel()
        await socket.read_string_message()  # the delivery is queued, then the cancellation comes
    assert scope.cancelled_caught
    assert (await socket.read_string_message()).data == "x"


async def test_a_read_cancelled_by_a_callback_before_its_frame_leaves_it_for_on_text(connect: Connect) -> None:
    peer, socket = await connect.socket()
    texts, scope = Calls(), trio.CancelScope()

    @socket.on_ping
    def change_to_messages(*_: object) -> None:
        scope.cancel()
        socket.on_text(texts)

    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def read() -> None:
            with scope:
                await socket.read_string_message()

        await quiet()
        await peer.stream.send_all(
            wire.frame_bytes(wire.PING)
            + wire.frame_bytes(wire.TEXT, "one ", fin=False)
            + wire.frame_bytes(wire.CONTINUATION, "two")
            + wire.frame_bytes(wire.TEXT, "three")
        )
    assert await texts.until(2) == [(socket, "one two"), (socket, "three")]


async def test_a_read_cancelled_by_a_callback_before_it_learns_of_the_end_does_not_delay_on_close(
    memory_connect: Connect, autojump_clock: MockClock
) -> None:
    peer, socket = await memory_connect.socket()
    scope = trio.CancelScope()
    socket.on_ping(lambda *_: scope.cancel())
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def read() -> None:
            with scope:
                await socket.read_string_message()

        await quiet()
        await peer.stream.send_all(wire.frame_bytes(wire.PING) + wire.frame_bytes(wire.CLOSE))
        await peer.receive_close()
        await peer.vanish()
    await socket.on_close
    assert trio.current_time() < 1


def nap(number: int) -> Callable[[], Awaitable[None]]:
    """Return a way to wait: for some turns of the scheduler, or for real time."""

    async def wait() -> None:
        for _ in range(2 + number % 7):
            await trio.lowlevel.checkpoint()
        if number >= 7:
            await trio.sleep(random.Random(number).random() / 1000)

    return wait


@pytest.mark.parametrize("number", range(14))
async def test_however_frames_and_cancellations_race_each_frame_is_read_once_in_order(
    connect: Connect, number: int
) -> None:
    peer, socket = await connect.socket()
    count = 100
    got: list[str | None] = []

    async def send() -> None:
        for value in range(count):
            await peer.send_text(str(value))
            await nap(value % 3)()

    async def read_once() -> None:
        got.append((await socket.read_string_message()).data)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        while len(got) < count:
            async with trio.open_nursery() as reading:
                reading.start_soon(read_once)
                await nap(number)()
                reading.cancel_scope.cancel()
    assert got == [str(value) for value in range(count)]


async def test_a_read_that_a_close_and_a_cancellation_reach_at_once_settles(connect: Connect) -> None:
    for number in range(8):
        peer, socket = await connect.socket()
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:

                async def read(socket: WebSocket = socket) -> None:
                    with pytest.raises(ConnectionClosed):
                        await socket.read_string_message()

                nursery.start_soon(read)
                await quiet()
                peer.reset()
                await nap(number)()
                scope.cancel()
        calls = Calls()
        socket.read_string_message(calls)
        assert await calls.until(1) == [NOTHING]


async def test_iteration_gives_text_as_str_binary_as_bytes_and_pongs(connect: Connect) -> None:
    peer, socket = await connect.socket()
    socket.send_ping(data=b"p")
    await peer.receive()
    await peer.send_text("text")
    await peer.send(wire.PONG, b"p")
    await peer.send(wire.BINARY, b"bytes")
    await peer.send_close()
    assert [message async for message in socket] == [("text", TEXT, True), (b"p", PONG, True), (b"bytes", BINARY, True)]


@pytest.mark.parametrize("code", [1000, 1001, None])
async def test_iteration_ends_at_an_ordinary_close(connect: Connect, code: int | None) -> None:
    peer, socket = await connect.socket()
    await peer.send_text("x")
    await peer.send_close(code)
    assert [message.data async for message in socket] == ["x"]


@pytest.mark.parametrize("code", [1002, 1008, 1011, 3000, 4001])
async def test_iteration_raises_at_any_other_close(connect: Connect, code: int) -> None:
    peer, socket = await connect.socket()
    await peer.send_text("x")
    await peer.send_close(code, "why")
    got: list[Any] = []

    async def iterate() -> None:
        async for message in socket:
            got.append(message.data)  # noqa: PERF401  # what came before the error counts

    with pytest.raises(ConnectionClosed, match="why"):
        await iterate()
    assert got == ["x"]


async def test_iteration_may_be_broken_off_and_taken_up_again(connect: Connect) -> None:
    peer, socket = await connect.socket()
    for number in range(4):
        await peer.send_text(str(number))
    async for message in socket:
        if message.data == "1":
            break
    assert (await socket.read_string_message()).data == "2"
    async for message in socket:
        assert message.data == "3"
        break


async def test_a_send_is_a_checkpoint_and_costs_no_object(connect: Connect) -> None:
    _, socket = await connect.socket()
    assert socket.send_string_message("x") is socket.send_binary_message(b"x")
    with trio.CancelScope() as scope:
        scope.cancel()
        await socket.send_string_message("x")
    assert scope.cancelled_caught


async def test_a_send_on_a_closed_socket_raises_only_where_it_is_awaited(connect: Connect) -> None:
    peer, socket = await connect.socket()
    await peer.close_handshake(4001, "bye")
    await socket.on_close
    sent = socket.send_string_message("x")
    with pytest.raises(ConnectionClosed, match="bye"):
        await sent


@pytest.mark.parametrize("lost", [False, True])
async def test_a_send_that_waits_for_room_raises_when_the_connection_is_lost(connect: Connect, lost: bool) -> None:
    peer, socket = await connect.socket(ping_interval=None)
    raised = Calls()

    async def send() -> None:
        try:
            while True:
                await socket.send_binary_message(bytes(200_000))
        except ConnectionClosed as closed:
            raised(closed.code)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        await quiet()
        assert not raised.got
        if lost:
            peer.reset()
        else:
            await connect.stop()
    assert raised.got == [(1006 if lost else 1001,)]


async def test_a_cancelled_send_is_sent_all_the_same(connect: Connect) -> None:
    peer, socket = await connect.socket()
    with trio.CancelScope() as scope:
        scope.cancel()
        await socket.send_string_message("sent")
    assert await peer.receive_text() == "sent"


async def test_closing_may_be_awaited_and_the_await_cancelled(
    memory_connect: Connect, autojump_clock: MockClock
) -> None:
    peer, socket = await memory_connect.socket()
    with trio.move_on_after(5) as scope:
        await socket.close()
    assert scope.cancelled_caught
    assert not socket.is_closed
    await peer.close_handshake()
    await socket.close()
    assert socket.is_closed
