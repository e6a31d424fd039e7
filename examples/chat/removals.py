"""Whom whoever runs the chat has sent away for a while: in all its processes; with Redis, after a restart too."""

from __future__ import annotations

import json
from collections.abc import Callable
from math import ceil
from time import time
from weakref import WeakSet

from perfectws import Room, RoomEntry, WebSocket

from .names import fold_name
from .rules import Refused
from .user import ChatUser

MAX_MINUTES = 24 * 60
KEPT = 200  # removals

#: Closes the sockets of who is sent away.
REMOVED = 4003


class Removals:
    """Who may not come in.

    Args:
        make_room: Makes the `Room` that tells it to all processes, with a ``stamp`` that it is given.
        is_shared: Whether several processes are one chat.
    """

    def __init__(self, make_room: Callable[[Callable[[RoomEntry], str]], Room], is_shared: bool) -> None:
        self._is_shared = is_shared
        #: By session and by name, until when, in seconds since 1970.
        self._until: dict[str, float] = {}
        self._sockets: dict[str, WeakSet[WebSocket]] = {}
        self._room = make_room(self._hear)
        self._most = 100

    def _hear(self, entry: RoomEntry) -> str:
        """Hear of a removal, maybe again; what is returned the pages are told."""
        told, now = json.loads(entry.data), time()
        if told["until"] > now:
            news = {key: told["until"] for key in (told["by"], told["key"]) if told["until"] > self._until.get(key, 0)}
            if news:
                self._until = {key: until for key, until in self._until.items() if until > now} | news
            for socket in list(self._sockets.get(told["by"], ())):
                socket.close(REMOVED, "removed for a while")
        return str(entry.data)

    def remove(self, session: str, name: str, minutes: int) -> None:
        """Send somebody away."""
        until = time() + 60 * minutes
        self._room.send_string_message(
            json.dumps({"type": "removed", "by": session, "key": fold_name(name), "name": name, "until": until})
        )

    @property
    def are_heard(self) -> bool:
        """Whether this process hears of every removal: it does as long as one of its sockets may be told."""
        return not self._is_shared or len(self._room) > 0

    def admit(
        self, user: ChatUser, socket: WebSocket, hears: bool, completion: Callable[[Refused | None], object]
    ) -> None:
        """Find out whether a user may come in, or may stay; and close the socket once the user is sent away.

        Args:
            user: Whose it is.
            socket: The socket.
            hears: Whether it may be told who is sent away.
            completion: Told why not, or ``None``.
        """

        def read() -> None:
            refusal = self._refusal(user)
            if refusal is None:
                self._watch(user, socket)
                if hears:
                    # What is said before the process listens is read once it does.
                    self._room.join(socket, completion=lambda recovery: self._read(lambda: None))
            completion(refusal)

        self._read(read)

    def _refusal(self, user: ChatUser) -> Refused | None:
        until = max(self._until.get(user.session, 0), self._until.get(user.key, 0))
        if until <= time():
            return None
        minutes = ceil((until - time()) / 60)
        return Refused("removed", f"You were removed. In {minutes} minutes you can come back.")

    def _watch(self, user: ChatUser, socket: WebSocket) -> None:
        if len(self._sockets) > 2 * self._most:
            self._sockets = {session: sockets for session, sockets in self._sockets.items() if sockets}
            self._most = max(100, len(self._sockets))
        self._sockets.setdefault(user.session, WeakSet()).add(socket)

    def _read(self, completion: Callable[[], object]) -> None:
        """Hear of all removals that are kept. While the process hears of them, Redis is not asked for it."""

        def read(entries: list[RoomEntry]) -> None:
            for entry in entries:
                self._hear(entry)
            completion()

        if self._is_shared:
            self._room.last_messages(KEPT, read)
        else:
            completion()
