"""`socket.call_later` and `socket.call_every`: timers that end with their socket."""

from __future__ import annotations

import gc
from contextvars import ContextVar
from typing import Any
from weakref import ref

import pytest
import trio

from perfectws import HTTPRequest, Timer, WebSocket

from ..calls import Calls, quiet
from ..conftest import Connect


async def test_they_call_once_and_again_and_again_until_they_are_cancelled(connect: Connect) -> None:
    _, socket = await connect.socket()
    once, again = Calls(), Calls()
    assert isinstance(socket.call_later(0.001, once), Timer)
    timer = socket.call_every(0.001, again)
    await again.until(3)
    timer.cancel()
    await quiet()
    count = len(again.got)
    await trio.sleep(0.01)
    assert (len(once.got), len(again.got)) == (1, count)


@pytest.mark.parametrize("who", ["we", "they", "nobody"])
async def test_they_end_with_their_socket(connect: Connect, who: str) -> None:
    peer, socket = await connect.socket()
    calls: list[bool] = []
    socket.call_every(0.001, lambda: calls.append(socket.is_connected))
    while not calls:
        await trio.sleep(0.001)
    match who:
        case "we":
            socket.close()
            await peer.receive_close()
        case "they":
            await peer.close_handshake()
        case "nobody":
            await peer.vanish()
            await socket.on_close
    await quiet()
    count = len(calls)
    await trio.sleep(0.02)
    assert len(calls) == count
    assert all(calls)


async def test_on_a_closed_socket_they_never_call(connect: Connect) -> None:
    peer, socket = await connect.socket()
    await peer.close_handshake()
    await quiet()
    calls = Calls()
    socket.call_later(0, calls).cancel()
    socket.call_later(0, calls)
    await trio.sleep(0.01)
    assert calls.got == []


async def test_they_are_callbacks_of_their_socket(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    variable: ContextVar[str] = ContextVar("variable", default="unset")
    seen: list[str] = []

    def session(request: HTTPRequest, socket: WebSocket) -> None:
        variable.set("set")
        socket.call_later(0, lambda: seen.append(variable.get()))
        socket.call_later(0.01, lambda: 1 // 0)

    peer = await connect(session)
    assert (await peer.receive_close()).close_code == 1011
    assert seen == ["set"]
    assert "A callback of Handler (/ from" in caplog.text


async def test_async_calls_are_not_made_twice_at_once(connect: Connect) -> None:
    _, socket = await connect.socket()
    running, most = 0, 0

    async def call() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await trio.sleep(0.01)
        running -= 1

    socket.call_every(0.001, call)
    while not most:
        await trio.sleep(0.001)
    await trio.sleep(0.05)
    assert most == 1


async def test_from_a_thread_they_begin_in_their_loop(connect: Connect) -> None:
    _, socket = await connect.socket()
    calls = Calls()
    await trio.to_thread.run_sync(lambda: socket.call_later(0, calls))
    await calls.until(1)


@pytest.mark.parametrize(("seconds", "error"), [(-1, ValueError), ("1", ValueError), (0, None)])
async def test_a_wrong_argument_is_refused(connect: Connect, seconds: Any, error: type[Exception] | None) -> None:
    _, socket = await connect.socket()
    if error is not None:
        with pytest.raises(error, match="seconds"):
            socket.call_later(seconds, print)
    with pytest.raises(ValueError, match="seconds"):
        socket.call_every(min(0, 0 if seconds == "1" else seconds), print)
    with pytest.raises(TypeError, match="the callback of a timer is a callable without arguments"):
        socket.call_later(1, lambda socket: None)  # type: ignore[misc, arg-type]  # on purpose


async def test_a_timer_of_an_hour_keeps_no_closed_socket_alive(connect: Connect) -> None:
    sockets: list[Any] = []

    def session(request: HTTPRequest, socket: WebSocket) -> None:
        sockets.append(ref(socket))
        socket.call_later(3600, lambda: socket.send("late"))

    gc.collect()
    gc.disable()
    try:
        peer = await connect(session)
        await peer.close_handshake()
        while sockets[0]() is not None:
            await quiet()
    finally:
        gc.enable()
