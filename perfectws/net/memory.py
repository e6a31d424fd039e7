"""How memory is managed in a process that is a server and nothing else: what C keeps, when Python looks for cycles."""

from __future__ import annotations

import gc
import sys

# <malloc.h> of glibc
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3

#: Blocks up to this size come from the heap, in bytes.
HEAP_BLOCK_SIZE = 8 * 1024 * 1024
#: So much free memory at the heap's end is kept for the next message, in bytes.
KEPT_MEMORY = 64 * 1024 * 1024
#: How many objects more than before may live until Python looks at the young ones for cycles.
YOUNG_OBJECTS = 20_000


def collect_less_often() -> None:
    """Let Python look for cycles after `YOUNG_OBJECTS` new objects, unless the application has chosen more.

    By default it looks after 700. A pass over the ready sockets makes more than that, nearly all of which are gone at
    its end without it; and the callbacks that wait for their next message would be looked at in vain each time.
    """
    first, *others = gc.get_threshold()
    if 0 < first < YOUNG_OBJECTS:
        gc.set_threshold(YOUNG_OBJECTS, *others)


def keep_freed_memory() -> None:
    """Let glibc keep what large messages free, rather than hand it back to the kernel and ask for it again.

    A message of 1 MiB passes through several blocks of that size. For each message they would be mapped, faulted in
    page by page, and unmapped. Does nothing where the C library is another one.
    """
    if not sys.platform.startswith("linux"):
        return
    import ctypes  # it takes long to load, and only a server needs it

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, HEAP_BLOCK_SIZE)
        mallopt(_M_TRIM_THRESHOLD, KEPT_MEMORY)
