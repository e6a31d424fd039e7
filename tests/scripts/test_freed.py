"""In a script too, what is over is freed by the last reference: nothing waits until Python looks for cycles."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from weakref import ref

import pytest

from perfectws import EventLoop, Future, SerialQueue, WebSocket, run_in_thread
from perfectws.websocket.receive_inbox import ReceiveInbox

from .conftest import PATIENCE


@pytest.fixture(autouse=True)
def without_the_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def is_freed(remembered: ref[Any]) -> bool:
    """Wait until nothing refers to what is remembered, within reason: threads let go of things in a moment."""
    end = time.monotonic() + PATIENCE
    while remembered() is not None and time.monotonic() < end:
        time.sleep(0.01)
    return remembered() is None


def by_map(loop: EventLoop, fail: Callable[..., Any]) -> Future[Any]:
    promise = loop.make_promise()
    mapped = promise.future_result.map(fail)
    promise.succeed(1)
    return mapped


def by_an_async_map(loop: EventLoop, fail: Callable[..., Any]) -> Future[Any]:
    async def fail_later(value: object) -> None:
        fail()

    return by_map(loop, fail_later)


def by_flat_map(loop: EventLoop, fail: Callable[..., Any]) -> Future[Any]:
    promise = loop.make_promise()
    mapped: Future[Any] = promise.future_result.flat_map(fail)
    promise.succeed(1)
    return mapped


def by_a_thread(loop: EventLoop, fail: Callable[..., Any]) -> Future[Any]:
    return run_in_thread(lambda: fail(), on=loop)


def by_a_serial_queue(loop: EventLoop, fail: Callable[..., Any]) -> Future[Any]:
    return SerialQueue("queue", on=loop).dispatch(lambda: fail())


class Held: ...


@pytest.mark.parametrize("begin", [by_map, by_an_async_map, by_flat_map, by_a_thread, by_a_serial_queue])
def test_what_a_callback_holds_that_raises(begin: Callable[[EventLoop, Callable[..., Any]], Future[Any]]) -> None:
    def start() -> ref[Held]:
        held = Held()

        def fail(*_: object) -> None:
            assert isinstance(held, Held)
            raise ZeroDivisionError

        begin(loop, fail).when_failure(lambda error: told.set())
        return ref(held)

    told = threading.Event()
    with EventLoop() as loop:
        remembered = start()
        assert told.wait(PATIENCE)
        assert is_freed(remembered)


def test_a_socket_that_is_received_from_behind_the_end_of_its_loop(server_port: int) -> None:
    before = inboxes()
    with EventLoop() as loop:
        socket: WebSocket | None = WebSocket.connect(to=f"ws://127.0.0.1:{server_port}/echo", on=loop).wait(PATIENCE)
        assert socket is not None
        for text in ("first", "second", "third"):
            socket.send(text)
        assert socket.receive().wait(PATIENCE) == "first"
        while len(waiting_in(socket)) < 2:
            time.sleep(0.01)
        closed = socket.close()
        assert closed is not None
        closed.wait(PATIENCE)
    assert socket.receive().wait(PATIENCE) == "second"
    del closed
    remembered = ref(socket)
    socket = None
    assert is_freed(remembered)
    assert inboxes() == before


def waiting_in(socket: WebSocket) -> list[Any]:
    return socket.inbox._frames


def inboxes() -> int:
    return sum(isinstance(each, ReceiveInbox) for each in gc.get_objects())
