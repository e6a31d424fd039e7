"""The limits that pages say are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .limits import DEFAULTS, NAMED, SAYINGS, TABLES, rows_of, wrong_limits
from .pages import DOCS, ROOT, name_of, pages


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_every_limit_that_a_page_says_is_the_default_of_the_code(page: Path) -> None:
    assert wrong_limits(name_of(page), page.read_text(encoding="utf-8")) == []


def test_every_sentence_that_is_compared_stands_somewhere() -> None:
    text = " ".join(" ".join(page.read_text(encoding="utf-8").split()) for page in pages())
    assert [saying for saying in SAYINGS if not re.search(saying, text)] == []


def test_limits_are_said_behind_their_names_on_several_pages() -> None:
    said = {name for page in pages() for name, _, _ in NAMED.findall(" ".join(page.read_text("utf-8").split()))}
    assert {"max_write_buffer", "ping_interval", "ping_timeout", "write_timeout", "close_timeout"} <= said & set(
        DEFAULTS
    )


def test_a_table_of_limits_that_nobody_compares_is_noticed() -> None:
    """A page that has a table about what is the default is one of `TABLES`, or its tables are made of the code."""
    heads = re.compile(r"^ *\|.*\b(bound|by default|default|limit)\b.*\|\n *\|[-|]+\|$", re.MULTILINE)
    found = {name_of(page) for page in pages() if heads.search(page.read_text(encoding="utf-8"))}
    assert found - set(TABLES) == OTHER_TABLES


#: Pages with tables headed so whose quantities stand behind names, or that are of something else.
OTHER_TABLES = {"docs/reliability.md", "docs/scaling.md"}


@pytest.mark.parametrize(
    ("page", "said", "instead", "complaint"),
    [
        ("docs/deploy/limits.md", "| 16 MiB | `max_write_buffer`", "| 1 MiB | `max_write_buffer`", "not 1 MiB"),
        ("docs/deploy/limits.md", "`max_body_size` |", "`max_body` |", "there is no option max_body"),
        ("docs/deploy/limits.md", "| the body of a request |", "| a body |", "there is no row 'the body of a request'"),
        ("docs/architecture.md", "`max_write_buffer` (16 MiB)", "`max_write_buffer` (8 MiB)", "not 8 MiB"),
        ("docs/architecture.md", "16 frames or 64 KiB", "32 frames or 64 KiB", "it is 16, 65536"),
        ("docs/architecture.md", "64 rounds", "65 rounds", "it is 64, 0.005"),
        ("docs/why/back_pressure.md", "high water is 64 KiB", "high water is 32 KiB", "it is 65536"),
        ("docs/how_to/keepalive_and_proxies.md", "`ping_timeout` (20 s)", "`ping_timeout` (2 s)", "not 2 s"),
        ("docs/how_to/keepalive_and_proxies.md", "`ping_timeout` (20 s)", "`pong_timeout` (20 s)", "no limit pong_"),
        ("docs/reliability.md", "`max_fragments` (4,096)", "`max_fragments` (4,095)", "not 4,095"),
    ],
)
def test_a_page_that_says_something_else_is_found(page: str, said: str, instead: str, complaint: str) -> None:
    text = text_of(page)
    assert said in text, f"{page} does not say {said!r} any more: choose another one here"
    assert any(complaint in each for each in wrong_limits(page, text.replace(said, instead)))


def test_the_tables_are_there() -> None:
    assert all(list(rows_of(first, text_of(page))) for page, (first, _) in TABLES.items())
    assert (DOCS / "reference" / "limits.md").exists()
