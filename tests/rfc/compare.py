"""Compare a list of requirements with the text of its RFC: ``python -m tests.rfc.compare rfc6455.txt``.

The file is the RFC's plain text, which is not kept here, named as its RFC is. Each quote has to stand in its section,
word for word. What the list does not quote though it says MUST is shown, for the reader to judge: in the list of
RFC 9112 that is what concerns clients and proxies.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from . import rfc6455, rfc7692, rfc9112
from .requirement import Requirement

LISTS = {
    "rfc6455": (rfc6455.SECTIONS, rfc6455.REQUIREMENTS),
    "rfc7692": (rfc7692.SECTIONS, rfc7692.REQUIREMENTS),
    "rfc9112": (rfc9112.SECTIONS, rfc9112.REQUIREMENTS),
}

#: What stands between two pages.
_PAGE_BREAK = re.compile(r"^(?:\S.*\[Page \d+\]|RFC \d+ .*\d{4})$\n?", re.MULTILINE)
_HEADING = re.compile(r"^(\d+(?:\.\d+)*)\.?  ", re.MULTILINE)
#: A word of the ABNF's comments may begin with their mark.
_BREAK = re.compile(r"(?<=-)\s+|\s+(?:;\s*)?")
#: What makes a sentence a requirement. Source: RFC 2119 §1, §2.
KEYWORD = re.compile(r"\b(?:MUST|SHALL|REQUIRED)\b")
#: How much of the text is shown on each side of a MUST that is not quoted.
_SHOWN = 70


def read_sections(text: str) -> dict[str, str]:
    """Return the sections of an RFC's plain text by number, each in one line, without those inside it."""
    _, *parts = _HEADING.split(_PAGE_BREAK.sub("", text.replace("\f", "")))
    return {number: joined(section) for number, section in zip(parts[::2], parts[1::2], strict=True)}


def joined(text: str) -> str:
    """Return a text in one line; a word that is broken behind a hyphen is one again."""
    return _BREAK.sub(lambda found: " " if found[0] and text[found.start() - 1] != "-" else "", text.strip())


def absent_quotes(sections: dict[str, str], requirements: Sequence[Requirement]) -> Iterator[str]:
    """Return each requirement of which a part does not stand in its section, in one line."""
    for each in requirements:
        if not all(joined(part) in sections.get(each.paragraph, "") for part in each.quotes):
            yield f"§{each.paragraph}: {each.text}"


def unquoted_keywords(
    sections: dict[str, str], listed: Sequence[str], requirements: Sequence[Requirement]
) -> Iterator[str]:
    """Return each MUST of the sections listed that stands in no quote, in one line with what is around it."""
    for number, section in sections.items():
        if not any(f"{number}.".startswith(f"{top}.") for top in listed):
            continue
        quotes = [joined(part) for each in requirements if each.paragraph == number for part in each.quotes]
        spans = [found.span() for quote in quotes for found in re.finditer(re.escape(quote), section)]
        for found in KEYWORD.finditer(section):
            if not any(start <= found.start() < end for start, end in spans):
                yield f"§{number}: [...]{section[max(0, found.start() - _SHOWN) : found.end() + _SHOWN]}[...]"


def compare(path: Path) -> bool:
    """Write what differs; return whether every quote stands in the text."""
    listed, requirements = LISTS[path.stem]
    sections = read_sections(path.read_text(encoding="utf-8"))
    absent = list(absent_quotes(sections, requirements))
    unquoted = list(unquoted_keywords(sections, listed, requirements))
    for line in (
        f"{path.stem}: {len(requirements)} requirements, {len(absent)} of which are not in the text",
        *absent,
        f"{len(unquoted)} times MUST, SHALL or REQUIRED where nothing is quoted",
        *unquoted,
    ):
        sys.stdout.write(line + "\n")
    return not absent


if __name__ == "__main__":
    results = [compare(Path(name)) for name in sys.argv[1:]]
    sys.exit(not all(results))
