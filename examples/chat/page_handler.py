"""The session of this example's page: one socket, many rooms."""

from __future__ import annotations

from typing import Any

from perfectws import WebSocket

from .chatroom import Chatrooms, Seat
from .handlers import ChatHandler
from .images import check_image
from .messages import Excerpt, Message
from .names import check_name
from .page_language import PAGE
from .removals import MAX_MINUTES
from .rules import Refused, check_id, check_room, check_text
from .user import ChatUser

MAX_ROOMS = 20  # of one socket


class PageHandler(ChatHandler):
    """Speaks the page's language: each message has a ``type``, which is the name of a method here.

    ``hello`` says who it is, and again under another name; ``beat`` asks for a sign of life. Then it may ``enter`` and
    ``leave`` rooms, and in them ``say``, ``edit``, ``delete``, tell that it is ``typing``, and read what is ``older``;
    ``rooms`` lists them all. Whoever runs the chat says so with ``admin``, and may ``delete`` everything and ``remove``
    people.
    """

    socket_protocol = "perfectws-rooms"
    language = PAGE

    def __init__(self, chatrooms: Chatrooms, room: str) -> None:
        super().__init__(chatrooms, room)
        #: Who it says it is. In a room it is who has its seat there, until it enters again.
        self.user: ChatUser | None = None
        #: Its seats, by the rooms' names; ``None`` where it is about to be.
        self.seats: dict[str, Seat | None] = {}
        self.is_admin = False

    def obey(self, message: dict[str, Any], socket: WebSocket) -> None:
        kind = message.get("type")
        if kind == "beat":
            socket.send_string_message(PAGE.beat())
        elif kind == "hello":
            self.hello(message, socket)
        elif self.user is None:
            raise Refused("not-joined", "Say hello first.")
        elif isinstance(kind, str) and kind in ACTIONS:
            ACTIONS[kind](self, self.user, message, socket)
        else:
            raise Refused("bad-message", f"A message's type is hello or {', '.join(ACTIONS)}, not {str(kind)[:40]!r}.")

    def leave(self, socket: WebSocket) -> None:
        for seat in self.seats.values():
            if seat is not None:
                seat.leave()
        self.seats.clear()

    def hello(self, message: dict[str, Any], socket: WebSocket) -> None:
        """Take note of who it is, and of a new name later; in a room it is heard when that is entered."""
        user = ChatUser.from_hello(message)
        if self.user is not None and self.user.session != user.session:
            raise Refused("bad-message", f"You are here already, as “{self.user.display_name}”.")

        def admitted(refusal: Refused | None) -> None:
            if refusal is None:
                self.user = user
                socket.send_string_message(PAGE.hello(user, self.chatrooms.is_shared))
            else:
                self.refuse(refusal, socket, message)
            self.release()

        self.hold()
        self.chatrooms.removals.admit(user, socket, True, admitted)

    # What it can ask for

    def enter(self, user: ChatUser, message: dict[str, Any], socket: WebSocket) -> None:
        name = check_room(message.get("room"))
        if len(self.seats) >= MAX_ROOMS and name not in self.seats:
            raise Refused("too-many-rooms", f"You are in {MAX_ROOMS} rooms already. Leave one first.")
        after = message.get("after")
        room = self.chatrooms.open(name)
        self.seats.setdefault(name, None)

        def entered(result: Seat | Refused) -> None:
            if isinstance(result, Seat) and name in self.seats:
                self.seats[name] = result
                result.follow(after if isinstance(after, str) else "", found)
                return
            if self.seats.get(name) is None:
                self.seats.pop(name, None)
                room.leave(user, socket)
            if isinstance(result, Refused):
                self.refuse(result, socket, message)

        def found(found: Excerpt | Refused) -> None:
            if isinstance(found, Refused):
                self.refuse(found, socket, message)
                found = Excerpt([])
            socket.send_string_message(PAGE.entered(name, room.people, found))

        room.enter(user, socket, PAGE, message.get("back") is True, entered)

    def leave_room(self, user: ChatUser, message: dict[str, Any], socket: WebSocket) -> None:
        seat = self.seats.pop(str(message.get("room")), None)
        if seat is not None:
            seat.leave()

    def say(self, user: ChatUser, message: dict[str, Any], socket: WebSocket) -> None:
        seat, key = self.seat_in(message), check_id(message.get("key"))
        image = check_image(message.get("image", ""))
        # An image needs no words.
        text = "" if image and message.get("text", "") == "" else check_text(message.get("text"))

        def stored(result: Message | Refused) -> None:
            if isinstance(result, Refused):
                self.refuse(result, socket, message)
            elif not result.is_new:
                # It came twice, since its first acknowledgement was lost.
                socket.send_string_message(PAGE.said(seat.room.name, seat.user, result))

        seat.say(text, key, image, stored)

    def edit(self, user: ChatUser, message: dict[str, Any], socket: WebSocket) -> None:
        self.change(message, check_text(message.get("text")), user, socket)

    def delete(self, user: ChatUser, message: dict[str, Any], socket: WebSocket) -> None:
        self.change(message, "", user, socket)

    def change(self, message: dict[str, Any], text: str, user: ChatUser, socket: WebSocket) -> None:
        """Change a message, or say why not."""

        def changed(result: Message | Refused) -> None:
            if isinstance(result, Refused):
                self.refuse(result, socket, message)

        # Whoever runs the chat may delete everything, and put words into nobody's mouth.
        session = None if self.is_admin and text == "" else user.session
        self.seat_in(message).room.change(check_number(message.get("id")), session, text, changed)

    def tell_typing(self, user: ChatUser, message: dict[str, Any], socket: WebSocket) -> None:
        self.seat_in(message).tell_typing(message.get("typing") is True)

    def older(self, user: ChatUser, message: dict[str, Any], socket: WebSocket) -> None:
        room = self.seat_in(message).room

        def found(found: Excerpt | Refused) -> None:
            if isinstance(found, Refused):
                self.refuse(found, socket, message)
            else:
                socket.send_string_message(PAGE.older(room.name, found))

        room.log.older(check_number(message.get("before")), found)

    def list_rooms(self, user: ChatUser, message: dict[str, Any], socket: WebSocket) -> None:
        socket.send_string_message(PAGE.rooms(self.chatrooms.directory.rooms()))

    def become_admin(self, user: ChatUser, message: dict[str, Any], socket: WebSocket) -> None:
        if not self.chatrooms.is_admin(message.get("token")):
            raise Refused("not-admin", "This is not the token of whoever runs this chat.")
        self.is_admin = True
        socket.send_string_message(PAGE.admin())

    def remove(self, user: ChatUser, message: dict[str, Any], socket: WebSocket) -> None:
        session, name, minutes = message.get("by"), message.get("name"), message.get("minutes")
        if not self.is_admin:
            raise Refused("not-admin", "Only whoever runs this chat can send somebody away.")
        if not isinstance(session, str) or type(minutes) is not int or not 1 <= minutes <= MAX_MINUTES:
            raise Refused("bad-message", f"Who is sent away for how many minutes, {MAX_MINUTES} at most?")
        self.chatrooms.removals.remove(session[:64], check_name(str(name)), minutes)

    def seat_in(self, message: dict[str, Any]) -> Seat:
        """Return the seat in the room that a message names. Raises `Refused` if the socket is not in it."""
        seat = self.seats.get(str(message.get("room")))
        if seat is None:
            raise Refused("not-joined", "Enter the room first.")
        return seat


def check_number(number: object) -> int:
    """Return a message's number. Raises `Refused`."""
    if type(number) is not int or not 0 <= number < 2**53:
        raise Refused("bad-message", "A message's id is the number that it was told with.")
    return number


ACTIONS = {
    "enter": PageHandler.enter,
    "leave": PageHandler.leave_room,
    "say": PageHandler.say,
    "edit": PageHandler.edit,
    "delete": PageHandler.delete,
    "typing": PageHandler.tell_typing,
    "older": PageHandler.older,
    "rooms": PageHandler.list_rooms,
    "admin": PageHandler.become_admin,
    "remove": PageHandler.remove,
}
