"""Who is in a room, and what has changed since it was last told.

Somebody is there as long as one socket says so: two tabs of a browser, in this process or another, are one person.
"""

from __future__ import annotations

import json
from typing import Any, Final

#: What names one socket's presence: a number in this process, a string that the broker gives in another.
Key = int | str
#: Who has come, or whose info has changed, and who has gone; each by name, with the info.
Changes = tuple[dict[str, Any], dict[str, Any]]

_ABSENT: Final = object()


def check_who(who: object) -> str:
    """Return a name. Raises `TypeError` or `ValueError`."""
    if not isinstance(who, str):
        raise TypeError(f"who is a name, a str, not {type(who).__name__}")
    if not who:
        raise ValueError("who is a name: it cannot be empty")
    who.encode()  # what cannot be encoded raises here: no other process could be told
    return who


def written_info(info: object) -> str:
    """Return what is said about somebody as JSON. Raises `TypeError` or `ValueError`."""
    try:
        return json.dumps(info, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise type(error)(f"info goes to other processes as JSON: {error}") from None


def read_info(written: str) -> Any:
    """Return what another process says about somebody; ``None`` if that cannot be read."""
    try:
        return json.loads(written)
    except (ValueError, RecursionError):
        return None


class People:
    """Who is in a room. From one thread at a time."""

    __slots__ = ("_before", "_claims", "_infos", "_names")

    def __init__(self) -> None:
        #: Each name, with the info that each of its sockets gives; the newest is last.
        self._infos: dict[str, dict[Key, Any]] = {}
        self._names: dict[Key, str] = {}
        #: Names that are asked for, and by whom, while the broker looks whether they are free elsewhere.
        self._claims: dict[str, Key] = {}
        #: The info of each name that has changed, as it was last told.
        self._before: dict[str, Any] = {}

    def now(self) -> dict[str, Any]:
        """Return each name, with its info."""
        return {who: self._info(who) for who in self._infos}

    def enter(self, key: Key, who: str, info: Any) -> None:
        """Let somebody in, or change who it is."""
        if self._names.get(key) != who:
            self.leave(key)
        self._touch(who)
        self._names[key] = who
        infos = self._infos.setdefault(who, {})
        infos.pop(key, None)
        infos[key] = info

    def leave(self, key: Key) -> None:
        """Let somebody go, if they are in."""
        who = self._names.pop(key, None)
        if who is not None:
            self._touch(who)
            del self._infos[who][key]
            if not self._infos[who]:
                del self._infos[who]

    def leave_all(self) -> None:
        """Let everybody go."""
        for key in list(self._names):
            self.leave(key)

    def claim(self, key: Key, who: str) -> bool:
        """Ask for a name that nobody else has here, nor asks for; tell whether it is free."""
        owners = {*self._infos.get(who, ()), self._claims.get(who, key)}
        if owners != {key}:
            return False
        self._claims[who] = key
        return True

    def release(self, key: Key) -> None:
        """Take it that somebody has got the name that they asked for, or does not ask for it any more."""
        for who in [who for who, owner in self._claims.items() if owner == key]:
            del self._claims[who]

    def changes(self) -> Changes:
        """Return what has changed since this was last asked."""
        before, self._before = self._before, {}
        now = {who: self._info(who) for who in before}
        joined = {who: info for who, info in now.items() if info is not _ABSENT and not _is_same(info, before[who])}
        left = {who: before[who] for who, info in now.items() if info is _ABSENT and before[who] is not _ABSENT}
        return joined, left

    def _info(self, who: str) -> Any:
        infos = self._infos.get(who)
        return _ABSENT if infos is None else infos[next(reversed(infos))]

    def _touch(self, who: str) -> None:
        self._before.setdefault(who, self._info(who))


def _is_same(info: object, before: object) -> bool:
    return before is not _ABSENT and info == before
