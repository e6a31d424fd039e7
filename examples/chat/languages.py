"""The JSON languages that a room is told in: each a class with one method for each thing that can happen in a room."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from json import dumps
from typing import Any, Protocol
from urllib.parse import quote

from .history import SHOWN, Message
from .names import MAX_NAME
from .rate import TooFast
from .rules import MAX_TEXT, Refused
from .user import BOT, ChatUser


class Language(Protocol):
    """A language. A method returns the text to send, or ``None`` for what cannot be said in it."""

    def joined(self, user: ChatUser, is_back: bool) -> str | None:
        """Tell that somebody is here, for the first time or again."""

    def left(self, user: ChatUser, is_lost: bool) -> str | None:
        """Tell that somebody went, or was lost to the network."""

    def said(self, user: ChatUser, message: Message) -> str | None:
        """Tell what somebody said."""

    def typing(self, user: ChatUser, is_typing: bool) -> str | None:
        """Tell that somebody is writing, or no longer."""

    def refused(self, refusal: Refused, client_id: str | None) -> str:
        """Tell somebody what went wrong with what they sent."""


class PageLanguage:
    """The language of this example's page: objects that say their ``type``. Nothing in them is markup."""

    def joined(self, user: ChatUser, is_back: bool) -> str:
        return _json(type="joined", name=user.display_name, back=is_back)

    def left(self, user: ChatUser, is_lost: bool) -> str:
        return _json(type="left", name=user.display_name, lost=is_lost)

    def said(self, user: ChatUser, message: Message) -> str:
        return _json(type="message", message=_message(message))

    def typing(self, user: ChatUser, is_typing: bool) -> str:
        return _json(type="typing", name=user.display_name, typing=is_typing)

    def refused(self, refusal: Refused, client_id: str | None) -> str:
        more: dict[str, Any] = {"retry_after": refusal.retry_after} if isinstance(refusal, TooFast) else {}
        if client_id is not None:
            more["id"] = client_id
        return _json(type="error", code=refusal.code, text=refusal.text, **more)

    def welcome(self, user: ChatUser, room: str, people: Sequence[str], messages: Sequence[Message]) -> str:
        """Tell who joins where they are, who else is here, and what was said."""
        return _json(
            type="welcome",
            name=user.display_name,
            room=room,
            people=people,
            messages=[_message(message, user) for message in messages[-SHOWN:]],
            more=len(messages) > SHOWN,
            limits={"name": MAX_NAME, "text": MAX_TEXT},
        )

    def stored(self, user: ChatUser, message: Message) -> str:
        """Tell a sender that the message is stored."""
        return _json(type="stored", id=message.client_id, message=_message(message, user))


class PerfectLanguage:
    """The language of Perfect's chat demo: ``{"user", "message", "avatar"}``, and the page's bot says the rest.

    Perfect's page puts ``message`` into ``innerHTML``. So here each string is HTML, in which what somebody wrote is
    text and nothing else.

    Source: ``Chatroom.sendMessage(_:fromUser:)`` of Perfect's chat demo.
    """

    def joined(self, user: ChatUser, is_back: bool) -> str | None:
        return None if is_back else self._say(f"{user.display_name} Joined", BOT)

    def left(self, user: ChatUser, is_lost: bool) -> str:
        return self._say(f"{user.display_name} Left", BOT)

    def said(self, user: ChatUser, message: Message) -> str:
        return self._say(message.text, user)

    def typing(self, user: ChatUser, is_typing: bool) -> None:
        return None

    def refused(self, refusal: Refused, client_id: str | None) -> str:
        return self._say(refusal.text, BOT)

    def _say(self, text: str, user: ChatUser) -> str:
        name = escape(user.display_name)
        return dumps(
            {"user": name, "message": f"{name}: {escape(text)}", "avatar": escape(_avatar_uri(user))},
            ensure_ascii=False,
        )


def _json(**members: Any) -> str:
    return dumps(members, ensure_ascii=False, separators=(",", ":"))


def _message(message: Message, reader: ChatUser | None = None) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": message.id, "name": message.name, "text": message.text, "time": message.time}
    if reader is not None and reader.session == message.session:
        # Told to nobody else: it is by this that a page knows its own messages.
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
