"""A frame's payload, while it arrives."""

from __future__ import annotations

import codecs
from typing import Any

from .frames import not_utf8
from .masking import apply_mask
from .opcodes import OpcodeType

#: How many pieces of a payload are kept apart: a piece of one byte takes 42 bytes of memory.
_MAX_PIECES = 256

new_utf8_decoder = codecs.getincrementaldecoder("utf-8")


class Payload:
    """A frame's payload while it arrives."""

    __slots__ = (
        "_joined",
        "_mask",
        "_offset",
        "_pieces",
        "_utf8",
        "header",
        "is_final",
        "length",
        "missing",
        "opcode",
    )

    def __init__(
        self,
        opcode: OpcodeType,
        is_final: bool,
        length: int,
        mask: bytes,
        utf8: codecs.IncrementalDecoder | None,
        header: bytes,
    ) -> None:
        self.opcode = opcode
        self.is_final = is_final
        self.length = length
        self.missing = length
        #: The frame's header if wsproto decodes it: then the pieces stay as they came.
        self.header = header
        self._mask = mask
        self._utf8 = utf8
        self._offset = 0
        self._pieces: list[Any] = []  # all bytes or all str
        #: How many of the pieces, from the first on, are `_MAX_PIECES` joined.
        self._joined = 0

    def add(self, piece: bytes) -> None:
        """Take what has come of it. Raises `FrameError` for a text that is wrong already."""
        self.missing -= len(piece)
        if self._mask and not self.header:
            offset = self._offset
            self._offset = (offset + len(piece)) % 4
            piece = apply_mask(piece, self._mask[offset:] + self._mask[:offset] if offset else self._mask)
        utf8 = self._utf8
        self._pieces.append(piece if utf8 is None else decode(utf8, piece, self.is_final and not self.missing))
        if len(self._pieces) - self._joined >= _MAX_PIECES:
            self._pieces[self._joined :] = [self._join(self._pieces[self._joined :])]
            self._joined += 1

    def _join(self, pieces: list[Any]) -> Any:
        return b"".join(pieces) if self._utf8 is None else "".join(pieces)

    def whole(self) -> Any:
        """Return the payload: ``str`` for a text, the bytes as they came for wsproto."""
        return self._join(self._pieces)


def decode(utf8: codecs.IncrementalDecoder, piece: bytes, is_last: bool) -> str:
    """Return the characters that ``piece`` ends. Raises `FrameError`."""
    try:
        return utf8.decode(piece, is_last)
    except UnicodeDecodeError as error:
        raise not_utf8(error) from None
