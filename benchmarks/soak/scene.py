"""What all sessions of a load share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random

import trio

from .places import Place, Places
from .tally import Tally

#: How long the end of a soak may take, in seconds: until the last answers have come, and until a process is at rest.
#: Far longer than on the slowest machine, so that what has not come by then never will.
PATIENCE = 90.0
#: What honest peers set timeouts to, in seconds: on a machine that has better things to do, no answer is too late.
NEVER = 3600.0
#: How many connections are being opened at once.
_OPENING = 64


@dataclass
class Scene:
    """What all sessions of a load share.

    Attributes:
        places: The servers.
        transports: Those of `TRANSPORTS` that are used.
        tally: The books.
        clients: The nursery in which perfectws's own clients are opened.
        random: Where all chance comes from.
        pause: Seconds between two steps of a session, on the average.
        pause_of_staying: The same for those who stay.
        begun: Set when all have come who stay.
        over: Set when nothing new is to be begun.
        rooms: The rooms that honest peers are in now.
    """

    places: Places
    transports: tuple[str, ...]
    tally: Tally
    clients: trio.Nursery
    random: Random
    pause: float
    pause_of_staying: float
    begun: trio.Event = field(default_factory=trio.Event)
    over: trio.Event = field(default_factory=trio.Event)
    rooms: set[str] = field(default_factory=set)
    _opening: trio.CapacityLimiter = field(default_factory=lambda: trio.CapacityLimiter(_OPENING))

    def honest_place(self) -> Place:
        """Return where an honest peer goes."""
        return Place("patient", self.random.choice(self.transports))

    def any_place(self) -> Place:
        """Return where a hostile peer goes."""
        return Place(self.random.choice(("patient", "strict")), self.random.choice(self.transports))

    def strict_place(self, transports: tuple[str, ...]) -> Place:
        """Return where a squatter goes that is dropped on ``transports``."""
        return Place("strict", self.random.choice([each for each in self.transports if each in transports]))

    @asynccontextmanager
    async def opening(self) -> AsyncIterator[None]:
        """Open a connection in the block, when there are not too many about it."""
        borrower = object()  # one task may open several
        await self._opening.acquire_on_behalf_of(borrower)
        try:
            yield
        finally:
            self._opening.release_on_behalf_of(borrower)

    async def rest(self, pause: float | None = None) -> None:
        """Wait for a while, on the average ``pause``; not beyond the end."""
        with trio.move_on_after(self.random.expovariate(1 / (pause or self.pause))):
            await self.over.wait()
