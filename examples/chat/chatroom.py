"""A chatroom: who is in it, and what they tell each other."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from hmac import compare_digest
from time import time
from typing import Protocol
from weakref import WeakValueDictionary

from perfectws import Room, RoomEntry, WebSocket

from .audience import Audience
from .directory import Directory
from .languages import PERFECT, PLAIN, Language
from .messages import Change, Excerpt, Message, Read, RoomLog
from .page_language import PAGE
from .people import OPENED_ELSEWHERE, People, Person
from .removals import Removals
from .rules import Refused
from .user import ChatUser


class Shelf(Protocol):
    """Where rooms have their logs, and what carries them: `embedded` in this process, or `shared` by several."""

    #: Whether several processes are one chat: then what is said is told first, and kept a moment later.
    is_shared: bool

    def log_of(self, room: str, audience: Audience) -> RoomLog:
        """Return a room's log; its pages are the audience."""

    def audience(self, room: str, language: Language) -> Audience:
        """Return who hears a room in a language."""

    def people(self, room: str) -> Room:
        """Return the `Room` that knows who is in a room."""

    def directory(self) -> Room:
        """Return the `Room` that knows who is in which rooms."""

    def removals(self, stamp: Callable[[RoomEntry], str]) -> Room:
        """Return the `Room` that tells who is sent away, each message by way of a ``stamp``."""


class Seat:
    """Somebody's place in a room, by one socket: what is said from it, is said under the name that was taken with it.

    `Chatroom.enter` gives it, when nobody else has that name. Whoever the socket says later that it is, it is somebody
    else here only when it has entered again.

    Attributes:
        room: The room.
        user: Who has it.
    """

    __slots__ = ("_language", "_socket", "room", "user")

    def __init__(self, room: Chatroom, user: ChatUser, socket: WebSocket, language: Language) -> None:
        self.room = room
        self.user = user
        self._socket = socket
        self._language = language

    def follow(self, after: str, completion: Read) -> None:
        """Hear what is said from now on, and find what was said.

        Args:
            after: The position up to which all is known; or nothing.

        Calls back: ``completion(excerpt)`` as `RoomLog` does.
        """
        self.room.follow(self.user, self._socket, self._language, after, completion)

    def say(self, text: str, client_id: str, image: str, completion: Change) -> None:
        """Keep a message, then tell it: to the sender too where its language knows it again.

        Calls back: ``completion(message)`` once it is kept, or with why not.
        """
        user, now = self.user, int(time() * 1000)
        message = Message(0, self.room.name, user.display_name, text, now, user.session, client_id, image)
        self.room.say(message, user, self._socket, completion)

    def tell_typing(self, is_typing: bool) -> None:
        """Tell the others that somebody is writing here, or no longer."""
        self.room.tell_typing(self.user, self._socket, is_typing)

    def leave(self) -> None:
        """Give it up."""
        self.room.leave(self.user, self._socket)


class Chatroom:
    """A room.

    Source: Perfect's ``Chatroom``.
    """

    # Perfect differs: there is but one room, and the sockets in it are found by their users' emails.

    def __init__(self, name: str, shelf: Shelf, directory: Directory) -> None:
        self.name = name
        self._directory = directory
        # One for each language, so that each message is written once in each.
        languages: list[Language] = [PAGE, PLAIN, PERFECT]
        self._audiences = {language: shelf.audience(name, language) for language in languages}
        self.log = shelf.log_of(name, self._audiences[PAGE])
        self._people = People(shelf.people(name), self._tell_joined, self._tell_left)
        #: The one socket of each who speaks the plain language.
        self._plain: dict[str, WebSocket] = {}

    @property
    def people(self) -> list[str]:
        """The names of those who are here, in the order in which they came."""
        return self._people.names()

    def enter(
        self,
        user: ChatUser,
        socket: WebSocket,
        language: Language,
        is_back: bool,
        completion: Callable[[Seat | Refused], object],
    ) -> None:
        """Let a socket of a user in, or tell that the user has another name now.

        Calls back: ``completion(seat)``, or with why not. What is said it hears once it does `Seat.follow`.
        """

        def entered(refusal: Refused | None) -> None:
            completion(Seat(self, user, socket, language) if refusal is None else refusal)

        if language is PERFECT:
            # Perfect's page hears that it came itself.
            self._audiences[PERFECT].join(socket)
        if language is PLAIN:
            is_back = is_back or user.session in self._plain
        self._people.enter(user, socket, is_back, entered)

    # What a `Seat` does

    def follow(self, user: ChatUser, socket: WebSocket, language: Language, after: str, completion: Read) -> None:
        """See `Seat.follow`."""
        self._directory.enter(self.name, user.display_name, socket)
        audience = self._audiences[language]
        if language is PAGE:
            self.log.follow(user.session, socket, after, completion)
            return
        former = self._plain.get(user.session)
        self._plain[user.session] = socket
        if former is not None:
            former.close(OPENED_ELSEWHERE, "opened in another window")

        def found(found: Excerpt | Refused) -> None:
            known = () if isinstance(found, Refused) else found.messages
            audience.join_behind(socket, partial(PLAIN.is_news, user=user, known={message.id for message in known}))
            completion(found)

        self.log.newest(user.session, int(after or 0), found)

    def leave(self, user: ChatUser, socket: WebSocket) -> None:
        """Let a socket go; its user too, if it was the last one."""
        for audience in self._audiences.values():
            audience.leave(socket)
        self._people.leave(socket)
        self._directory.leave(self.name, socket)
        if self._plain.get(user.session) is socket:
            del self._plain[user.session]

    def say(self, message: Message, user: ChatUser, socket: WebSocket, completion: Change) -> None:
        """See `Seat.say`."""

        def kept(result: Message | Refused) -> None:
            # What was kept before was told before.
            if isinstance(result, Message) and result.is_new:
                for language, audience in self._audiences.items():
                    text = language.said(self.name, user, result)
                    audience.say(text, exclude=None if language is PAGE else socket)
            completion(result)

        self.log.add(message, kept)

    def change(self, message_id: int, session: str | None, text: str, completion: Change) -> None:
        """Change what was said, or delete it, and tell it. Args and completion are those of `RoomLog.change`."""

        def changed(result: Message | Refused) -> None:
            if isinstance(result, Message):
                self._audiences[PAGE].say(PAGE.changed(self.name, result))
            completion(result)

        self.log.change(message_id, session, text, changed)

    def tell_typing(self, user: ChatUser, socket: WebSocket, is_typing: bool) -> None:
        """See `Seat.tell_typing`."""
        for language, audience in self._audiences.items():
            text = language.typing(self.name, user, is_typing)
            if text is not None:
                audience.hint(text, exclude=socket)

    def _tell_joined(self, person: Person, former: Person | None, socket: WebSocket | None) -> None:
        for language, audience in self._audiences.items():
            for text in language.joined(self.name, person, former):
                audience.tell_here(text, exclude=None if language is PERFECT else socket)

    def _tell_left(self, person: Person, is_lost: bool) -> None:
        for language, audience in self._audiences.items():
            audience.tell_here(language.left(self.name, person, is_lost))


class Chatrooms:
    """The rooms that somebody is in. One comes into being when somebody enters it, and goes with the last one.

    Args:
        shelf: Where they are kept.
        admin_token: By which whoever runs the chat is known; ``None`` if by none.
    """

    def __init__(self, shelf: Shelf, admin_token: str | None = None) -> None:
        self._shelf = shelf
        self.is_shared = shelf.is_shared
        self.directory = Directory(shelf.directory())
        self.removals = Removals(shelf.removals, shelf.is_shared)
        self._admin_token = admin_token
        # Whoever is in a room holds it.
        self._rooms: WeakValueDictionary[str, Chatroom] = WeakValueDictionary()

    def is_admin(self, token: object) -> bool:
        """Return whether it is whoever runs the chat that says this token."""
        expected = self._admin_token
        return expected is not None and isinstance(token, str) and compare_digest(token.encode(), expected.encode())

    def open(self, name: str) -> Chatroom:
        """Return the room of that name."""
        room = self._rooms.get(name)
        if room is None:
            room = self._rooms[name] = Chatroom(name, self._shelf, self.directory)
        return room
