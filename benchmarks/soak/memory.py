"""The memory of this process, as the kernel counts it and as glibc does."""

from __future__ import annotations

import ctypes
import os
import re
from pathlib import Path

#: The resident part of the heap, in ``/proc/self/smaps``.
_HEAP = re.compile(r"\[heap\]\n(?:\w+: .*\n)*?Rss: +(\d+) kB")
#: The fields of ``struct mallinfo2``, of <malloc.h>: bytes and counts.
_FIELDS = (
    "arena",
    "ordblks",
    "smblks",
    "hblks",
    "hblkhd",
    "usmblks",
    "fsmblks",
    "uordblks",
    "fordblks",
    "keepcost",
)


class _MallInfo(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in _FIELDS]


_libc = ctypes.CDLL(None)
_malloc_trim = getattr(_libc, "malloc_trim", None)
_mallinfo2 = getattr(_libc, "mallinfo2", None)
if _mallinfo2 is not None:
    _mallinfo2.restype = _MallInfo


def give_back_free_memory() -> None:
    """Let glibc give back to the kernel what it keeps of freed memory, where that is whole pages."""
    if _malloc_trim is not None:
        _malloc_trim(0)


def resident_memory() -> int:
    """Return the resident memory, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def holes() -> int:
    """Return how much of the resident heap is free between what is in use, in bytes: at least; 0 where nobody knows.

    Pieces of thousands of bytes that come and go leave them, and the next of these find their place there.
    """
    heap = _HEAP.search(Path("/proc/self/smaps").read_text())
    if _mallinfo2 is None or heap is None:
        return 0
    return max(0, int(heap[1]) * 1024 - int(_mallinfo2().uordblks))
