"""The load of a soak: so many connections, honest and hostile ones at once, for a while.

A program of its own: ``python -m benchmarks.soak.load``. It prints a line of JSON each interval, and at each `Stage`;
the last one holds all that it has found. It stops by itself, whatever the server does.
"""

from __future__ import annotations

import argparse
import faulthandler
import gc
import json
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import trio

from ..servers.__main__ import die_with_parent
from . import bad_visits, honest, hostile
from .census import Census, open_descriptors, take_census, take_sample
from .faults import Faults
from .places import TRANSPORTS, Places
from .scene import PATIENCE, Scene
from .tally import Tally

#: How many steps all who come and go take together in a second, at most, and how many all who stay.
_STEPS, _STEPS_OF_STAYING = 300.0, 100.0
#: Who comes and goes rests a second at least for each so many connections: to keep them all alive takes time too.
_CONNECTIONS_PER_SECOND = 800.0
#: So many connections come and go, at most; those that are asked for beyond them stay to the end. Who comes and goes
#: does far more to a server, and no machine opens ten thousand connections as fast as such as these leave.
_VISITORS = 1000
#: Within how many seconds those who stay have come, or it begins without the others.
_GATHERING = 300.0
#: How often it is seen to that there are enough connections, in seconds.
_LOOK = 0.5
#: How long the first of all kinds may take that are not counted, in seconds.
_WARM_UP = 5.0


class Stage(StrEnum):
    """How far a load is."""

    #: Those who stay come, and say their first word.
    GATHERING = "gathering"
    #: Everybody is at it.
    SOAKING = "soaking"
    #: All have gone, but for those who never do. It waits for a line on its standard input until these go too.
    SQUATTING = "squatting"
    OVER = "over"


class Sides(NamedTuple):
    """Who comes.

    Attributes:
        honest, bad: The kinds of sessions, by their names.
        run: Lets one of a bad kind come and go.
        are_soaked: Whether it is these clients that are soaked, and not the server that they come to.
    """

    honest: Mapping[str, honest.Kind]
    bad: Mapping[str, hostile.Kind | bad_visits.Kind]
    run: Callable[[Scene, str, Any], Awaitable[None]]
    are_soaked: bool


AT_A_SERVER = Sides(honest.kinds(), hostile.KINDS, hostile.run, are_soaked=False)
CLIENTS = Sides(honest.OF_CLIENTS, bad_visits.KINDS, bad_visits.run, are_soaked=True)


class Load:
    """One soak, as the load sees it.

    Args:
        sides: Who comes.
        places: The servers.
        transports: Those of `TRANSPORTS` that are used.
        connections: How many connections there are at once: at least, when they have all come.
        seconds: How long new ones are opened, from when all have come who stay.
        seed: What chance begins with.
    """

    def __init__(
        self, sides: Sides, places: Places, transports: tuple[str, ...], connections: int, seconds: float, seed: int
    ) -> None:
        self._sides = sides
        self._places = places
        self._transports = transports
        self._connections = connections
        self._visitors = min(connections, _VISITORS)
        self._staying = max(1, connections - _VISITORS)
        self._seconds = seconds
        self._random = Random(seed)
        self._tally = Tally()
        self._faults = Faults()
        self._stage = Stage.GATHERING
        #: How many of those who stay have no connection yet.
        self._coming = 0
        #: How many squatters have not begun their last stay yet.
        self._missing = 0
        self._squatting = trio.Event()

    async def run(self, interval: float) -> None:
        """Soak, and print."""
        logging.getLogger().addHandler(self._faults)
        if self._sides.are_soaked:
            await self._warm_up()
        before = take_census()
        self._print()
        async with trio.open_nursery() as squatters:
            async with trio.open_nursery() as telling:
                telling.start_soon(self._tell, interval)
                await self._soak(squatters, before.descriptors)
                if not self._sides.are_soaked:
                    await self._squatting.wait()
                telling.cancel_scope.cancel()
            if not self._sides.are_soaked:
                self._enter(Stage.SQUATTING)
                await trio.to_thread.run_sync(sys.stdin.readline)
            squatters.cancel_scope.cancel()
        after = await _at_rest(before)
        ends = {"before": before.as_json(), "after": after.as_json()}
        self._enter(Stage.OVER, faults=self._faults.as_json(), left=after.beyond(before), **ends)

    async def _warm_up(self) -> None:
        """Let one of each kind come, so that what is remembered of paths and classes is remembered already."""
        async with trio.open_nursery() as clients, trio.open_nursery() as sessions:
            scene = self._scene(Tally(), clients)
            scene.over.set()
            for name, kind in self._sides.honest.items():
                sessions.start_soon(_be_honest, scene, name, kind.session)
            for name, peer in self._sides.bad.items():
                sessions.start_soon(self._sides.run, scene, name, peer)
            sessions.cancel_scope.deadline = trio.current_time() + _WARM_UP
        gc.collect()

    def _scene(self, tally: Tally, clients: trio.Nursery) -> Scene:
        return Scene(
            places=self._places,
            transports=self._transports,
            tally=tally,
            clients=clients,
            random=self._random,
            pause=max(0.2, self._visitors / _STEPS, self._connections / _CONNECTIONS_PER_SECOND),
            pause_of_staying=max(0.2, self._staying / _STEPS_OF_STAYING),
        )

    async def _tell(self, interval: float) -> None:
        while True:
            await trio.sleep(interval)
            self._print()

    def _enter(self, stage: Stage, **more: Any) -> None:
        self._stage = stage
        self._print(**more)

    def _print(self, **more: Any) -> None:
        report = {"stage": self._stage, "tally": self._tally.as_json(), "sample": take_sample().as_json(), **more}
        sys.stdout.write(json.dumps(report) + "\n")
        sys.stdout.flush()

    async def _soak(self, squatters: trio.Nursery, others: int) -> None:
        async with trio.open_nursery() as clients, trio.open_nursery() as beside:
            scene = self._scene(self._tally, clients)
            async with trio.open_nursery() as sessions, trio.open_nursery() as attackers:
                await self._gather(scene, sessions)
                self._enter(Stage.SOAKING)
                scene.begun.set()
                self._start(scene, sessions, attackers, squatters)
                beside.start_soon(self._fill_up, scene, sessions, others)
                await trio.sleep(self._seconds)
                scene.over.set()
                attackers.cancel_scope.cancel()
                beside.start_soon(self._give_up, sessions)
            beside.cancel_scope.cancel()
        if sessions.cancel_scope.cancelled_caught:
            self._tally.fail(f"sessions waited {PATIENCE:.0f} seconds for an answer, in vain")

    async def _gather(self, scene: Scene, sessions: trio.Nursery) -> None:
        """Let those come who stay, at least one, before the others do: a machine that is busy opens few beside."""
        for _ in range(self._staying):
            self._let_stay(scene, sessions)
        with trio.move_on_after(_GATHERING):
            while self._coming:
                await trio.sleep(_LOOK)

    async def _fill_up(self, scene: Scene, sessions: trio.Nursery, others: int) -> None:
        """Let some come who stay, whenever fewer are connected than are to be; ``others`` are no connections."""
        await trio.sleep(self._slow_start(scene))
        while not scene.over.is_set():
            for _ in range(self._connections - self._coming - (open_descriptors() - others)):
                self._let_stay(scene, sessions)
            await trio.sleep(_LOOK)

    def _let_stay(self, scene: Scene, sessions: trio.Nursery) -> None:
        def opened() -> None:
            self._coming -= 1

        self._coming += 1
        sessions.start_soon(_be_honest, scene, honest.STAYING, partial(honest.stay, opened=opened))

    async def _give_up(self, sessions: trio.Nursery) -> None:
        """End all sessions, once none has been answered for so long: on a slow machine many may be on their way."""
        answered = None
        while (now := self._tally.answered.total()) != answered:
            answered = now
            await trio.sleep(PATIENCE)
        sessions.cancel_scope.cancel()

    def _start(self, scene: Scene, sessions: trio.Nursery, attackers: trio.Nursery, squatters: trio.Nursery) -> None:
        """Start all sessions: each kind in its nursery, so many at once as its share is."""
        good, bad = self._sides.honest, self._sides.bad
        shares = sum(kind.share for kind in good.values()) + sum(kind.share for kind in bad.values())
        each = self._visitors / shares
        for name, kind in good.items():
            for _ in range(max(1, round(each * kind.share / kind.connections))):
                sessions.start_soon(self._repeat, scene, partial(_be_honest, scene, name, kind.session))
        for name, peer in bad.items():
            if not set(peer.transports) & set(scene.transports):
                continue
            for _ in range(max(1, round(each * peer.share))):
                if isinstance(peer, hostile.Kind) and peer.squats:
                    self._missing += 1
                    squatters.start_soon(self._squat, scene, name, peer)
                else:
                    attackers.start_soon(self._repeat, scene, partial(self._sides.run, scene, name, peer))

    async def _repeat(self, scene: Scene, session: Callable[[], Awaitable[None]]) -> None:
        """Hold one session after the other, until all is over: at least one."""
        await trio.sleep(self._random.random() * self._slow_start(scene))
        while True:
            await session()
            if scene.over.is_set():
                return
            await scene.rest()

    def _slow_start(self, scene: Scene) -> float:
        """Return within how many seconds the first visitors come, not all in the same moment."""
        return min(scene.pause, self._seconds / 4)

    async def _squat(self, scene: Scene, name: str, kind: hostile.Kind) -> None:
        """Squat again and again; when all is over, once more and until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._repeat, scene, partial(hostile.run, scene, name, kind))
            await scene.over.wait()
            nursery.cancel_scope.cancel()
        await hostile.hold(scene, name, kind, self._has_begun)

    def _has_begun(self) -> None:
        self._missing -= 1
        if not self._missing:
            self._squatting.set()


async def _be_honest(scene: Scene, name: str, session: Callable[[Scene], Awaitable[None]]) -> None:
    try:
        await session(scene)
    except Exception as error:  # whatever it is, an honest session should not have met it
        scene.tally.fail(f"{name}: {error!r}")


async def _at_rest(before: Census) -> Census:
    """Take a census when all has been closed, as soon as nothing is left, or after a while."""
    with trio.move_on_after(PATIENCE):
        while True:
            gc.collect()  # the load's own code may leave cycles
            if not take_census().beyond(before):
                break
            await trio.sleep(0.5)
    return take_census()


def main() -> None:
    """Soak."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak.load")
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--ports", type=json.loads, required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--over", default=",".join(TRANSPORTS))
    parser.add_argument("--clients", action="store_true")
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--interval", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    arguments = parser.parse_args()
    die_with_parent(arguments.parent)
    os.nice(5)
    load = Load(
        CLIENTS if arguments.clients else AT_A_SERVER,
        Places(arguments.directory, arguments.ports),
        tuple(arguments.over.split(",")),
        arguments.connections,
        arguments.seconds,
        arguments.seed,
    )
    # Whatever happens, even to trio, this ends, and says where it hung.
    faulthandler.dump_traceback_later(_GATHERING + arguments.seconds + 4 * PATIENCE, exit=True)
    trio.run(load.run, arguments.interval)


if __name__ == "__main__":
    main()
