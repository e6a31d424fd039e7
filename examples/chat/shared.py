"""The chat in several processes, on several machines: Redis carries what is said, keeps it, and knows who is there."""

from __future__ import annotations

from collections.abc import Callable

from perfectws import RedisBroker, Room, RoomEntry

from .audience import Audience
from .languages import Language
from .messages import RoomLog
from .page_language import PAGE
from .room_log import KEPT, BrokeredLog

KEPT_FOR = 30 * 24 * 3600.0  # seconds


class Shared:
    """See `chatroom.Shelf`.

    Each language has a room of its own, and who says something says it in each. That of the page is the log too.

    Args:
        url: Where Redis is, such as ``redis://127.0.0.1:6379``.
    """

    is_shared = True

    def __init__(self, url: str) -> None:
        # Made once, before the workers are forked: it connects in each when a room there gets its first member.
        self._broker = RedisBroker(url, prefix="chat")

    def log_of(self, room: str, audience: Audience) -> RoomLog:
        return BrokeredLog(room, audience)

    def audience(self, room: str, language: Language) -> Audience:
        hinted = self._room(f"{room} {language.name}")
        if language is not PAGE:
            return Audience(said=hinted, hinted=hinted)
        said = Room(room, broker=self._broker, history=KEPT, history_seconds=KEPT_FOR, stamp=with_position)
        return Audience(said=said, hinted=hinted)

    def people(self, room: str) -> Room:
        return self._room(f"{room} people")

    def directory(self) -> Room:
        return self._room("all rooms")

    def removals(self, stamp: Callable[[RoomEntry], str]) -> Room:
        return Room("removals", broker=self._broker, history_seconds=KEPT_FOR, stamp=stamp)

    def close(self) -> None:
        """Send what is queued. To be called when the server has stopped."""
        self._broker.close()

    def _room(self, name: str) -> Room:
        return Room(name, broker=self._broker, history=0)


def with_position(entry: RoomEntry) -> str:
    """Return what a page is told: also up to where it then knows all, to come back with."""
    return f'{str(entry.data)[:-1]},"position":"{entry.position}"}}'
