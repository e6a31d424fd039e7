"""The files that a command is asked to write."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from .runner import say


def check_writable(path: Path) -> None:
    """Raise `ValueError` for a file that could not be written: now, not in an hour."""
    if path.is_dir() or not path.parent.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise ValueError(f"{path} cannot be written")


def write_file(path: Path | None, text: Callable[[], str]) -> bool:
    """Write a file if one was asked for. Return whether that went well."""
    if path is not None:
        try:
            path.write_text(text())
        except OSError as error:
            say(f"{path} cannot be written: {error}")
            return False
    return True
