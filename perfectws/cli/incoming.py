"""What comes over a socket, for a thread that writes it: in batches, and no faster than it writes."""

from __future__ import annotations

import threading
from collections.abc import Coroutine, Iterator
from typing import Any

from ..futures import Promise
from ..websocket.socket import WebSocket

#: How many messages may wait for the thread; then the peer is held back.
MOST = 1000


class Incoming:
    """The messages of a socket that wait to be written.

    Args:
        socket: The socket, which has no handlers yet.

    Attributes:
        count: How many messages have come.
    """

    def __init__(self, socket: WebSocket) -> None:
        self.count = 0
        self._changed = threading.Condition()
        self._waiting: list[str | bytes] = []
        self._has_ended = False
        #: What is resolved when there is room again.
        self._room: Promise[None] | None = None
        socket.on_text(self._take)
        socket.on_binary(self._take)
        socket.on_close.when_complete(self._end)

    def batches(self) -> Iterator[list[str | bytes]]:
        """Yield what has come, in order, until the connection is closed."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._has_ended)
                batch, self._waiting = self._waiting, []
                room, self._room = self._room, None
            if room is not None:
                room.succeed()
            if not batch:
                return
            yield batch

    def _take(self, socket: WebSocket, message: str | bytes) -> Coroutine[Any, Any, None] | None:
        with self._changed:
            self.count += 1
            self._waiting.append(message)
            self._changed.notify()
            if len(self._waiting) < MOST:
                return None
            self._room = Promise[None]()
            return _resolved(self._room)

    def _end(self, result: object) -> None:
        with self._changed:
            self._has_ended = True
            self._changed.notify()


async def _resolved(promise: Promise[None]) -> None:
    await promise.future_result
