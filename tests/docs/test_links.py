"""Every link of a page that stays inside of the project leads to a file, a page or a heading that is there."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from .pages import ROOT, name_of, pages

#: Of the pages at the root, whose links must lead somewhere from a package index too.
REPOSITORY = re.compile(
    r"https://(?:github\.com|raw\.githubusercontent\.com)/[\w-]+/perfectws/(?:blob/|tree/)?main/(.+)"
)
#: The pages as they are published.
PUBLISHED = re.compile(r"https://perfectws\.readthedocs\.io/en/latest/(.+)\.html(#.+)?")
LINK = re.compile(r"\]\(<?([^)\s>]+)>?\)")
CODE = re.compile(r"^( *)(`{3,}|:{3,})[^\n]*\n.*?^\1\2$", flags=re.MULTILINE | re.DOTALL)


def prose(page: Path) -> str:
    """Return a page without its blocks of code."""
    return re.sub(r"`[^`\n]+`", "", CODE.sub("", page.read_text(encoding="utf-8")))


@cache
def anchors(page: Path) -> frozenset[str]:
    """Return what a link may have behind its ``#``: the page's headings, and its targets, ``(name)=``."""
    text = CODE.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    slugs = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
    return frozenset(slugs | set(re.findall(r"^\(([\w-]+)\)=$", text, flags=re.MULTILINE)))


def leads_somewhere(page: Path, link: str) -> bool:
    """Tell whether what a link names is there."""
    published = PUBLISHED.fullmatch(link)
    if published is not None:
        return leads_somewhere(ROOT / "README.md", f"docs/{published[1]}.md{published[2] or ''}")
    inside = REPOSITORY.fullmatch(link)
    if inside is None and re.match(r"[a-z]+:", link):
        return True  # to somebody else
    path, _, anchor = (inside[1] if inside else link).partition("#")
    target = (ROOT if inside else page.parent) / path if path else page
    return target.exists() and (not anchor or target.suffix != ".md" or anchor in anchors(target))


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_every_link_inside_leads_somewhere(page: Path) -> None:
    assert not [link for link in LINK.findall(prose(page)) if not leads_somewhere(page, link)]
