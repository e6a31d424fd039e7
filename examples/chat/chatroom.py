"""A chatroom: who is in it, and what they tell each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from perfectws import CloseCode, Room, WebSocket

from .history import History, Message
from .languages import Language, PageLanguage, PerfectLanguage
from .rules import Refused
from .user import ChatUser

PAGE = PageLanguage()
PERFECT = PerfectLanguage()

#: Closes a socket whose page was opened again in another window, or has come back before it was missed.
OPENED_ELSEWHERE = 4001

#: With it a page closes a socket that seems dead to it: it did not mean to go.
GIVEN_UP = 4002


@dataclass(slots=True)
class Member:
    """Somebody in a room, or about to be.

    Attributes:
        is_here: Whether the others know: before, only the name is taken.
    """

    user: ChatUser
    socket: WebSocket
    language: Language
    is_here: bool = False


class Chatroom:
    """A room.

    Source: Perfect's ``Chatroom``.
    """

    # Perfect differs: there is but one room, and the sockets in it are found by their users' emails.

    def __init__(self, name: str, history: History) -> None:
        self.name = name
        self._history = history
        self._members: dict[str, Member] = {}
        # One `Room` for each language, so that each message is written once in each.
        self._audiences: dict[Language, Room] = {PAGE: Room(name), PERFECT: Room(name)}

    @property
    def is_empty(self) -> bool:
        """Whether nobody is here, nor about to be."""
        return not self._members

    @property
    def people(self) -> list[str]:
        """The names of those who are here, in the order in which they came."""
        return [member.user.display_name for member in self._members.values() if member.is_here]

    def take_name(self, user: ChatUser, socket: WebSocket, language: Language) -> bool:
        """Take the user's name for this socket, so that nobody else has it until the socket leaves.

        Returns:
            Whether the user was here already: a page that comes back before its lost connection was missed has its name
            from its former socket, which is closed.

        Raises:
            Refused: Somebody else has the name.
        """
        holder = self._members.get(user.key)
        if holder is not None and holder.user.session != user.session:
            raise Refused("name-taken", f"Somebody called “{holder.user.display_name}” is here already.")
        was_here = holder is not None and holder.is_here
        self._members[user.key] = Member(user, socket, language)
        if holder is not None:
            holder.socket.close(OPENED_ELSEWHERE, "opened in another window")
        return was_here

    def join(self, user: ChatUser, socket: WebSocket, *, is_back: bool = False) -> None:
        """Let a user whose name is taken hear what is said, and tell the others, but for who is only back."""
        member = self._member(user, socket)
        if member is not None:
            member.is_here = True
            self._audiences[member.language].join(socket)
            self._tell(
                lambda language: language.joined(user, is_back), exclude=socket if member.language is PAGE else None
            )

    def leave(self, user: ChatUser, socket: WebSocket) -> None:
        """Let a user go, and tell the others. Harmless if somebody else has the name by now."""
        member = self._member(user, socket)
        if member is not None:
            del self._members[user.key]
            self._audiences[member.language].leave(socket)
            if member.is_here:
                is_lost = socket.close_code in (CloseCode.ABNORMAL_CLOSURE, GIVEN_UP)
                self._tell(lambda language: language.left(user, is_lost))

    def send_message(
        self,
        text: str,
        from_user: ChatUser,
        socket: WebSocket,
        client_id: str,
        completion: Callable[[Message | None], object],
    ) -> None:
        """Store a message, then tell it to everybody else.

        Calls back: ``completion(message)`` once it is stored; ``None`` if it could not be.
        """

        def stored(message: Message | None) -> None:
            # What was stored before was told before.
            if message is not None and message.is_new:
                self._tell(lambda language: language.said(from_user, message), exclude=socket)
            completion(message)

        self._history.add(
            room=self.name,
            name=from_user.display_name,
            text=text,
            session=from_user.session,
            client_id=client_id,
            completion=stored,
        )

    def last_messages(self, after: int, completion: Callable[[list[Message] | None], object]) -> None:
        """Find what was said last, past the message with the id ``after``. Calls back as `History.last` does."""
        self._history.last(self.name, after, completion)

    def tell_typing(self, user: ChatUser, socket: WebSocket, is_typing: bool) -> None:
        """Tell the others that a user is writing, or no longer."""
        self._tell(lambda language: language.typing(user, is_typing), exclude=socket)

    def _member(self, user: ChatUser, socket: WebSocket) -> Member | None:
        member = self._members.get(user.key)
        return member if member is not None and member.socket is socket else None

    def _tell(self, write: Callable[[Language], str | None], exclude: WebSocket | None = None) -> None:
        for language, room in self._audiences.items():
            text = write(language) if len(room) else None
            if text is not None:
                room.send_string_message(text, exclude=exclude)


class Chatrooms:
    """The rooms that somebody is in. One comes into being when somebody enters it, and goes with the last one."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._rooms: dict[str, Chatroom] = {}

    def open(self, name: str) -> Chatroom:
        """Return the room of that name."""
        return self._rooms.setdefault(name, Chatroom(name, self._history))

    def close_if_empty(self, room: Chatroom) -> None:
        """Forget a room that nobody is in."""
        if room.is_empty:
            self._rooms.pop(room.name, None)
