"""The people of one room, as Redis is to be told of them, and as it tells of others."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import NamedTuple

from ..broker import Person

#: The most people of other processes in a room.
MAX_PEOPLE = 100_000
#: What one of the people is called: the name of the process, and a number there.
_KEY = re.compile(r"[0-9a-f]{32}:\d{1,20}", re.ASCII)

Done = Callable[[bool], object]


class Change(NamedTuple):
    """What is to be said of one member.

    Attributes:
        person: Who it is; ``None`` if it has left.
        is_unique: Whether nobody who lives elsewhere may have the name.
        done: Told whether it is so; ``None`` if nobody waits for that.
    """

    person: Person | None
    is_unique: bool = False
    done: Done | None = None


def instance_of(key: str) -> bytes:
    """Return the name of the process in which somebody is."""
    return key.partition(":")[0].encode()


class RoomPeople:
    """The people of one room.

    Attributes:
        mine: Those of this process who have entered, by member.
        unsaid: What Redis was not told yet, or has not answered.
        others: Those of other processes, by process and key, whether it lives or not.
        early: What was announced while the hash is read; ``None`` while it is not.
    """

    __slots__ = ("_count", "early", "mine", "others", "unsaid")

    def __init__(self) -> None:
        self._count = 0
        self.mine: dict[int, Person] = {}
        self.unsaid: dict[int, Change] = {}
        self.others: dict[bytes, dict[str, Person]] = {}
        self.early: list[tuple[str, Person | None]] | None = None

    def put(self, key: str, person: Person | None) -> bool:
        """Take note of one of another process, or that one has left; tell whether that is a change."""
        name = instance_of(key)
        people = self.others.get(name, {})
        if people.get(key) == person or (person is not None and self._count >= MAX_PEOPLE):
            return False
        if person is None:
            del people[key]
            self._count -= 1
            if not people:
                del self.others[name]
        else:
            self._count += key not in people
            self.others.setdefault(name, people)[key] = person
        return True

    def forget_others(self, name: bytes | None = None) -> None:
        """Forget the people of one other process, or of all."""
        gone = self.others if name is None else {name: self.others.get(name, {})}
        self._count -= sum(map(len, gone.values()))
        # Another thread may look through what was there.
        self.others = {each: people for each, people in self.others.items() if each not in gone}

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known, and nothing is to be said."""
        return not (self.mine or self.unsaid or self.others)


def read_person(key: bytes, value: bytes) -> tuple[str, Person | None] | None:
    """Return somebody, or that there is nobody of that key; ``None`` if it is no key."""
    text = key.decode("ascii", "replace")
    if not _KEY.fullmatch(text):
        return None
    try:
        match json.loads(value or b"null"):
            case [str() as who, str() as info]:
                return text, Person(who, info)
    except (ValueError, RecursionError):
        pass
    return text, None
