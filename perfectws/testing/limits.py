"""How long a test waits for anything: by trio's clock in a task, by the real one in another thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import inf

import trio

from .virtual_time import why_still

#: Where a call from another thread is under way, which counts real time itself: what ends its waiting.
outer_limits: ContextVar[list[trio.CancelScope] | None] = ContextVar("outer_limits", default=None)


@contextmanager
def limited(seconds: float, in_vain: str) -> Iterator[None]:
    """Give a block ``seconds``.

    Args:
        seconds: How long it may take.
        in_vain: What to say else: the beginning of a sentence, such as ``"nothing was received"``.

    Raises:
        TimeoutError: It took longer.
    """
    outer = outer_limits.get()
    with trio.move_on_after(seconds if outer is None else inf) as scope:
        if outer is not None:
            outer.append(scope)
        yield
    if scope.cancelled_caught:
        raise TimeoutError(f"{in_vain} within {seconds:g} seconds{why_still()}")
