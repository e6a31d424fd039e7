"""Every public name has a docstring with what applies: Args, Calls back, Raises, Source."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable
from typing import Any

from .pages import DOCS
from .public import Public, names

#: Those of ours that can have one: no constant, and nothing of the standard library.
PUBLIC = [
    each
    for each in names()
    if isinstance(each.thing, property)
    or getattr(getattr(each.thing, "__func__", each.thing), "__module__", "").startswith("perfectws")
]
#: Classes that the reference shows without what they are made of: nobody but perfectws makes one.
MADE_BY_PERFECTWS = {
    name
    for page in (DOCS / "reference").glob("*.md")
    for name in re.findall(r"autoclass:: (?:perfectws(?:::|\.))?([\w.]+)\(", page.read_text(encoding="utf-8"))
}
#: The types of parameters that are a user's callback.
CALLBACK = re.compile(r"\b(Callable\[|RequestHandler|OnUpgrade|ShouldUpgrade|HandlerProducer|\w+Callback\b)")
#: What a filter is given, which it is to call itself.
GIVEN_TO_FILTERS = re.compile(r"\b(Request|Response)FilterCallback")
#: A first line: a sentence, perhaps with a second one, or with the section that is all there is to say.
FIRST_LINE = re.compile(r"[`A-Z].*[.:]( ::)?( (Source|Calls back): .+)?")


def are_its_parameters_for_users(public: Public) -> bool:
    return public.name not in MADE_BY_PERFECTWS and not getattr(public.thing, "_is_protocol", False)


def test_every_public_name_has_a_docstring_that_begins_with_a_line_of_its_own() -> None:
    lines = {public.name: [*public.doc.splitlines(), ""] for public in PUBLIC}
    assert [name for name, (first, *more) in lines.items() if not FIRST_LINE.fullmatch(first) or more[0]] == []


def test_every_parameter_is_explained() -> None:
    assert [
        f"{public.name}: {parameter}"
        for public in filter(are_its_parameters_for_users, PUBLIC)
        for parameter in public.parameters
        if not re.search(rf"\b{parameter}\b", public.doc)
    ] == []


def test_whoever_takes_a_callback_says_with_what_it_is_called() -> None:
    assert [
        f"{public.name}: {parameter}"
        for public in filter(are_its_parameters_for_users, PUBLIC)
        for parameter, each in public.parameters.items()
        if is_callback(str(each.annotation)) and "Calls back:" not in public.doc
    ] == []


def is_callback(annotation: str) -> bool:
    return bool(CALLBACK.search(annotation)) and not GIVEN_TO_FILTERS.search(annotation)


def test_what_is_raised_is_named() -> None:
    assert [
        f"{public.name}: {error}"
        for public in PUBLIC
        if public.function is not None and not isinstance(public.thing, type)
        for error in raised_by(public.function)
        if error not in public.doc
    ] == []


def raised_by(function: Callable[..., Any]) -> set[str]:
    """Return the errors that a function raises where it stands, but for what says that it is abstract."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    raised = [node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise) and node.exc is not None]
    names = [getattr(each, "func", each) for each in raised]
    return {each.id for each in names if isinstance(each, ast.Name) and each.id[0].isupper()} - {"NotImplementedError"}
