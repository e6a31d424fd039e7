"""websockets on trio, as its documentation has it."""

from __future__ import annotations

from functools import partial
from typing import Any

import trio
from websockets.trio.server import ServerConnection, broadcast
from websockets.trio.server import serve as serve_websockets
from websockets.typing import Subprotocol

from . import BACKLOG, MAX_SIZE, SUBPROTOCOL, Settings

MEMBERS: set[ServerConnection] = set()


async def echo(socket: ServerConnection) -> None:
    """Send back what comes."""
    async for message in socket:
        await socket.send(message)


async def room(socket: ServerConnection) -> None:
    """Send what comes to everyone."""
    MEMBERS.add(socket)
    try:
        async for message in socket:
            await broadcast(MEMBERS, message)
    finally:
        MEMBERS.discard(socket)


async def choose(socket: ServerConnection) -> None:
    """Serve a socket by its path."""
    assert socket.request is not None
    await (room if socket.request.path == "/room" else echo)(socket)


def serve(settings: Settings) -> None:
    """Serve until killed."""
    options: dict[str, Any] = {}
    if settings.ping_interval is not None:
        options["ping_interval"] = settings.ping_interval
    trio.run(
        partial(
            serve_websockets,
            choose,
            settings.port,
            host="127.0.0.1",
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            compression="deflate" if settings.deflate else None,
            max_size=MAX_SIZE,
            backlog=BACKLOG,
            **options,
        )
    )
