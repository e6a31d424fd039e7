"""After how long the people of a process that is killed, or stopped, are gone elsewhere; and back when it goes on."""

from __future__ import annotations

import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import trio

from .member import Member, joined
from .running import RoomServer, room_servers, running_redis, show

#: How long is waited for people to come or go, in seconds.
PATIENCE = 30.0


def measure(people: int, lease: float, rounds: int) -> None:
    """Print how long it took."""
    show("people | gone after the kill | gone after the stop | back after going on, in s")
    for _ in range(rounds):
        with running_redis() as redis, room_servers(redis, 3, lease=lease) as servers:
            found = trio.run(_measure, servers, people)
        show(f"{people} | " + " | ".join(f"{seconds:.2f}" for seconds in found))


async def _measure(servers: list[RoomServer], people: int) -> tuple[float, float, float]:
    watching, killed, stopped = servers
    async with _members(watching, 1, "watcher"), _members(killed, people, "a"), _members(stopped, people, "b"):
        await _until(watching, lambda count: count == 2 * people + 1)
        await trio.sleep(6)  # a lease, so that who says nothing is taken for dead
        killed.signal(signal.SIGKILL)
        gone = await _until(watching, lambda count: count == people + 1)
        stopped.signal(signal.SIGSTOP)
        left = await _until(watching, lambda count: count == 1)
        await trio.sleep(1)
        stopped.signal(signal.SIGCONT)
        back = await _until(watching, lambda count: count == people + 1)
    return gone, left, back


@asynccontextmanager
async def _members(server: RoomServer, count: int, name: str) -> AsyncIterator[None]:
    """Let people into a server's room around a block."""
    async with AsyncExitStack() as stack, trio.open_nursery() as nursery:
        for number in range(count):
            member = await stack.enter_async_context(joined(server.port, f"who={name}{number}"))
            nursery.start_soon(_listen, member)
        yield
        nursery.cancel_scope.cancel()


async def _listen(member: Member) -> None:
    async for _ in member.texts():
        pass


async def _until(server: RoomServer, condition: Callable[[int], bool]) -> float:
    """Wait until a server sees so many people; return how long that took, in seconds."""
    begin = time.monotonic()
    while time.monotonic() < begin + PATIENCE:
        found = await trio.to_thread.run_sync(server.ask, "/people")
        if condition(found["count"]):
            return float(found["when"]) - begin
        await trio.sleep(0.01)
    raise AssertionError(f"{found['count']} people are there")
