"""The sessions of the chat: one class for each language that a socket may speak."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from functools import partial
from time import thread_time
from typing import Any

from perfectws import (
    CloseCode,
    HTTPRequest,
    HTTPResponse,
    OpcodeType,
    WebSocket,
    WebSocketHandler,
    WebSocketSessionHandler,
    call_later,
)

from .chatroom import PAGE, PERFECT, Chatroom, Chatrooms
from .history import Message
from .languages import Language
from .rate import Rate, TooFast
from .rules import Refused, check_id, check_room, check_string, check_text, without_halves
from .user import ChatUser

DEFAULT_ROOM = "lobby"

#: What people type. Half of a character in it (half an emoji, cut in two) is left out; elsewhere it is refused.
TEXTS = frozenset({"text", "message"})

#: Room for the longest message, each of its characters escaped.
MAX_MESSAGE_SIZE = 1024 * 1024  # bytes
MAX_FRAGMENTS = 4_096

NOT_STORED = Refused("not-stored", "The message could not be stored.")
NOT_READ = Refused("not-read", "What was said before could not be read.")


def chat_handler(chatrooms: Chatrooms, origins: list[str]) -> Callable[[HTTPRequest, HTTPResponse], None]:
    """Return the request handler of ``/chat`` and ``/chat?room=NAME``.

    Args:
        chatrooms: The rooms.
        origins: Whose pages may connect, besides those that come from the host itself.

    Source: ``chatHandler(data:)`` of Perfect's chat demo.
    """

    def handle(request: HTTPRequest, response: HTTPResponse) -> None:
        try:
            room = check_room(dict(request.query_params).get("room", DEFAULT_ROOM))
        except Refused as refusal:
            response.set_header("Content-Type", "text/plain; charset=utf-8")
            response.set_body(f"{refusal.text}\n").completed(400)
            return

        def producer(request: HTTPRequest, protocols: list[str]) -> WebSocketSessionHandler | None:
            offered = [SESSIONS[protocol] for protocol in protocols if protocol in SESSIONS]
            return offered[0](chatrooms, room) if offered else None

        WebSocketHandler(
            handler_producer=producer,
            origins=allowed_origins(request, origins),
            max_frame_size=MAX_MESSAGE_SIZE,
        ).handle_request(request, response)

    return handle


def allowed_origins(request: HTTPRequest, more: list[str]) -> list[str] | None:
    """Return whose pages may connect: those of the host and port that they connect to, and those of ``more``.

    A browser always says whose page it is that connects, and no page can hinder it. Who doesn't say is no browser. That
    the host is this chat's own, and none that somebody made lead here, `hosts` has seen to.
    """
    if request.header("Origin") is None:
        return None
    host = (request.header("Host") or "").lower()
    return [f"http://{host}", f"https://{host}", *more]


class ChatHandler(WebSocketSessionHandler):
    """The session of one socket: reads what comes, answers what is wrong with it, and reads on.

    Source: Perfect's ``ChatHandler``.
    """

    # Perfect differs: a fragment of a message ends its session without a word, and bad JSON is only printed.

    language: Language

    def __init__(self, chatrooms: Chatrooms, room: str) -> None:
        self.chatrooms = chatrooms
        self.room_name = room
        self.room: Chatroom
        self.user: ChatUser | None = None
        self.rate = Rate()
        self.fragments: list[str] = []
        self.length = 0

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
            # Done with this one: loop back around and read the next. Who sends too many waits for it.
            wait = 0.0 if fin else self.rate.take_fragment()
            if wait > 0:
                call_later(wait, partial(self.handle_session, request, socket))
            else:
                self.handle_session(request, socket)

    def whole(self) -> str:
        """Return what the fragments say together, and forget them."""
        whole, self.fragments, self.length = "".join(self.fragments), [], 0
        return whole

    def take(self, string: str, socket: WebSocket) -> None:
        """Do what a message asks for, or say why not."""
        message: dict[str, Any] = {}
        begun = thread_time()
        try:
            try:
                message = parse(string)
            finally:  # what is no JSON counts too
                self.rate.take(len(string), is_typing=message.get("type") == "typing")
            self.obey(message, socket)
        except Refused as refusal:
            client_id = message.get("id")
            self.refuse(refusal, socket, client_id if isinstance(client_id, str) else None)
        finally:
            self.rate.take_time(thread_time() - begun)

    def obey(self, message: dict[str, Any], socket: WebSocket) -> None:
        """Do what a message asks for. Raises `Refused`."""
        raise NotImplementedError

    def refuse(self, refusal: Refused, socket: WebSocket, client_id: str | None = None) -> None:
        """Say what is wrong; to who never listens, good-bye."""
        socket.send_string_message(self.language.refused(refusal, client_id))
        if isinstance(refusal, TooFast) and self.rate.is_hopeless:
            socket.close(CloseCode.POLICY_VIOLATION, "too many messages")

    def enter(self, user: ChatUser, socket: WebSocket) -> bool:
        """Take the name for this socket; return whether it was here already. Raises `Refused`."""
        room = self.chatrooms.open(self.room_name)
        was_here = room.take_name(user, socket, self.language)
        self.room, self.user = room, user
        return was_here

    def leave(self, socket: WebSocket) -> None:
        """Let the others know that this user is gone."""
        if self.user is not None:
            self.room.leave(self.user, socket)
            self.chatrooms.close_if_empty(self.room)

    def say(
        self,
        text: object,
        user: ChatUser,
        socket: WebSocket,
        client_id: str,
        completion: Callable[[Message], object],
    ) -> None:
        """Say something to the room. Raises `Refused`.

        Calls back: ``completion(message)`` once it is stored, unless it could not be; then the socket is told so.
        """
        checked = check_text(text)

        def stored(message: Message | None) -> None:
            if message is None:
                self.refuse(NOT_STORED, socket, client_id)
            else:
                completion(message)

        self.room.send_message(checked, user, socket, client_id, stored)


class PerfectChatHandler(ChatHandler):
    """Speaks the language of Perfect's page: ``{"email", "avatar", "displayName"}``, and ``message`` to talk."""

    socket_protocol = "chat"
    language = PERFECT

    def obey(self, message: dict[str, Any], socket: WebSocket) -> None:
        claimed = ChatUser.from_json(message)
        if self.user is None:
            self.enter(claimed, socket)
            self.room.join(claimed, socket)
            self.user = claimed
        elif self.user.key != claimed.key:
            # Perfect differs: a socket may speak in anybody's name.
            raise Refused("name-taken", f"You are “{self.user.display_name}” here, not “{claimed.display_name}”.")
        if "message" in message:
            self.say(message["message"], self.user, socket, secrets.token_hex(), lambda stored: None)


class PageHandler(ChatHandler):
    """Speaks the language of this example's page: ``hello`` once, then ``say`` and ``typing``."""

    socket_protocol = "perfectws-chat"
    language = PAGE

    def obey(self, message: dict[str, Any], socket: WebSocket) -> None:
        kind, user = message.get("type"), self.user
        if kind == "hello":
            if user is not None:
                raise Refused("bad-message", f"You are here already, as “{user.display_name}”.")
            self.hello(ChatUser.from_hello(message), message, socket)
        elif user is None:
            raise Refused("not-joined", "Say hello first.")
        elif kind == "say":
            self.say_and_acknowledge(message, user, socket)
        elif kind == "typing":
            self.room.tell_typing(user, socket, message.get("typing") is True)
        else:
            raise Refused("bad-message", f"The type of a message is hello, say or typing, not {str(kind)[:40]!r}.")

    def hello(self, user: ChatUser, message: dict[str, Any], socket: WebSocket) -> None:
        """Let a user in, and tell what was said before."""
        after = message.get("after", 0)
        if type(after) is not int or not 0 <= after < 2**53:
            raise Refused("bad-message", "after is the number of the last message that you have.")
        was_here = self.enter(user, socket)

        def found(messages: list[Message] | None) -> None:
            if messages is None:
                self.refuse(NOT_READ, socket)
            self.room.join(user, socket, is_back=was_here or message.get("back") is True)
            socket.send_string_message(PAGE.welcome(user, self.room.name, self.room.people, messages or []))

        # Nothing is missed or doubled: what is stored before this is found, and what is stored later is told later.
        self.room.last_messages(after, found)

    def say_and_acknowledge(self, message: dict[str, Any], user: ChatUser, socket: WebSocket) -> None:
        """Say something to the room, and tell its sender when it is stored."""

        def stored(message: Message) -> None:
            socket.send_string_message(PAGE.stored(user, message))

        self.say(message.get("text"), user, socket, check_id(message.get("id")), stored)


#: The sessions by their subprotocols. A client that offers both gets what it names first.
SESSIONS: dict[str, type[ChatHandler]] = {
    PerfectChatHandler.socket_protocol: PerfectChatHandler,
    PageHandler.socket_protocol: PageHandler,
}


def parse(string: str) -> dict[str, Any]:
    """Return the JSON object in a message, each string in which can be stored and sent. Raises `Refused`."""
    try:
        message = json.loads(string)
    except (ValueError, RecursionError):
        raise Refused("bad-json", "This is not JSON.") from None
    if not isinstance(message, dict):
        raise Refused("bad-json", "A message is a JSON object.")
    for key, value in message.items():
        if isinstance(value, str):
            message[key] = check_string(value) if key not in TEXTS else without_halves(value)
    return message
