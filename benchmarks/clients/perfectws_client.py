"""perfectws, by its public names: callbacks, on trio. Limits and keepalive are the defaults."""

from __future__ import annotations

from typing import Any

import trio

from perfectws import WebSocket

from . import SUBPROTOCOL, Exchange, Load


async def echo(load: Load) -> None:
    """Keep one message under way on every connection."""
    async with trio.open_nursery() as nursery:
        options: dict[str, Any] = {"on": nursery, "subprotocols": [SUBPROTOCOL]}
        sockets = [await WebSocket.connect(to=load.url, **options) for _ in range(load.connections)]
        for number, socket in enumerate(sockets):
            talk(socket, Exchange(load, number))
        await trio.sleep(load.warmup)
        load.began()
        await trio.sleep(load.seconds)
        load.ended()
        for socket in sockets:
            await socket.close()


def talk(socket: WebSocket, exchange: Exchange) -> None:
    """Send a message whenever the last has come back."""

    @socket.on_text
    def received(socket: WebSocket, text: str) -> None:
        if exchange.came(text):
            socket.send(exchange.next_text())

    socket.send(exchange.next_text())


async def connect_and_close(load: Load) -> None:
    """Open connections and close them."""

    async def repeat() -> None:
        while not load.is_over:
            socket = await WebSocket.connect(to=load.url, on=nursery, subprotocols=[SUBPROTOCOL])
            await socket.close()
            load.done += 1

    async with trio.open_nursery() as nursery:
        for _ in range(load.connections):
            nursery.start_soon(repeat)
        await trio.sleep(load.warmup)
        load.began()
        await trio.sleep(load.seconds)
        load.ended()


def run(load: Load, *, opens: bool) -> None:
    """Do what the load asks for."""
    trio.run(connect_and_close if opens else echo, load)
