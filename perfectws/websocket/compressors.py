"""Compressors of messages, the fastest that are installed.

With the extra ``speedups`` ISA-L compresses up to level 6, which is the default: in a third to an eighth of zlib's
time, for a few hundredths more bytes. From level 7 on size is what was asked for, and zlib finds the smaller one.
docs/performance.md has the figures.

Source: RFC 1951; the package isal, which is zlib's interface to Intel's ISA-L.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Protocol

#: Up to this level ISA-L compresses, if it is there, and which of its own levels does.
_LAST_FAST_LEVEL, _ISAL_LEVEL = 6, 1
#: zlib's memory level: less costs ratio, more costs time and memory (docs/performance.md).
_LEAST_MEMORY_LEVEL = 5


class Compressor(Protocol):
    """What compresses a stream: zlib's, or what does as it does."""

    def compress(self, data: bytes | memoryview, /) -> bytes:
        """Take data, and return what of it is compressed already."""

    def flush(self, mode: int, /) -> bytes:
        """Return the rest."""


_NewCompressor = Callable[[int, int, bytes], Compressor]


def compress_with_zlib(level: int, window_bits: int, content: bytes) -> Compressor:
    """Return zlib's compressor. See `new_compressor`."""
    memory_level = max(_LEAST_MEMORY_LEVEL, window_bits - 7)
    return zlib.compressobj(level, zlib.DEFLATED, -window_bits, memory_level, zdict=content)


def new_compressor(level: int, window_bits: int, content: bytes = b"") -> Compressor:
    """Return what compresses one stream without a header.

    Args:
        level: zlib's, 1 (fast) to 9 (small).
        window_bits: The base-2 logarithm of the window, 9 to 15.
        content: What the stream may refer to from its beginning on: the last that the receiver's window holds.
    """
    return (_fastest() if level <= _LAST_FAST_LEVEL else compress_with_zlib)(level, window_bits, content)


_found: _NewCompressor | None = None


def _fastest() -> _NewCompressor:
    """Return what makes the fastest compressor. It is looked for when first needed: most sockets compress nothing."""
    global _found
    if _found is None:
        _found = _with_isal() or compress_with_zlib
    return _found


def _with_isal() -> _NewCompressor | None:
    try:
        from isal import isal_zlib
    except ImportError:
        return None

    def compress_with_isal(level: int, window_bits: int, content: bytes) -> Compressor:
        if not content:
            return isal_zlib.compressobj(_ISAL_LEVEL, isal_zlib.DEFLATED, -window_bits, _LEAST_MEMORY_LEVEL)
        return isal_zlib.compressobj(_ISAL_LEVEL, isal_zlib.DEFLATED, -window_bits, _LEAST_MEMORY_LEVEL, zdict=content)

    return compress_with_isal
