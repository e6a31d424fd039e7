"""The reactor: one epoll object for all plain sockets of a loop, and what its events lead to.

Every socket is registered once, level-triggered. A pass over the ready ones calls each handler once; the loop then runs
the callbacks that this made ready and writes each socket that has output once. Between passes the pump waits, through
trio, for the epoll object itself to become readable, so trio's other tasks, clocks and cancellations work as ever.

A handler that is done with its descriptor only says so (`Reactor.remove_later`): the descriptor is closed when the pass
is over. Else a callback that closes another ready socket would leave an event behind for a descriptor that is gone, or
that the next accepted connection has taken over.
"""

from __future__ import annotations

import os
import select
from time import perf_counter
from typing import Protocol

from ..callbacks import logger

#: The most events of one pass: what a pass touches stays in the processor's cache until the pass is written.
MAX_EVENTS = 128
#: How long one pass may take, in seconds; what is left is what the next one begins with.
PASS_SECONDS = 0.005
#: How many events are handled between two looks at the clock: few, since each may be a TLS handshake, which takes long.
CLOCK_INTERVAL = 4

READABLE = select.EPOLLIN
WRITABLE = select.EPOLLOUT
#: A paused or half-closed socket: any level-triggered mask would report a reset again and again.
PAUSED = select.EPOLLRDHUP | select.EPOLLET


class EventHandler(Protocol):
    """What owns a descriptor that is registered."""

    def on_readable(self) -> None:
        """Act on there being something to read, and nothing else. Does not raise."""

    def on_events(self, events: int) -> None:
        """Act on whatever epoll reports. Does not raise."""

    def remove(self) -> None:
        """Close the descriptor, which is no longer registered."""


class _Alarm:
    """A descriptor that is readable once `Reactor.wake` was called."""

    def __init__(self) -> None:
        self.descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def on_readable(self) -> None:
        os.eventfd_read(self.descriptor)

    def on_events(self, events: int) -> None:
        self.on_readable()

    def remove(self) -> None:
        os.close(self.descriptor)


class Reactor:
    """One epoll object, and the handlers of the descriptors in it."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._handlers: dict[int, EventHandler] = {}
        #: What epoll has told and no pass has handled: seen by `becomes_ready_within`, or a pass had no time for it.
        self._found: list[tuple[int, int]] = []
        #: What `close_removed` has to do.
        self.removed: list[tuple[int, EventHandler]] = []
        self._alarm = _Alarm()
        self.add(self._alarm.descriptor, self._alarm)

    def fileno(self) -> int:
        """Return the descriptor that is readable when a pass would find something."""
        return self._epoll.fileno()

    def add(self, descriptor: int, handler: EventHandler, events: int = READABLE) -> None:
        """Call ``handler.on_events`` when ``descriptor`` is ready."""
        self._epoll.register(descriptor, events)
        self._handlers[descriptor] = handler

    def modify(self, descriptor: int, events: int) -> None:
        """Wait for other events of a descriptor; those of them that it has already are told anew."""
        self._epoll.modify(descriptor, events)
        self._forget(descriptor)

    def remove_later(self, descriptor: int, handler: EventHandler) -> None:
        """Unregister ``descriptor`` and call ``handler.remove`` when this pass, or the next, is over."""
        self.removed.append((descriptor, handler))

    def close_removed(self) -> None:
        """Unregister and close what is done with."""
        while self.removed:
            removed, self.removed = self.removed, []
            for descriptor, handler in removed:
                del self._handlers[descriptor]
                self._epoll.unregister(descriptor)
                self._forget(descriptor)
                handler.remove()

    def _forget(self, descriptor: int) -> None:
        if self._found:
            self._found = [event for event in self._found if event[0] != descriptor]

    def wake(self) -> None:
        """Make `fileno` readable."""
        os.eventfd_write(self._alarm.descriptor, 1)

    def becomes_ready_within(self, seconds: float) -> bool:
        """Look again and again, for at most ``seconds``, whether a pass would find something."""
        poll = self._epoll.poll
        deadline = perf_counter() + seconds
        while perf_counter() < deadline:
            self._found = poll(0, MAX_EVENTS)
            if self._found:
                return True
        return False

    def run_pass(self) -> bool:
        """Handle what is ready, within the budget. Return whether anything was."""
        found, self._found = self._found or self._epoll.poll(0, MAX_EVENTS), []
        if not found:
            return False
        handlers = self._handlers
        deadline = perf_counter() + PASS_SECONDS
        left = CLOCK_INTERVAL
        events = iter(found)
        for descriptor, mask in events:
            if mask == READABLE:
                handlers[descriptor].on_readable()
            else:
                handlers[descriptor].on_events(mask)
            left -= 1
            if not left:
                if perf_counter() > deadline:
                    # epoll would tell the same ones first again, and they would be all that is ever served.
                    self._found = list(events)
                    break
                left = CLOCK_INTERVAL
        return True

    def close(self) -> None:
        """Close the epoll object. Every handler should have been removed before."""
        self.remove_later(self._alarm.descriptor, self._alarm)
        self.close_removed()
        if self._handlers:
            logger.error("%d descriptors are left in a reactor that closes", len(self._handlers))
        self._epoll.close()
