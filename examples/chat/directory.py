"""Which rooms there are, and who is in them: in all processes, as far as one socket of somebody is there."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator

from perfectws import Room, WebSocket

MAX_ROOMS = 100  # shown
MAX_PEOPLE = 12  # shown of a room


class Directory:
    """The rooms of the chat.

    Args:
        room: Has a socket of everybody; nothing is said in it.
    """

    def __init__(self, room: Room) -> None:
        self._room = room

    def enter(self, room: str, name: str, socket: WebSocket) -> None:
        """Take it that a socket is in a room, as somebody who has that name there."""
        self._names_of(socket)[room] = name
        self._tell(socket)

    def leave(self, room: str, socket: WebSocket) -> None:
        """Take it that a socket has left a room. What has closed has left all by itself."""
        if self._names_of(socket).pop(room, None) is not None and socket.is_connected:
            self._tell(socket)

    def rooms(self) -> dict[str, list[str]]:
        """Return who is in each room, the fullest first, as far as they are shown."""
        names: dict[str, list[str]] = {}
        for room, name in set(self._pairs()):
            names.setdefault(room, []).append(name)
        sizes = Counter({room: len(people) for room, people in names.items()})
        return {room: sorted(names[room])[:MAX_PEOPLE] for room, _ in sizes.most_common(MAX_ROOMS)}

    def _pairs(self) -> Iterator[tuple[str, str]]:
        for info in self._room.people.values():
            yield from info["names"].items()

    def _names_of(self, socket: WebSocket) -> dict[str, str]:
        """Return by which name a socket is known in each of its rooms: a new one need not be free in all of them."""
        names: dict[str, str] = socket.scratch_pad.setdefault("names", {})
        return names

    def _tell(self, socket: WebSocket) -> None:
        # Each socket is somebody of its own here: in two windows one is in different rooms.
        who = socket.scratch_pad.setdefault("who", secrets.token_hex(8))
        self._room.join(socket, who=who, info={"names": dict(self._names_of(socket))})
