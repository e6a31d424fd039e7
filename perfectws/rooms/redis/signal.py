"""`Signal`: a task that waits for work, and is woken from any thread."""

from __future__ import annotations

from threading import Lock

import outcome

from ...suspension import Suspension


class Signal:
    """What one task waits for. Set while nobody waits, it lets the next wait pass at once.

    Attributes:
        is_awaited: Whether the task sleeps, so that to set it wakes somebody.
    """

    __slots__ = ("_is_set", "_lock", "_suspension", "is_awaited")

    def __init__(self) -> None:
        self._lock = Lock()
        self._is_set = False
        self._suspension: Suspension | None = None
        self.is_awaited = False

    def set(self) -> None:
        """Wake the task, or let its next wait pass. From any thread."""
        with self._lock:
            self._is_set = True
            self.is_awaited = False
            suspension, self._suspension = self._suspension, None
        if suspension is not None:
            suspension.resume(outcome.Value(None))

    async def wait(self) -> None:
        """Wait until it is set, and clear it."""
        with self._lock:
            suspension = None if self._is_set else Suspension()
            self._is_set = False
            self._suspension = suspension
            self.is_awaited = suspension is not None
        if suspension is not None:
            try:
                await suspension.sleep()
            finally:
                with self._lock:
                    self._is_set = self.is_awaited = False
                    self._suspension = None
