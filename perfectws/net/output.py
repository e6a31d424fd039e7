"""What the transports have in common: the list of writes that are not yet with the kernel, and what may be discarded.

A write is one item of the list, so that it is discarded as a whole or not at all. The first ``kept`` of them may not be
discarded: one that has begun, and what a former protocol wrote.
"""

from __future__ import annotations

from collections.abc import Sequence, Sized
from typing import Any

from ..transport import Parts

Write = bytes | memoryview | Parts
Output = list[Write]


def count_first(output: Sequence[Sized], most: int) -> int:
    """Return how many of the first writes have ``most`` bytes together: at least one, which may have more."""
    count = size = 0
    for data in output:
        size += len(data)
        if size > most:
            break
        count += 1
    return max(count, 1)


def drop_sent(output: list[Any], kept: int, sent: int) -> int:
    """Drop the first ``sent`` bytes of ``output``, which are not all of it. Return how many writes are kept now."""
    count = 0
    while sent >= len(output[count]):
        sent -= len(output[count])
        count += 1
    del output[:count]
    if not sent:
        return max(kept - count, 0)
    first = output[0]
    output[0] = first.after(sent) if isinstance(first, Parts) else memoryview(first)[sent:]
    return max(kept - count, 1)
