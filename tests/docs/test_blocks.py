"""Every block of code of every page is run, but those of Swift: see `tests.docs.running` for how."""

from __future__ import annotations

from pathlib import Path

import pytest

from .pages import name_of, pages
from .running import blocks_of, running

WITH_BLOCKS = [page for page in pages() if blocks_of(page)]


@pytest.mark.parametrize("page", WITH_BLOCKS, ids=name_of)
def test_every_block_of_a_page_does_what_the_page_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with running(page, tmp_path, monkeypatch, caplog):
        pass
