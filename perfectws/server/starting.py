"""What waits for a server to run: the application's `on_start` callbacks, and what was begun on it before."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ..callbacks import CallbackLoop, CallbackOwner, context_in
from ..errors import LocalProtocolError


class Starting:
    """Whether a server runs, on which event loop, and what is to be done as soon as it does. From any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: CallbackLoop | None = None
        self._waiting: list[Callable[[CallbackLoop], object]] = []
        self._callbacks: list[Callable[[], object]] = []

    @property
    def loop(self) -> CallbackLoop:
        """The loop of the server that runs. Raises `LocalProtocolError` if it does not."""
        loop = self._loop
        if loop is None:
            raise LocalProtocolError("this server does not run yet: begin this in server.on_start(callback)")
        return loop

    def call_when_running(self, function: Callable[[CallbackLoop], object]) -> None:
        """Call ``function(loop)``, which is perfectws's own, at once if the server runs, else as soon as it does."""
        with self._lock:
            loop = self._loop
            if loop is None:
                self._waiting.append(function)
        if loop is not None:
            function(loop)

    def add(self, callback: Callable[[], object]) -> None:
        """Call ``callback()`` each time that the server has started."""
        self._callbacks.append(callback)

    def begin(self, loop: CallbackLoop) -> None:
        """Do what waits: the server listens, and runs on ``loop``."""
        with self._lock:
            self._loop = loop
            waiting, self._waiting = self._waiting, []
        for function in waiting:
            function(loop)
        for callback in self._callbacks:
            loop.call(CallbackOwner(context_in(loop)), callback)

    def end(self) -> None:
        """Let what comes wait for the next start: the server has stopped."""
        with self._lock:
            self._loop = None
