"""What the numbers may be that an application gives: seconds, bytes, counts. Another is refused by its name.

Infinity is a number of seconds, which never pass, and so is a huge one. What is no number is none that counts: NaN, and
a bool or a string in its place; and a whole number that no float can hold is too large for any clock.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from math import inf
from types import NoneType
from typing import Any, NamedTuple


class Kind(NamedTuple):
    """What a value may be.

    Args:
        text: Says so to people: ``max_headers is …``.
        types: The types that it may have.
        fits: Whether a value of one of these types may be.
    """

    text: str
    types: tuple[type, ...]
    fits: Callable[[Any], bool]

    def takes(self, value: object) -> bool:
        """Return whether it may have this value."""
        return not isinstance(value, bool) and isinstance(value, self.types) and self.fits(value)

    def check(self, name: str, value: object) -> None:
        """Raise `ValueError`, naming what was given, unless it may have this value."""
        if not self.takes(value):
            raise ValueError(f"{name} is {self.text}, not {value!r}")


def whole_number(least: int, most: int) -> Kind:
    """Return what a whole number may be that has a range."""
    return Kind(f"a number from {least} to {most}", (int,), lambda value: least <= value <= most)


def _counts(seconds: float) -> bool:
    """Tell whether a clock can count so many seconds: NaN it cannot, nor a whole number that no float can hold."""
    return abs(seconds) <= sys.float_info.max or abs(seconds) == inf


_NUMBER = (int, float)
_NUMBER_OR_NONE = (int, float, NoneType)

SIZE = Kind("a whole number", (int,), lambda value: value >= 0)
COUNT = Kind("a whole number of at least 1", (int,), lambda value: value >= 1)
COUNT_OR_NONE = Kind("a whole number above 0, or None", (int, NoneType), lambda value: value is None or value > 0)
SECONDS = Kind("a number of seconds", _NUMBER, lambda value: value >= 0 and _counts(value))
SECONDS_OR_UNSET = Kind(
    "a number of seconds, or None", _NUMBER_OR_NONE, lambda value: value is None or (value >= 0 and _counts(value))
)
SECONDS_ABOVE_0 = Kind("a number of seconds above 0", _NUMBER, lambda value: value > 0 and _counts(value))
SECONDS_OR_NONE = Kind(
    "a number of seconds above 0, or None",
    _NUMBER_OR_NONE,
    lambda value: value is None or (value > 0 and _counts(value)),
)
#: How long to wait: what a negative number means is said where it is given.
WAIT = Kind("a number of seconds, or None", _NUMBER_OR_NONE, lambda value: value is None or _counts(value))
#: A time from now, or since the epoch, that has a date.
FINITE_SECONDS = Kind("a number of seconds", _NUMBER, lambda value: abs(value) <= sys.float_info.max)
INTERVAL = Kind("a number of seconds of at least 0.000001", _NUMBER, lambda value: value >= 1e-6 and _counts(value))
SHARE = Kind("a number from 0 to 1", _NUMBER, lambda value: 0 <= value <= 1)
#: How long the word of a process holds that it lives.
LEASE = Kind("a number of seconds of at least 0.1", _NUMBER, lambda value: value >= 0.1 and _counts(value))
FACTOR = Kind("a number of at least 1", _NUMBER, lambda value: 1 <= value <= sys.float_info.max)
PORT = whole_number(0, 65535)
PORT_OR_NONE = Kind(
    "a number from 1 to 65535, or None", (int, NoneType), lambda value: value is None or 1 <= value <= 65535
)
FILE_MODE_OR_NONE = Kind(
    "a file mode such as 0o660, or None", (int, NoneType), lambda value: value is None or 0 <= value <= 0o777
)
