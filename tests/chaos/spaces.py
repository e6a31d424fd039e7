"""Namespaces of the kernel's, in which a program has a small disk or a network of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

#: How a program gets a namespace of mounts; who is not root is made root of a namespace of users too.
_UNSHARE = ("unshare", "--mount") if os.geteuid() == 0 else ("unshare", "--mount", "--user", "--map-root-user")


def on_small_disk(folder: Path, size: str) -> Sequence[str]:
    """Return a command that runs another with a disk of its own on a folder, in memory. Skips where that is forbidden.

    Args:
        folder: Where it is mounted; nobody else sees what is in it but by `seen_from`.
        size: How large the disk is, as in ``"1m"``.
    """
    if reason := _why_not(_UNSHARE):
        pytest.skip(f"no disk of one's own can be mounted here: {reason}")
    script = f'mount -t tmpfs -o size={size} tmpfs "$1" && shift && exec "$@"'
    return (*_UNSHARE, "sh", "-c", script, "sh", str(folder))


@cache
def _why_not(unshare: Sequence[str]) -> str:
    """Return why no disk can be mounted; nothing if it can."""
    script = "mount -t tmpfs -o size=1m tmpfs /mnt"
    try:
        tried = subprocess.run([*unshare, "sh", "-c", script], capture_output=True, text=True, timeout=10)
    except OSError as error:
        return str(error)
    return tried.stderr.strip() if tried.returncode else ""


def seen_from(process: int, folder: Path) -> Path:
    """Return a folder as another process sees it."""
    return Path(f"/proc/{process}/root") / folder.relative_to("/")


class Ballast:
    """What fills a disk to the last byte, and can be taken away.

    Args:
        folder: A folder on the disk.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "ballast"

    def fill(self) -> None:
        """Leave no room."""
        with self._file.open("wb", buffering=0) as file:
            for size in (65536, 4096, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    pass  # it is full

    def remove(self) -> None:
        """Leave room again."""
        self._file.unlink()
