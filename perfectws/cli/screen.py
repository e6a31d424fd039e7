"""What `connect` shows: messages on the output, all else beside it; plain for programs, safe for people."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from typing import TextIO

#: What would move the cursor, or worse, on a terminal. A peer may send it.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_COLOURS = {"received": "\x1b[36m", "told": "\x1b[2m", "wrong": "\x1b[31m"}
_PLAIN = "\x1b[0m"


class Screen:
    """Where messages, and what is told of them, are written.

    Args:
        writes_bytes: Whether binary messages are written as they are, for a program.
        output: Where messages go; ``None`` for the standard output of the moment, which a prompt may have replaced.
        told: Where all else goes; ``None`` for the standard error of the moment.
    """

    def __init__(self, writes_bytes: bool = False, output: TextIO | None = None, told: TextIO | None = None) -> None:
        self._output = output
        self._told = told
        self._writes_bytes = writes_bytes
        self._is_for_people = is_terminal(output or sys.stdout)
        self._has_colours = self._is_for_people and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def received(self, messages: Iterable[str | bytes]) -> None:
        """Show messages."""
        output = self._output or sys.stdout
        for message in messages:
            if self._is_for_people:
                self._write(output, "received", f"< {_for_people(message)}")
            elif isinstance(message, bytes) and self._writes_bytes:
                output.flush()
                output.buffer.write(message)
            else:
                output.write(f"{message if isinstance(message, str) else message.hex(' ')}\n")
        output.flush()

    def tell(self, text: str) -> None:
        """Say something about the connection."""
        self._write(self._told or sys.stderr, "told", _safe(text))

    def tell_wrong(self, text: str) -> None:
        """Say what went wrong."""
        self._write(self._told or sys.stderr, "wrong", _safe(text))

    def _write(self, stream: TextIO, kind: str, line: str) -> None:
        stream.write(f"{_COLOURS[kind]}{line}{_PLAIN}\n" if self._has_colours else f"{line}\n")
        stream.flush()


def is_terminal(stream: TextIO | None) -> bool:
    """Tell whether somebody looks at a stream, or types into it."""
    return stream is not None and stream.isatty()


def _for_people(message: str | bytes) -> str:
    return _safe(message) if isinstance(message, str) else f"{len(message)} bytes: {message.hex(' ')}"


def _safe(text: str) -> str:
    """Return ``text`` with its control characters as Python writes them."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)
