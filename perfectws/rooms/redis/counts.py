"""What the broker counts."""

from __future__ import annotations

from threading import Lock


class Counts:
    """The figures of a broker, as they grow. See `perfectws.rooms.figures.BrokerFigures`."""

    __slots__ = ("_lock", "duplicates", "gaps", "lost", "published", "reconnects", "refused", "resent")

    def __init__(self) -> None:
        self._lock = Lock()
        self.published = self.lost = self.refused = self.resent = 0
        self.duplicates = self.gaps = self.reconnects = 0

    def lose(self, messages: int) -> None:
        """Count messages that will never be in a log. From any thread; all else is counted in the broker's loop."""
        with self._lock:
            self.lost += messages
