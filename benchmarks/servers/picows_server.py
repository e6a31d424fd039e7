"""picows, as its documentation has it: the payload goes back as a view of what was received; nothing is decoded."""

from __future__ import annotations

import asyncio
from typing import Any

from picows import (
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
    ws_create_server,
)

from . import BACKLOG, MAX_SIZE, SUBPROTOCOL, Settings
from .asyncio_loops import run, server_context

MEMBERS: set[WSTransport] = set()


class Echo(WSListener):
    """Sends back what comes."""

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Echo a message; answer a close."""
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()
        else:
            transport.send(frame.msg_type, frame.get_payload_as_memoryview(), frame.fin)


class Member(WSListener):
    """Sends what comes to everyone in the room."""

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Let it in."""
        MEMBERS.add(transport)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Pass a message on; answer a close."""
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()
            return
        kind, payload = frame.msg_type, frame.get_payload_as_bytes()
        for member in MEMBERS:
            member.send(kind, payload)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Let it out."""
        MEMBERS.discard(transport)


def choose(request: WSUpgradeRequest) -> WSUpgradeResponseWithListener:
    """Return the listener of a request."""
    listener = Member() if request.path == b"/room" else Echo()
    response = WSUpgradeResponse.create_101_response({"Sec-WebSocket-Protocol": SUBPROTOCOL})
    return WSUpgradeResponseWithListener(response, listener)


async def main(settings: Settings) -> None:
    """Serve for ever."""
    options: dict[str, Any] = {}
    if settings.ping_interval is not None:
        interval = settings.ping_interval
        options = {"enable_auto_ping": True, "auto_ping_idle_timeout": interval, "auto_ping_reply_timeout": interval}
    if settings.certificate is not None:
        options["ssl"] = server_context(settings.certificate)
    server = await ws_create_server(
        choose, "127.0.0.1", settings.port, max_frame_size=MAX_SIZE + 16, backlog=BACKLOG, **options
    )
    async with server:
        await asyncio.Event().wait()


def serve(settings: Settings) -> None:
    """Serve until killed."""
    run(main(settings), settings)
