"""`Signal`: a task that waits for work, and is woken from any thread."""

from __future__ import annotations

from threading import Lock

import outcome

from ...suspension import Suspension


class Signal:
    """What one task waits for. Set while nobody waits, it lets the next wait pass at once."""

    __slots__ = ("_is_set", "_lock", "_suspension")

    def __init__(self) -> None:
        self._lock = Lock()
        self._is_set = False
        self._suspension: Suspension | None = None

    def set(self) -> None:
        """Wake the task, or let its next wait pass. From any thread."""
        if self._is_set:
            return  # the task clears it before it looks for work
        with self._lock:
            self._is_set = True
            suspension, self._suspension = self._suspension, None
        if suspension is not None:
            suspension.resume(outcome.Value(None))

    def clear(self) -> None:
        """Forget that it was set. By the task, which looks for work next."""
        with self._lock:
            self._is_set = False

    async def wait(self) -> None:
        """Wait until it is set, and clear it."""
        with self._lock:
            self._suspension = suspension = None if self._is_set else Suspension()
        try:
            if suspension is not None:
                await suspension.sleep()
        finally:
            with self._lock:
                self._is_set = False
                self._suspension = None
