"""A connection that is over is freed by its last reference: there is no cycle for the collector to find.

A server's collector comes rarely (`perfectws.net.memory`), and what hangs on a connection may be large.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import trio

from perfectws import (
    ConnectionRejected,
    HandshakeError,
    HTTPRequest,
    HTTPResponse,
    Promise,
    Room,
    Routes,
    WebSocket,
)

from ..calls import Calls, quiet
from ..client.served import served
from ..conftest import Connect
from ..peer import CLOSE, TEXT, close_payload, frame_bytes

#: Modules whose objects must not be left in cycles. What a peer has of TLS is trio's.
OURS = ("perfectws", "h11", "wsproto", "zlib")


@contextmanager
def no_cycles() -> Iterator[None]:
    """Let the block leave nothing of ours that only the collector of cycles could free."""
    gc.disable()
    gc.freeze()  # what other tests have left is not looked at; it stays so, since the tests themselves do
    try:
        yield
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        types = Counter(f"{type(each).__module__}.{type(each).__name__}" for each in gc.garbage)
        assert not {name: count for name, count in types.items() if name.startswith(OURS)}
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


async def closed_by_the_peer(connect: Connect) -> None:
    peer, socket = await connect.socket()
    read, unread = Calls(), Calls()
    socket.read_string_message(read)
    await peer.send_text("x")
    await read.until(1)
    socket.read_string_message(unread)
    await peer.close_handshake()
    await unread.until(1)


async def closed_by_us(connect: Connect) -> None:
    peer, socket = await connect.socket()
    socket.close()
    await peer.close_handshake()
    await socket.on_close


async def reset(connect: Connect) -> None:
    peer, socket = await connect.socket()
    socket.read_string_message(Calls())
    peer.reset()
    await socket.on_close


async def vanished_with_frames_unread(connect: Connect) -> None:
    peer, socket = await connect.socket(close_timeout=0.1)
    for _ in range(5):
        await peer.send_text("x" * 3000)
    await quiet()
    await peer.vanish()
    await socket.on_close


async def reset_behind_a_close_frame_that_is_still_to_be_answered(connect: Connect) -> None:
    peer, socket = await connect.socket(close_timeout=0.1)
    await peer.stream.send_all(frame_bytes(TEXT, "unread") + frame_bytes(CLOSE, close_payload(1000)))
    peer.reset()
    await socket.on_close


async def broken_by_the_peer(connect: Connect) -> None:
    peer, socket = await connect.socket()
    await peer.stream.send_all(b"\xff" * 20)
    await peer.receive_close()
    await peer.vanish()
    await socket.on_close


async def compressed(connect: Connect) -> None:
    opened = Calls()
    offer = [("Sec-WebSocket-Extensions", "permessage-deflate")]
    peer = await connect(lambda request, socket: opened(socket), headers=offer, compression=True)
    ((socket,),) = await opened.until(1)
    socket.send("compressible " * 100)
    await peer.receive()
    await peer.close_handshake()
    await socket.on_close


async def with_handlers_that_hold_it(connect: Connect) -> None:
    def session(request: HTTPRequest, socket: WebSocket) -> None:
        socket.on_text(lambda _, text: socket.send(text))
        socket.on_ping(lambda _, data: socket.send("a ping"))
        socket.on_pong(lambda _, data: socket.send("a pong"))
        socket.scratch_pad["self"] = [1]

    peer = await connect(session)
    await peer.send_text("x")
    await peer.receive_text()
    await peer.close_handshake()
    await quiet()


async def with_futures(connect: Connect) -> None:
    peer, socket = await connect.socket()
    ended, promise = Calls(), Promise[None]()
    socket.on_close.when_complete(ended)
    socket.send("x", promise)
    await promise.future_result
    closing = socket.close()
    await peer.close_handshake()
    await closing
    await ended.until(1)
    with pytest.raises(Exception, match="closed"):
        await socket.send_string_message("late")
    late = Calls()
    socket.send_string_message("late", completion=late)
    await late.until(1)


async def in_rooms(connect: Connect, **options: Any) -> None:
    rooms = [Room(), Room()]
    peer, socket = await connect.socket(**options)
    for room in rooms:
        room.join(socket)
        room.send_string_message("x" * 100)
    await peer.receive()
    await peer.receive()
    await peer.close_handshake()
    await socket.on_close
    assert not any(map(len, rooms))


async def in_rooms_and_compressed(connect: Connect) -> None:
    offer = [("Sec-WebSocket-Extensions", "permessage-deflate")]
    await in_rooms(connect, headers=offer, compression=True)


async def watched_while_it_takes_nothing(connect: Connect) -> None:
    peer, socket = await connect.socket(ping_interval=None, write_timeout=0.02)
    socket.send(bytes(12 * 2**20))
    await trio.sleep(0.05)
    await peer.vanish()
    await socket.on_close


async def with_an_async_session(connect: Connect) -> None:
    async def session(request: HTTPRequest, socket: WebSocket) -> None:
        async for message in socket:
            await socket.send(message)

    peer = await connect(session)
    await peer.send_text("x")
    await peer.receive_text()
    await peer.close_handshake()
    await quiet()


async def whose_callback_raised(connect: Connect) -> None:
    def session(request: HTTPRequest, socket: WebSocket) -> None:
        socket.on_text(lambda _, text: [][1])

    peer = await connect(session)
    await peer.send_text("x")
    await peer.close_handshake()
    await quiet()


async def requests_only(connect: Connect) -> None:
    routes = Routes()

    @routes.add("POST", "/")
    def answer(request: HTTPRequest, response: HTTPResponse) -> None:
        response.set_body(request.post_body_bytes).completed()

    peer = await connect.to(routes)
    for _ in range(2):
        await peer.stream.send_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
        await peer.read_head()
        await peer.read_body()
    await peer.vanish()
    await quiet()


async def refused(connect: Connect) -> None:
    for request in (b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n", b"\x16\x03\x01", b"A B C D\r\n\r\n"):
        peer = await connect.to(Routes())
        await peer.stream.send_all(request)
        await peer.read_head()
        await peer.vanish()
    await quiet()


WAYS = [
    closed_by_the_peer,
    closed_by_us,
    reset,
    vanished_with_frames_unread,
    reset_behind_a_close_frame_that_is_still_to_be_answered,
    broken_by_the_peer,
    compressed,
    with_handlers_that_hold_it,
    with_futures,
    in_rooms,
    in_rooms_and_compressed,
    watched_while_it_takes_nothing,
    with_an_async_session,
    whose_callback_raised,
    requests_only,
    refused,
]


async def whose_session_was_left_by_the_end_while_it_received(connect: Connect) -> None:
    async def session(request: HTTPRequest, socket: WebSocket) -> None:
        async for _ in socket:
            pass

    peer = await connect(session)
    await peer.send_text("x")
    await quiet()
    await peer.vanish()


async def whose_session_was_left_by_the_end_while_it_sent(connect: Connect) -> None:
    async def session(request: HTTPRequest, socket: WebSocket) -> None:
        while True:
            await socket.send_binary_message(bytes(1_000_000))

    peer = await connect(session)
    await quiet()
    await peer.vanish()


WAYS += [
    whose_session_was_left_by_the_end_while_it_received,
    whose_session_was_left_by_the_end_while_it_sent,
]


@pytest.mark.parametrize("way", WAYS)
async def test_a_servers_connection(connect: Connect, way: Callable[[Connect], Awaitable[None]]) -> None:
    with no_cycles():
        await way(connect)
        for peer in connect.peers:
            await peer.vanish()
        connect.peers.clear()
        await quiet()


async def opened_and_closed(url: str, nursery: trio.Nursery) -> None:
    socket = await WebSocket.connect(to=url, on=nursery, compression=True)
    socket.on_text(lambda ws, text: socket.close())
    socket.send("x" * 100)
    await socket.on_close


async def by_a_callback(url: str, nursery: trio.Nursery) -> None:
    opened = Calls(lambda socket: socket.close())
    WebSocket.connect(to=url, on=nursery, on_upgrade=opened)
    ((socket,),) = await opened.until(1)
    await socket.on_close


async def rejected(url: str, nursery: trio.Nursery) -> None:
    with pytest.raises(ConnectionRejected):
        await WebSocket.connect(to=f"{url}/nothing", on=nursery)


async def not_there(url: str, nursery: trio.Nursery) -> None:
    with pytest.raises(HandshakeError):
        await WebSocket.connect(to="ws+unix:///nobody/is/there:/", on=nursery)


@pytest.mark.parametrize("way", [opened_and_closed, by_a_callback, rejected, not_there])
async def test_a_clients(way: Callable[[str, trio.Nursery], Awaitable[None]]) -> None:
    def echo(request: HTTPRequest, socket: WebSocket) -> None:
        socket.on_text(lambda ws, text: ws.send(text))

    async with served(echo, compression=True) as url, trio.open_nursery() as nursery:
        other = await WebSocket.connect(to=url, on=nursery)  # so that its loop goes on
        with no_cycles():
            await way(url, nursery)
            await quiet()
        other.close()
