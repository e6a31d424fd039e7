"""The loop: turns of ready callbacks, then one write per socket that has output, then trio's other tasks.

One trio task, the *pump*, takes the turns. Between them it sleeps until something is queued, written, due, or called
from another thread. All else (timers, tasks of async callbacks, connections) runs beside it in nurseries of the loop::

    pump nursery      the pump, the timers: they end last
      tasks nursery   async callbacks, connections
"""

from __future__ import annotations

import os
import select
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from contextvars import copy_context
from time import perf_counter
from typing import Any, Protocol, TypeVar, TypeVarTuple
from weakref import WeakSet

import outcome
import trio

from ..callbacks import CallbackLoop, CallbackOwner, Timer, logger, note_begun, note_ending, set_running_loop
from ..errors import LocalProtocolError
from ..per_address import PerAddress
from ..transport import Address
from ..transport import Protocol as TransportProtocol
from .delay import LoopDelay
from .look_out import LookOut
from .reactor import Reactor
from .signals import trios_interrupt
from .timers import Timers

Ts = TypeVarTuple("Ts")
LoopT = TypeVar("LoopT", bound="Loop")

#: How long the pump takes turns before it lets trio's other tasks run, in seconds.
REPOLL_SECONDS = 0.0005
#: How many turns the end of a loop may take: callbacks that call each other for ever must not keep it alive.
_LAST_TURNS = 1000


class Writer(Protocol):
    """What has output to write at the end of a turn."""

    def flush(self) -> int:
        """Write what is buffered, once. Return how many bytes the kernel has taken."""


class LoopTransport(Protocol):
    """What is asked of every transport when its loop, or its server, ends.

    Attributes:
        protocol: What it feeds.
        remote_address: The peer's address.
    """

    protocol: TransportProtocol
    remote_address: Address

    @property
    def buffered_amount(self) -> int:
        """Bytes written that are not yet with the kernel."""

    def shut_down(self) -> None:
        """Tell the protocol that the server stops."""

    def abort(self, error: Exception | None = None) -> None:
        """Close at once."""


class Connections:
    """The transports of open connections: all that a loop has, or those that one of its servers has accepted.

    The length counts the connections that are served: one that is only told that there is no room is left out.

    Args:
        loop: The loop that drives them.

    Attributes:
        added: How many there were in all.
        per_address: Those of each client's address; ``None`` unless they are limited.
    """

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._open: set[LoopTransport] = set()
        self._refused: set[object] = set()
        #: Tells `end` of each that is gone.
        self._gone: trio.Event | None = None
        self._refusals = 0
        self.added = 0
        self.per_address: PerAddress | None = None

    def __len__(self) -> int:
        return len(self._open) - len(self._refused)

    def __iter__(self) -> Iterator[LoopTransport]:
        return iter(self._open)

    @property
    def count_everywhere(self) -> int:
        """How many are served in all processes that share them: here there is one."""
        return len(self)

    @property
    def refusals(self) -> int:
        """How many of them were only told that there is no room, or closed at once."""
        return self._refusals + (0 if self.per_address is None else self.per_address.refusals)

    def admits(self, host: str) -> bool:
        """Tell whether one more may come from an address; one that may not is to be closed, and counts as refused."""
        if self.per_address is None or self.per_address.admits(host):
            return True
        self.added += 1
        return False

    def count_for(self, host: str, holder: object) -> None:
        """Count what has come for its address, until it is discarded."""
        if self.per_address is not None:
            self.per_address.add(holder, host)

    def add(self, transport: LoopTransport) -> None:
        """Take in a connection that is open."""
        self._open.add(transport)
        self.added += 1

    def refuse(self, transport: object) -> None:
        """Leave a connection out of the count: it is told that there is no room, and nothing more."""
        self._refused.add(transport)
        self._refusals += 1

    def discard(self, transport: LoopTransport) -> None:
        """Let go of a connection that is closed."""
        self._open.discard(transport)
        if self._refused:
            self._refused.discard(transport)
        if self.per_address is not None:
            self.per_address.discard(transport)
        if self._gone is not None:
            self._gone.set()

    def uncount(self, holder: object) -> None:
        """Count it for its address no more."""
        if self.per_address is not None:
            self.per_address.discard(holder)

    async def end(self, timeout: float) -> None:
        """Tell every connection that the server stops, and wait for their ends; drop those that take too long.

        A cancellation skips the waiting only.

        Args:
            timeout: How long they may take, in seconds.
        """
        for transport in list(self._open):
            transport.shut_down()
        try:
            with trio.move_on_after(timeout):
                while self._open:
                    self._gone = trio.Event()
                    await self._gone.wait()
        finally:
            self._loop.run_turn()  # what was told to the peers goes out, as far as it goes at once
            for transport in list(self._open):
                transport.abort()


class Loop(CallbackLoop):
    """A `CallbackLoop` inside a trio run.

    Attributes:
        tasks: The nursery in which async callbacks and connections run.
        timers: The calls that are to be made later.
        connections: Every connection that is open.
        reactor: What serves plain sockets; ``None`` where there is none, and streams do.
        delay: How late the loop is.
    """

    def __init__(self, reactor: Reactor | None) -> None:
        super().__init__()
        self.tasks: trio.Nursery
        self.reactor = reactor
        if reactor is not None:
            reactor.counts = self.counts
        self.timers = Timers(self)
        self.connections = Connections(self)
        self._has_ended = False
        self._is_running_late = threading.Lock()
        self._process = os.getpid()
        _loops.add(self)
        self._token = trio.lowlevel.current_trio_token()
        self._now = trio.lowlevel.current_clock().current_time
        self.delay = LoopDelay(self.time)
        #: What has output for the end of this turn. To append wakes no loop that is idle: `mark_dirty` does that too.
        self.dirty: list[Writer] = []
        self._pump_task: trio.lowlevel.Task | None = None
        self._look_out = LookOut()
        set_running_loop(self)
        self.owner = CallbackOwner(copy_context())

    def time(self) -> float:
        """Return trio's clock, in seconds."""
        return self._now()

    def call_later(self, owner: CallbackOwner, seconds: float, function: Callable[[*Ts], object], *args: *Ts) -> Timer:
        """Queue ``function(*args)`` once ``seconds`` have passed."""
        return self.timers.add(owner, self._now() + seconds, function, args)

    def call_from_thread(self, owner: CallbackOwner, function: Callable[[*Ts], object], *args: *Ts) -> None:
        """Queue ``function(*args)``, from any thread. Once the loop has ended, it is called before this returns."""
        self.ask(owner, self.call, owner, function, *args)

    def wake_from_thread(self) -> None:
        """Let the loop's thread `catch_up` soon. From any thread.

        Raises:
            LocalProtocolError: The loop runs in the process that was forked into this one.
        """
        if self._process != os.getpid():
            self._asked.clear()
            raise LocalProtocolError(
                "this event loop runs in the process that this one was forked from: use one of its own"
            )
        try:
            if not self._has_ended:
                self._token.run_sync_soon(self.catch_up, idempotent=True)
                return
        except trio.RunFinishedError:
            pass
        self._run_late()

    def start_task(self, owner: CallbackOwner, coroutine: Coroutine[Any, Any, object]) -> None:
        """Run ``coroutine`` as a task in a copy of its owner's context. Once the loop has ended it is closed unrun."""
        if self._has_ended:
            coroutine.close()
        else:
            # A copy, because the owner's own is entered already while one of its callbacks runs.
            owner.context.copy().run(self.tasks.start_soon, self._run_task, owner, coroutine)

    async def _run_task(self, owner: CallbackOwner, coroutine: Coroutine[Any, Any, object]) -> None:
        try:
            await coroutine
        except Exception as error:
            self.count_failure(owner, error)

    def call_in_thread(
        self,
        owner: CallbackOwner,
        function: Callable[[], object],
        done: Callable[[outcome.Outcome[Any]], object] | None = None,
    ) -> None:
        """Call ``function()`` in a thread, and queue ``done(result)`` then. Once the loop has ended: here."""
        if self._has_ended:
            super().call_in_thread(owner, function, done)
        else:
            self.tasks.start_soon(self._call_in_thread, owner, function, done)

    async def _call_in_thread(
        self,
        owner: CallbackOwner,
        function: Callable[[], object],
        done: Callable[[outcome.Outcome[Any]], object] | None,
    ) -> None:
        with trio.CancelScope(shield=True):  # who asks relies on its being called
            try:
                result = await trio.to_thread.run_sync(outcome.capture, function)
            except RuntimeError:  # the system gives us no thread: so it blocks, as where the loop has ended
                result = outcome.capture(function)
        if done is not None:
            self.call(owner, done, result)

    # Turns

    def mark_dirty(self, writer: Writer) -> None:
        """Let ``writer`` write once, at the end of this turn."""
        self.dirty.append(writer)
        if self.idle:
            self.wake()

    def run_turn(self) -> None:
        """Run what is ready, then write what it has sent."""
        self.run_ready()
        if self._before_writing:
            self.run_before_writing()
        if self.dirty:
            dirty, self.dirty = self.dirty, []
            sent = 0
            for writer in dirty:
                sent += writer.flush()
            self.counts.bytes_sent += sent
        if self.reactor is not None and self.reactor.removed:
            self.reactor.close_removed()

    @property
    def has_begun(self) -> bool:
        """Whether tasks can be started, or could before it ended."""
        return self._pump_task is not None

    @property
    def has_work(self) -> bool:
        """Whether a turn would find something to do."""
        return bool(self.dirty) or self.has_ready or bool(self._asked)

    @trio.lowlevel.enable_ki_protection
    async def run_pump(self) -> None:
        """Take turns until cancelled."""
        self._pump_task = trio.lowlevel.current_task()
        while True:
            if self._run_turns():
                await trio.lowlevel.checkpoint()
            elif self.reactor is None:
                await self._sleep()
            else:
                await self._sleep_on(self.reactor)

    def _run_turns(self) -> bool:
        """Take turns while there is something to do, for a while; tell whether something is left."""
        reactor = self.reactor
        now = perf_counter()
        deadline = now + REPOLL_SECONDS
        self._look_out.called_back(now)
        has_handled = False
        while True:
            handled = reactor.run_pass() if reactor is not None else 0
            self.run_turn()
            if handled:
                has_handled = True
            elif not self.has_work:
                if not has_handled:
                    self.delay.note(perf_counter() - deadline)
                    return False
                if reactor is None or not self._look_out.sees(reactor, now):
                    return False
                continue
            now = perf_counter()
            if now > deadline:
                self.delay.note(now - deadline)
                return True

    async def _sleep(self) -> None:
        def abort(_: object) -> trio.lowlevel.Abort:
            self.idle = False
            return trio.lowlevel.Abort.SUCCEEDED

        self.idle = True
        await trio.lowlevel.wait_task_rescheduled(abort)

    async def _sleep_on(self, reactor: Reactor) -> None:
        self.idle = True
        try:
            await trio.lowlevel.wait_readable(reactor.fileno())
        finally:
            self.idle = False

    def wake(self) -> None:
        """Let the pump, which sleeps, take a turn soon. After the end: run what is ready all the same (law 2)."""
        self.idle = False
        if self._has_ended:
            self._wake_late()
            return
        if self.reactor is not None:
            self.reactor.wake()
        else:
            assert self._pump_task is not None
            trio.lowlevel.reschedule(self._pump_task, outcome.Value(None))

    def _wake_late(self) -> None:
        """Run what is ready soon, if the trio run goes on without this loop; else at once."""
        try:
            self._token.run_sync_soon(self._run_late)
        except trio.RunFinishedError:
            self._run_late()

    def _run_late(self) -> None:
        """Run what is asked of a loop that has ended, here and now, in the thread that asks: one at a time, not nested.

        A thread that finds another at it leaves the work to that one, which looks again when it is done.
        """
        while self._is_running_late.acquire(blocking=False):
            try:
                self.run_to_end()
            finally:
                self.idle = True
                self._is_running_late.release()
            if not self.has_work:
                return

    def wake_if_idle(self) -> None:
        """Let the pump take a turn soon, if it would not anyway."""
        if self.idle:
            self.wake()

    # The end

    @property
    def transports(self) -> set[LoopTransport]:
        """The transports that are not closed."""
        return set(self.connections)

    async def end_connections(self, timeout: float) -> None:
        """Tell every connection that the server stops, and wait for their ends; see `Connections.end`."""
        await self.connections.end(timeout)

    def end(self) -> None:
        """Start no task any more, and run what is left."""
        for owner, function in list(self.last_calls.items()):
            self.call(owner, function)
        with self._is_running_late:
            self._has_ended = True
            self.run_to_end()

    def run_to_end(self) -> None:
        """Run all that is ready, and what that makes ready, without waiting: the loop ends."""
        for _ in range(_LAST_TURNS):
            self.catch_up()
            self.run_turn()
            if not self.has_work:
                return
        logger.error("callbacks kept calling for more while their loop ended: the rest is dropped")
        self.drop_ready()


#: The loops of this process.
_loops: WeakSet[Loop] = WeakSet()


def _belong_to_no_thread() -> None:
    """Let no thread of a forked child take itself for that of a loop: it has the same number as one of its parent."""
    for loop in _loops:
        loop.thread_id = loop.direct_thread = 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_belong_to_no_thread)


def make_reactor() -> Reactor | None:
    """Return what serves plain sockets; ``None`` where there is none, and streams do: all but Linux.

    This is where a reactor for another system would be chosen. The transports follow from what this returns.
    """
    if sys.platform == "linux" and hasattr(select, "epoll"):
        from .epoll import EpollReactor  # which can be imported nowhere else

        return EpollReactor()
    return None


@asynccontextmanager
async def run_loop(loop: LoopT) -> AsyncIterator[LoopT]:
    """Run ``loop`` around a block. At its end async callbacks are cancelled and everything pending is settled."""
    with trios_interrupt.taken():
        async with _running(loop):
            yield loop


@asynccontextmanager
async def _running(loop: Loop) -> AsyncIterator[None]:
    try:
        async with trio.open_nursery() as pump_nursery:
            pump_nursery.start_soon(loop.run_pump)
            pump_nursery.start_soon(loop.timers.run)
            try:
                async with trio.open_nursery() as loop.tasks:
                    try:
                        note_begun(loop)
                        yield
                    finally:
                        note_ending(loop)
                        loop.tasks.cancel_scope.cancel()
                        loop.run_to_end()  # coroutines that this makes begin still have their nursery
            finally:
                loop.is_ending = True
                loop.end()
                pump_nursery.cancel_scope.cancel()
    finally:
        if loop.reactor is not None:
            loop.reactor.close()
        loop.idle = True  # there is no pump any more, so to queue something means to wake
        loop.wake()


@asynccontextmanager
async def open_loop(*, with_reactor: bool = True) -> AsyncIterator[Loop]:
    """Run a new loop around a block, as `run_loop`.

    Args:
        with_reactor: Whether plain sockets are served by a `Reactor`, where there can be one.
    """
    async with run_loop(Loop(make_reactor() if with_reactor else None)) as loop:
        yield loop
