"""Compiles the load, ``load.c``, on its first use."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

SOURCE = Path(__file__).with_name("load.c")
_FLAGS = ("-O2", "-Wall", "-Wextra")


class NoCompiler(Exception):
    """There is no C compiler, or it does not compile the load."""


def cache_directory() -> Path:
    """Return where the compiled load is kept."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "perfectws-benchmarks"


def compiled_load() -> Path:
    """Return the path of the compiled load, and compile it if this source is not compiled yet.

    Raises:
        NoCompiler: It cannot be compiled.
    """
    digest = hashlib.sha256(SOURCE.read_bytes() + " ".join(_FLAGS).encode()).hexdigest()[:16]
    program = cache_directory() / f"load-{digest}"
    if not program.exists():
        _compile(program)
    return program


def _compile(program: Path) -> None:
    compiler = shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise NoCompiler("the load is written in C, and there is no C compiler: install gcc, or name one in CC")
    program.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=program.parent) as directory:
        built = Path(directory) / "load"
        command = [compiler, *_FLAGS, "-o", str(built), str(SOURCE), "-lm"]
        finished = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        if finished.returncode:
            raise NoCompiler(f"{' '.join(command)} failed:\n{finished.stderr}")
        built.replace(program)
