"""What the clients on asyncio have in common: their connections talk, and somebody looks at the clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from . import Load


async def measure(load: Load, opened: Awaitable[object]) -> None:
    """Count for as long as the load says, once ``opened`` is done."""
    await opened
    await asyncio.sleep(load.warmup)
    load.began()
    await asyncio.sleep(load.seconds)
    load.ended()


async def keep_busy(load: Load, work: Callable[[int], Coroutine[Any, Any, None]]) -> None:
    """Run ``work(number)`` once for each connection, as tasks, and count meanwhile."""
    async with asyncio.TaskGroup() as group:
        for number in range(load.connections):
            group.create_task(work(number))
        await measure(load, asyncio.sleep(0))


def run(main: Coroutine[Any, Any, None], load: Load) -> None:
    """Run ``main`` on the event loop that the load asks for."""
    if load.uvloop:
        import uvloop

        uvloop.run(main)
    else:
        asyncio.run(main)
