"""The reactor: one poller, such as epoll, for all plain sockets of a loop, and what its events lead to.

Every socket is registered once, level-triggered. A pass over the ready ones calls each handler once; the loop then runs
the callbacks that this made ready and writes each socket that has output once. Between passes the pump waits, through
trio, for the poller itself to become readable, so trio's other tasks, clocks and cancellations work as ever.

A handler that is done with its descriptor only says so (`Reactor.remove_later`): the descriptor is closed when the pass
is over. Else a callback that closes another ready socket would leave an event behind for a descriptor that is gone, or
that the next accepted connection has taken over.

What the system adds to it, the poller and what wakes it, stands in a class of its own: `perfectws.net.epoll` for Linux.
Another system's would stand beside that; `perfectws.net.loop.make_reactor` chooses.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from time import perf_counter
from typing import Protocol

from ..callbacks import logger
from ..counts import Counts

#: The most events of one pass: what a pass touches stays in the processor's cache until the pass is written.
MAX_EVENTS = 128
#: How long one pass may take, in seconds; what is left is what the next one begins with.
PASS_SECONDS = 0.005
#: How many events are handled between two looks at the clock: few, since each may be a TLS handshake, which takes long.
CLOCK_INTERVAL = 4
#: Behind which of a pass's events it looks.
_LOOKS = ((False,) * (CLOCK_INTERVAL - 1) + (True,)) * (MAX_EVENTS // CLOCK_INTERVAL)

# What a descriptor is watched for. They are numbered as epoll numbers them, so that nothing is translated there.
READABLE = 0x001  # EPOLLIN
WRITABLE = 0x004  # EPOLLOUT
#: A paused or half-closed socket: any level-triggered mask would report a reset again and again.
PAUSED = 0x2000 | 0x8000_0000  # EPOLLRDHUP | EPOLLET


class EventHandler(Protocol):
    """What owns a descriptor that is registered."""

    def on_readable(self) -> int:
        """Act on there being something to read, and nothing else. Return how many bytes were read. Does not raise."""

    def on_events(self, events: int) -> int:
        """Act on whatever the poller reports. Return how many bytes were read. Does not raise."""

    def remove(self) -> None:
        """Close the descriptor, which is no longer registered."""


class Poller(Protocol):
    """What tells which descriptors are ready, level-triggered: `select.epoll`, or what does as it does."""

    def fileno(self) -> int:
        """Return the descriptor that is readable when `poll` would tell something."""

    def register(self, fd: int, eventmask: int, /) -> None:
        """Watch a descriptor for these events, for an error and for a reset."""

    def modify(self, fd: int, eventmask: int, /) -> None:
        """Watch a descriptor for other events."""

    def unregister(self, fd: int, /) -> None:
        """Watch a descriptor no more."""

    def poll(self, timeout: float, maxevents: int, /) -> list[tuple[int, int]]:
        """Return descriptors that are ready, and their events."""

    def close(self) -> None:
        """Let go of it all."""


class Reactor(ABC):
    """A poller, and the handlers of the descriptors in it.

    Args:
        poller: The poller, which it owns.

    Attributes:
        counts: Where it is counted what is read.
    """

    def __init__(self, poller: Poller) -> None:
        self.counts = Counts()  # the loop's own, once it has one
        self._poller = poller
        self._handlers: dict[int, EventHandler] = {}
        #: What the poller told and no pass has handled: seen by `becomes_ready_within`, or a pass had no time for it.
        self._found: list[tuple[int, int]] = []
        #: What `close_removed` has to do.
        self.removed: list[tuple[int, EventHandler]] = []

    def fileno(self) -> int:
        """Return the descriptor that is readable when a pass would find something."""
        return self._poller.fileno()

    def add(self, descriptor: int, handler: EventHandler, events: int = READABLE) -> None:
        """Call ``handler.on_events`` when ``descriptor`` is ready."""
        self._poller.register(descriptor, events)
        self._handlers[descriptor] = handler

    def modify(self, descriptor: int, events: int) -> None:
        """Wait for other events of a descriptor; those of them that it has already are told anew."""
        self._poller.modify(descriptor, events)
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
                self._poller.unregister(descriptor)
                self._forget(descriptor)
                handler.remove()

    def _forget(self, descriptor: int) -> None:
        if self._found:
            self._found = [event for event in self._found if event[0] != descriptor]

    @abstractmethod
    def wake(self) -> None:
        """Make `fileno` readable. From any thread."""

    def becomes_ready_within(self, seconds: float) -> bool:
        """Look again and again, for at most ``seconds``, whether a pass would find something."""
        poll = self._poller.poll
        deadline = perf_counter() + seconds
        while perf_counter() < deadline:
            self._found = poll(0, MAX_EVENTS)
            if self._found:
                return True
        return False

    def run_pass(self) -> bool:
        """Handle what is ready, within the budget. Return whether anything was."""
        found, self._found = self._found or self._poller.poll(0, MAX_EVENTS), []
        if not found:
            return False
        handlers = self._handlers
        deadline = perf_counter() + PASS_SECONDS
        received = 0
        events = zip(found, _LOOKS, strict=False)
        for (descriptor, mask), looks in events:
            if mask == READABLE:
                received += handlers[descriptor].on_readable()
            else:
                received += handlers[descriptor].on_events(mask)
            if looks and perf_counter() > deadline:
                # The poller would tell the same ones first again, and they would be all that is ever served.
                self._found = found[len(found) - len(list(events)) :]
                break
        self.counts.bytes_received += received
        return True

    def close(self) -> None:
        """Close the poller. Every handler should have been removed before."""
        self.close_removed()
        if self._handlers:
            logger.error("%d descriptors are left in a reactor that closes", len(self._handlers))
        self._poller.close()
