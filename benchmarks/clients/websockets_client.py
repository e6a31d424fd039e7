"""websockets on asyncio, as its documentation has it."""

from __future__ import annotations

from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from . import SUBPROTOCOL, Exchange, Load
from .asyncio_clients import keep_busy
from .asyncio_clients import run as run_main

PROTOCOLS = [Subprotocol(SUBPROTOCOL)]


async def main(load: Load, opens: bool) -> None:
    """Do what the load asks for."""

    async def talk(number: int) -> None:
        exchange = Exchange(load, number)
        async with connect(load.url, subprotocols=PROTOCOLS, compression=None) as socket:
            await socket.send(exchange.next_text())
            async for message in socket:
                if not exchange.came(message):
                    break
                await socket.send(exchange.next_text())

    async def repeat(_: int) -> None:
        while not load.is_over:
            async with connect(load.url, subprotocols=PROTOCOLS, compression=None):
                pass
            load.done += 1

    await keep_busy(load, repeat if opens else talk)


def run(load: Load, *, opens: bool) -> None:
    """Do what the load asks for."""
    run_main(main(load, opens), load)
