"""Who loses the connection again and again, and comes back at the other server: is anything missing?"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from itertools import pairwise

import trio

from .member import Member, joined
from .running import room_servers, running_redis, show


@dataclass
class Traveller:
    """A client that comes and goes.

    Attributes:
        heard: The number of each message that it has heard, by speaker, in the order in which they came.
        known: Their ids.
        twice: How many came again.
        gaps: How often it was told that something is missing.
    """

    position: str = ""
    heard: dict[int, list[int]] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    twice: int = 0
    gaps: int = 0

    def take(self, name: str, position: str, text: str) -> None:
        """Take what the server sends."""
        if name == "!":
            self.gaps += bool(self.known) and "True" not in text
            self.position = position
            return
        self.position = position
        if name in self.known:
            self.twice += 1
            return
        self.known.add(name)
        speaker, number = text.split()
        self.heard.setdefault(int(speaker), []).append(int(number))

    def judged(self) -> tuple[int, int]:
        """Return how many messages are missing, and how many came out of order."""
        missing = disordered = 0
        for numbers in self.heard.values():
            missing += max(numbers) - min(numbers) + 1 - len(numbers)
            disordered += sum(later < earlier for earlier, later in pairwise(numbers))
        return missing, disordered


def measure(clients: int, reconnects: int, rate: float) -> None:
    """Print what the clients have missed."""
    with running_redis() as redis, room_servers(redis, 2) as servers:
        travellers = [Traveller() for _ in range(clients)]
        trio.run(travel_all, [server.port for server in servers], travellers, reconnects, rate)
        gaps = [server.ask("/figures")["gaps"] for server in servers]
    show("client | heard | missing | out of order | twice | gaps told")
    for number, traveller in enumerate(travellers):
        missing, disordered = traveller.judged()
        heard = sum(map(len, traveller.heard.values()))
        show(f"{number} | {heard} | {missing} | {disordered} | {traveller.twice} | {traveller.gaps}")
    show(f"gaps of the servers: {gaps}")


async def travel_all(ports: list[int], travellers: list[Traveller], reconnects: int, rate: float) -> None:
    """Let all travel between the servers while somebody speaks on each."""
    async with trio.open_nursery() as speaking:
        for server, port in enumerate(ports):
            speaking.start_soon(_speak, server, port, len(ports) / rate)
        await trio.sleep(0.5)
        async with trio.open_nursery() as nursery:
            for traveller in travellers:
                nursery.start_soon(_travel, ports, traveller, reconnects)
        speaking.cancel_scope.cancel()


async def _speak(server: int, port: int, pause: float) -> None:
    async with joined(port) as member, trio.open_nursery() as nursery:
        nursery.start_soon(_ignore, member)
        begin, number = trio.current_time(), 0
        while True:
            await member.say(f"{server} {number}")
            number += 1
            await trio.sleep_until(begin + number * pause)


async def _ignore(member: Member) -> None:
    async for _ in member.texts():
        pass


async def _travel(ports: list[int], traveller: Traveller, reconnects: int) -> None:
    for number in range(reconnects + 1):
        await _visit(ports[number % len(ports)], traveller, random.uniform(0.2, 1.0))
        await trio.sleep(random.uniform(0, 0.3))
    await _visit(ports[0], traveller, 2)  # for what is still on its way


async def _visit(port: int, traveller: Traveller, seconds: float) -> None:
    query = f"after={traveller.position}" if traveller.position else ""
    async with joined(port, query) as member:
        with trio.move_on_after(seconds):
            async for texts in member.texts():
                for text in texts:
                    traveller.take(*text)
