"""Every block of code of every page is run, but those of Swift (see `tests.docs.running`), and those of docstrings."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from .pages import name_of, pages
from .public import names
from .running import blocks_of, caption_of, running

WITH_BLOCKS = [page for page in pages() if blocks_of(page)]


def programs_of(page: Path) -> list[tuple[str, str]]:
    """Return the programs that a reader would save as files, each with its name."""
    named = [(caption_of(block), block.parsed["source"]) for block in blocks_of(page)]
    return [(name, str(source)) for name, source in named if name is not None and name.endswith(".py")]


#: What the programs in docstrings take for granted.
GRANTED = """
import shutil
from uuid import uuid4
from pathlib import Path
from perfectws import *
from perfectws.testing import *

folder = Path("kept")
folder.mkdir()
room = Room()
routes = Routes()
routes.web_socket("/echo", lambda request, socket: socket.on_text(lambda socket, text: socket.send(text)),
                  subprotocols=["echo"])
server = HTTPServer.server(name="localhost", port=8080, routes=routes)
HTTPServer.launch(server)
form = b'--a\\r\\nContent-Disposition: form-data; name="f"; filename="f"\\r\\n\\r\\nfile\\r\\n--a--\\r\\n'
request = HTTPRequest("POST", "/", [("Content-Type", "multipart/form-data; boundary=a")], form)
"""


@pytest.mark.parametrize("page", WITH_BLOCKS, ids=name_of)
def test_every_block_of_a_page_does_what_the_page_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with running(page, tmp_path, monkeypatch, caplog):
        pass


@pytest.mark.parametrize("page", [page for page in WITH_BLOCKS if programs_of(page)], ids=name_of)
def test_every_file_of_a_page_runs_without_the_others(page: Path, tmp_path: Path) -> None:
    for name, code in programs_of(page):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(code, encoding="utf-8")
        command = [sys.executable, "-m", "ruff", "check", "--isolated", "--quiet", "--select", "F821", name]
        looked_at = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30)
        assert looked_at.returncode == 0, looked_at.stdout


def test_every_program_in_a_docstring_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    programs = list(programs_in_docstrings())
    assert len(programs) >= 5
    page = tmp_path / "docstrings.md"
    page.write_text("\n".join(f"```python\n{program}\n```\n" for program in [GRANTED, *programs]), encoding="utf-8")
    with running(page, tmp_path, monkeypatch, caplog):
        (kept,) = (tmp_path / "kept").iterdir()
        assert kept.read_bytes() == b"file"


def programs_in_docstrings() -> Iterator[str]:
    """Yield what stands indented below a line that ends with ``::``."""
    for public in names():
        for block in re.findall(r"::\n\n((?:    .*\n|\n)+)", public.doc + "\n"):
            yield textwrap.dedent(block).strip()
