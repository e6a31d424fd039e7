"""What pages call by a name of perfectws, in backticks, is there: variables, options, keywords, members and classes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .code_names import code_of, keywords, options, unknown_names, variables
from .pages import DOCS, name_of, pages

#: Pages with tables whose first column is Swift's, or another library's.
OF_TWO_LANGUAGES = [DOCS / "porting", DOCS / "coming_from"]


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_every_name_in_backticks_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    if any(folder in page.parents for folder in OF_TWO_LANGUAGES):
        text = re.sub(r"^\|[^|\n]*\|", "|", text, flags=re.MULTILINE)
    assert list(unknown_names(text)) == []


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("set `PERFECTWS_TLS_CERTS`", ["PERFECTWS_TLS_CERTS"]),
        ("```sh\nPERFECTWS_HOST=1 python\n```", ["PERFECTWS_HOST"]),
        ("`python -m perfectws serve chat --reloading`", ["--reloading"]),
        ("`max_body_sise=5`", ["max_body_sise="]),
        ("`socket.on_message` is none, `socket.on_text` is", ["socket.on_message"]),
        ("`HTTPServer.start_all()`", ["HTTPServer.start_all"]),
        ("`WebSocketServer`, `WebSocket`", ["WebSocketServer"]),
    ],
)
def test_a_name_that_is_not_there_is_found(text: str, unknown: list[str]) -> None:
    assert list(unknown_names(text)) == unknown


def test_what_there_is_was_found() -> None:
    assert {"--reload", "--workers", "--seconds", "--over", "--long"} <= options()
    assert {"PERFECTWS_TLS_CERT", "PERFECTWS_PROPERTIES"} <= variables()
    assert {"max_body_size", "reconnect", "drain"} <= keywords()
    assert code_of("`a` {py:obj}`b`\n\n```python\n`c`\n```\n") == ["a"]
