"""Methods that run in the trio run of their server, whoever awaits them: a task there, or one of asyncio's."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from .loop_thread import LoopThread

P = ParamSpec("P")
R = TypeVar("R")
SelfT = TypeVar("SelfT", bound="AtHome")


class AtHome:
    """What belongs to a server in memory.

    Args:
        home: The thread that the server runs in; ``None`` if it runs in that of its user, as a task of trio.
        timeout: How long anything is waited for, in seconds.
    """

    def __init__(self, home: LoopThread[Any] | None, timeout: float) -> None:
        self.home = home
        self._timeout = timeout


def at_home(
    method: Callable[Concatenate[SelfT, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate[SelfT, P], Coroutine[Any, Any, R]]:
    """Let a method run where its object is at home. A ``timeout`` by keyword is how long it may wait, in seconds."""

    @wraps(method)
    async def called(self: SelfT, /, *args: P.args, **keywords: P.kwargs) -> R:
        home = self.home
        if home is None or home.is_here:
            return await method(self, *args, **keywords)
        given = keywords.get("timeout")
        limit = given if isinstance(given, int | float) else self._timeout
        return await home.call_from_asyncio(limit, lambda: method(self, *args, **keywords))

    return called
