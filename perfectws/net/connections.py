"""`Connections`: what one server has accepted and is not closed, so that it can be counted and ended."""

from __future__ import annotations

import trio

from .loop import Loop, LoopTransport


class Connections:
    """The open connections of one server. A loop may have those of several.

    Its length counts those that are served: one that was only told that there is no room is left out.

    Args:
        loop: The loop that drives them.
    """

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._open: set[LoopTransport] = set()
        self._refused: set[object] = set()
        self._gone = trio.Event()

    def __len__(self) -> int:
        return len(self._open) - len(self._refused)

    def add(self, transport: LoopTransport) -> None:
        """Learn of a connection that was accepted."""
        self._open.add(transport)

    def refuse(self, transport: object) -> None:
        """Learn that a connection is told that there is no room, and nothing more."""
        self._refused.add(transport)

    def discard(self, transport: LoopTransport) -> None:
        """Learn that a connection is closed."""
        self._open.discard(transport)
        self._refused.discard(transport)
        self._gone.set()

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
