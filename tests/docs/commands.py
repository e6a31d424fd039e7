"""The commands that pages tell a reader to type: each is one that is known here, and names what is there.

None of them is run: they install, or serve until somebody stops them. What they run has tests of its own.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Callable
from importlib.util import find_spec

from .pages import ROOT

SETUP = configparser.ConfigParser(interpolation=None)
SETUP.read(ROOT / "setup.cfg")
EXTRAS = frozenset(SETUP["options.extras_require"])

#: Programs that others have made, and that a reader is to run as it stands there.
OTHERS = re.compile(
    r"(sudo )?(apt-get|caddy|certbot|cd|chmod|curl|docker|git|journalctl|kill|ln|mkdir|nginx|openssl|redis-cli|"
    r"redis-server|release/bin/(pip|python|twine)|systemctl|ulimit|useradd) .+"
)


def check_commands(block: str) -> None:
    """Raise `AssertionError` if a block names something that is not there."""
    text = re.sub(r"(\\|`)\n\s*", "", block)
    for line in re.split(r"\n| && |; ", re.sub(r"\s+#.*$", "", text, flags=re.MULTILINE)):
        if line.strip() and not line.startswith("#"):
            check_command(line.strip())


def check_command(command: str) -> None:
    """Raise `AssertionError` unless a command is known, and what it names is there."""
    for pattern, check in CHECKS.items():
        found = re.fullmatch(pattern, command)
        if found is not None:
            check(found)
            return
    assert OTHERS.fullmatch(command), f"nobody knows the command {command!r}"


def _extras(found: re.Match[str]) -> None:
    for extras in re.findall(r"\[([\w,]+)\]", found[0]):
        assert set(extras.split(",")) <= EXTRAS, f"there are no extras {extras}"


def _module(found: re.Match[str]) -> None:
    name = found["module"]
    assert name in ("venv", "pip", "build", "http.server") or find_spec(name), f"there is no module {name}"


def _file(found: re.Match[str]) -> None:
    assert (ROOT / found["file"]).is_file(), f"there is no file {found['file']}"


def _any(found: re.Match[str]) -> None:
    """What a reader has written, or has made by the command before."""


#: The commands, each with what is to be looked at.
CHECKS: dict[str, Callable[[re.Match[str]], None]] = {
    r"(sudo )?(\S*[/\\])?pip install .+": _extras,
    r"(sudo )?([A-Z_]+=\S+ )?(\S*[/\\])?(python3?|py) -m (?P<module>[\w.]+).*": _module,
    r"bash (?P<file>\S+).*": _file,
    r"(\S*[/\\])?(python3?|py) (?P<file>docs/\S+\.py)": _file,
    r"(\S*[/\\])?(python3?|py) \w+\.py.*": _any,
    r"(\S*[/\\])(ruff|mypy|pre-commit|pytest) .+": _any,
}
