"""Each target takes each input of its corpus: what was found once is not found again."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import CORPUS, TARGETS, load, seeds

INPUTS = [pytest.param(name, path, id=f"{name}-{path.name}") for name in TARGETS for path in seeds(name)]


@pytest.mark.parametrize(("name", "path"), INPUTS)
def test_it_takes_it(name: str, path: Path) -> None:
    load(name)(path.read_bytes())


def test_every_corpus_has_a_target() -> None:
    assert sorted(path.name for path in CORPUS.iterdir()) == sorted(TARGETS)
