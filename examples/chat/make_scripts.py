"""Writes `scripts`: ``python -m examples.chat.make_scripts``. Debian's ``unicode-data`` has the files that it reads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap

UNICODE = Path("/usr/share/unicode")
MODULE = Path(__file__).with_name("scripts.py")
LINE = re.compile(r"([0-9A-F]+)(?:\.\.([0-9A-F]+))?\s*;\s*(\w+)")

HEADER = '''"""What Python's `unicodedata` does not know: the scripts of letters, and the signs that are not seen.

Made of {version} by `make_scripts`; each range is its first sign, its last, and its script.
"""

'''


def properties(name: str, folder: Path = UNICODE) -> Iterator[tuple[int, int, str]]:
    """Yield the ranges in one of Unicode's files: the first sign, the last, and what they are."""
    for line in (folder / name).read_text(encoding="utf-8").splitlines():
        if match := LINE.match(line):
            yield int(match[1], 16), int(match[2] or match[1], 16), match[3]


def join(ranges: Iterator[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Return the ranges in their order, those of one script as one where no other script stands between them.

    What all scripts share has no range of its own: what it is among, it goes with.
    """
    joined: list[tuple[int, int, str]] = []
    for first, last, script in sorted(ranges):
        if script in ("Common", "Inherited"):
            continue
        if joined and joined[-1][2] == script:
            first = joined.pop()[0]
        joined.append((first, last, script))
    return joined


def source(folder: Path = UNICODE) -> str:
    """Return the module's text."""
    version = (folder / "Scripts.txt").read_text(encoding="utf-8").partition("\n")[0].strip("# ")
    scripts = [f"{first:x}-{last:x}:{script}" for first, last, script in join(properties("Scripts.txt", folder))]
    unseen = [
        f"{first:x}-{last:x}"
        for first, last, name in sorted(properties("DerivedCoreProperties.txt", folder))
        if name == "Default_Ignorable_Code_Point"
    ]
    return HEADER.format(version=version) + constant("SCRIPTS", scripts) + "\n" + constant("UNSEEN", unseen)


def constant(name: str, words: list[str]) -> str:
    """Return the statement that gives a name to words."""
    return f'{name} = """\n' + "\n".join(wrap(" ".join(words), 118, break_on_hyphens=False)) + '\n"""\n'


if __name__ == "__main__":
    MODULE.write_text(source(), encoding="utf-8")
