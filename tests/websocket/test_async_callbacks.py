"""Law 3: a callback may be sync or async, and each connection has a context of its own."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

import pytest
import trio

from perfectws import HTTPRequest, OpcodeType, WebSocket

from .. import peer as wire
from ..calls import TEXT, Calls, quiet
from ..conftest import Connect


async def test_an_async_continuation_does_not_hold_other_callbacks_up(connect: Connect) -> None:
    peer, socket = await connect.socket()
    go_on, texts, completions = trio.Event(), Calls(), Calls()

    async def received(string: str | None, op: OpcodeType, fin: bool) -> None:
        await go_on.wait()
        texts(string)

    socket.read_string_message(received)
    await peer.send_text("slow")
    await quiet()
    quick = Calls()
    socket.read_string_message(quick)
    socket.send_string_message("x", completion=completions)
    await peer.send_text("quick")
    assert await quick.until(1) == [("quick", TEXT, True)]
    await completions.until(1)
    assert not texts.got
    go_on.set()
    assert await texts.until(1) == [("slow",)]


async def test_an_async_continuation_may_await_its_own_sends_and_reads(connect: Connect) -> None:
    peer, socket = await connect.socket()

    async def received(string: str | None, op: OpcodeType, fin: bool) -> None:
        await socket.send_string_message(f"{string}")
        message = await socket.read_string_message()
        await socket.send_string_message(f"{message.data}")

    socket.read_string_message(received)
    await peer.send_text("one")
    assert await peer.receive_text() == "one"
    await peer.send_text("two")
    assert await peer.receive_text() == "two"


async def test_a_completion_may_be_async(connect: Connect) -> None:
    _, socket = await connect.socket()
    done = trio.Event()

    async def completion() -> None:
        await trio.lowlevel.checkpoint()
        done.set()

    socket.send_string_message("x", completion=completion)
    await done.wait()


@pytest.mark.parametrize("kind", ["on_text", "on_binary"])
async def test_async_message_handlers_run_one_at_a_time_in_order(connect: Connect, kind: str) -> None:
    peer, socket = await connect.socket()
    log: list[str] = []
    go_on = [trio.Event() for _ in range(3)]
    done = trio.Event()

    async def handle(socket: WebSocket, message: Any) -> None:
        number = int(message)
        log.append(f"{number} begins")
        await go_on[number].wait()
        log.append(f"{number} ends")
        if number == 2:
            done.set()

    getattr(socket, kind)(handle)
    for number in range(3):
        await peer.send(wire.TEXT if kind == "on_text" else wire.BINARY, str(number))
    for event in reversed(go_on):
        await quiet()
        assert log == ["0 begins"]
        event.set()
    await done.wait()
    assert log == [f"{number} {what}" for number in range(3) for what in ("begins", "ends")]


async def test_async_handlers_do_not_overlap_though_more_messages_wait_than_are_read_ahead(connect: Connect) -> None:
    peer, socket = await connect.socket(ping_interval=None)
    running, texts = 0, Calls()

    @socket.on_text
    async def handle(socket: WebSocket, text: str) -> None:
        nonlocal running
        running += 1
        assert running == 1, "the next message came while one was being handled"
        await trio.lowlevel.checkpoint()
        running -= 1
        texts(text)

    await peer.stream.send_all(b"".join(wire.frame_bytes(wire.TEXT, str(number)) for number in range(100)))
    assert await texts.until(100) == [(str(number),) for number in range(100)]


async def test_text_and_binary_handlers_of_one_socket_do_not_overlap(connect: Connect) -> None:
    peer, socket = await connect.socket()
    go_on, texts, binaries = trio.Event(), Calls(), Calls()

    @socket.on_text
    async def on_text(socket: WebSocket, text: str) -> None:
        texts(text)
        await go_on.wait()

    socket.on_binary(binaries)
    await peer.send_text("x")
    await peer.send(wire.BINARY, b"x")
    await texts.until(1)
    await quiet()
    assert not binaries.got
    go_on.set()
    await binaries.until(1)


async def test_a_slow_async_handler_is_backpressure_but_pings_are_answered(connect: Connect) -> None:
    peer, socket = await connect.socket()
    go_on, begun = trio.Event(), trio.Event()

    @socket.on_text
    async def on_text(socket: WebSocket, text: str) -> None:
        begun.set()
        await go_on.wait()

    await peer.send_text("x")
    await begun.wait()
    await peer.send(wire.PING, "alive?")
    assert await peer.receive() == (wire.PONG, b"alive?", True, False)


async def test_an_async_session_and_producer_are_awaited(connect: Connect) -> None:
    async def session(request: HTTPRequest, socket: WebSocket) -> None:
        async for message in socket:
            await socket.send_string_message(message.data.upper())

    peer = await connect(session)
    for word in ("one", "two"):
        await peer.send_text(word)
        assert await peer.receive_text() == word.upper()
    assert (await peer.close_handshake()).close_code == 1000


async def test_async_on_ping_and_on_pong_and_on_close_are_awaited(connect: Connect) -> None:
    peer, socket = await connect.socket()
    log = Calls()

    def noting(name: str) -> Any:
        async def note(*args: Any) -> None:
            await trio.lowlevel.checkpoint()
            log(name)

        return note

    socket.on_ping(noting("ping"))
    socket.on_pong(noting("pong"))
    socket.on_close.when_complete(noting("close"))
    await peer.send(wire.PING)
    await log.until(1)
    socket.send_ping()
    await peer.receive()
    await peer.receive()
    await peer.send(wire.PONG)
    await log.until(2)
    await peer.close_handshake()
    assert await log.until(3) == [("ping",), ("pong",), ("close",)]


async def test_a_callable_object_with_an_async_call_is_awaited(connect: Connect) -> None:
    _, socket = await connect.socket()

    class Completion:
        done = trio.Event()

        async def __call__(self) -> None:
            self.done.set()

    socket.send_string_message("x", completion=Completion())
    await Completion.done.wait()


name: ContextVar[str] = ContextVar("name", default="nobody")


async def test_what_a_session_sets_in_its_context_its_later_callbacks_see_and_nobody_else(connect: Connect) -> None:
    seen = Calls()

    def session(request: HTTPRequest, socket: WebSocket) -> None:
        async def asynchronous() -> None:
            seen("async", name.get())

        def received(string: str | None, op: OpcodeType, fin: bool) -> None:
            seen("read", name.get())
            name.set(f"{string}")
            socket.on_text(lambda socket, text: seen("text", name.get()))
            socket.on_ping(lambda socket, text: seen("ping", name.get()))
            socket.on_close.when_success(lambda _: seen("close", name.get()))
            socket.send_string_message("x", completion=lambda: seen("completion", name.get()))
            socket.send_string_message("x", completion=asynchronous)

        socket.read_string_message(received)

    ada, bob = await connect(session), await connect(session)
    await ada.send_text("Ada")
    await seen.until(3)
    await bob.send_text("Bob")
    await seen.until(6)
    await ada.send_text("x")
    await seen.until(7)
    await ada.send(wire.PING)
    await seen.until(8)
    await ada.close_handshake()
    assert await seen.until(9) == [
        ("read", "nobody"),
        ("completion", "Ada"),
        ("async", "Ada"),
        ("read", "nobody"),
        ("completion", "Bob"),
        ("async", "Bob"),
        ("text", "Ada"),
        ("ping", "Ada"),
        ("close", "Ada"),
    ]
