"""What a line of a pipe says as a message, and what line a message is. One message is one line, whatever is in it."""

from __future__ import annotations

import json
import re
from typing import Protocol

#: What ends a line for some program.
_is_break = re.compile(r"\r\n|\n|\r")


class Lines(Protocol):
    """How messages are written as lines."""

    def message_of(self, line: bytes) -> str | bytes:
        """Return the message that a line says. Raises `ValueError`, with a sentence, if it is none."""

    def line_of(self, message: str | bytes) -> str | bytes:
        """Return the line, with its end, that a message is."""


class TextLines:
    """A line is the text of a message, and of bytes their numbers. A line break within a text is a space."""

    def message_of(self, line: bytes) -> str | bytes:
        """Return the text."""
        try:
            return line.decode()
        except UnicodeDecodeError:
            raise ValueError("A line that is not UTF-8 was left out: --binary sends any bytes") from None

    def line_of(self, message: str | bytes) -> str | bytes:
        """Return the text in one line."""
        text = message if isinstance(message, str) else message.hex(" ")
        return f"{_is_break.sub(' ', text)}\n"


class BinaryLines(TextLines):
    """A line is the bytes of a message, which are written as they are: it is the program's to find their ends."""

    def message_of(self, line: bytes) -> str | bytes:
        """Return the line itself."""
        return line

    def line_of(self, message: str | bytes) -> str | bytes:
        """Return bytes as they are."""
        return message if isinstance(message, bytes) else super().line_of(message)


class JSONLines:
    """A line is a JSON string, which is a text; or an array of numbers, which are bytes."""

    def message_of(self, line: bytes) -> str | bytes:
        """Return what the line has in it."""
        try:
            found = json.loads(line)
            if isinstance(found, list):
                return bytes(found)
            found.encode()  # it may hold half of a character
        except (ValueError, TypeError, AttributeError, RecursionError):
            raise ValueError("A line that is neither a JSON string nor an array of bytes was left out") from None
        assert isinstance(found, str)
        return found

    def line_of(self, message: str | bytes) -> str | bytes:
        """Return the string, or the array."""
        return json.dumps(message if isinstance(message, str) else list(message)) + "\n"
