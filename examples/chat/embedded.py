"""The chat in one process: rooms that live in it, and their messages in SQLite. Nothing has to be installed for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from perfectws import Room, RoomEntry

from .audience import Audience
from .history import History
from .languages import Language
from .messages import RoomLog


class Embedded:
    """See `chatroom.Shelf`.

    Args:
        path: The database's file; ``None`` keeps the messages in memory.
    """

    is_shared = False

    def __init__(self, path: Path | None) -> None:
        self._history = History(path)

    def log_of(self, room: str, audience: Audience) -> RoomLog:
        return self._history.log_of(room, audience)

    def audience(self, room: str, language: Language) -> Audience:
        return Audience()

    def people(self, room: str) -> Room:
        return Room()

    def directory(self) -> Room:
        return Room()

    def removals(self, stamp: Callable[[RoomEntry], str]) -> Room:
        return Room(stamp=stamp)

    def close(self) -> None:
        """Close the database. To be called when the server has stopped."""
        self._history.close()
