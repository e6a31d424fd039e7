"""The shortest input that fails in the same way, as far as a bounded search finds it."""

from __future__ import annotations

import re
import traceback
from pathlib import Path
from time import monotonic

from . import Target


def failure_of(target: Target, data: bytes) -> str | None:
    """Return how a target fails: where, and with which error, less the numbers in it; ``None`` if it does not."""
    try:
        target(data)
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        last_line = (str(error).splitlines() or [""])[-1]
        return f"{Path(frame.filename).name}, line {frame.lineno}: {re.sub('[0-9]+', '…', last_line)}"
    return None


def shrink(target: Target, data: bytes, seconds: float = 20) -> bytes:
    """Leave bytes out, and make the others 0, as long as the target fails in the same way.

    Source: Zeller's ddmin.
    """
    failure, end = failure_of(target, data), monotonic() + seconds
    if failure is None:
        return data

    def fails(candidate: bytes) -> bool:
        return monotonic() < end and failure_of(target, candidate) == failure

    before = b""
    while before != data:
        before = data
        size = len(data)
        while size:
            start = 0
            while start < len(data):
                candidate = data[:start] + data[start + size :]
                if fails(candidate):
                    data = candidate
                else:
                    start += size
            size //= 2
        for at, byte in enumerate(data):
            for value in range(min(byte, 2)):
                candidate = data[:at] + bytes([value]) + data[at + 1 :]
                if fails(candidate):
                    data = candidate
                    break
    return data
