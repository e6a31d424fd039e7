"""Sphinx extension: the sections of our docstrings (CONTRIBUTING.md, *Docstrings*) as fields and attributes.

*Calls back* and *Source* are sections that Google's style, as napoleon reads it, does not have; and what napoleon takes
for types, before a colon, is prose here.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator

from sphinx.application import Sphinx

#: The header of a section; those of one paragraph may go on behind it.
SECTION = re.compile(r"(Args|Attributes|Calls back|Raises|Returns|Source):(?: (.+))?$")
#: ``name: what it is``, the first line of an entry of a section.
ENTRY = re.compile(r"([^\s:][^:]*): (.*)$")

#: Between the names of one parameter's entry, where a line may break: Sphinx takes what is before a space for a type.
NAMES_APART = ",\N{ZERO WIDTH SPACE}"
#: What each section's fields are called; an entry's name follows.
FIELDS = {"Args": "param ", "Calls back": "Calls back", "Raises": "raises ", "Returns": "returns", "Source": "Source"}


def sections_as_fields(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """Rewrite a docstring, in place."""
    lines[:] = list(rewritten(deque(lines)))


def rewritten(lines: deque[str]) -> Iterator[str]:
    """Yield the lines of a docstring, its sections as fields."""
    while lines:
        line = lines.popleft()
        section = SECTION.match(line)
        if section is None:
            yield line
            continue
        body = list(taken_paragraph(section[2], lines) if section[2] else taken_block(lines))
        yield ""
        yield from fields(section[1], body)
        yield ""


def taken_paragraph(first: str, lines: deque[str]) -> Iterator[str]:
    """Yield the lines of a section that begins on its header's line."""
    yield first
    while lines and lines[0]:
        yield lines.popleft()


def taken_block(lines: deque[str]) -> Iterator[str]:
    """Yield the lines of a section that is indented below its header."""
    while lines and (not lines[0] or lines[0].startswith(" ")):
        yield lines.popleft()[4:]


def fields(section: str, body: list[str]) -> Iterator[str]:
    """Yield the fields that say what a section says."""
    if section == "Attributes":
        for name, text in entries(body):
            yield from directive(name, text)
    elif section in ("Args", "Raises"):
        for name, text in entries(body):
            names = name if section == "Raises" else name.replace("*", r"\*").replace(", ", NAMES_APART)
            yield from field(FIELDS[section] + names, text)
    else:
        yield from field(FIELDS[section], body)


def entries(body: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield the name and the text of each entry of a section."""
    rest = deque(body)
    while rest:
        entry = ENTRY.match(rest.popleft())
        if entry is not None:
            yield entry[1], [entry[2], *taken_block(rest)]


def field(name: str, text: list[str]) -> Iterator[str]:
    yield f":{name}: {text[0]}"
    yield from (each and f"    {each}" for each in text[1:])


def directive(names: str, text: list[str]) -> Iterator[str]:
    first, *more = names.split(", ")
    yield f".. attribute:: {first}"
    yield from (f"               {each}" for each in more)
    yield ""
    yield from (each and f"   {each}" for each in text)
    yield ""


def setup(app: Sphinx) -> dict[str, bool]:
    """Rewrite every docstring that is shown."""
    app.connect("autodoc-process-docstring", sections_as_fields)
    return {"parallel_read_safe": True}
