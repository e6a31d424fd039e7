"""The page's script and style, each in one piece: a browser asks once for it, and it is less than its parts are.

Each module stays a scope of its own: a function that is called once, in the order in which modules need each other,
and that gives what it exports::

    const times_js = (() => { …; return { tell, dayName }; })();
    const log_js = (() => { const { tell } = times_js; …; return { Log }; })();
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from perfectws import HTTPRequest, HTTPResponse

_IMPORT = re.compile(r'^import (\{ [\w, ]+ \}) from "\./(\w+)\.js";$', re.MULTILINE)
_EXPORT = re.compile(r"^export ((?:async )?(?:function\*?|class|const) (\w+))", re.MULTILINE)
_LEFT_OVER = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)


def script(folder: Path, name: str) -> str:
    """Return a module and all that it imports, as one.

    Raises:
        ValueError: It imports or exports in a way that is not used here.
    """
    modules: dict[str, str] = {}

    def add(name: str) -> None:
        text = (folder / f"{name}.js").read_text(encoding="utf-8")
        for _, needed in _IMPORT.findall(text):
            if needed not in modules:
                add(needed)
        modules[name] = _in_a_scope(name, text)

    add(name)
    return "\n".join(modules.values())


def _in_a_scope(name: str, text: str) -> str:
    exported = ", ".join(name for _, name in _EXPORT.findall(text))
    text = _EXPORT.sub(r"\1", _IMPORT.sub(r"const \1 = \2_js;", text))
    if left_over := _LEFT_OVER.search(text):
        raise ValueError(f"{name}.js: the bundle knows no such line: {left_over[0]}")
    return f"const {name}_js = (() => {{\n{text}\nreturn {{ {exported} }};\n}})();\n"


def style(folder: Path, names: Iterable[str]) -> str:
    """Return style sheets as one."""
    return "\n".join((folder / f"{name}.css").read_text(encoding="utf-8") for name in names)


class Piece:
    """A handler that serves a text, and tells a browser which has it that it has not changed.

    Args:
        text: The text.
        content_type: Of which type.
    """

    def __init__(self, text: str, content_type: str) -> None:
        self._text = text
        self._content_type = content_type
        self._etag = f'"{sha256(text.encode()).hexdigest()[:16]}"'

    def __call__(self, request: HTTPRequest, response: HTTPResponse) -> None:
        response.set_header("Content-Type", f"{self._content_type}; charset=utf-8").set_header("ETag", self._etag)
        if self._etag in (request.header("If-None-Match") or ""):
            response.completed(304)
        else:
            response.set_body(self._text).completed()
