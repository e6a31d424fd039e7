"""What waits for a server to run: the application's `on_start` callbacks, and what was begun on it before."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ..callbacks import CallbackLoop, CallbackOwner, context_in
from ..errors import LocalProtocolError

_Begin = Callable[[CallbackLoop], object]
_GiveUp = Callable[[LocalProtocolError], object]


class Starting:
    """Whether a server runs, on which event loop, and what is to be done as soon as it does. From any thread.

    ::

        does not run yet ──begin──▶ runs ──end──▶ has stopped ──begin──▶ runs …
            what comes waits          is done         is refused

    What waits is done at the beginning, or given up at an end that comes without one. Between two runs nothing waits:
    nobody knows whether there will be another, and it would never be answered.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: CallbackLoop | None = None
        self._has_stopped = False
        self._waiting: list[tuple[_Begin, _GiveUp]] = []
        self._callbacks: list[Callable[[], object]] = []

    @property
    def loop(self) -> CallbackLoop:
        """The loop of the server that runs. Raises `LocalProtocolError` if it does not."""
        loop = self.known_loop
        if loop is None:
            raise LocalProtocolError("this server does not run yet: begin this in server.on_start(callback)")
        return loop

    @property
    def known_loop(self) -> CallbackLoop | None:
        """The loop of the server that runs; ``None`` if it does not yet. Raises `LocalProtocolError` if it has."""
        with self._lock:
            self._check()
            return self._loop

    def call_when_running(self, function: _Begin, give_up: _GiveUp) -> None:
        """Call ``function(loop)``, which is perfectws's own, at once if the server runs, else as soon as it does.

        Args:
            function: What to call.
            give_up: Is called with the reason instead, if the server stops before it has run.

        Raises:
            LocalProtocolError: The server has stopped.
        """
        with self._lock:
            self._check()
            loop = self._loop
            if loop is None:
                self._waiting.append((function, give_up))
        if loop is not None:
            function(loop)

    def _check(self) -> None:
        if self._has_stopped:
            raise _stopped()

    def add(self, callback: Callable[[], object]) -> None:
        """Call ``callback()`` each time that the server has started."""
        self._callbacks.append(callback)

    def begin(self, loop: CallbackLoop) -> None:
        """Do what waits: the server listens, and runs on ``loop``."""
        with self._lock:
            self._loop, self._has_stopped = loop, False
            waiting, self._waiting = self._waiting, []
        for function, _ in waiting:
            function(loop)
        for callback in self._callbacks:
            loop.call(CallbackOwner(context_in(loop)), callback)

    def end(self) -> None:
        """Refuse what comes, and give up what waits still: the server has stopped."""
        with self._lock:
            self._loop, self._has_stopped = None, True
            waiting, self._waiting = self._waiting, []
        for _, give_up in waiting:
            give_up(_stopped())


def _stopped() -> LocalProtocolError:
    return LocalProtocolError(
        "this server has stopped: begin this while it runs, or in server.on_start(callback), which each start calls"
    )
