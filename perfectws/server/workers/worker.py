"""What a worker does in its process: it serves as any server does, shares, and tells the others that it lives.

::

    begins ──every server accepts──▶ SERVING ──SIGTERM, or the application stops the last server──▶ LEAVING ──▶ ends
                                        └───────the supervisor wants it to retire───────────────────▶┘
"""

from __future__ import annotations

import os
import sys
from functools import partial
from types import FrameType
from typing import Protocol

import trio

assert sys.platform != "win32"  # where there is no fork

from ...errors import lone_error
from ...net.loop import Loop
from ...net.memory import collect_less_often, keep_freed_memory
from ...rooms.lone import refuse_lone_rooms
from ..figures import FiguresOfOthers, ServerFigures
from .board import Board, Order
from .channel import Channel, News
from .sharing import Sharing

#: How often a worker tells that it lives, in seconds, and looks what is wanted of it.
TICK = 0.2


class Servers(Protocol):
    """The servers of one launch, by their numbers, as each worker runs them."""

    def __len__(self) -> int:
        """Return how many there are."""

    async def serve(self, worker: Worker) -> None:
        """Serve until all are stopped. Calls ``worker.begin(loop)`` once all accept connections."""

    def is_stopping(self, server: int) -> bool:
        """Return whether a server was asked to stop, or has stopped."""

    def stop(self, server: int) -> None:
        """Stop a server; harmless if that was asked for before."""

    def retire(self, server: int, drain: float) -> None:
        """Stop a server gently, over so many seconds."""

    def figures(self, server: int) -> ServerFigures:
        """Return what a server has done in this process."""

    def add_figures(self, server: int, of_others: FiguresOfOthers) -> None:
        """Count what a server has done in other processes into its figures."""


class Worker:
    """One worker.

    Args:
        servers: What it runs.
        board, channel: What it shares with the others.
        number: Its own.
        drain: How long it takes to retire, in seconds.

    Attributes:
        sharing: What it keeps, passes on and takes.
    """

    def __init__(self, servers: Servers, board: Board, channel: Channel, number: int, drain: float) -> None:
        self.sharing = Sharing(board, channel, number)
        self._servers = servers
        self._board = board
        self._channel = channel
        self._number = number
        self._drain = drain
        self._supervisor = os.getpid()  # which makes this, before it forks
        self._is_leaving = False
        self._token: trio.lowlevel.TrioToken | None = None

    def run(self) -> None:
        """Serve until it is to end."""
        refuse_lone_rooms()
        keep_freed_memory()
        collect_less_often()
        try:
            trio.run(self._run)
        except BaseExceptionGroup as group:
            raise lone_error(group) from None

    def stop_at_signal(self, number: int, frame: FrameType | None) -> None:
        """Stop in order, for SIGTERM; as often as it comes, since the supervisor sees to it that this ends."""
        self._is_leaving = True
        if self._token is not None:
            self._token.run_sync_soon(self._stop)

    async def _run(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        await self._servers.serve(self)
        self._show_figures()
        if not self._is_leaving:  # the application has stopped every server
            self._tell_stops()

    def begin(self, loop: Loop) -> None:
        """Take part: every server accepts connections."""
        for server in range(len(self._servers)):
            self._servers.add_figures(server, partial(self._board.figures_of, server, but=self._number))
        loop.tasks.start_soon(self._take)
        loop.tasks.start_soon(self._tick)
        self._channel.report(self._number, News.SERVES)
        if self._is_leaving:  # the signal came before this
            self._stop()

    def _stop(self) -> None:
        self._board.leave(self._number)
        for server in range(len(self._servers)):
            self._servers.stop(server)

    async def _take(self) -> None:
        """Take what others pass on, to the end."""
        while True:
            await trio.lowlevel.wait_readable(self.sharing.fileno())
            self.sharing.take()

    async def _tick(self) -> None:
        """Tell that the loop turns, and look after what has come up meanwhile."""
        while True:
            self._show_figures()
            if not self._is_leaving:
                self._board.beat(self._number)
                self._obey()
                self._tell_stops()
                await self._take_back()
            await trio.sleep(TICK)

    def _obey(self) -> None:
        if sys.platform != "linux" and os.getppid() != self._supervisor:  # Linux ends this process itself
            self._is_leaving = True
            self._stop()
        elif self._board.order_to(self._number) is Order.RETIRE:
            self._is_leaving = True
            self._board.leave(self._number)
            for server in range(len(self._servers)):
                self._servers.retire(server, self._drain)

    def _show_figures(self) -> None:
        for server in range(len(self._servers)):
            self._board.show_figures(self._number, server, self._servers.figures(server))

    def _tell_stops(self) -> None:
        """Let a server that the application stops in one worker stop in all."""
        for server in range(len(self._servers)):
            if self._servers.is_stopping(server):
                self._board.stop_server(server)
            elif self._board.is_stopped(server):
                self._servers.stop(server)

    async def _take_back(self) -> None:
        while self.sharing.take_back():
            await trio.lowlevel.checkpoint()
