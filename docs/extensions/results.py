"""Sphinx extension: figures in pages, out of ``docs/results.json``, which the commands write.

The role ``result`` is a figure, by its name: ``soak.sent``. ``more-than`` is one that is rounded down, which stays true
while it grows. ``{recorded} fuzz`` is the table of what a command has found, ``{recorded} runs`` that of all commands.
``{requirements}`` is the table of the lists in ``tests/rfc``, ``{requirements} untested`` says what has no test.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective, SphinxRole

from benchmarks.recorded import FILE, read
from tests.docs import figures


class Result(SphinxRole):
    """A figure, as it was recorded."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return its text."""
        self.env.note_dependency(str(FILE))
        return [nodes.Text(self.text_of(figures.value_of(read(), self.text)))], []

    def text_of(self, value: object) -> str:
        """Return the figure's text."""
        return figures.as_text(value)


class MoreThan(Result):
    """A figure, rounded down."""

    def text_of(self, value: object) -> str:
        """Return the figure's text."""
        assert isinstance(value, int)
        return f"more than {figures.rounded_down(value)}"


class _Table(SphinxDirective):
    """Something that is a table."""

    optional_arguments = 1

    def lines(self) -> Iterator[str]:
        """Yield the table's lines."""
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        self.env.note_dependency(str(FILE))
        self.env.note_dependency(inspect.getfile(figures))
        made = nodes.container()
        self.state.nested_parse(StringList(list(self.lines()), self.name), self.content_offset, made)
        return [made]


class Recorded(_Table):
    """The table of what a command has found."""

    required_arguments = 1
    optional_arguments = 0

    def lines(self) -> Iterator[str]:
        """Yield the table's lines."""
        return figures.TABLES[self.arguments[0]](read())


class Requirements(_Table):
    """The table of the RFCs' demands, or of those that have no test."""

    def lines(self) -> Iterator[str]:
        """Yield the table's lines."""
        return figures.untested() if self.arguments == ["untested"] else figures.requirements()


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the roles and the directives."""
    app.add_role("result", Result())
    app.add_role("more-than", MoreThan())
    app.add_directive("recorded", Recorded)
    app.add_directive("requirements", Requirements)
    return {"parallel_read_safe": True}
