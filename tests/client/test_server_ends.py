"""A server that says all it has to say, its close frame, and the end of its side at once: the client is gone at once.

``close_timeout`` is longer than a test waits: no deadline may be what ends a connection.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio

from perfectws import WebSocket
from perfectws.websocket.options import READ_AHEAD_FRAMES

from ..calls import Calls
from ..conftest import PATIENCE
from ..peer import CLOSE, TEXT, close_payload, frame_bytes
from .raw_server import RawConnection, RawServer

#: More messages than are read ahead: the close frame stands behind what finds no room at first.
MANY = 2 * READ_AHEAD_FRAMES


async def take_nothing(socket: WebSocket) -> None: ...


async def take_messages(socket: WebSocket) -> None:
    socket.on_text(lambda socket, text: None)


async def take_messages_slowly(socket: WebSocket) -> None:
    async def take(socket: WebSocket, text: str) -> None:
        await trio.sleep(0.001)

    socket.on_text(take)


async def read_frames(socket: WebSocket) -> None:
    while (await socket.read_string_message()).data != "last":
        pass


async def receive_one(socket: WebSocket) -> None:
    assert await socket.receive() == "last"


async def iterate(socket: WebSocket) -> None:
    assert [text async for text in socket][-1] == "last"


async def iterate_slowly(socket: WebSocket) -> None:
    async for _ in socket:
        await trio.sleep(0.001)


@pytest.mark.parametrize(
    ("session", "count"),
    [
        (take_nothing, 0),
        (take_messages, 1),
        (take_messages, MANY),
        (take_messages_slowly, 1),
        (take_messages_slowly, MANY),
        (read_frames, 1),
        (read_frames, MANY),
        (receive_one, 1),
        (iterate, 1),
        (iterate, MANY),
        (iterate_slowly, 1),
        (iterate_slowly, MANY),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
async def test_the_connection_is_gone_whatever_the_session_makes_of_it(
    transport: str, raw_server: RawServer, session: Callable[[WebSocket], Awaitable[None]], count: int
) -> None:
    async with trio.open_nursery() as nursery:
        opening = WebSocket.connect(to=raw_server.url, on=nursery, close_timeout=10 * PATIENCE)
        server = await raw_server.accept()
        await server.upgrade()
        socket = await opening
        texts = [*["text"] * (count - 1), "last"][:count]
        data = b"".join(frame_bytes(TEXT, text, mask=b"") for text in texts)
        await server.stream.send_all(data + frame_bytes(CLOSE, close_payload(1000, "bye"), mask=b""))
        assert isinstance(server.stream, trio.SocketStream)
        await server.stream.send_eof()
        nursery.start_soon(see_it_end, server)
        await session(socket)
        await socket.on_close
        assert socket.close_code == 1000


async def see_it_end(server: RawConnection) -> None:
    assert (await server.receive_close()).close_code == 1000
    await server.receive_eof()


async def test_the_end_is_told_once_the_server_closes_behind_the_last_message(
    transport: str, raw_server: RawServer
) -> None:
    """And keeps its side open until it has our close frame, as RFC 6455 has it."""
    ended = Calls()
    async with trio.open_nursery() as nursery:
        opening = WebSocket.connect(to=raw_server.url, on=nursery, close_timeout=10 * PATIENCE)
        server = await raw_server.accept()
        await server.upgrade()
        socket = await opening
        socket.on_close.when_complete(lambda result: ended(socket.close_code))
        await server.send(TEXT, "last")
        await server.close_handshake(1000)
        assert await socket.receive() == "last"
        assert await ended.until(1) == [(1000,)]
