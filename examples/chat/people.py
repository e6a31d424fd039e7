"""Who is in a room: somebody is there as long as one socket of theirs is, and no two have one name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from perfectws import CloseCode, Recovery, Room, WebSocket, call_later

from .rules import Refused
from .user import ChatUser

#: Closes a socket of a client that speaks for one socket only, and has come again.
OPENED_ELSEWHERE = 4001

#: With it a page closes a socket that seems dead to it: it did not mean to go.
GIVEN_UP = 4002

#: How often a name is asked for that nobody is known to have, and how long it takes in between, in seconds.
MAX_TRIES = 8
WAIT = 0.25

LOST = (CloseCode.ABNORMAL_CLOSURE, GIVEN_UP)


class Person(NamedTuple):
    """Somebody in a room, as all processes know them.

    Attributes:
        name: What the others call them.
        session: By which one person's sockets are known from another's.
        is_back: Whether they were there before, and lost the connection.
    """

    name: str
    session: str
    is_back: bool = False


class People:
    """Who is in a room.

    Args:
        room: Knows who is there, in all processes. Nothing else is said in it.
        joined: ``joined(person, former, socket)`` is told who comes, who they were until now if they only changed the
            name, and by which socket they came, if it is one of this process.
        left: ``left(person, is_lost)`` is told who goes, and whether they did not mean to.
    """

    def __init__(
        self,
        room: Room,
        joined: Callable[[Person, Person | None, WebSocket | None], object],
        left: Callable[[Person, bool], object],
    ) -> None:
        self._room = room
        self._joined = joined
        self._left = left
        #: The newest socket of each name, and what is told of its owner.
        self._sockets: dict[str, WebSocket] = {}
        room.on_people(self._tell)

    def names(self) -> list[str]:
        """Return who is here, in the order in which they came."""
        # Who changes the name in one window has two for a moment.
        return list({person.session: person.name for person in self._now().values()}.values())

    def enter(
        self, user: ChatUser, socket: WebSocket, is_back: bool, completion: Callable[[Refused | None], object]
    ) -> None:
        """Let a socket of a user in, or tell that the user has another name now.

        Calls back: ``completion(None)``, or with why not: somebody else has the name.
        """

        # First it listens, and knows who is there: in another process it may be the user's own other window.
        self._room.join(socket, completion=lambda listening: self._claim(user, socket, is_back, completion))

    def _claim(
        self,
        user: ChatUser,
        socket: WebSocket,
        is_back: bool,
        completion: Callable[[Refused | None], object],
        tries: int = MAX_TRIES,
    ) -> None:
        person = self._now().get(user.key)
        is_own = person is not None and person.session == user.session

        def entered(recovery: Recovery) -> None:
            holder = self._now().get(user.key)
            is_unsure = holder is None or holder.session == user.session
            if recovery.has_joined:
                completion(None)
            elif is_unsure and tries > 1 and socket.is_connected:
                # Whose it is has not been heard yet, or has been heard since.
                call_later(WAIT, partial(self._claim, user, socket, is_back, completion, tries - 1))
            else:
                name = user.display_name if holder is None else holder.name
                completion(Refused("name-taken", f"Somebody called “{name}” is here already."))

        if person is None or not is_own or is_back:
            person = Person(user.display_name, user.session, is_back)
        if is_own or user.key not in self._sockets:
            self._sockets[user.key] = socket
        self._room.join(socket, who=user.key, info=person._asdict(), unique=not is_own, completion=entered)

    def leave(self, socket: WebSocket) -> None:
        """Let a socket go. It goes by itself when it closes."""
        self._room.leave(socket)

    def _now(self) -> dict[str, Person]:
        return {key: Person(**info) for key, info in self._room.people.items()}

    def _tell(self, joined: dict[str, Any], left: dict[str, Any]) -> None:
        now = self._now()
        gone = {key: Person(**info) for key, info in left.items()}
        for key, info in joined.items():
            person = Person(**info)
            others = {**gone, **now}
            former = [other for its_key, other in others.items() if other.session == person.session and its_key != key]
            self._joined(person, former[0] if former else None, self._sockets.get(key))
        here = {person.session for person in now.values()}
        for key, person in gone.items():
            socket = self._sockets.pop(key, None)
            if person.session not in here:
                self._left(person, socket is not None and socket.close_code in LOST)
