"""What a room, a message and any other string may be; `names` judges names."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

MAX_ROOM = 40  # characters
MAX_TEXT = 128 * 1024  # characters; even if JSON escapes each of them, a frame of 1 MiB holds it
MAX_ID = 64  # characters

#: What people type. Half of a character in it (half an emoji, cut in two) is left out; elsewhere it is refused.
TEXTS = frozenset({"text", "message"})

_CONTROL = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f]")  # all but the tab and the new line
_HALF = re.compile("[\ud800-\udfff]")
_ROOM = re.compile(r"\w(?:[\w-]*\w)?")


class Refused(Exception):
    """Something that a user asked for and does not get.

    Attributes:
        code: What is wrong, for a program: ``"name-taken"``, say.
        text: What is wrong, for the user: a sentence.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


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


def check_string(string: str) -> str:
    """Return a string that came from outside. Raises `Refused` if no text can hold it.

    JSON can escape one half of a character ("\\ud800"): Python keeps it, and neither SQLite nor a WebSocket takes it.
    """
    if not string.isascii() and _HALF.search(string):
        raise Refused("bad-message", "Half of a character is no text.")
    return string


def without_halves(string: str) -> str:
    """Return a string that came from outside, as far as text can hold it."""
    return string if string.isascii() else _HALF.sub("", string)


def check_room(room: object) -> str:
    """Return a room's name as its address has it. Raises `Refused` if no room can be called so."""
    name = unicodedata.normalize("NFC", room).casefold() if isinstance(room, str) and len(room) <= 4 * MAX_ROOM else ""
    if len(name) > MAX_ROOM or not _ROOM.fullmatch(name):
        raise Refused(
            "room-invalid",
            f"A room's name is 1 to {MAX_ROOM} letters and digits, with hyphens between them if you like.",
        )
    return name


def check_text(text: object) -> str:
    """Return a message's text as it will be kept and shown. Raises `Refused`."""
    if not isinstance(text, str):
        raise Refused("bad-message", "A message is text.")
    if len(text) > MAX_TEXT:
        raise Refused("text-too-long", f"A message has at most {MAX_TEXT:,} characters; this one has {len(text):,}.")
    shown = _CONTROL.sub("", text).strip("\n ")
    if not shown.strip():
        raise Refused("text-empty", "There is nothing in this message.")
    return shown


def check_id(client_id: object) -> str:
    """Return the id by which a page knows a message of its own. Raises `Refused`."""
    if not isinstance(client_id, str) or not 1 <= len(client_id) <= MAX_ID:
        raise Refused("bad-message", f"A message needs an id of its own, of 1 to {MAX_ID} characters.")
    return client_id
