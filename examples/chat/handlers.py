"""The sessions of the chat: what all have in common, and the two languages whose sockets are in one room each."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from time import thread_time
from typing import Any

from perfectws import (
    CloseCode,
    HTTPRequest,
    OpcodeType,
    WebSocket,
    WebSocketSessionHandler,
)

from .chatroom import Chatrooms, Seat
from .languages import PERFECT, PLAIN, Language
from .messages import Excerpt, Message
from .rate import Rate, TooFast
from .rules import Refused, check_id, check_text, parse
from .user import ChatUser

#: Room for the longest message, each of its characters escaped.
MAX_MESSAGE_SIZE = 1024 * 1024  # bytes
MAX_FRAGMENTS = 4_096


class ChatHandler(WebSocketSessionHandler):
    """The session of one socket: reads what comes, answers what is wrong with it, and reads on.

    Source: Perfect's ``ChatHandler``.
    """

    # Perfect differs: a fragment of a message ends its session without a word, and bad JSON is only printed.

    language: Language

    def __init__(self, chatrooms: Chatrooms, room: str) -> None:
        self.chatrooms = chatrooms
        self.room_name = room
        self.rate = Rate()
        self.fragments: list[str] = []
        self.length = 0
        self.is_held = False
        self.read_on: Callable[[], object] | None = None

    def handle_session(self, request: HTTPRequest, socket: WebSocket) -> None:
        @socket.read_string_message
        def received(string: str | None, op: OpcodeType, fin: bool) -> None:
            if op is OpcodeType.INVALID:
                self.leave(socket)
                socket.close()
                return
            self.fragments.append(string or "")
            self.length += len(self.fragments[-1])
            if len(self.fragments) > MAX_FRAGMENTS or self.length > MAX_MESSAGE_SIZE:
                self.whole()
                socket.close(CloseCode.MESSAGE_TOO_BIG)
            elif fin:
                self.take(self.whole(), socket)
            # Done with this one: loop back around and read the next.
            self.read_on = partial(self.handle_session, request, socket)
            if not self.is_held:
                self.read_on()

    def hold(self) -> None:
        """Read nothing more, until what was asked for last is done."""
        self.is_held, self.read_on = True, None  # it may be done at once: then the message itself reads on

    def release(self) -> None:
        """Read on."""
        self.is_held = False
        if self.read_on is not None:
            self.read_on()

    def whole(self) -> str:
        """Return what the fragments say together, and forget them."""
        whole, self.fragments, self.length = "".join(self.fragments), [], 0
        return whole

    def take(self, string: str, socket: WebSocket) -> None:
        """Do what a message asks for, or say why not."""
        message: dict[str, Any] = {}
        begun = thread_time()
        with self.answering(socket, message):
            try:
                message |= parse(string)
            finally:  # what is no JSON counts too
                self.rate.take(len(string), message.get("type"))
            self.obey(message, socket)
        self.rate.take_time(thread_time() - begun)

    @contextmanager
    def answering(self, socket: WebSocket, about: dict[str, Any]) -> Iterator[None]:
        """Say what is wrong with a message if something is refused inside, be it at once or in a completion."""
        try:
            yield
        except Refused as refusal:
            self.refuse(refusal, socket, about)

    def obey(self, message: dict[str, Any], socket: WebSocket) -> None:
        """Do what a message asks for. Raises `Refused`."""
        raise NotImplementedError

    def refuse(self, refusal: Refused, socket: WebSocket, about: dict[str, Any]) -> None:
        """Say what is wrong with a message; to who never listens, good-bye."""
        socket.send_string_message(self.language.refused(refusal, about))
        if isinstance(refusal, TooFast) and self.rate.is_hopeless:
            socket.close(CloseCode.POLICY_VIOLATION, "too many messages")

    def leave(self, socket: WebSocket) -> None:
        """Let the others know that this user is gone."""
        raise NotImplementedError


class OneRoomHandler(ChatHandler):
    """The session of a socket that is in one room, which its address names."""

    #: Its place in the room, once it is in.
    seat: Seat | None = None

    def enter(
        self,
        user: ChatUser,
        socket: WebSocket,
        is_back: bool,
        about: dict[str, Any],
        completion: Callable[[Seat], object],
    ) -> None:
        """Let the user in, or say why not. Nothing more is read before that.

        Calls back: ``completion(seat)``, if the user is in; it may raise `Refused`.
        """
        room = self.chatrooms.open(self.room_name)

        def admitted(refusal: Refused | None) -> None:
            if refusal is None:
                room.enter(user, socket, self.language, is_back, entered)
            else:
                entered(refusal)

        def entered(result: Seat | Refused) -> None:
            if isinstance(result, Refused):
                room.leave(user, socket)
                self.refuse(result, socket, about)
            else:
                self.seat = result
                with self.answering(socket, about):
                    completion(result)
            self.release()

        self.hold()
        # Perfect's page would show it as something that was said.
        self.chatrooms.removals.admit(user, socket, self.language is not PERFECT, admitted)

    def leave(self, socket: WebSocket) -> None:
        if self.seat is not None:
            self.seat.leave()

    def say(
        self,
        seat: Seat,
        text: object,
        socket: WebSocket,
        about: dict[str, Any],
        completion: Callable[[Message], object],
    ) -> None:
        """Say something to the room. Raises `Refused`.

        Calls back: ``completion(message)`` once it is stored, unless it could not be; then the socket is told so.
        """

        def stored(result: Message | Refused) -> None:
            if isinstance(result, Refused):
                self.refuse(result, socket, about)
            else:
                completion(result)

        seat.say(check_text(text), about["id"], "", stored)


class PerfectChatHandler(OneRoomHandler):
    """Speaks the language of Perfect's page: ``{"email", "avatar", "displayName"}``, and ``message`` to talk."""

    socket_protocol = "chat"
    language = PERFECT

    def obey(self, message: dict[str, Any], socket: WebSocket) -> None:
        claimed, speak = ChatUser.from_json(message), partial(self.speak, message, socket)
        seat = self.seat
        if seat is None:
            self.enter(claimed, socket, False, message, speak)
        elif seat.user.key != claimed.key:
            # Perfect differs: a socket may speak in anybody's name.
            raise Refused("name-taken", f"You are “{seat.user.display_name}” here, not “{claimed.display_name}”.")
        elif self.chatrooms.removals.are_heard:
            speak(seat)
        else:
            self.speak_if_admitted(speak, message, socket, seat)

    def speak_if_admitted(
        self, speak: Callable[[Seat], object], message: dict[str, Any], socket: WebSocket, seat: Seat
    ) -> None:
        """Say something, unless the user was sent away and nobody here has heard of it."""

        def admitted(refusal: Refused | None) -> None:
            with self.answering(socket, message):
                if refusal is not None:
                    raise refusal
                speak(seat)
            self.release()

        self.hold()
        self.chatrooms.removals.admit(seat.user, socket, False, admitted)

    def speak(self, message: dict[str, Any], socket: WebSocket, seat: Seat) -> None:
        """Say what a message says, if it says anything. Raises `Refused`."""
        if "message" in message:
            self.say(seat, message["message"], socket, {"id": secrets.token_hex()}, lambda stored: None)


class PlainHandler(OneRoomHandler):
    """Speaks the plain language: ``hello`` once, then ``say`` and ``typing``; ``beat`` at any time.

    Where several processes are one chat, a message may come twice to who has just come: it has the same ``id``.
    """

    socket_protocol = "perfectws-chat"
    language = PLAIN

    def obey(self, message: dict[str, Any], socket: WebSocket) -> None:
        kind = message.get("type")
        if kind == "beat":
            socket.send_string_message(PLAIN.beat())
        elif kind == "hello":
            self.hello(message, socket)
        elif self.seat is None:
            raise Refused("not-joined", "Say hello first.")
        elif kind == "say":
            message["id"] = check_id(message.get("id"))
            acknowledge = partial(self.acknowledge, self.seat.user, socket)
            self.say(self.seat, message.get("text"), socket, message, acknowledge)
        elif kind == "typing":
            self.seat.tell_typing(message.get("typing") is True)
        else:
            raise Refused("bad-message", f"A message's type is hello, say, typing or beat, not {str(kind)[:40]!r}.")

    def hello(self, message: dict[str, Any], socket: WebSocket) -> None:
        """Let a user in, and tell what was said before. Raises `Refused`."""
        if self.seat is not None:
            raise Refused("bad-message", f"You are here already, as “{self.seat.user.display_name}”.")
        user, after = ChatUser.from_hello(message), message.get("after", 0)
        if type(after) is not int or not 0 <= after < 2**53:
            raise Refused("bad-message", "after is the number of the last message that you have.")
        self.enter(user, socket, message.get("back") is True, message, partial(self.follow, socket, str(after)))

    def follow(self, socket: WebSocket, after: str, seat: Seat) -> None:
        """Hear what is said from now on, and tell what was said before."""
        user, room = seat.user, seat.room

        def found(found: Excerpt | Refused) -> None:
            if isinstance(found, Refused):
                self.refuse(found, socket, {})
                found = Excerpt([])
            socket.send_string_message(PLAIN.welcome(user, room.name, room.people, found.messages, found.more))

        seat.follow(after, found)

    def acknowledge(self, user: ChatUser, socket: WebSocket, message: Message) -> None:
        """Tell the sender that a message is stored."""
        socket.send_string_message(PLAIN.stored(user, message))
