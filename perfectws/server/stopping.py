"""How a server stops: it is asked to, from any thread, and ends in this order.

1. It accepts no more, and listens no more.
2. Where it has time for that (``drain``), or another process serves from now on: one connection after the other is
   told, as `perfectws.server.retiring` says.
3. Every connection is told: a WebSocket sends 1001, a request under way is answered, an idle connection is closed.
4. After ``close_timeout`` the connections that are left are dropped.
5. The loop ends, unless other servers run on it: async callbacks are cancelled, everything pending is settled.

The steps 1 to 4 are taken in `perfectws.server.accepting`, the last in `perfectws.net.loop.run_loop`. What makes of
SIGINT and SIGTERM a stop is `perfectws.net.signals`.
"""

from __future__ import annotations

import threading

import trio


class StopRequest:
    """What tells a server to stop. It belongs to the trio run in which it is made.

    Args:
        drain: Over how many seconds its connections are told, one after the other; ``None`` tells all at once.

    Attributes:
        drain: As above; where it makes way for another process, what that has said.
        has_successor: Whether another process serves from now on.
    """

    def __init__(self, drain: float | None = None) -> None:
        self.drain = drain
        self.has_successor = False
        self._made = trio.Event()
        self._is_urgent = trio.Event()
        self._token = trio.lowlevel.current_trio_token()
        self._thread_id = threading.get_ident()

    def make(self) -> None:
        """Ask for the stop. From any thread, and as often as one likes."""
        if threading.get_ident() == self._thread_id:
            self._make()
            return
        try:
            self._token.run_sync_soon(self._make)
        except trio.RunFinishedError:
            pass  # it has stopped

    def _make(self) -> None:
        self._made.set()
        if self.drain is None or self.has_successor:
            self._is_urgent.set()

    def make_way(self, drain: float) -> None:
        """Ask the server to make way for another process. In its own thread; `make` behind it hurries it."""
        self.drain, self.has_successor = drain, True
        self._made.set()

    @property
    def is_made(self) -> bool:
        """Whether the stop is asked for, in either way."""
        return self._made.is_set()

    async def wait(self) -> None:
        """Wait until the stop is asked for, in either way."""
        await self._made.wait()

    async def wait_until_urgent(self) -> None:
        """Wait until it is asked for at once."""
        await self._is_urgent.wait()
