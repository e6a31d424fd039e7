"""What a stranger says, as it may stand in an error, and so in a log or a terminal."""

from __future__ import annotations

#: How much of it, in characters.
SHOWN = 200


def quoted(said: str | bytes) -> str:
    """Return the first of what a stranger says, in one line, of characters that do nothing where they are shown."""
    text = said[: 8 * SHOWN].decode(errors="replace") if isinstance(said, bytes) else said[: 8 * SHOWN]
    line = " ".join(text.split())
    shown = "".join([each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in line[:SHOWN]])
    return shown if len(line) <= SHOWN else f"{shown}…"
