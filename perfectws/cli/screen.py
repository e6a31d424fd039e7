"""What `connect` shows: messages on the output, all else beside it; plain for programs, safe for people."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from typing import TextIO

from .lines import Lines
from .output import standard_output, tell

#: What would move the cursor, or worse, on a terminal. A peer may send it.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_COLOURS = {"received": "\x1b[36m", "told": "\x1b[2m", "wrong": "\x1b[31m"}
_PLAIN = "\x1b[0m"


class Screen:
    """Where messages, and what is told of them, are written.

    Args:
        lines: How messages are written for a program.
        output: Where messages go; ``None`` for the standard output of the moment, which a prompt may have replaced.
        told: Where all else goes; ``None`` for the standard error of the moment.
    """

    def __init__(self, lines: Lines, output: TextIO | None = None, told: TextIO | None = None) -> None:
        self._output = output
        self._told = told
        self._lines = lines
        self._is_for_people = is_terminal(output or sys.stdout)
        self._has_colours = self._is_for_people and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def received(self, messages: Iterable[str | bytes]) -> None:
        """Show messages. Raises `OutputFailure`."""
        with standard_output(self._output) as output:
            for message in messages:
                line = self._for_people(message) if self._is_for_people else self._lines.line_of(message)
                if isinstance(line, str):
                    output.write(line)
                else:
                    output.flush()
                    output.buffer.write(line)

    def tell(self, text: str) -> None:
        """Say something about the connection."""
        tell(self._coloured("told", _safe(text)), self._told)

    def tell_wrong(self, text: str) -> None:
        """Say what went wrong."""
        tell(self._coloured("wrong", _safe(text)), self._told)

    def _for_people(self, message: str | bytes) -> str:
        text = _safe(message) if isinstance(message, str) else f"{len(message)} bytes: {message.hex(' ')}"
        return self._coloured("received", f"< {text}") + "\n"

    def _coloured(self, kind: str, line: str) -> str:
        return f"{_COLOURS[kind]}{line}{_PLAIN}" if self._has_colours else line


def is_terminal(stream: TextIO | None) -> bool:
    """Tell whether somebody looks at a stream, or types into it."""
    return stream is not None and stream.isatty()


def _safe(text: str) -> str:
    """Return ``text`` with its control characters as Python writes them."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)
