"""The chat in several processes, on several machines: Redis carries what is said, keeps it, and knows who is there."""

from __future__ import annotations

from collections.abc import Callable

from perfectws import Recovery, RedisBroker, Room, RoomEntry, WebSocket

from .audience import Audience
from .languages import PLAIN, Language
from .messages import RoomLog
from .page_language import PAGE
from .room_log import KEPT, READ, BrokeredLog

KEPT_FOR = 30 * 24 * 3600.0  # seconds
KEPT_FOR_THE_LATE = 60.0  # seconds


class LateAudience(Audience):
    """Sockets that hear of what was said before they listen.

    The first one in a process hears nothing until Redis knows that the process listens. What was said until then, it is
    sent behind. What is said in that very moment may come twice, with one id; it never fails to come.
    """

    def join_behind(self, socket: WebSocket, is_news: Callable[[str], bool]) -> None:
        def joined(recovery: Recovery) -> None:
            def found(entries: list[RoomEntry]) -> None:
                positions = [entry.position for entry in entries]
                unheard = positions.index(recovery.position) + 1 if recovery.position in positions else 0
                for entry in entries[:unheard]:
                    if is_news(str(entry.data)):
                        socket.send_string_message(str(entry.data))

            self.said.last_messages(READ, found)

        self.join(socket, None, joined)


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
        if language is PLAIN:
            last = Room(f"{room} plain", broker=self._broker, history=READ, history_seconds=KEPT_FOR_THE_LATE)
            return LateAudience(said=last, hinted=last)
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
