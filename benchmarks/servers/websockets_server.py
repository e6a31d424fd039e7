"""websockets on asyncio, as its documentation has it."""

from __future__ import annotations

import asyncio
from typing import Any

from websockets.asyncio.server import ServerConnection, broadcast
from websockets.asyncio.server import serve as serve_websockets
from websockets.typing import Subprotocol

from . import BACKLOG, MAX_SIZE, SUBPROTOCOL, Settings
from .asyncio_loops import run, server_context

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
            broadcast(MEMBERS, message)
    finally:
        MEMBERS.discard(socket)


async def choose(socket: ServerConnection) -> None:
    """Serve a socket by its path."""
    assert socket.request is not None
    await (room if socket.request.path == "/room" else echo)(socket)


async def main(settings: Settings) -> None:
    """Serve for ever."""
    options: dict[str, Any] = {}
    if settings.ping_interval is not None:
        options["ping_interval"] = settings.ping_interval
    if settings.certificate is not None:
        options["ssl"] = server_context(settings.certificate)
    async with serve_websockets(
        choose,
        "127.0.0.1",
        settings.port,
        subprotocols=[Subprotocol(SUBPROTOCOL)],
        compression="deflate" if settings.deflate else None,
        max_size=MAX_SIZE,
        backlog=BACKLOG,
        **options,
    ):
        await asyncio.Event().wait()


def serve(settings: Settings) -> None:
    """Serve until killed."""
    run(main(settings), settings)
