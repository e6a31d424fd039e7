"""`compare` finds what a list of requirements and the text of its RFC do not have in common."""

from __future__ import annotations

import pytest

from .compare import absent_quotes, read_sections, unquoted_keywords
from .requirement import read_requirements

#: As an RFC is set: an indented table of contents, pages, words broken at a hyphen, and comments in the ABNF.
TEXT = """
   1.  Introduction ....................... 1

1.  Introduction

   All of it MUST be read.

2.  Rules

2.1.  Names

   A name MUST
   be short, and its |Sec-Name-

Somebody                     Standards Track                    [Page 1]
\f
RFC 1                     The Rules of Names               December 2011

   Length| field
   MUST NOT be long.  A name SHOULD be nice.
   4.  It MUST NOT end with a number.

       name = 1*a   ; in the end it MUST
                    ; be an a

10.  The End

   That is REQUIRED.
"""


def lines_of(requirements: str, *listed: str) -> tuple[list[str], list[str]]:
    """Return what is not in the text, and what is not quoted, of the sections listed."""
    sections, quoted = read_sections(TEXT), read_requirements(requirements)
    return list(absent_quotes(sections, quoted)), list(unquoted_keywords(sections, listed, quoted))


WHOLE = """
§2.1
- A name MUST be short [...] its |Sec-Name-Length| field MUST NOT be long
- [its end] It MUST NOT end with a number
- it MUST be an a
"""


def test_sections_are_found_by_their_headings() -> None:
    assert list(read_sections(TEXT)) == ["1", "2", "2.1", "10"]


def test_what_is_quoted_word_for_word_in_its_section_is_found() -> None:
    assert lines_of(WHOLE, "2") == ([], [])


@pytest.mark.parametrize(
    "wrong",
    [
        "§2.1\n- A name MUST be long",
        "§2.1\n- A name MUST be short [...] which is in no RFC",
        "§2\n- A name MUST be short",  # the section that it stands in is 2.1
        "§2.2\n- A name MUST be short",
    ],
)
def test_what_does_not_stand_there_is_told(wrong: str) -> None:
    (line,), _ = lines_of(wrong)
    assert line == wrong.replace("\n- ", ": ")


def test_a_must_that_is_not_quoted_is_told() -> None:
    _, unquoted = lines_of(WHOLE.replace("- it MUST be an a\n", "- A name SHOULD be nice\n"), "2")
    (line,) = unquoted
    assert line.startswith("§2.1: [...]")
    assert "in the end it MUST be an a" in line


def test_only_the_sections_that_are_listed_are_looked_through() -> None:
    assert [line.partition(":")[0] for line in lines_of("", "1", "2", "10")[1]] == ["§1", *["§2.1"] * 4, "§10"]
    assert [line.partition(":")[0] for line in lines_of("", "1")[1]] == ["§1"]
