"""What pages call by a name of perfectws, in backticks, is there: variables, options, keywords, members and classes."""

from __future__ import annotations

from pathlib import Path

import pytest

from .code_names import code_of, keywords, options, unknown_names, variables
from .pages import DOCS, name_of, pages

#: Pages whose backticks hold Swift, or the names of other libraries, beside ours: see `tests.docs.test_porting`.
OF_TWO_LANGUAGES = [DOCS / "porting", DOCS / "coming_from"]
PAGES = [page for page in pages() if not any(folder in page.parents for folder in OF_TWO_LANGUAGES)]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_name_in_backticks_is_there(page: Path) -> None:
    assert list(unknown_names(page.read_text(encoding="utf-8"))) == []


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
