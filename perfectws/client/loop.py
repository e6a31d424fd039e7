"""The loop of clients and scripts: one that knows when nothing is left to do.

A server's loop runs until the server is stopped. This one is *held* by whatever is under way: a connection, a timer, an
async callback, a function in a thread. Once nothing holds it and nothing is ready it is *idle*, and may end.

There is one for each nursery that a client was opened in. It lives in a task of that nursery and ends when it is idle,
so that the nursery can; the next client that is opened there gets a new one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from contextvars import copy_context
from typing import Any
from weakref import WeakKeyDictionary

import trio

from ..callbacks import CallbackOwner
from ..net.loop import Loop, make_reactor, run_loop
from ..net.reactor import Reactor


class ClientLoop(Loop):
    """A `Loop` that is held by what is under way."""

    ends_when_idle = True

    def __init__(self, reactor: Reactor | None) -> None:
        super().__init__(reactor)
        self._holds = 0
        self._is_looking = False
        self._idle = trio.Event()
        self._keeper: trio.Nursery | None = None
        self._is_kept = False

    def hold(self) -> None:
        """Count one more thing that is under way. To be called in the loop's thread, as `release`."""
        self._holds += 1
        self._keep()

    def release(self) -> None:
        """Count one less."""
        self._holds -= 1
        if not self._holds:
            self._look_soon()

    def _look_soon(self) -> None:
        if not self._is_looking:
            self._is_looking = True
            self.call_next_turn(self.owner, self._look)

    def _look(self) -> None:
        """Find out whether the loop is idle: if nothing else is ready, nothing can hold it any more."""
        self._is_looking = False
        if self.has_ready and not self._holds:
            self._look_soon()
        elif not self._holds:
            self._idle.set()

    async def until_idle(self) -> None:
        """Wait until nothing is under way."""
        while True:
            self._idle = trio.Event()
            self._look_soon()
            await self._idle.wait()
            if not (self._holds or self.has_work):
                return

    def keep_open(self, nursery: trio.Nursery) -> None:
        """Keep ``nursery`` open from now on while something is under way."""
        self._keeper = nursery
        self._keep()

    def _keep(self) -> None:
        if self._keeper is not None and not self._is_kept:
            self._is_kept = True
            try:
                self._keeper.start_soon(self._wait_in_keeper)
            except RuntimeError:
                self._keeper = None  # it is closed

    async def _wait_in_keeper(self) -> None:
        try:
            await self.until_idle()
        finally:
            self._is_kept = False

    def start_task(self, owner: CallbackOwner, coroutine: Coroutine[Any, Any, object]) -> None:
        """Run ``coroutine`` as a task, which holds the loop."""
        if self._has_ended:
            coroutine.close()
            return
        self.hold()
        super().start_task(owner, self._run_held(coroutine))

    async def _run_held(self, coroutine: Coroutine[Any, Any, object]) -> None:
        try:
            await coroutine
        finally:
            self.release()


@asynccontextmanager
async def run_client_loop(loop: ClientLoop, close_timeout: float) -> AsyncIterator[None]:
    """Run ``loop`` around a block, as `run_loop`; at its end every connection is closed with 1001 first.

    Args:
        loop: The loop.
        close_timeout: How long connections may take to end, in seconds.
    """
    async with run_loop(loop):
        try:
            yield
        finally:
            loop.is_ending = True
            await loop.end_connections(close_timeout)


def make_loop() -> ClientLoop:
    """Return a new loop, for `run_client_loop`, in the trio run of this thread."""
    # A context of its own: a loop makes itself the running one, which the caller's code is not part of.
    return copy_context().run(ClientLoop, make_reactor())


_loops: WeakKeyDictionary[trio.Nursery, ClientLoop] = WeakKeyDictionary()


def loop_of(nursery: trio.Nursery) -> ClientLoop:
    """Return the loop of a nursery, which is started there if there is none. Raises `RuntimeError` if it is closed."""
    loop = _loops.get(nursery)
    if loop is None:
        loop = make_loop()
        nursery.start_soon(_run_in_nursery, loop, nursery)
        _loops[nursery] = loop
    return loop


def adopt(nursery: trio.Nursery, loop: ClientLoop) -> None:
    """Make ``loop`` the one of a nursery, which it keeps open while something is under way."""
    _loops[nursery] = loop
    loop.keep_open(nursery)


async def _run_in_nursery(loop: ClientLoop, nursery: trio.Nursery) -> None:
    async with run_client_loop(loop, close_timeout=0):
        try:
            await loop.until_idle()
        finally:
            del _loops[nursery]  # a client that is opened from now on needs another
