"""What members hear while Redis fails: two servers, each with members, and one who speaks on each."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import trio

from .member import Member, joined
from .redis_server import RedisServer
from .running import room_servers, running_redis, show

#: How long is spoken before the fault, and behind it, in seconds.
BEFORE, AFTER = 1.0, 3.0
#: How long is waited for the last messages, in seconds.
PATIENCE = 15.0
#: What each message says beside who says it, which and when.
PADDING = "x" * 80

Fault = Callable[[RedisServer], Awaitable[object]]


async def _killed(redis: RedisServer) -> None:
    redis.kill()
    await trio.sleep(2)
    await trio.to_thread.run_sync(redis.start)


async def _stopped(redis: RedisServer) -> None:
    redis.stop()
    await trio.sleep(10)
    redis.go_on()


async def _cut(redis: RedisServer) -> None:
    for _ in range(3):
        await trio.to_thread.run_sync(redis.ask, "CLIENT", "KILL", "TYPE", "pubsub")
        await trio.sleep(0.7)


async def _paused(redis: RedisServer) -> None:
    await trio.to_thread.run_sync(redis.ask, "CLIENT", "PAUSE", "1500", "ALL")
    await trio.sleep(1.5)


async def _full(redis: RedisServer) -> None:
    await trio.to_thread.run_sync(redis.ask, "CONFIG", "SET", "maxmemory", "1")
    await trio.sleep(2)
    await trio.to_thread.run_sync(redis.ask, "CONFIG", "SET", "maxmemory", "0")


async def _down_for_long(redis: RedisServer) -> None:
    redis.kill()
    await trio.sleep(4)
    await trio.to_thread.run_sync(redis.start)


async def _none(redis: RedisServer) -> None:
    await trio.sleep(2)


#: Each fault, and the servers' options for it.
FAULTS: dict[str, tuple[Fault, dict[str, float]]] = {
    "none": (_none, {}),
    "killed for 2 s, restarted empty": (_killed, {}),
    "stopped for 10 s": (_stopped, {}),
    "connections cut three times": (_cut, {}),
    "CLIENT PAUSE 1.5 s": (_paused, {}),
    "memory full for 2 s": (_full, {}),
    "queue of 8 KiB, 4 s down": (_down_for_long, {"max_queue": 8 * 1024}),
}


@dataclass
class Heard:
    """What all members have heard.

    Attributes:
        local, remote: How long each message took, in seconds, from a speaker of the same server, or the other.
        numbers: What each member of each server has heard of each speaker.
        twice, disordered: How many came again, or late.
    """

    local: list[float] = field(default_factory=list)
    remote: list[float] = field(default_factory=list)
    numbers: dict[tuple[int, int], dict[int, set[int]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(set))
    )
    twice: int = 0
    disordered: int = 0

    def take(self, server: int, member: int, speaker: int, number: int, seconds: float) -> None:
        """Take a message."""
        known = self.numbers[server, member][speaker]
        self.twice += number in known
        self.disordered += bool(known) and number < max(known) and number not in known
        known.add(number)
        (self.local if server == speaker else self.remote).append(seconds)


def measure(members: int, rate: float, only: str) -> None:
    """Print what was heard at each fault."""
    show("fault | local p50, p99, max in ms | remote p50, p99 in ms | remote heard of said | late | twice | figures")
    for name, (fault, options) in FAULTS.items():
        if only not in name:
            continue
        with running_redis() as redis, room_servers(redis, 2, **options) as servers:
            run = _Run([server.port for server in servers], members, rate)
            trio.run(run.run, fault, redis)
            figures = [server.ask("/figures") for server in servers]
        shown = ("lost", "refused", "resent", "duplicates", "gaps", "reconnects")
        totals = ", ".join(f"{key} {sum(each[key] for each in figures)}" for key in shown)
        show(f"{name} | {run.row()} | {totals}")


class _Run:
    """One fault, and what is heard meanwhile."""

    def __init__(self, ports: list[int], members: int, rate: float) -> None:
        self._ports = ports
        self._members = members
        self._pause = len(ports) / rate
        self._said = [0] * len(ports)
        self._speaks = True
        self._heard = Heard()
        self._everybody: list[Member] = []

    async def run(self, fault: Fault, redis: RedisServer) -> None:
        """Speak and listen before, at, and after a fault."""
        async with AsyncExitStack() as stack, trio.open_nursery() as nursery:
            for server, port in enumerate(self._ports):
                for number in range(self._members):
                    member = await stack.enter_async_context(joined(port))
                    self._everybody.append(member)
                    nursery.start_soon(self._listen, server, number, member)
            await trio.sleep(1)
            async with trio.open_nursery() as speaking:
                for server in range(len(self._ports)):
                    speaking.start_soon(self._speak, server, self._everybody[server * self._members])
                await trio.sleep(BEFORE)
                await fault(redis)
                await trio.sleep(AFTER)
                self._speaks = False
            await self._until_heard()
            nursery.cancel_scope.cancel()

    async def _speak(self, server: int, member: Member) -> None:
        begin = trio.current_time()
        while self._speaks:
            await member.say(f"{server} {self._said[server]} {time.monotonic()!r} {PADDING}")
            self._said[server] += 1
            await trio.sleep_until(begin + self._said[server] * self._pause)

    async def _listen(self, server: int, number: int, member: Member) -> None:
        async for texts in member.texts():
            now = time.monotonic()
            for name, _, text in texts:
                if name != "!":
                    speaker, count, said, _ = text.split(" ")
                    self._heard.take(server, number, int(speaker), int(count), now - float(said))

    async def _until_heard(self) -> None:
        """Wait for the last messages, as long as any come."""
        deadline = trio.current_time() + PATIENCE
        while self._fewest() < sum(self._said) and trio.current_time() < deadline:
            before = len(self._heard.remote)
            await trio.sleep(2)
            if len(self._heard.remote) == before:
                return

    def _fewest(self) -> int:
        """Return how many messages of the other server the members have heard who have heard fewest, of all servers."""
        counts = [self._of_others(server, number) for server in range(2) for number in range(self._members)]
        return min(counts[: self._members]) + min(counts[self._members :])

    def _of_others(self, server: int, number: int) -> int:
        return sum(len(found) for speaker, found in self._heard.numbers[server, number].items() if speaker != server)

    def row(self) -> str:
        """Return what was heard, in a row."""
        heard = self._heard
        local = f"{_ms(heard.local, 0.5)}, {_ms(heard.local, 0.99)}, {_ms(heard.local, 1)}"
        missing = sum(
            self._said[server] - len(heard.numbers[server, number][server])
            for server in range(len(self._ports))
            for number in range(self._members)
        )
        local += f" ({missing} missing)" if missing else ""
        remote = f"{_ms(heard.remote, 0.5)}, {_ms(heard.remote, 0.99)}"
        return f"{local} | {remote} | {self._fewest()} of {sum(self._said)} | {heard.disordered} | {heard.twice}"


def _ms(seconds: list[float], part: float) -> str:
    ordered = sorted(seconds)
    return f"{1000 * ordered[min(int(part * len(ordered)), len(ordered) - 1)]:.1f}" if ordered else "-"
