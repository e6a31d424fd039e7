"""aiohttp, as its documentation has it."""

from __future__ import annotations

import asyncio

from aiohttp import WSMsgType, web

from . import BACKLOG, MAX_SIZE, SUBPROTOCOL, Settings
from .asyncio_loops import run, server_context


def make_app(settings: Settings) -> web.Application:
    """Return the application."""
    members: set[web.WebSocketResponse] = set()

    async def accept(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(
            protocols=(SUBPROTOCOL,),
            compress=settings.deflate,
            max_msg_size=MAX_SIZE + 1,
            heartbeat=settings.ping_interval,
        )
        await socket.prepare(request)
        return socket

    async def echo(request: web.Request) -> web.WebSocketResponse:
        socket = await accept(request)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await socket.send_str(message.data)
        return socket

    async def room(request: web.Request) -> web.WebSocketResponse:
        socket = await accept(request)
        members.add(socket)
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    for member in list(members):
                        await member.send_str(message.data)
        finally:
            members.discard(socket)
        return socket

    app = web.Application()
    app.add_routes([web.get("/echo", echo), web.get("/parts", echo), web.get("/room", room)])
    return app


async def main(settings: Settings) -> None:
    """Serve for ever."""
    runner = web.AppRunner(make_app(settings), access_log=None)
    await runner.setup()
    context = None if settings.certificate is None else server_context(settings.certificate)
    await web.TCPSite(runner, "127.0.0.1", settings.port, backlog=BACKLOG, ssl_context=context).start()
    await asyncio.Event().wait()


def serve(settings: Settings) -> None:
    """Serve until killed."""
    run(main(settings), settings)
