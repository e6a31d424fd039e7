"""aiohttp, as its documentation has it."""

from __future__ import annotations

import aiohttp

from . import SUBPROTOCOL, Exchange, Load
from .asyncio_clients import keep_busy
from .asyncio_clients import run as run_main


async def main(load: Load, opens: bool) -> None:
    """Do what the load asks for."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def talk(number: int) -> None:
            exchange = Exchange(load, number)
            async with session.ws_connect(load.url, protocols=[SUBPROTOCOL]) as socket:
                await socket.send_str(exchange.next_text())
                async for message in socket:
                    if not exchange.came(message.data):
                        break
                    await socket.send_str(exchange.next_text())

        async def repeat(_: int) -> None:
            while not load.is_over:
                async with session.ws_connect(load.url, protocols=[SUBPROTOCOL]):
                    pass
                load.done += 1

        await keep_busy(load, repeat if opens else talk)


def run(load: Load, *, opens: bool) -> None:
    """Do what the load asks for."""
    run_main(main(load, opens), load)
