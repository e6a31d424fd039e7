"""Law 1: callbacks run from one first-in-first-out queue, never inside a public method, and so on a flat stack."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio

from perfectws import HTTPRequest, OpcodeType, Promise, WebSocket

from .. import peer as wire
from ..calls import INVALID, Calls, quiet, stack_depth
from ..conftest import Connect
from ..peer import Peer

METHODS: dict[str, Callable[[WebSocket, Calls], object]] = {
    "read_string_message": lambda socket, calls: socket.read_string_message(calls),
    "read_bytes_message": lambda socket, calls: socket.read_bytes_message(calls),
    "send_string_message": lambda socket, calls: socket.send_string_message("x", completion=calls),
    "send_string_message, a part": lambda socket, calls: socket.send_string_message("x", False, calls),
    "send_binary_message": lambda socket, calls: socket.send_binary_message(b"x", completion=calls),
    "send_ping": lambda socket, calls: socket.send_ping(calls),
    "send_pong": lambda socket, calls: socket.send_pong(calls),
    "send": lambda socket, calls: socket.send("x", promise_to(calls)),
    "send_raw": lambda socket, calls: socket.send_raw(b"x", OpcodeType.TEXT, promise=promise_to(calls)),
    "close": lambda socket, calls: socket.close().when_complete(calls),
    "close, a promise": lambda socket, calls: socket.close(promise=promise_to(calls)),
    "on_text": lambda socket, calls: socket.on_text(calls),
}


def promise_to(calls: Calls) -> Promise[None]:
    promise = Promise[None]()
    promise.future_result.when_complete(calls)
    return promise


@pytest.mark.parametrize("method", list(METHODS))
async def test_no_callback_runs_before_the_method_returns(connect: Connect, method: str) -> None:
    peer, socket = await connect.socket()
    await peer.send_text("something to read")
    await quiet()
    calls = Calls()
    METHODS[method](socket, calls)
    assert not calls.got
    if method.startswith("close"):
        socket.on_text(Calls())
        await peer.close_handshake()
    await calls.until(1)


@pytest.mark.parametrize("method", [name for name in METHODS if name != "on_text"])
async def test_no_callback_runs_inside_a_method_of_a_closed_socket_either(connect: Connect, method: str) -> None:
    peer, socket = await connect.socket()
    await peer.close_handshake()
    await socket.on_close
    calls = Calls()
    METHODS[method](socket, calls)
    assert not calls.got
    await calls.until(1)
    await quiet()
    assert len(calls.got) == 1


async def test_no_callback_runs_inside_a_callback(connect: Connect) -> None:
    peer, socket = await connect.socket()
    log: list[str] = []

    def outer() -> None:
        log.append("outer begins")
        socket.send_string_message("x", completion=lambda: log.append("inner"))
        socket.read_string_message(lambda *_: log.append("read"))
        log.append("outer ends")

    await peer.send_text("x")
    await quiet()
    socket.send_string_message("x", completion=outer)
    await quiet()
    assert log == ["outer begins", "outer ends", "inner", "read"]


async def test_callbacks_run_in_the_order_in_which_they_became_ready(connect: Connect) -> None:
    _, first = await connect.socket()
    _, second = await connect.socket()
    order: list[int] = []
    for number in range(200):
        socket = first if number % 3 else second
        socket.send_string_message("x", completion=lambda number=number: order.append(number))  # type: ignore[misc]
    await quiet()
    assert order == list(range(200))


class Echo:
    """The guide's echo handler: it reads again from the completion of its answer."""

    socket_protocol = None

    def __init__(self) -> None:
        self.depths: set[int] = set()

    def handle_session(self, request: HTTPRequest, socket: WebSocket) -> None:
        self.depths.add(stack_depth())

        def received(string: Any, op: OpcodeType, fin: bool) -> None:
            self.depths.add(stack_depth())
            if op is INVALID:
                socket.close()
            else:
                socket.send_string_message(string, completion=lambda: self.handle_session(request, socket))

        socket.read_string_message(received)


@pytest.mark.slow
async def test_the_stack_is_as_deep_after_100_000_messages_as_after_one(connect: Connect) -> None:
    count = 100_000
    echo = Echo()
    peer = await connect(echo.handle_session, ping_interval=None)  # on a busy machine a ping would come between
    frame = wire.frame_bytes(wire.TEXT, "hello", mask=b"abcd")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(peer.stream.send_all, frame * count)
        await receive_exactly(peer, wire.frame_bytes(wire.TEXT, "hello", mask=b"") * count)
    await peer.close_handshake()
    assert max(echo.depths) - min(echo.depths) < 10


async def receive_exactly(peer: Peer, expected: bytes) -> None:
    """Read what must come; parsing each frame would take long."""
    data = peer.buffer
    while len(data) < len(expected):
        data += await peer.stream.receive_some(65536)
    assert bytes(data) == expected
    data.clear()


async def test_a_chain_of_completions_through_2000_sockets_keeps_the_stack_flat(connect: Connect) -> None:
    depths: set[int] = set()
    sockets: list[WebSocket] = []
    done = trio.Event()
    peers = [await connect(lambda request, socket: sockets.append(socket)) for _ in range(20)]
    while len(sockets) < len(peers):
        await quiet()

    def pass_on(step: int) -> None:
        depths.add(stack_depth())
        if step == 2000:
            done.set()
        else:
            sockets[step % 20].send_string_message("x", completion=lambda: pass_on(step + 1))

    pass_on(0)
    depths.clear()
    await done.wait()
    assert len(depths) <= 2


async def test_sockets_that_close_each_other_keep_the_stack_flat(memory_connect: Connect) -> None:
    depths: set[int] = set()
    pairs = [await memory_connect.socket() for _ in range(500)]
    sockets = [socket for _, socket in pairs]
    closed = Calls()

    for socket, following in zip(sockets, [*sockets[1:], None], strict=True):

        def close_next(_: object, following: WebSocket | None = following) -> None:
            depths.add(stack_depth())
            closed()
            if following is not None:
                following.close()

        socket.on_close.when_success(close_next)
    async with trio.open_nursery() as nursery:
        for peer, _ in pairs:
            nursery.start_soon(peer.close_handshake)
    await closed.until(500)
    assert max(depths) - min(depths) <= 2
