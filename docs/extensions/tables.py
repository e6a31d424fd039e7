"""Sphinx extension: tables that can be read in a narrow window; ``docs/static/pages.css`` does the rest.

Long names break between their parts. Else a browser breaks them at any letter: ``max_fram``, ``e_size``. What is
copied, or searched for, stays the same. Tables of three columns with code in them are marked, so that on a phone the
cells of a row stand below each other.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

CELL = re.compile(r"<td\b.*?</td>", re.DOTALL)
CODE = re.compile(r'(?<=<span class="pre">)[^<]{12,}(?=</span>)')
#: Behind what ends a part of a name, or of a call, if more follows.
BREAK = re.compile(r"(?<=(?:[^\W_]|[)\]\"'])[(:,._/=])(?=[^\W_]|[\"'(])")


def mark_tables(app: Sphinx, doctree: nodes.document) -> None:
    """Mark those that compare two libraries, and those of options."""
    for table in doctree.findall(nodes.table):
        heads = [cell.astext() for cell in next(iter(table.findall(nodes.row)))]
        if heads[-1] == "what differs, and why":
            table["classes"].append("stacked")
        elif heads[1:] == ["default", "what it is"]:
            table["classes"] += ["stacked", "options"]


def add_breaks(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Mark the places in the tables of a page where names may break."""
    if doctree is not None:
        context["body"] = CELL.sub(lambda cell: CODE.sub(_with_breaks, cell[0]), context["body"])


def _with_breaks(code: re.Match[str]) -> str:
    return BREAK.sub("<wbr>", code[0])


def setup(app: Sphinx) -> dict[str, bool]:
    """Look at each page once it is read, and before it is written."""
    app.connect("doctree-read", mark_tables)
    app.connect("html-page-context", add_breaks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
