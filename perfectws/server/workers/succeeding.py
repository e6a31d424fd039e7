"""A program that was started to succeed another, and serves by itself, without workers."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from typing import Protocol

import trio

assert sys.platform != "win32"  # where there is no fork

from ...callbacks import logger
from . import launching
from .child import leave
from .launching import RunServers
from .succession import Heritage, Predecessor


class Run(launching.Run, Protocol):
    """All of the servers: what `perfectws.server.launch` runs."""

    def run_here(self, begun: Callable[[trio.Nursery], object], takes_sigint: bool) -> signal.Signals | None:
        """Serve until all are stopped, and return the signal that has done it; ``begun`` is called once they accept."""


class Following:
    """What the predecessor is told by the servers of a run, and tells them.

    Args:
        run: The servers.
        drain: Over how many seconds they close their connections when another takes over.
        predecessor: Who has started this process.

    Attributes:
        is_over: Whether the predecessor has let them go, or is gone.
    """

    def __init__(self, run: Run, drain: float, predecessor: Predecessor) -> None:
        self._servers = RunServers(run)
        self._drain = drain
        self._predecessor = predecessor
        self.is_over = False

    def begin(self, nursery: trio.Nursery) -> None:
        """Tell that they serve, and hear what is told."""
        self._predecessor.tell_serving(self._servers.listeners())
        nursery.start_soon(self._follow)

    async def _follow(self) -> None:
        while not self.is_over:
            await trio.lowlevel.wait_readable(self._predecessor.fileno())
            self._hear()

    def _hear(self) -> None:
        try:
            if self._predecessor.wants_us_to_retire():
                self.is_over = True
                for server in range(len(self._servers)):
                    self._servers.retire(server, self._drain)
        except EOFError:
            self.is_over = True
            logger.info("The process that has started this one is gone: stopping")
            for server in range(len(self._servers)):
                self._servers.stop(server)


def serve_alone(run: Run, drain: float, heritage: Heritage) -> None:
    """Serve in this process until all servers are stopped. This does not return, unless it raises.

    Args:
        run: The servers, which are bound.
        drain: Over how many seconds they close their connections when another takes over.
        heritage: What was left to this program.

    """
    assert heritage.line is not None
    predecessor = Predecessor(heritage.line, heritage)
    following = Following(run, drain, predecessor)
    # A terminal sends SIGINT to all of its processes: the predecessor is told too, and sends SIGTERM.
    if run.run_here(following.begin, takes_sigint=False) is None and not following.is_over:
        predecessor.tell_stopped()
    leave(0)  # the program goes on behind `launch` where it was begun, and only there
