"""The suite's own environment: it runs on Python 2.7 only."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "requirements.txt"
#: The last version that makes environments of Python 2.7.
VIRTUALENV = "virtualenv==20.21.1"


class PythonMissing(Exception):
    """There is no Python 2.7 on this machine."""


def find_python27() -> str:
    """Return the program: ``$PYTHON27``, or else the one on the path, or else one that pyenv has installed.

    Raises:
        PythonMissing: There is none that works.
    """
    given = os.environ.get("PYTHON27")
    for program in [given] if given is not None else candidates():
        if is_python27(program):
            return program
    raise PythonMissing(
        f"The Autobahn test suite runs on Python 2.7 only, and {given or 'that'} is not on this machine: install it "
        "(pyenv install 2.7.18), or say where it is in the variable PYTHON27"
    )


def candidates() -> list[str]:
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    return ["python2.7", *map(str, sorted(versions.glob("2.7*/bin/python2.7")))]


def is_python27(program: str) -> bool:
    """Tell whether ``program`` is one that the suite can use: what is on the path may be a shim that leads nowhere."""
    check = "import ssl, sys, zlib; sys.exit(sys.version_info[:2] != (2, 7))"
    try:
        ended = subprocess.run([program, "-c", check], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except OSError:
        return False
    return ended.returncode == 0


def make_environment(folder: Path) -> Path:
    """Return the Python of the environment in ``folder``, which is made unless it is there and whole.

    Raises:
        PythonMissing: There is no Python 2.7 on this machine.
        CalledProcessError: Something cannot be installed; pip has said what.
    """
    python = folder / "bin" / "python"
    whole = folder / "whole"
    if whole.exists() and whole.read_text() == REQUIREMENTS.read_text():
        return python
    python27 = find_python27()
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory() as tools:
        run(sys.executable, "-m", "venv", tools)
        run(f"{tools}/bin/pip", "install", "--quiet", VIRTUALENV)
        run(f"{tools}/bin/virtualenv", "--quiet", "--python", python27, str(folder))
    run(f"{folder}/bin/pip", "install", "--quiet", "--requirement", str(REQUIREMENTS))
    # Without them the suite falls back on Python code that is too slow for its own cases.
    run(str(python), "-c", "import autobahntestsuite, wsaccel.utf8validator, wsaccel.xormask")
    whole.write_text(REQUIREMENTS.read_text())
    return python


def run(*command: str) -> None:
    # pip speaks of the age of Python 2.7, on standard error; what is wrong it says there too
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if ended.returncode:
        print(ended.stdout + ended.stderr, file=sys.stderr)  # noqa: T201
        ended.check_returncode()
