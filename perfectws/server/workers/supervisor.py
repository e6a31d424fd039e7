"""The supervisor: the process that was started, which forks workers, looks after them, and serves nothing itself.

::

    STARTING ──all workers serve──▶ RUNNING ──SIGTERM, SIGINT──▶ STOPPING ──all have ended──▶ `supervise` returns
       │                             │   ▲
       └─one does not: LaunchFailure │   └──────────────the successor serves: those before it retire
                                     └──SIGHUP──▶ a successor is started (`perfectws.server.workers.succession`)

It is plain synchronous code in the main thread of a process that has no other: it sleeps in ``poll`` until a signal
comes, a worker reports, or a time is up.
"""

from __future__ import annotations

import select
import signal
import sys
from collections.abc import Callable, Sequence
from math import inf
from time import monotonic
from typing import Protocol

assert sys.platform != "win32"  # where there is no fork

from ...callbacks import logger
from ...errors import LaunchFailure
from ...net.notify import notifier
from ...net.signals import Handling, is_applications
from .child import leave
from .crew import GRACE, Comeback, Crew
from .generation import Generation
from .plan import Plan
from .signals import SignalQueue, ignore
from .succession import Heritage, Listener, Predecessor, Successor
from .worker import Servers

#: How long it sleeps at most, in seconds: ``poll`` cannot count without an end.
LONGEST_SLEEP = 3600.0


class Supervised(Servers, Protocol):
    """The servers of one launch, as their supervisor has them.

    Attributes:
        close_timeout: How long their connections may take to end when they stop, in seconds.
    """

    close_timeout: float

    def listeners(self) -> list[Listener]:
        """Return what they listen by."""

    def announce(self, workers: int) -> None:
        """Log that they are served, by so many workers."""


class Supervisor:
    """Looks after those who serve: first a crew of its own, then its successors.

    Args:
        crew: The workers, which have not begun.
        signals: What comes for this process.
        plan: Says which signal starts a successor, and of what.
        listeners: What listens, for the successor.
        predecessor: Who has started this process to be succeeded by it; ``None`` if nobody has.
        stop_seconds: How long workers may take to stop, in seconds.
        begun: Called once all workers serve.
    """

    def __init__(
        self,
        crew: Crew,
        signals: SignalQueue,
        plan: Plan,
        listeners: Sequence[Listener],
        predecessor: Predecessor | None,
        stop_seconds: float,
        begun: Callable[[], object],
    ) -> None:
        self._crew = crew
        self._signals = signals
        self._reload_on = plan.reload_on
        self._program = plan.program
        self._listeners = list(listeners)
        self._predecessor = predecessor
        self._stop_seconds = stop_seconds
        self._begun = begun
        self._has_begun = False
        #: Who serves, who is to serve next, and who is on the way out.
        self._current: Generation = crew
        self._next: Successor | None = None
        self._leaving: list[Generation] = []
        self._is_reload_due = False
        self._is_stopping = False
        self._is_retiring = False
        self._restart_at = inf
        self._comeback = Comeback()
        self._notifier = notifier()
        self._tells_alive_at = inf if self._notifier.interval is None else 0.0

    def run(self) -> None:
        """Look after them until all have ended.

        Raises:
            LaunchFailure: They do not begin to serve.
            KeyboardInterrupt: A second SIGINT came.
        """
        try:
            self._crew.start(self._close_in_child)
            while not self._is_over:
                self._sleep()
                for number in self._signals.take():
                    self._obey(number)
                self._hear_predecessor()
                self._look()
        finally:
            for generation in self._generations:
                generation.kill()
        if self._crew.failure is not None:
            raise LaunchFailure(self._crew.failure)

    def _close_in_child(self) -> None:
        """Let a worker have nothing of what is the supervisor's alone: else nobody would notice its end."""
        self._signals.close()
        if self._predecessor is not None:
            self._predecessor.close()
        for generation in self._generations:
            if isinstance(generation, Successor):
                generation.close()

    @property
    def _generations(self) -> list[Generation]:
        return [self._current, *([self._next] if self._next else []), *self._leaving]

    @property
    def _is_over(self) -> bool:
        is_last = self._is_stopping or self._is_retiring or self._crew.failure is not None
        return is_last and all(each.is_over for each in self._generations)

    def _sleep(self) -> None:
        poll = select.poll()
        descriptors = [self._signals.fileno(), *([self._predecessor.fileno()] if self._predecessor else [])]
        for generation in self._generations:
            descriptors += generation.descriptors()
        for descriptor in descriptors:
            poll.register(descriptor, select.POLLIN)
        self._tell_alive()
        end = min([self._restart_at, self._tells_alive_at, *(each.deadline() for each in self._generations)])
        poll.poll(min(max(0, end - monotonic()), LONGEST_SLEEP) * 1000)

    def _tell_alive(self) -> None:
        """Tell systemd so, where it wants to hear it."""
        now, interval = monotonic(), self._notifier.interval
        if interval is not None and self._tells_alive_at <= now:
            self._tells_alive_at = now + interval
            self._notifier.tell_alive()

    # What comes

    def _obey(self, number: int) -> None:
        if number == signal.SIGINT and self._predecessor is not None:
            return  # a terminal sends it to all of its processes: the predecessor acts, and sends SIGTERM
        if number in (signal.SIGTERM, signal.SIGINT):
            if self._is_stopping and number == signal.SIGINT:
                raise KeyboardInterrupt
            self._signals.give_back(signal.SIGTERM)  # the second is what it was before
            self._stop(signal.Signals(number).name)
        elif number == self._reload_on and self._predecessor is None:  # else the predecessor does what there is to do
            if number == signal.SIGHUP and self._signals.terminal_is_gone():
                self._stop("SIGHUP, and the terminal is gone")
            else:
                self._is_reload_due = True

    def _hear_predecessor(self) -> None:
        if self._predecessor is None or self._is_stopping:
            return
        try:
            if self._predecessor.wants_us_to_retire():
                self._is_retiring = True
                self._current.retire()
        except EOFError:
            self._predecessor.close()
            self._predecessor = None
            self._stop("the process that has started this one is gone")

    def _stop(self, reason: str) -> None:
        if self._is_stopping:
            return
        logger.info("%s: stopping the workers", reason)
        self._notifier.tell_stopping(f"Stopping at {reason}")
        self._is_stopping = True
        self._is_reload_due, self._restart_at = False, inf
        for generation in self._generations:
            generation.stop()

    # Generations

    def _look(self) -> None:
        for generation in self._generations:
            generation.look()
        if self._crew.serves and not self._has_begun:
            self._has_begun = True
            self._begun()
            self._notifier.tell_ready(f"Serving on {', '.join(each.title for each in self._listeners)}")
            if self._predecessor is not None:
                self._predecessor.tell_serving(self._listeners)
        self._leaving = [each for each in self._leaving if not self._has_left(each)]
        if self._current.is_stopped and not self._is_stopping:
            if self._predecessor is not None:
                self._predecessor.tell_stopped()
            self._stop("the application has stopped every server")
        if self._has_begun and not (self._is_stopping or self._is_retiring):
            self._succeed()

    def _has_left(self, generation: Generation) -> bool:
        if generation.is_over and isinstance(generation, Successor):
            generation.close()
        return generation.is_over

    def _succeed(self) -> None:
        """Let the successor take over once it serves, and begin one when it is time for it."""
        if self._next is not None:
            self._look_at_next(self._next)
        elif isinstance(self._current, Successor) and self._current.is_over and self._restart_at == inf:
            wait = self._comeback.wait(monotonic() - self._current.since)
            logger.error("%s %s: it is started again", self._current.title, self._current.ended)
            self._restart_at = monotonic() + wait
        elif self._is_reload_due or self._restart_at <= monotonic():
            self._begin_next()

    def _look_at_next(self, successor: Successor) -> None:
        if successor.serves:
            logger.info("%s serves: those before it go", successor.title)
            self._current.retire()
            self._leaving.append(self._current)
            self._current, self._next = successor, None
            self._listeners = successor.take_listeners(self._listeners)
            self._notifier.tell_reloaded()
        elif successor.is_over:
            logger.error("%s %s before it served: all stays as it was", successor.title, successor.ended)
            successor.close()
            self._next = None
            self._notifier.tell_reloaded()
            if isinstance(self._current, Successor) and self._current.is_over:
                self._restart_at = monotonic() + self._comeback.wait(0)

    def _begin_next(self) -> None:
        self._is_reload_due, self._restart_at = False, inf
        if not self._program.command:
            logger.error("This program was typed in, and cannot be started again: all stays as it was")
            self._notifier.tell_reloading("This program cannot be started again")
            self._notifier.tell_reloaded()
            return
        self._next = Successor(self._program, self._listeners, self._stop_seconds, (signal.SIGINT, self._reload_on))
        logger.info("Reloading: %s begins", self._next.title)
        self._notifier.tell_reloading(f"Reloading: {self._next.title} begins")


def supervise(servers: Supervised, plan: Plan, heritage: Heritage) -> None:
    """Serve by workers until all is stopped. In a program that was started to succeed another, this does not return.

    Args:
        servers: What they run; it is bound.
        plan: How many there are, and so on.
        heritage: What was left to this program.

    Raises:
        LaunchFailure: They do not begin to serve.
        KeyboardInterrupt: A second SIGINT came.
    """
    with SignalQueue(_signals_to_take(plan.reload_on)) as signals:
        handlers: dict[int, Handling] = {signal.SIGINT: ignore, plan.reload_on: ignore}
        handlers[signal.SIGCHLD] = signals.former[signal.SIGCHLD]
        crew = Crew(servers, plan.workers, plan.drain, servers.close_timeout, handlers)
        Supervisor(
            crew,
            signals,
            plan,
            servers.listeners(),
            None if heritage.line is None else Predecessor(heritage.line, heritage),
            servers.close_timeout + GRACE,
            lambda: servers.announce(plan.workers),
        ).run()
    if heritage.line is not None:
        leave(0)  # the program goes on behind `launch` where it was begun, and only there


def _signals_to_take(reload_on: signal.Signals) -> list[signal.Signals]:
    """Return the signals that are the supervisor's: one that reloads may be the application's already."""
    taken = [signal.SIGTERM, signal.SIGINT, signal.SIGCHLD]
    return taken if is_applications(signal.getsignal(reload_on)) else [*taken, reload_on]
