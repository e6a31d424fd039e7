"""Troubleshooting: every message that the page explains is one that perfectws has."""

from __future__ import annotations

import re
from pathlib import Path

import perfectws

from .pages import DOCS

PAGE = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
#: The strings of the whole package, as one text in which a string that goes on in the next line is one.
SOURCE = re.sub(
    r"\"\s+f?\"|{[^{}]*(?:{[^{}]*}[^{}]*)*}|%[rsd]",
    lambda found: "" if found[0].startswith('"') else "…",
    "\n".join(path.read_text(encoding="utf-8") for path in Path(perfectws.__file__).parent.rglob("*.py")),
)
#: What others say.
OF_BROWSERS = {"Mixed Content"}


def messages() -> list[str]:
    """Return the code in the first column of each table whose first column is headed *message* or the like."""
    tables = re.findall(r"^\| (?:message|code).*\n\|[-|]+\|\n((?:\|.*\n)+)", PAGE, flags=re.MULTILINE)
    cells = [row.split(" | ")[0] for table in tables for row in table.splitlines()]
    return [code for cell in cells for code in re.findall(r"`([^`]+)`", cell)]


def test_every_message_is_one_of_perfectws() -> None:
    assert len(messages()) > 50
    assert [message for message in messages() if not is_known(message)] == []


def is_known(message: str) -> bool:
    """Tell whether each part between what is left out stands in the source, in that order and close by."""
    parts = [re.escape(part.strip(" …")) for part in message.split("…") if part.strip(" …:")]
    return message in OF_BROWSERS or not parts or re.search(r"[^\n]*?".join(parts), SOURCE) is not None
