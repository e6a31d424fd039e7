"""What an image is, and how large: read from its first bytes, whatever it is said to be."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple

MAX_MARKERS = 500  # before the one that tells a JPEG's size


class ImageType(NamedTuple):
    """What an image is.

    Attributes:
        suffix: Of its file's name: ``"png"``, ``"jpg"``, ``"gif"`` or ``"webp"``.
        width, height: In pixels.
    """

    suffix: str
    width: int
    height: int


def image_type(data: bytes) -> ImageType | None:
    """Return what some bytes are, if they are an image that browsers show and that can hold no script."""
    for begins, suffix, size in KINDS:
        if data.startswith(begins):
            try:
                width, height = size(data)
            except (struct.error, IndexError, ValueError):
                return None
            return ImageType(suffix, width, height) if width and height else None
    return None


def _size_of_png(data: bytes) -> tuple[int, int]:
    if data[12:16] != b"IHDR":
        raise ValueError("the header does not come first")
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _size_of_gif(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from("<HH", data, 6)
    return width, height


def _size_of_jpeg(data: bytes) -> tuple[int, int]:
    at = 2
    for _ in range(MAX_MARKERS):
        if data[at] != 0xFF:
            raise ValueError("there is no marker here")
        marker = data[at + 1]
        if marker == 0xFF:  # it may be filled up
            at += 1
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        else:
            at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    raise ValueError("the size does not come")


def _size_of_webp(data: bytes) -> tuple[int, int]:
    kind = data[12:16]
    if data[8:12] != b"WEBP":
        raise ValueError("it is another kind of RIFF file")
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    raise ValueError("it is no WebP that is known")


KINDS: list[tuple[bytes, str, Callable[[bytes], tuple[int, int]]]] = [
    (b"\x89PNG\r\n\x1a\n", "png", _size_of_png),
    (b"GIF87a", "gif", _size_of_gif),
    (b"GIF89a", "gif", _size_of_gif),
    (b"\xff\xd8\xff", "jpg", _size_of_jpeg),
    (b"RIFF", "webp", _size_of_webp),
]
