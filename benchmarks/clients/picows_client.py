"""picows, as its documentation has it: a listener is called with each frame."""

from __future__ import annotations

import asyncio

from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from . import SUBPROTOCOL, Exchange, Load
from .asyncio_clients import keep_busy, measure
from .asyncio_clients import run as run_main

HEADERS = {"Sec-WebSocket-Protocol": SUBPROTOCOL}


class Talk(WSListener):
    """Sends a message whenever the last has come back."""

    def __init__(self, exchange: Exchange | None = None) -> None:
        self.exchange = exchange

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Begin."""
        if self.exchange is not None:
            transport.send(WSMsgType.TEXT, self.exchange.next_text().encode())

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Go on."""
        if frame.msg_type == WSMsgType.TEXT and self.exchange is not None:
            if self.exchange.came(frame.get_payload_as_utf8_text()):
                transport.send(WSMsgType.TEXT, self.exchange.next_text().encode())
        elif frame.msg_type == WSMsgType.CLOSE:
            transport.disconnect()


async def echo(load: Load) -> None:
    """Keep one message under way on every connection."""
    transports: list[WSTransport] = []
    for number in range(load.connections):
        exchange = Exchange(load, number)
        transport, _ = await ws_connect(lambda exchange=exchange: Talk(exchange), load.url, extra_headers=HEADERS)
        transports.append(transport)
    await measure(load, asyncio.sleep(0))
    for open_transport in transports:
        open_transport.send_close(WSCloseCode.OK)
        await open_transport.wait_disconnected()


async def connect_and_close(load: Load) -> None:
    """Open connections and close them."""

    async def repeat(number: int) -> None:
        while not load.is_over:
            transport, _ = await ws_connect(Talk, load.url, extra_headers=HEADERS)
            transport.send_close(WSCloseCode.OK)
            await transport.wait_disconnected()
            load.done += 1

    await keep_busy(load, repeat)


def run(load: Load, *, opens: bool) -> None:
    """Do what the load asks for."""
    run_main((connect_and_close if opens else echo)(load), load)
