"""What a package index shows: the README, its links, the extras, and a version that has a section in the change log."""

from __future__ import annotations

import configparser
import re

import perfectws

from .pages import ROOT
from .test_links import LINK

README = (ROOT / "README.md").read_text(encoding="utf-8")
CHANGES = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
SETUP = configparser.ConfigParser(interpolation=None)
SETUP.read(ROOT / "setup.cfg")
URLS = dict(line.split(" = ") for line in SETUP["metadata"]["project_urls"].strip().splitlines())


def test_the_version_has_a_section_in_the_change_log() -> None:
    assert re.search(rf"^## \[{re.escape(perfectws.__version__)}\] - \d{{4}}-\d\d-\d\d$", CHANGES, re.MULTILINE)


def test_the_readme_has_no_relative_links_which_an_index_cannot_follow() -> None:
    assert [link for link in LINK.findall(README) if not link.startswith("https://")] == []


def test_every_extra_has_a_row_in_the_readme() -> None:
    table = README.partition("| extra |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\|([^|]+)\|", table, re.MULTILINE)
    extras = {extra for row in rows for extra in re.findall(r"`(\w+)`", row)}
    assert extras == set(SETUP["options.extras_require"])


def test_the_readme_leads_to_the_project_s_own_places() -> None:
    assert SETUP["metadata"]["url"] in README
    assert URLS["Documentation"] in README
    assert URLS["Changes"] in README


def test_the_status_in_the_classifiers_is_the_readme_s() -> None:
    assert "Development Status :: 4 - Beta" in SETUP["metadata"]["classifiers"]
    assert re.search(r"^## Status\n\nBeta", README, re.MULTILINE)
