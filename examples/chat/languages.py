"""What a room is told in: languages, each a class with one method for each thing that can happen in a room.

Here are the two JSON languages of clients that are in one room: Perfect's, and a plain one for programs. The language
of this example's page, which is in many, is `page_language`.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from html import escape
from json import dumps, loads
from typing import Any, Protocol
from urllib.parse import quote

from .messages import Message
from .names import MAX_NAME
from .people import Person
from .rate import TooFast
from .rules import MAX_TEXT, Refused
from .user import BOT, ChatUser


class Language(Protocol):
    """A language. A method returns the text to send, or ``None`` for what cannot be said in it."""

    #: What it is called among the rooms of several processes.
    name: str

    def joined(self, room: str, person: Person, former: Person | None) -> Sequence[str]:
        """Tell that somebody is here: for the first time, again, or under another name."""

    def left(self, room: str, person: Person, is_lost: bool) -> str:
        """Tell that somebody went, or was lost to the network."""

    def said(self, room: str, user: ChatUser, message: Message) -> str:
        """Tell what somebody said."""

    def typing(self, room: str, user: ChatUser, is_typing: bool) -> str | None:
        """Tell that somebody is writing, or no longer."""

    def refused(self, refusal: Refused, about: dict[str, Any]) -> str:
        """Tell somebody what went wrong with what they sent."""


class PlainLanguage:
    """A language for programs: objects that say their ``type``. Nothing in them is markup."""

    name = "plain"

    def joined(self, room: str, person: Person, former: Person | None) -> list[str]:
        told = to_json(type="joined", name=person.name, back=person.is_back)
        return [told] if former is None else [self.left(room, former, is_lost=False), told]

    def left(self, room: str, person: Person, is_lost: bool) -> str:
        return to_json(type="left", name=person.name, lost=is_lost)

    def said(self, room: str, user: ChatUser, message: Message) -> str:
        return to_json(type="message", message=_message(message))

    def is_news(self, text: str, user: ChatUser, known: Container[int]) -> bool:
        """Return whether a text tells what somebody else said, and not what is ``known``."""
        told = loads(text)
        return (
            told["type"] == "message"
            and told["message"]["id"] not in known
            and told["message"]["name"] != user.display_name
        )

    def typing(self, room: str, user: ChatUser, is_typing: bool) -> str:
        return to_json(type="typing", name=user.display_name, typing=is_typing)

    def refused(self, refusal: Refused, about: dict[str, Any]) -> str:
        more: dict[str, Any] = {"retry_after": refusal.retry_after} if isinstance(refusal, TooFast) else {}
        if isinstance(about.get("id"), str):
            more["id"] = about["id"]
        return to_json(type="error", code=refusal.code, text=refusal.text, **more)

    def beat(self) -> str:
        """Answer a sign of life with another."""
        return to_json(type="beat")

    def welcome(self, user: ChatUser, room: str, people: Sequence[str], messages: Sequence[Message], more: bool) -> str:
        """Tell who joins where they are, who else is here, and what was said."""
        return to_json(
            type="welcome",
            name=user.display_name,
            room=room,
            people=people,
            messages=[_message(message, user) for message in messages],
            more=more,
            limits={"name": MAX_NAME, "text": MAX_TEXT},
        )

    def stored(self, user: ChatUser, message: Message) -> str:
        """Tell a sender that the message is stored."""
        return to_json(type="stored", id=message.client_id, message=_message(message, user))


class PerfectLanguage:
    """The language of Perfect's chat demo: ``{"user", "message", "avatar"}``, and the page's bot says the rest.

    Perfect's page puts ``message`` into ``innerHTML``. So here each string is HTML, in which what somebody wrote is
    text and nothing else.

    Source: ``Chatroom.sendMessage(_:fromUser:)`` of Perfect's chat demo.
    """

    name = "perfect"

    def joined(self, room: str, person: Person, former: Person | None) -> list[str]:
        return [] if person.is_back and former is None else [self._say(f"{person.name} Joined", BOT)]

    def left(self, room: str, person: Person, is_lost: bool) -> str:
        return self._say(f"{person.name} Left", BOT)

    def said(self, room: str, user: ChatUser, message: Message) -> str:
        return self._say(message.text, user)

    def typing(self, room: str, user: ChatUser, is_typing: bool) -> None:
        return None

    def refused(self, refusal: Refused, about: dict[str, Any]) -> str:
        return self._say(refusal.text, BOT)

    def _say(self, text: str, user: ChatUser) -> str:
        name = escape(user.display_name)
        return dumps(
            {"user": name, "message": f"{name}: {escape(text)}", "avatar": escape(_avatar_uri(user))},
            ensure_ascii=False,
        )


def to_json(**members: Any) -> str:
    return dumps(members, ensure_ascii=False, separators=(",", ":"))


def _message(message: Message, reader: ChatUser | None = None) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": message.id, "name": message.name, "text": message.text, "time": message.time}
    if reader is not None and reader.session == message.session:
        # Told to nobody else: it is by this that a client knows its own messages.
        shown["own"] = message.client_id
    return shown


def _avatar_uri(user: ChatUser) -> str:
    """Return an image's address: the user's own, or one that is drawn right here, without any outside service."""
    if user.avatar_uri.startswith(("https://", "http://")):
        return user.avatar_uri
    initial = escape(user.display_name[:1].upper())
    drawing = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40"><circle cx="20" cy="20" r="20" fill="#0f6b5c"/>'
        '<text x="20" y="27" font-family="sans-serif" font-size="19" fill="#fff" text-anchor="middle">'
        f"{initial}</text></svg>"
    )
    return f"data:image/svg+xml,{quote(drawing)}"


PLAIN = PlainLanguage()
PERFECT = PerfectLanguage()
