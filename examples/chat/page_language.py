"""The language of this example's page: one socket is in many rooms, so each object has a ``type`` and a ``room``.

Nothing in it is markup. Whose a message is, ``by`` says: a digest that everybody may know, and by which a page knows
the messages of its own person in every window.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .languages import to_json
from .messages import Excerpt, Message
from .names import MAX_NAME
from .people import Person
from .rate import TooFast
from .rules import MAX_TEXT, Refused
from .user import ChatUser


class PageLanguage:
    """See `languages`."""

    name = "page"

    def joined(self, room: str, person: Person, former: Person | None) -> list[str]:
        if former is None:
            return [to_json(type="joined", room=room, name=person.name, back=person.is_back)]
        # "from" is a word of Python's.
        names = {"from": former.name, "to": person.name}
        return [to_json(type="renamed", room=room, by=person.session, **names)]

    def left(self, room: str, person: Person, is_lost: bool) -> str:
        return to_json(type="left", room=room, name=person.name, lost=is_lost)

    def said(self, room: str, user: ChatUser, message: Message) -> str:
        return to_json(type="message", room=room, message=shown(message), **position(message))

    def changed(self, room: str, message: Message) -> str:
        """Tell that a message was edited or deleted."""
        return to_json(type="changed", room=room, message=shown(message), **position(message))

    def typing(self, room: str, user: ChatUser, is_typing: bool) -> str:
        return to_json(type="typing", room=room, name=user.display_name, typing=is_typing)

    def refused(self, refusal: Refused, about: Mapping[str, Any]) -> str:
        more: dict[str, Any] = {"retry_after": refusal.retry_after} if isinstance(refusal, TooFast) else {}
        for key in ("room", "key", "id"):
            if isinstance(about.get(key), (str, int)):
                more[key] = about[key]
        kind = about.get("type")
        # Only what `parse` has looked at can be told again: what is in a list, say, need not be text.
        more["about"] = kind if isinstance(kind, str) else None
        return to_json(type="error", code=refusal.code, text=refusal.text, **more)

    def beat(self) -> str:
        """Answer a sign of life with another."""
        return to_json(type="beat")

    def hello(self, user: ChatUser, is_shared: bool) -> str:
        """Tell a page who it speaks for, and whether what it hears may not be kept yet."""
        limits = {"name": MAX_NAME, "text": MAX_TEXT}
        return to_json(type="hello", name=user.display_name, me=user.session, limits=limits, shared=is_shared)

    def entered(self, room: str, people: Sequence[str], excerpt: Excerpt) -> str:
        """Tell a page that it is in a room, who is there, and what was said."""
        return to_json(
            type="entered",
            room=room,
            people=people,
            messages=[shown(message) for message in excerpt.messages],
            more=excerpt.more,
            goes_on=excerpt.goes_on,
            position=excerpt.position,
        )

    def older(self, room: str, excerpt: Excerpt) -> str:
        """Tell a page what was said before."""
        messages = [shown(message) for message in excerpt.messages]
        return to_json(type="older", room=room, messages=messages, more=excerpt.more)

    def admin(self) -> str:
        """Tell a page that it is that of whoever runs the chat."""
        return to_json(type="admin")

    def rooms(self, rooms: Mapping[str, Sequence[str]]) -> str:
        """Tell a page which rooms there are, and who is in them."""
        return to_json(type="rooms", rooms=[{"room": room, "people": people} for room, people in rooms.items()])


def shown(message: Message) -> dict[str, Any]:
    """Return a message as the page sees it."""
    told: dict[str, Any] = {
        "id": message.id,
        "by": message.session,
        "name": message.name,
        "text": message.text,
        "time": message.time,
        "key": message.client_id,
    }
    if message.image:
        told["image"] = message.image
    if message.state:
        told["state"] = message.state
    return told


def position(message: Message) -> dict[str, str]:
    """Return up to where a page that hears of a message knows all, where the log says so by itself."""
    return {"position": str(message.position)} if message.position else {}


PAGE = PageLanguage()
