"""Sphinx extension: ``.. options:: module Class`` makes a table of a dataclass: option, default, what it is.

``.. command-options:: group`` makes one of the command line's options of that group, from their own table.

The class becomes a Python object without a module, so that a docstring's `HTTPLimits` leads to its table.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections import deque
from collections.abc import Iterator
from importlib import import_module
from typing import Any, cast

from docstrings import entries, taken_block
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.domains.python import PythonDomain
from sphinx.util.docutils import SphinxDirective

from perfectws.cli.options import OPTIONS, Option

UNITS = {"MiB": 1024 * 1024, "KiB": 1024}
TABLE = [".. list-table::", "   :header-rows: 1", "   :widths: 26 16 58", ""]


class Options(SphinxDirective):
    """The table of one class, inside of ``{eval-rst}``."""

    required_arguments = 2

    def run(self) -> list[nodes.Node]:
        """Return a target for the class, and the table."""
        module, name = self.arguments
        options = getattr(import_module(module), name)
        place = f"options-{name}"
        cast(PythonDomain, self.env.domains["py"]).note_object(name, "class", place, location=self.get_location())
        self.env.note_dependency(inspect.getfile(options))
        table = nodes.container(ids=[place])
        self.state.nested_parse(StringList([*TABLE, *rows(options)], name), self.content_offset, table)
        return [table]


def rows(options: type[Any]) -> Iterator[str]:
    """Yield the rows of the table."""
    defaults = {each.name: each.default for each in dataclasses.fields(options)}
    yield from ("   * - option", "     - default", "     - what it is")
    for name, text in entries(attributes(options)):
        yield f"   * - ``{name}``"
        yield f"     - {default_text(name, defaults[name])}"
        yield f"     - {text[0]}"
        yield from (f"       {each}" for each in text[1:])


def attributes(options: type[Any]) -> list[str]:
    """Return the block of a class's docstring that says what its attributes are."""
    lines = deque((inspect.getdoc(options) or "").splitlines())
    while lines.popleft() != "Attributes:":
        pass
    return list(taken_block(lines))


def default_text(name: str, value: Any) -> str:
    """Return a default as people write it: 1 MiB, 20 s."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        if name.endswith(("_timeout", "_interval")):
            return f"{value:g} s"
        for unit, size in UNITS.items():
            if ("size" in name or "buffer" in name) and value % size == 0:
                return f"{value // size:,} {unit}"
    return f"``{value!r}``"


class CommandOptions(SphinxDirective):
    """The table of the options of one group, inside of ``{eval-rst}``."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        (group,) = self.arguments
        self.env.note_dependency(inspect.getfile(Option))
        table = nodes.container()
        self.state.nested_parse(StringList([*TABLE, *command_rows(group)], group), self.content_offset, table)
        return [table]


def command_rows(group: str) -> Iterator[str]:
    """Yield the rows of the table of one group. Raises `ValueError` if there is none of that name."""
    options = [each for each in OPTIONS if each.group == group]
    if not options:
        raise ValueError(f"there are no options of the group {group!r}")
    yield from ("   * - option, variable", "     - default", "     - what it is")
    for option in options:
        yield f"   * - | ``{f'{option.option} {option.metavar}'.rstrip()}``"
        yield f"       | ``{option.variable}``"
        yield f"     - {as_typed(option.default)}"
        again = " May be given again, or several with commas between them." if option.is_many else ""
        yield f"     - {as_typed(option.help)}{again}"


def as_typed(text: str) -> str:
    """Return a text in which options and patterns of files stand as they are typed."""
    return re.sub(r"(?<!\S)(--|\*\.)[\w-]+", r"``\g<0>``", text)


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directives."""
    app.add_directive("options", Options)
    app.add_directive("command-options", CommandOptions)
    return {"parallel_read_safe": True}
