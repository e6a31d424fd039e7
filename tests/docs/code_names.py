"""The names in backticks of a page: variables, options, keywords, members and classes of perfectws that must be there.

What is somebody else's is listed by name (`OF_OTHERS`): whoever writes of another program's option adds it there.
"""

from __future__ import annotations

import argparse
import ast
import builtins
import re
import ssl
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import trio

import perfectws
from perfectws import HTTPServer, LaunchContext, Room, WebSocket, testing
from perfectws.cli.main import _parser
from perfectws.cli.options import OPTIONS

from .pages import ROOT
from .test_porting import ROOTS, attributes_of

HERE = Path(__file__).parent
#: Where programs of ours take options and variables; not here, where wrong ones are named.
PROGRAMS = ("perfectws", "examples", "benchmarks", "tests")

VARIABLE = re.compile(r"\bPERFECTWS_\w*[A-Z]\b")
OPTION = re.compile(r"(?<![\w-])--[a-z][\w-]+")
KEYWORD = re.compile(r"\*{0,2}([a-z]\w*)=(?!=)")
MEMBER = re.compile(r"([A-Za-z]\w*)\.([a-z]\w*)")
CLASS = re.compile(r"(?:perfectws\.)?([A-Z][A-Za-z]*[a-z]\w*)")

#: What a page's variables may be.
OBJECTS: dict[str, list[Any]] = {
    **{name: [thing] for name, thing in ROOTS.items()},
    "room": [Room],
    "server": [HTTPServer, LaunchContext, testing.TestServer, testing.AsyncTestServer],
    "ws": [WebSocket, testing.TestWebSocket, testing.AsyncTestWebSocket],
    "context": [LaunchContext, ssl.SSLContext],
}

#: Options of mypy, pytest, Docker, certbot, systemd, valgrind, and of our own scripts of the shell.
OPTIONS_OF_OTHERS = frozenset(
    {
        *("--strict", "--exclude", "--platform", "--pdb", "--ulimit", "--nginx", "--deploy-hook", "--listen"),
        *("--tool", "--all"),
    }
)
#: Keywords of `logging`, and of HTML.
KEYWORDS_OF_OTHERS = frozenset({"extra", "enctype"})
#: Header fields, and names of browsers, Swift, systemd, Python, and other libraries.
CLASSES_OF_OTHERS = frozenset(
    {
        *("Authorization", "Cookie", "Date", "Host", "HttpOnly", "Lax", "Location", "Origin", "Upgrade", "Vary"),
        *("CloseEvent", "DispatchQueue", "TimeoutStopSec", "IntEnum", "Struct", "WebSocketApp"),
    }
)


def code_of(text: str) -> list[str]:
    """Return what stands in backticks, but for blocks and roles."""
    prose = re.sub(r"^( *)(`{3,}|:{3,})[^\n]*\n.*?^\1\2$", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"(?<![}`])`([^`\n]+)`", prose)


def unknown_names(text: str) -> Iterator[str]:
    """Yield each name of a page that is not there."""
    yield from (each for each in VARIABLE.findall(text) if each not in variables())
    for code in code_of(text):
        yield from (each for each in OPTION.findall(code) if each not in options())
        keyword = KEYWORD.match(code)
        if keyword is not None and keyword[1] not in keywords():
            yield f"{keyword[1]}="
        member = MEMBER.match(code)
        if member is not None and not has_member(member[1], member[2]):
            yield member[0]
        one = CLASS.fullmatch(code.partition("(")[0])
        if one is not None and not is_class(one[1]):
            yield one[1]


@cache
def source() -> str:
    """Return all code of ours."""
    paths = (path for folder in PROGRAMS for path in sorted((ROOT / folder).rglob("*.py")) if path.parent != HERE)
    return "\n".join(path.read_text(encoding="utf-8") for path in paths if "node_modules" not in path.parts)


@cache
def variables() -> frozenset[str]:
    """Return the environment variables that our programs read."""
    read = re.findall(r"[\"'](PERFECTWS_\w+)[\"']", source())
    return frozenset({*(each.variable for each in OPTIONS), *read})


@cache
def options() -> frozenset[str]:
    """Return the options that our programs take."""
    given = re.findall(r"add_argument\(\s*(?:\"-\w\", )?\"(--[\w-]+)\"|addoption\(\"(--[\w-]+)\"", source())
    of_commands = (each for parser in parsers(_parser()) for each in parser._option_string_actions)
    return frozenset({*(one or other for one, other in given), *of_commands, *OPTIONS_OF_OTHERS})


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yield a parser, and those of its commands."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from parsers(each)


@cache
def keywords() -> frozenset[str]:
    """Return the keywords that anything in perfectws takes, and the attributes that its classes declare."""
    found: set[str] = set()
    for path in sorted((ROOT / "perfectws").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.arg):
                found.add(node.arg)
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found.add(node.target.id)
    return frozenset(found | KEYWORDS_OF_OTHERS)


def has_member(root: str, member: str) -> bool:
    """Tell whether a class, or what a page calls an object of it, has a member; or is nobody that is known here."""
    exported = [getattr(perfectws, root)] if root[0].isupper() and hasattr(perfectws, root) else []
    things = OBJECTS.get(root, exported)
    is_swift = member != member.lower()
    return not things or is_swift or any(hasattr(each, member) or member in attributes_of(each) for each in things)


def is_class(name: str) -> bool:
    """Tell whether there is a class or a name like that."""
    exported = hasattr(perfectws, name) or hasattr(testing, name)
    of_others = hasattr(builtins, name) or hasattr(trio, name) or name in CLASSES_OF_OTHERS
    return exported or of_others or re.search(rf"^class {name}\b|^{name}\b.* = ", source(), re.MULTILINE) is not None
