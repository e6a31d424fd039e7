"""trio-websocket, as its documentation has it."""

from __future__ import annotations

from functools import partial

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, WebSocketRequest, serve_websocket

from . import MAX_SIZE, SUBPROTOCOL, Settings

MEMBERS: set[WebSocketConnection] = set()


async def choose(request: WebSocketRequest) -> None:
    """Serve a request by its path."""
    socket = await request.accept(subprotocol=SUBPROTOCOL)
    try:
        await (room if request.path == "/room" else echo)(socket)
    except ConnectionClosed:
        pass


async def echo(socket: WebSocketConnection) -> None:
    """Send back what comes."""
    while True:
        await socket.send_message(await socket.get_message())


async def room(socket: WebSocketConnection) -> None:
    """Send what comes to everyone."""
    MEMBERS.add(socket)
    try:
        while True:
            message = await socket.get_message()
            for member in list(MEMBERS):
                await member.send_message(message)
    finally:
        MEMBERS.discard(socket)


def serve(settings: Settings) -> None:
    """Serve until killed."""
    trio.run(partial(serve_websocket, choose, "127.0.0.1", settings.port, ssl_context=None, max_message_size=MAX_SIZE))
