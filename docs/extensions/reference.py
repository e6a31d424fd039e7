"""Sphinx extension: the reference shows what is public, under its public name.

- What a docstring calls "perfectws's own", and Swift's spellings that only raise, are left out.
- Annotations and docstrings name things by their module, such as `perfectws.websocket.socket.WebSocket`, or by the last
  part alone. What is documented is `perfectws.WebSocket`; what users cannot import, such as `Several`, has a line in
  ``reference/types.md``.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

import perfectws
from perfectws.checks.spelling import Misspelt

#: What is imported for type checkers only, so that an annotation has no more than its last part.
IMPORTED = {"datetime": "datetime.datetime", "timedelta": "datetime.timedelta"}
PUBLIC = frozenset(perfectws.__all__)  # type: ignore[attr-defined]  # hidden from type checkers


def skip(app: Sphinx, what: str, name: str, thing: Any, is_skipped: bool, options: object) -> bool | None:
    """Tell that a member is left out, or ``None`` where Sphinx decides."""
    doc = getattr(thing, "__doc__", None) or ""
    is_field_of_tuple = doc.startswith("Alias for field number")  # the class's docstring has it
    return True if isinstance(thing, Misspelt) or "perfectws's own" in doc or is_field_of_tuple else None


def resolve(app: Sphinx, env: BuildEnvironment, node: pending_xref, contents: nodes.TextElement) -> nodes.Node | None:
    """Return what a reference is shown as that leads to no place of its own."""
    if node.get("refdomain") != "py":
        return None
    node["reftarget"] = IMPORTED.get(node["reftarget"], node["reftarget"])
    parts = node["reftarget"].split(".")
    for place, part in enumerate(parts):
        link = link_to(app, env, node, contents, ".".join(["perfectws", *parts[place:]])) if part in PUBLIC else None
        if link is not None:
            return link
    if is_type_variable(parts[-1]):
        return contents
    return link_to(app, env, node, contents, parts[-1])


def link_to(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, contents: nodes.TextElement, target: str
) -> nodes.Node | None:
    if target == node["reftarget"] or target not in env.domains["py"].objects:  # type: ignore[attr-defined]
        return None
    return env.domains["py"].resolve_xref(env, node["refdoc"], app.builder, "obj", target, node, contents)


def is_type_variable(name: str) -> bool:
    """Tell whether a type is one that each call decides anew: there is nothing to say of it."""
    return re.fullmatch(r"[A-Z]|[A-Z]\w*[a-z]T", name) is not None


def setup(app: Sphinx) -> dict[str, bool]:
    """Ask here before the inventories of other projects are asked."""
    app.connect("missing-reference", resolve, priority=400)
    app.connect("autodoc-skip-member", skip)
    return {"parallel_read_safe": True}
