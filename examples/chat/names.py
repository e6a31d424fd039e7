"""What a name may be, so that nobody is taken for somebody else.

Two names that look alike to a reader are one: letters are compared whatever their case and width, and without the signs
that are not seen. A name's letters are of one script, so that no Cyrillic ``а`` stands for a Latin ``a`` (the
single-script rule of Unicode's technical standard 39).
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect

from .rules import Refused
from .scripts import SCRIPTS, UNSEEN

MAX_NAME = 40  # characters

#: Names that nobody can have, since they would be taken for the chat itself.
RESERVED_NAMES = frozenset({"bot", "you"})

# Scripts in which one writes the words of one language.
_WRITTEN_TOGETHER = [{"Han", "Hiragana", "Katakana"}, {"Han", "Bopomofo"}, {"Han", "Hangul"}]

# They are not seen by themselves, but emoji and Persian words are written with them.
_JOINERS = "\u200c\u200d\ufe0f"

# A whole name can look like one of another script: АНА. These letters are drawn alike, as capitals at least.
_ALIKE = str.maketrans(
    "авекмнорстухіјѕһԁԛԝαβεζηικμνορτυχı",
    "abekmhopctyxijshdqwabezhikmvoptyxi",
)

_RANGES = [(int(start, 16), int(end, 16), script) for start, end, script in re.findall(r"(\w+)-(\w+):(\w+)", SCRIPTS)]
_STARTS = [start for start, _, _ in _RANGES]
_UNSEEN_RANGES = [f"{chr(int(start, 16))}-{chr(int(end, 16))}" for start, end in re.findall(r"(\w+)-(\w+)", UNSEEN)]
_UNSEEN = re.compile(f"[{''.join(_UNSEEN_RANGES)}]")


def check_name(name: str) -> str:
    """Return ``name`` as it will be shown. Raises `Refused` if nobody can be called so."""
    # Only as much as is judged is looked at: a name may be a megabyte long.
    shown = "".join(sign for sign in unicodedata.normalize("NFC", name[: 8 * MAX_NAME]) if _is_visible(sign))
    shown = " ".join(shown.replace("\u2800", " ").split())  # a Braille cell with no dot in it
    if len(name) > 8 * MAX_NAME or len(shown) > MAX_NAME:
        raise Refused(
            "name-too-long", f"A name has at most {MAX_NAME} characters; this one has {max(len(shown), len(name))}."
        )
    if not any(unicodedata.category(sign)[0] in "LNSP" for sign in shown):
        raise Refused("name-empty", "A name needs a letter, a digit or a sign that can be seen.")
    if not _is_of_one_script(shown):
        raise Refused("name-mixed", "A name's letters are of one alphabet, so that nobody is taken for somebody else.")
    if fold_name(shown) in RESERVED_NAMES:
        raise Refused("name-taken", f"“{shown}” is the chat's own name. Please choose another.")
    return shown


def fold_name(name: str) -> str:
    """Return what ``name`` is compared by: the same for ``Ana`` and ``ＡＮＡ``."""
    folded = unicodedata.normalize("NFKC", _UNSEEN.sub("", unicodedata.normalize("NFKC", name)).casefold())
    return _UNSEEN.sub("", folded).replace("i\u0307", "i").translate(_ALIKE)


def script_of(sign: str) -> str | None:
    """Return the script of a letter or of a mark on one; ``None`` for what all scripts share."""
    if unicodedata.category(sign)[0] not in "LM":
        return None
    first, last, script = _RANGES[bisect(_STARTS, ord(sign)) - 1]
    return script if first <= ord(sign) <= last else None


def _is_of_one_script(name: str) -> bool:
    scripts = {script for script in map(script_of, unicodedata.normalize("NFKC", name)) if script is not None}
    return len(scripts) < 2 or any(scripts <= together for together in _WRITTEN_TOGETHER)


def _is_visible(sign: str) -> bool:
    if sign in _JOINERS or sign.isspace():
        return True
    # Cf holds what turns the direction of the text that follows.
    return unicodedata.category(sign) not in ("Cc", "Cf", "Cs", "Co", "Cn") and not _UNSEEN.match(sign)
