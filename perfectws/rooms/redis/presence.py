"""Who is in the rooms: what this process says of its own people, and what others say of theirs.

All of them stand in one hash per room, each under its process's name. Who lives, and so is to be seen, the `Lease`
knows. What changes is announced on the room's channel; the hash is read when a room begins to listen, over each new
connection, and when what it says can be believed again.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Collection, Iterable
from threading import Lock
from time import monotonic
from typing import Any, NamedTuple

from ...log_limit import LogLimit
from ..broker import Person
from .connection import RedisConnection, refusal
from .keys import Keys
from .lease import Lease, Neighbours, own_name
from .room import RedisRoom
from .scripts import ENTER, EXIT, PEOPLE
from .signal import Signal

#: How many changes are said at once, and how many rooms are read.
BATCH = 100
#: The most people of other processes in a room.
MAX_PEOPLE = 100_000
#: How long somebody waits for Redis to look whether a name is free, in seconds.
PATIENCE = 2.0
#: How long what was refused waits before it is said again, in seconds.
RETRY_SECONDS = 1.0

Done = Callable[[bool], object]


class Change(NamedTuple):
    """What is to be said of one member.

    Attributes:
        person: Who it is; ``None`` if it has left.
        is_unique: Whether nobody who lives elsewhere may have the name.
        done: What is told whether it is so; ``None`` for nobody.
        asked: When it was asked for.
    """

    person: Person | None
    is_unique: bool = False
    done: Done | None = None
    asked: float = 0.0


class RoomPeople:
    """The people of one room.

    Attributes:
        mine: Those of this process who have entered, by member.
        unsaid: What Redis was not told yet, or has not answered.
        others: Those of other processes, by process and key, whether it lives or not.
        early: What was announced while the hash is read; ``None`` while it is not.
    """

    __slots__ = ("early", "mine", "others", "unsaid")

    def __init__(self) -> None:
        self.mine: dict[int, Person] = {}
        self.unsaid: dict[int, Change] = {}
        self.others: dict[bytes, dict[str, Person]] = {}
        self.early: list[tuple[str, Person | None]] | None = None

    def put(self, key: str, person: Person | None) -> bool:
        """Take note of one of another process, or that one has left; tell whether that is a change."""
        name = instance_of(key)
        people = self.others.get(name, {})
        if people.get(key) == person:
            return False
        if person is None:
            del people[key]
            if not people:
                del self.others[name]
        elif len(self.others) + len(people) < MAX_PEOPLE:
            self.others.setdefault(name, people)[key] = person
        return True

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known, and nothing is to be said."""
        return not (self.mine or self.unsaid or self.others)


def instance_of(key: str) -> bytes:
    """Return the name of the process in which somebody is."""
    return key.partition(":")[0].encode("utf-8", "surrogatepass")
