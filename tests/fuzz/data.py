"""`Data`: choices made of bytes, as a fuzzer mutates them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

T = TypeVar("T")


class Data:
    """Bytes that are used up from the front; behind their end every choice is the first.

    So any bytes mean something, and a beginning of them means the beginning of the same.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def __bool__(self) -> bool:
        """Whether anything is left."""
        return self._position < len(self._data)

    def number(self) -> int:
        """Return a number below 256."""
        (number,) = self.take(1) or b"\0"
        return number

    def flag(self) -> bool:
        """Return yes or no."""
        return bool(self.number() & 1)

    def choice(self, values: Sequence[T]) -> T:
        """Return one of at most 256 values."""
        return values[self.number() % len(values)]

    def take(self, count: int) -> bytes:
        """Return so many bytes, as far as they are there."""
        start = self._position
        self._position = min(start + count, len(self._data))
        return self._data[start : self._position]

    def rest(self) -> bytes:
        """Return all that is left."""
        return self.take(len(self._data))

    def places(self) -> Sequence[int]:
        """Return where to cut something: up to seven numbers, or none for *everywhere*."""
        count = self.number() % 9
        return [] if count == 8 else [int.from_bytes(self.take(2), "big") for _ in range(count)] or [0]


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    """Cut bytes at places, of which none stands for everywhere; no piece is empty."""
    if not places:
        return [data[at : at + 1] for at in range(len(data))]
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in pairwise(edges)]
