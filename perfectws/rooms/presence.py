"""Who is in a room that has a broker: names are claimed, others are told, and the application is called back."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from threading import RLock
from typing import Any

from ..callbacks import CallbackLoop
from .broker import Channel, Person
from .joining import Identity
from .people import People, read_info

#: Called with (joined, left): names, with their infos.
PeopleCallback = Callable[[dict[str, Any], dict[str, Any]], object]


class Presence:
    """Who is in a room. From any thread.

    Args:
        channel: Where others hear of it.
        lock: The room's.

    Attributes:
        home: The loop in which the application is called back.
    """

    __slots__ = ("_callbacks", "_channel", "_is_telling", "_lock", "_people", "_present", "home")

    def __init__(self, channel: Channel, lock: RLock) -> None:
        self._channel = channel
        self._lock = lock
        self._people = People()
        #: The numbers of sockets that have said who they are, or have asked for a name.
        self._present: set[int] = set()
        self._callbacks: list[PeopleCallback] = []
        self._is_telling = False
        self.home: CallbackLoop | None = None

    def now(self) -> dict[str, Any]:
        """Return each name, with its info."""
        with self._lock:
            return self._people.now()

    def on_people(self, callback: PeopleCallback) -> None:
        """Tell ``callback`` of all that changes from now on."""
        with self._lock:
            self._callbacks.append(callback)

    def enter(self, number: int, identity: Identity, done: Callable[[bool], object]) -> None:
        """Let a socket say who it is. Calls ``done(entered)`` once, from any thread, maybe before this returns."""
        who, info, written, is_unique = identity
        with self._lock:
            self._present.add(number)
            may_enter = not is_unique or self._people.claim(number, who)
            if not is_unique:
                self._people.enter(number, who, info)
                self._changed()
        if not may_enter:
            done(False)
        elif is_unique:
            claimed = partial(self._claimed, number, identity, done)
            self._channel.enter(number, Person(who, written), True, claimed)
        else:
            self._channel.enter(number, Person(who, written), False, _ignore)
            done(True)

    def _claimed(self, number: int, identity: Identity, done: Callable[[bool], object], is_free: bool) -> None:
        with self._lock:
            self._people.release(number)
            has_entered = is_free and number in self._present
            if has_entered:
                self._people.enter(number, identity.who, identity.info)
                self._changed()
        done(has_entered)

    def leave(self, number: int) -> None:
        """Take it that a socket has left, or has given up the name that it asked for."""
        with self._lock:
            if number not in self._present:
                return
            self._present.discard(number)
            self._people.release(number)
            self._people.leave(number)
            self._changed()
        self._channel.exit(number)

    def others_changed(self, arrived: Mapping[str, Person], gone: Collection[str]) -> None:
        """Take who came, or changed, and who went, in other processes."""
        with self._lock:
            for key in gone:
                self._people.leave(key)
            for key, person in arrived.items():
                self._people.enter(key, person.who, read_info(person.info))
            self._changed()

    def close(self) -> None:
        """See nobody any more: the room is empty, and hears nothing of others."""
        with self._lock:
            self._people.leave_all()
            self._changed()

    # The application

    def _changed(self) -> None:
        """Call back at the end of the turn, with all that has changed by then."""
        home = self.home
        if not self._callbacks or home is None:
            self._people.changes()
        elif not self._is_telling:
            self._is_telling = True
            if home.is_here():
                home.call_before_writing(self._tell)
            else:
                home.ask(home.owner, home.call_before_writing, self._tell)

    def _tell(self) -> None:
        with self._lock:
            self._is_telling = False
            joined, left = self._people.changes()
            callbacks = list(self._callbacks) if joined or left else []
        home = self.home
        assert home is not None
        for callback in callbacks:
            home.call(home.owner, callback, dict(joined), dict(left))


def _ignore(entered: bool) -> None:
    """Take no notice: a name that may be anybody's is not refused."""
