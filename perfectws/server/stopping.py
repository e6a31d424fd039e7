"""How a server stops: it is asked to, from any thread, and ends in this order.

1. It accepts no more, and listens no more.
2. Every connection is told: a WebSocket sends 1001, a request under way is answered, an idle connection is closed.
3. After ``close_timeout`` the connections that are left are dropped.
4. The loop ends, unless other servers run on it: async callbacks are cancelled, everything pending is settled.

The steps 1 to 3 are taken in `perfectws.server.accepting`, the last in `perfectws.net.loop.run_loop`. What makes of
SIGINT and SIGTERM a stop is `perfectws.net.signals`.
"""

from __future__ import annotations

import threading

import trio


class StopRequest:
    """What tells a server to stop. It belongs to the trio run in which it is made."""

    def __init__(self) -> None:
        self._made = trio.Event()
        self._token = trio.lowlevel.current_trio_token()
        self._thread_id = threading.get_ident()

    def make(self) -> None:
        """Ask for the stop. From any thread, and as often as one likes."""
        if threading.get_ident() == self._thread_id:
            self._made.set()
            return
        try:
            self._token.run_sync_soon(self._made.set)
        except trio.RunFinishedError:
            pass  # it has stopped

    async def wait(self) -> None:
        """Wait until the stop is asked for."""
        await self._made.wait()
