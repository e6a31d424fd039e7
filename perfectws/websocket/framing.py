"""How whole messages become frames: as they are, or masked, or compressed, or both."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..transport import Parts
from .deflate import Deflater
from .frames import (
    BINARY,
    LONE_SURROGATE,
    TEXT,
    build_binary_frame,
    build_frame,
    build_masked_binary_frame,
    build_masked_text_frame,
    build_text_frame,
)

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


def framing_of(is_client: bool, deflater: Deflater | None) -> Framing:
    """Return how the messages of a connection become frames, compressed by ``deflater`` if there is one."""
    if deflater is None:
        return _MASKED if is_client else _PLAIN
    deflating = _Deflating(is_client, deflater)
    return Framing(deflating.text, deflating.binary)


class _Deflating:
    """Makes frames that are compressed, unless the message is short."""

    __slots__ = ("_deflater", "_is_masked", "_min_size")

    def __init__(self, is_client: bool, deflater: Deflater) -> None:
        self._is_masked = is_client
        self._deflater = deflater
        self._min_size = deflater.compression.min_size

    def text(self, text: str) -> bytes | Parts:
        try:  # as `encoded`, whose call would cost more than this
            payload = text.encode()
        except UnicodeEncodeError as error:
            error.reason = LONE_SURROGATE
            raise
        if len(payload) < self._min_size:
            return build_frame(TEXT, payload, True, False, self._is_masked)
        return build_frame(TEXT, self._deflater.compress(payload), True, True, self._is_masked)

    def binary(self, data: bytes) -> bytes | Parts:
        if len(data) < self._min_size:
            return build_frame(BINARY, data, True, False, self._is_masked)
        return build_frame(BINARY, self._deflater.compress(data), True, True, self._is_masked)
