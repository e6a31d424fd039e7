"""Sphinx extension: each name in a table's column headed *Swift* is in the index, and so is found by the search.

Names are what Swift spells otherwise than Python: with a capital letter somewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

NAME = re.compile(r"\b(?:[a-z]+(?:[A-Z]\w*)|[A-Z]\w{2,})\b")
#: What stands in signatures, and is nobody's to look for.
COMMON = frozenset({"String", "Int", "UInt8", "Any", "Double", "Bool", "Void", "Data", "ByteBuffer", "GET", "OPTIONS"})


def index_names(app: Sphinx, doctree: nodes.document) -> None:
    """Add the names of every such table to the index, each leading to its row."""
    for table in doctree.findall(nodes.table):
        rows = list(table.findall(nodes.row))
        if rows and rows[0][0].astext() == "Swift":
            table["classes"].append("swift")
            for row in rows[1:]:
                index_row(app, doctree, row)


def index_row(app: Sphinx, doctree: nodes.document, row: nodes.row) -> None:
    names = sorted(set(names_in(row[0])))
    if names:
        place = f"swift-{app.env.new_serialno('swift')}"
        row["ids"].append(place)
        entries = [("single", f"{name} (Swift)", place, "", None) for name in names]
        row[0].insert(0, addnodes.index(entries=entries))


def names_in(cell: nodes.Element) -> Iterator[str]:
    """Yield the names that a cell's code holds."""
    for literal in cell.findall(nodes.literal):
        yield from (name for name in NAME.findall(literal.astext()) if name not in COMMON)


def setup(app: Sphinx) -> dict[str, bool]:
    """Look at each page once it is read."""
    app.connect("doctree-read", index_names)
    return {"parallel_read_safe": True}
