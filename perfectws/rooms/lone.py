"""Rooms with a name that no other process hears of: behind several workers, each would be as many rooms of one name.

Whoever is in one of them would not see who is in the others, and nothing would tell. So a server that has several
workers refuses them: those that are there before it forks, and those that a worker makes later.
"""

from __future__ import annotations

import gc
from typing import Protocol
from weakref import WeakSet

from ..errors import LocalProtocolError


class NamedRoom(Protocol):
    """A room, as far as it matters here."""

    @property
    def name(self) -> str | None:
        """What it is called."""


_rooms: WeakSet[NamedRoom] = WeakSet()
#: Whether this process is one of several workers.
_are_refused = False


def lone_rooms() -> list[str]:
    """Return the names of the rooms that are there, sorted, each once."""
    if _rooms:
        gc.collect()  # a room that nobody holds any more, but its own members, is not there
    return sorted({room.name for room in _rooms if room.name is not None})


def refuse_lone_rooms() -> None:
    """Let no such room be made in this process from now on: it is one of several workers."""
    global _are_refused
    _are_refused = True


def lone_rooms_error(*names: str) -> str:
    """Return what to tell whoever has made such rooms."""
    room, quoted = ("rooms" if len(names) > 1 else "room"), ", ".join(map(repr, names))
    return (
        f"the {room} {quoted} would be another one in each worker: give a broker that they share, as in "
        f"Room({names[0]!r}, broker=RedisBroker(…)), or no name if it is meant to be each worker's own"
    )


def note_lone_room(room: NamedRoom) -> None:
    """Take a new room that has a name, and no broker that spans processes.

    Raises:
        LocalProtocolError: This process is one of several workers.
    """
    if _are_refused and room.name is not None:
        raise LocalProtocolError(lone_rooms_error(room.name))
    _rooms.add(room)
