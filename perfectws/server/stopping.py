"""How a server stops: it is asked to, from any thread, and ends in this order.

1. It accepts no more, and listens no more.
2. Where it is to retire, since another process serves from now on: one connection after the other is told.
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

    Attributes:
        drain: Over how many seconds its connections are told, where it is to retire; else ``None``.
    """

    def __init__(self) -> None:
        self.drain: float | None = None
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
        self._is_urgent.set()

    def make_gently(self, drain: float) -> None:
        """Ask the server to retire. In its own thread."""
        self.drain = drain
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
