"""The ASGI application that uvicorn and hypercorn serve."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from . import SUBPROTOCOL

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]

_members: set[Send] = set()


async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Echo at ``/echo``, pass on to all at ``/room``."""
    if scope["type"] == "lifespan":
        await live(receive, send)
        return
    await receive()
    await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL})
    await (room if scope["path"] == "/room" else echo)(receive, send)


async def live(receive: Receive, send: Send) -> None:
    """Answer the server's start and stop."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def echo(receive: Receive, send: Send) -> None:
    """Send back what comes."""
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


async def room(receive: Receive, send: Send) -> None:
    """Send what comes to everyone."""
    _members.add(send)
    try:
        while (message := await receive())["type"] == "websocket.receive":
            for member in list(_members):
                await member({"type": "websocket.send", "text": message["text"]})
    finally:
        _members.discard(send)
