"""The reference: every public name and member has its entry, every option its row."""

from __future__ import annotations

import re

from perfectws import CloseCode
from perfectws.cli.main import _parser
from perfectws.cli.options import OPTIONS

from .pages import DOCS
from .public import FACE, TESTING, names

REFERENCE = "\n".join(page.read_text(encoding="utf-8") for page in (DOCS / "reference").glob("*.md"))
#: An entry, with the options below it.
ENTRY = re.compile(r"^\.\. (?:auto|py:)\w+:: (?:perfectws(?:\.|::))?([\w.]+)[^\n]*\n((?:   :[^\n]+\n)*)", re.MULTILINE)
ENTRIES = {name: options for name, options in ENTRY.findall(REFERENCE) if ":no-index:" not in options}
#: Second names of what has an entry.
ALIASES = {"HTTPRequestFilterResult", "HTTPResponseFilterResult", "HTTPFilterPriority"}


def test_every_public_name_has_an_entry() -> None:
    assert set(FACE.__all__) - ALIASES - ENTRIES.keys() == set()
    assert {f"testing.{name}" for name in TESTING.__all__} - ENTRIES.keys() == set()


def test_second_names_are_told() -> None:
    assert [name for name in ALIASES if f"`{name}`" not in REFERENCE] == []


def test_every_member_has_an_entry_or_comes_with_its_class() -> None:
    missing = []
    for public in names():
        owner, member = parted(public.name)
        options = ENTRIES.get(owner, "")
        comes = ":members:" in options and ":members: " not in options and f"exclude-members: {member}" not in options
        if member and not comes and public.name not in ENTRIES and not is_shown_by_its_class(public.name):
            missing.append(public.name)
    assert missing == []


def parted(name: str) -> tuple[str, str]:
    """Return a name's class, with ``testing.`` before it if that is where it is imported from, and its member."""
    place = "testing." if name.startswith("testing.") else ""
    owner, _, member = name.removeprefix(place).partition(".")
    return place + owner, member


def is_shown_by_its_class(name: str) -> bool:
    """Tell whether a class's entry lists a member, or shows the base class that it is inherited from."""
    owner, member = parted(name)
    shows_bases = ":show-inheritance:" in ENTRIES.get(owner, "")
    listed = re.findall(r":members: (.+)", ENTRIES.get(owner, ""))
    is_listed = any(member in names.split(", ") for names in listed)
    return is_listed or (shows_bases and member not in vars(getattr(FACE, owner)))


def test_every_close_code_has_a_row() -> None:
    page = (DOCS / "reference" / "close_codes.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| `(\w+)`", page, re.MULTILINE)
    assert rows == [(str(int(code)), code.name) for code in CloseCode]


def test_every_option_of_the_command_line_has_a_row_and_every_command_a_section() -> None:
    page = (DOCS / "reference" / "cli.md").read_text(encoding="utf-8")
    assert {*re.findall(r"^\.\. command-options:: (.+)$", page, re.MULTILINE)} == {each.group for each in OPTIONS}
    known = re.findall(r"^    (\w+) ", _parser().format_help(), re.MULTILINE)
    assert re.findall(r"^## `(\w+)`$", page, re.MULTILINE) == known
