"""What was said, and where it is kept: a message, and what a room asks of its log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from perfectws import WebSocket

from .rules import Refused

#: How many messages a room shows to who enters it, and at each step back into the past.
SHOWN = 50

#: How much text they have together, at most; but one message is always shown.
SHOWN_TEXT = 256 * 1024  # characters

NOT_STORED = Refused("not-stored", "The message could not be stored.")
NOT_READ = Refused("not-read", "What was said before could not be read.")
NOT_YOURS = Refused("not-yours", "Only who wrote a message can change it.")
NOT_THERE = Refused("not-there", "This message is not there any more.")


@dataclass(frozen=True, slots=True)
class Message:
    """Something that was said.

    Attributes:
        id: Its number, higher than that of every message before it.
        room: The room that it was said in.
        name: Who said it.
        text: What was said; empty once it is deleted.
        time: When, in milliseconds since the epoch.
        session: Who said it: the digest of a secret, which tells nobody the secret.
        client_id: The id by which its sender knows it.
        image: The name of an image that it shows, or nothing.
        state: ``""``, ``"edited"`` or ``"deleted"``.
        position: The number of its last change, if the log knows it: as an id, but an edit or a deletion has one too.
        is_new: Whether it was stored just now, and not when it was sent for the first time.
    """

    id: int
    room: str
    name: str
    text: str
    time: int
    session: str
    client_id: str
    image: str = ""
    state: str = ""
    position: int = 0
    is_new: bool = False


class Excerpt(NamedTuple):
    """Some messages of a room, oldest first.

    Attributes:
        messages: What was said. Where it goes on from what the reader has, also what was changed since.
        more: Whether there are older ones.
        goes_on: Whether nothing is missing between what the reader has and these.
        position: Up to where the reader knows all, if the log says so here.
    """

    messages: Sequence[Message]
    more: bool = False
    goes_on: bool = False
    position: str | None = None


Change = Callable[[Message | Refused], object]
Read = Callable[[Excerpt | Refused], object]


class RoomLog(Protocol):
    """The log of one room. Whatever goes wrong, each completion is called once."""

    def add(self, message: Message, completion: Change) -> None:
        """Keep a message, whose id the log chooses, unless its sender has said one of this ``client_id`` before.

        Calls back: ``completion(message)`` once it is kept, with the one kept before if there was one; or a refusal.
        """

    def change(self, message_id: int, session: str | None, text: str, completion: Change) -> None:
        """Change a message's text; without any text it is deleted.

        Args:
            session: Who wants it, and must have written it; ``None`` may change everything.

        Calls back: ``completion(message)`` with the message as it is now, or a refusal.
        """

    def follow(self, session: str, socket: WebSocket, after: str, completion: Read) -> None:
        """Let a page's socket hear what is said from now on, and find what was said before; nothing is lost in between.

        Args:
            session: Whose it is.
            after: The position up to which it knows everything, or nothing.

        Calls back: ``completion(excerpt)`` with what was missed, or with the newest if that is too much.
        """

    def newest(self, session: str, after: int, completion: Read) -> None:
        """Find the newest messages for who comes, but only those with an id above ``after``."""

    def older(self, before: int, completion: Read) -> None:
        """Find the newest messages with an id below ``before``."""


def excerpt(newest_first: Sequence[Message]) -> Excerpt:
    """Return as many as are shown at once, oldest first, and whether there are more."""
    shown: list[Message] = []
    size = 0
    for message in newest_first[:SHOWN]:
        size += len(message.text)
        if shown and size > SHOWN_TEXT:
            break
        shown.insert(0, message)
    return Excerpt(shown, more=len(shown) < len(newest_first))
