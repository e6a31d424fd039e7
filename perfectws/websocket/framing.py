"""How whole messages become frames: a server's as they are, a client's masked."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..transport import Parts
from .frames import build_binary_frame, build_masked_binary_frame, build_masked_text_frame, build_text_frame

BuildText = Callable[[str], bytes | Parts]
BuildBinary = Callable[[bytes], bytes | Parts]


class Framing(NamedTuple):
    """What makes whole messages frames: called with one, each returns its frame.

    Attributes:
        text: Makes those of texts. It raises `UnicodeEncodeError` for a lone surrogate.
        binary: Makes those of binary messages.
    """

    text: BuildText
    binary: BuildBinary


_PLAIN = Framing(build_text_frame, build_binary_frame)
_MASKED = Framing(build_masked_text_frame, build_masked_binary_frame)


def framing_of(is_client: bool) -> Framing:
    """Return how the messages of a connection become frames."""
    return _MASKED if is_client else _PLAIN
