"""Compiles the load, ``load.c``, on its first use."""

from __future__ import annotations

import hashlib
import os
import shlex
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
    command = _compiler()
    try:
        program.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NoCompiler(
            f"the compiled load is kept in {program.parent} (XDG_CACHE_HOME names another): {error}"
        ) from None
    with tempfile.TemporaryDirectory(dir=program.parent) as directory:
        built = Path(directory) / "load"
        command += [*_FLAGS, "-o", str(built), str(SOURCE), "-lm", "-lz"]
        finished = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        if finished.returncode:
            hint = ": it needs zlib's headers, Debian's zlib1g-dev" if "zlib.h" in finished.stderr else ""
            raise NoCompiler(f"{' '.join(command)} failed{hint}:\n{finished.stderr}")
        built.replace(program)


def _compiler() -> list[str]:
    """Return the command that compiles C: what ``CC`` says, which may have options, or the first that is found."""
    chosen = shlex.split(os.environ.get("CC", ""))
    for command in [chosen] if chosen else [["cc"], ["gcc"], ["clang"]]:
        if shutil.which(command[0]):
            return command
    if chosen:
        raise NoCompiler(f"CC names {chosen[0]}, which there is not")
    raise NoCompiler("the load is written in C, and there is no C compiler: install gcc, or name one in CC")
