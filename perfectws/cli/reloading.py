"""``serve --reload``: this process watches the files, and starts one that serves, and another whenever they change.

::

    STARTING ──it serves──▶ SERVING ──a change──▶ another one is starting ──it serves──▶ the one before closes with 1012
       │                       └──it ends──▶ WAITING                └──it does not──▶ the one before goes on
       └──it does not──▶ WAITING ──a change──▶ STARTING

It imports nothing of the application, so that a mistake there cannot end it. The listeners are handed on by way of this
process, as in `perfectws.server.workers.succession`: nobody is refused, and who comes while nobody serves waits.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

assert sys.platform != "win32"  # where there is no fork

from ..callbacks import logger
from ..http.limits import HTTPLimits
from ..server.workers.crew import GRACE
from ..server.workers.signals import SignalQueue
from ..server.workers.started import PROGRAM
from ..server.workers.succession import Listener, Successor
from .settings import Settings
from .watching import watched_for

#: How many changed files are named.
_MOST_NAMED = 3
_WAITING = "waiting for the next change"


class Reloader:
    """Keeps a program served that changes.

    Args:
        begin: Starts the program, and gives it what listens.
        take_signals: Returns the signals that have come since the last call: each is SIGINT or SIGTERM.
    """

    def __init__(
        self, begin: Callable[[Sequence[Listener]], Successor], take_signals: Callable[[], Iterable[int]]
    ) -> None:
        self._begin = begin
        self._take_signals = take_signals
        self._listeners: list[Listener] = []
        #: Who serves, who is to serve next, and who is on the way out.
        self._current: Successor | None = None
        self._next: Successor | None = None
        self._leaving: list[Successor] = []
        self._is_stopping = False

    def run(self, changes: Iterable[Sequence[str]]) -> None:
        """Serve until it is to stop.

        Args:
            changes: Yields the files that have changed; often none.

        Raises:
            KeyboardInterrupt: A second SIGINT came.
        """
        has_begun = False
        try:
            for changed in changes:
                for number in self._take_signals():
                    self._obey(number)
                self._look()
                if not (has_begun or self._is_stopping):  # only now it is watched, and no change is missed
                    has_begun, self._next = True, self._begin(self._listeners)
                elif changed and not self._is_stopping:
                    self._restart(changed)
                if self._is_stopping and not self._everybody:
                    return
        finally:
            for each in self._everybody:
                each.kill()
                each.close()
            for listener in self._listeners:
                listener.close()

    @property
    def _everybody(self) -> list[Successor]:
        return [each for each in (self._current, self._next, *self._leaving) if each is not None]

    def _obey(self, number: int) -> None:
        if self._is_stopping and number == signal.SIGINT:
            raise KeyboardInterrupt
        self._stop(signal.Signals(number).name)

    def _stop(self, reason: str) -> None:
        if not self._is_stopping:
            logger.info("%s: stopping", reason)
            self._is_stopping = True
            for each in self._everybody:
                each.stop()

    def _restart(self, changed: Sequence[str]) -> None:
        if self._next is not None:  # it has begun with what was there before
            self._next.kill()
            self._next.close()
        self._next = self._begin(self._listeners)
        logger.info("Changed: %s; %s begins", _named(changed), self._next.title)

    def _look(self) -> None:
        for each in self._everybody:
            each.look()
        if self._next is not None:
            self._look_at_next(self._next)
        if self._current is not None:
            self._look_at_current(self._current)
        for each in [each for each in self._leaving if each.is_over]:
            each.close()
            self._leaving.remove(each)

    def _look_at_next(self, successor: Successor) -> None:
        if successor.serves and not self._is_stopping:
            self._let_go()
            self._current, self._next = successor, None
            self._listeners = successor.take_listeners(self._listeners)
        elif successor.is_over:
            if not self._is_stopping:
                stays = "" if self._current is None else ": what served before goes on"
                logger.error("%s %s before it served%s; %s", successor.title, successor.ended, stays, _WAITING)
            successor.close()
            self._next = None

    def _let_go(self) -> None:
        """Let who serves make way, and close its connections with 1012."""
        if self._current is not None:
            logger.info("The new code serves: browsers are told by 1012")
            self._current.retire()
            self._leaving.append(self._current)

    def _look_at_current(self, successor: Successor) -> None:
        if successor.is_stopped:
            self._stop("the application has stopped every server")
        if successor.is_over:
            if not self._is_stopping:
                logger.error("%s %s; %s", successor.title, successor.ended, _WAITING)
            successor.close()
            self._current = None


def _named(paths: Sequence[str]) -> str:
    """Return files for people, seen from the current directory; the first few of many."""
    here, found = Path.cwd(), [Path(each) for each in paths]
    names = [str(each.relative_to(here) if each.is_relative_to(here) else each) for each in found]
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def reload(name: str, settings: Settings) -> None:
    """Serve a module until SIGINT or SIGTERM, and anew whenever it changes.

    Args:
        name: The module, and perhaps a name in it.
        settings: What was given.

    Raises:
        LaunchFailure: Nothing can be watched.
        KeyboardInterrupt: A second SIGINT came.
    """
    watched = watched_for(name, settings)
    logging.getLogger("watchfiles").setLevel(logging.WARNING)
    stop_seconds = settings.get("close_timeout", HTTPLimits.close_timeout) + GRACE
    begin = partial(_begin, stop_seconds)
    with SignalQueue([signal.SIGTERM, signal.SIGINT]) as signals:
        logger.info("Watching %s", ", ".join(map(str, watched.directories)))
        Reloader(begin, signals.take).run(watched.changes())


def _begin(stop_seconds: float, listeners: Sequence[Listener]) -> Successor:
    # Python takes bytecode for that of a file by its size and the second of its time: too coarse for who saves twice.
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    return Successor(PROGRAM, listeners, stop_seconds, [signal.SIGINT])
