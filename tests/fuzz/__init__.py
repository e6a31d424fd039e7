"""Fuzzing: each target is fed bytes, checks itself against an oracle, and raises if anything is wrong.

A target is a module of this package with a function ``target(data: bytes) -> None``. What it does with the bytes is for
it to say, by a `Data`: so a corpus, an engine that mutates and Hypothesis can all drive it. Its corpus stands in
``corpus/<target>``. ``python -m tests.fuzz`` runs the targets for longer.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import cast

Target = Callable[[bytes], None]

#: The targets, by name, and what each is compared with.
TARGETS = {
    "frames": "FrameReader with wsproto, with other cuts of the same bytes, and with its general way",
    "plain_head": "a plain request's head, and the answer to it, with h11",
    "http": "an HTTP connection with one that has no fast path",
    "web_socket": "a WebSocket connection with the laws, its input and its output with other readers",
}

CORPUS = Path(__file__).parent / "corpus"


def load(name: str) -> Target:
    """Return a target."""
    return cast(Target, import_module(f"{__name__}.{name}").target)


def seeds(name: str) -> list[Path]:
    """Return the files of a target's corpus."""
    return sorted((CORPUS / name).iterdir())
