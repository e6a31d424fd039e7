"""trio-websocket, as its documentation has it."""

from __future__ import annotations

import trio
from trio_websocket import open_websocket_url

from . import SUBPROTOCOL, Exchange, Load


async def talk(load: Load, number: int) -> None:
    """Keep one message under way."""
    exchange = Exchange(load, number)
    async with open_websocket_url(load.url, subprotocols=[SUBPROTOCOL]) as socket:
        await socket.send_message(exchange.next_text())
        while exchange.came(await socket.get_message()):
            await socket.send_message(exchange.next_text())


async def repeat(load: Load, _: int) -> None:
    """Open connections and close them."""
    while not load.is_over:
        async with open_websocket_url(load.url, subprotocols=[SUBPROTOCOL]):
            pass
        load.done += 1


async def main(load: Load, opens: bool) -> None:
    """Do what the load asks for."""
    async with trio.open_nursery() as nursery:
        for number in range(load.connections):
            nursery.start_soon(repeat if opens else talk, load, number)
        await trio.sleep(load.warmup)
        load.began()
        await trio.sleep(load.seconds)
        load.ended()


def run(load: Load, *, opens: bool) -> None:
    """Do what the load asks for."""
    trio.run(main, load, opens)
