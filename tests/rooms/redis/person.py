"""A process in which somebody is in a room: ``python -m tests.rooms.redis.person URL WHO LEASE``.

It says ``in`` once that is so, and ends when its input does.
"""

from __future__ import annotations

import sys

import trio

from perfectws.net.loop import open_loop
from perfectws.rooms.redis.broker import RedisBroker

from .listener import Listener


async def main(url: str, who: str, lease: str) -> None:
    async with open_loop() as loop:
        room = Listener("lobby", RedisBroker(url, lease=float(lease)), loop, b"%016d" % 99)
        room.open()
        await room.until_open()
        assert await room.enter(1, who, unique=True)
        sys.stdout.write("in\n")
        sys.stdout.flush()
        await trio.to_thread.run_sync(sys.stdin.read, abandon_on_cancel=True)


if __name__ == "__main__":
    trio.run(main, sys.argv[1], sys.argv[2], sys.argv[3])
