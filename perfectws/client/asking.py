"""Asking the application for something, in a task of ours that waits for the answer."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import outcome

from ..callbacks import CallbackLoop, CallbackOwner


async def ask(loop: CallbackLoop, owner: CallbackOwner, function: Callable[..., object], *args: object) -> Any:
    """Return what ``function(*args)`` returns; it may be ``async def``, and is awaited here then.

    It is called from the loop's queue, as every callback. When this is cancelled, what it awaits is too.
    """
    suspension = loop.suspension()
    is_waiting = [True]

    def answer() -> None:
        result = outcome.capture(function, *args) if is_waiting else None
        if result is not None:
            suspension.resume(result)

    loop.call(owner, answer)
    result = await suspension.sleep(on_cancel=partial(is_waiting.clear))
    return await result if isinstance(result, Coroutine) else result
