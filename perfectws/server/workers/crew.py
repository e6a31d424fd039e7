"""The workers of one supervisor, kept at full number: one that has died is replaced.

At once the first time; if the next dies soon too, a little later, and so on: a worker that cannot live does not keep
the machine busy.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from math import inf
from time import monotonic

assert sys.platform != "win32"  # where there is no fork

from ...callbacks import logger
from ...net.signals import Handling
from .board import Board, Order
from .channel import Channel, News
from .child import Child, fork
from .worker import Servers, Worker

#: How long a worker may take until it serves, in seconds.
START_SECONDS = 10.0
#: How much longer than its connections a worker may take to end, in seconds.
GRACE = 2.0
#: How long a worker is silent until a line says so, in seconds.
SILENCE_TOLD = 5.0


@dataclass
class Comeback:
    """How long to wait until a process that has died is replaced.

    Attributes:
        first, longest: The first and the longest wait, in seconds. There is none for a process that has lived for the
            longest.
    """

    first: float = 0.5
    longest: float = 30.0
    _deaths: int = 0

    def wait(self, lived: float) -> float:
        """Return the wait, in seconds, for one that has died after so many."""
        self._deaths = 1 if lived >= self.longest else self._deaths + 1
        return 0 if self._deaths == 1 else min(self.first * 2.0 ** min(self._deaths - 2, 60), self.longest)


@dataclass
class Place:
    """The place of one worker: one is there, or is due.

    Attributes:
        number: Which it is.
        child: Who is there.
        since: When it began.
        serves: Whether it does.
        due: When it is to be taken again.
        comeback: Says that.
        is_silent: Whether a line has told that the worker does not answer.
    """

    number: int
    child: Child | None = None
    since: float = 0.0
    serves: bool = False
    due: float = inf
    comeback: Comeback = field(default_factory=Comeback)
    is_silent: bool = False


class Crew:
    """The workers.

    Args:
        servers: What each of them runs.
        count: How many there are.
        drain: Over how many seconds they retire.
        close_timeout: How long their connections may take to end, in seconds.
        handlers: How a child handles signals, besides SIGTERM.

    Attributes:
        failure: Why it could not begin.
    """

    def __init__(
        self,
        servers: Servers,
        count: int,
        drain: float,
        close_timeout: float,
        handlers: Mapping[int, Handling],
    ) -> None:
        self.failure: str | None = None
        self._servers = servers
        self._drain = drain
        self._close_timeout = close_timeout
        self._handlers = handlers
        self._close_foreign: Callable[[], object]
        self._board = Board(count, len(servers))
        self._channel = Channel(count)
        self._places = [Place(number) for number in range(count)]
        self._has_begun = False
        self._is_leaving = False

    def start(self, close_foreign: Callable[[], object]) -> None:
        """Let all of them begin; ``close_foreign()`` is called in each: it closes what is the supervisor's alone."""
        self._close_foreign = close_foreign
        gc.collect()
        gc.freeze()  # what is there now stays in memory that all share, as far as nobody writes to it
        for server in range(len(self._servers)):
            self._servers.add_figures(server, partial(self._board.figures_of, server))
        for place in self._places:
            self._fork(place)

    @property
    def serves(self) -> bool:
        """Whether all have begun to serve, once."""
        self._has_begun = self._has_begun or all(place.serves for place in self._places)
        return self._has_begun

    @property
    def is_over(self) -> bool:
        """Whether none is left, nor will be."""
        return not any(place.child or place.due < inf for place in self._places)

    @property
    def is_stopped(self) -> bool:
        """Whether the application has stopped every server."""
        return self._board.is_all_stopped

    def descriptors(self) -> list[int]:
        """Return what is readable when there is something to look at."""
        return [self._channel.reports.fileno()]

    def deadline(self) -> float:
        """Return when there is something to look at, whatever happens."""
        starts = [place.since + START_SECONDS for place in self._places if place.child and not place.serves]
        kills = [place.child.kill_at for place in self._places if place.child]
        return min([*starts, *kills, *(place.due for place in self._places), monotonic() + SILENCE_TOLD])

    def look(self) -> None:
        """Look who has begun, who has died and who is due."""
        self._read_reports()
        for place in self._places:
            ended = place.child.ended() if place.child else None
            if ended is not None:
                self._lost(place, ended)
            elif place.child and not place.serves and monotonic() >= place.since + START_SECONDS:
                self._give_up(place)
            elif place.due <= monotonic():
                self._fork(place)
            elif place.serves:
                self._listen_to(place)

    # How all go

    def retire(self) -> None:
        """Let all make way for others, gently."""
        self._leave(self._drain + self._close_timeout + GRACE)
        for place in self._places:
            self._board.order(place.number, Order.RETIRE)
            if place.child and not place.serves:
                place.child.stop(GRACE)

    def stop(self) -> None:
        """Let all end in order; who takes too long is killed."""
        self._leave(self._close_timeout + GRACE)
        for place in self._places:
            if place.child:
                place.child.stop(self._close_timeout + GRACE)

    def _leave(self, seconds: float) -> None:
        self._is_leaving = True
        for place in self._places:
            place.due = inf
            if place.child:
                place.child.kill_at = monotonic() + seconds

    def kill(self) -> None:
        """End all at once, and wait for that."""
        self._is_leaving = True
        for place in self._places:
            place.due = inf
            if place.child:
                place.child.kill()
                place.child = None

    # One of them

    def _fork(self, place: Place) -> None:
        number = place.number
        self._board.clear(number)
        self._board.beat(number)
        worker = Worker(self._servers, self._board, self._channel, number, self._drain)

        def main() -> None:
            self._close_foreign()
            worker.run()

        place.since, place.serves, place.is_silent, place.due = monotonic(), False, False, inf
        place.child = fork(main, {**self._handlers, signal.SIGTERM: worker.stop_at_signal})

    def _read_reports(self) -> None:
        while (report := self._channel.read_report()) is not None:
            place = self._places[report.worker]
            if place.child and place.child.pid == report.pid and report.news is News.SERVES:
                place.serves = True

    def _lost(self, place: Place, ended: str) -> None:
        """Take note that a worker has ended, and decide whether another takes its place."""
        title = self._title(place)
        has_served, place.child, place.serves = place.serves, None, False
        self._board.clear(place.number)
        if self._is_leaving:
            return
        if self._board.is_all_stopped:
            self.stop()
        elif not (self.serves or has_served):
            self.failure = self.failure or f"{title} {ended} before it served"
            self.kill()
        else:
            wait = place.comeback.wait(monotonic() - place.since)
            place.due = monotonic() + wait
            when = f"in {wait:g} s" if wait else "at once"
            logger.warning("%s %s: another takes its place %s", title, ended, when)

    def _give_up(self, place: Place) -> None:
        assert place.child is not None
        late = f"{self._title(place)} has not begun to serve within {START_SECONDS:g} s"
        if self.serves:
            logger.warning("%s: it is ended", late)
        else:
            self.failure = self.failure or late
        place.child.kill()

    def _listen_to(self, place: Place) -> None:
        """Log that a worker does not answer, or does again."""
        is_silent = self._board.silence_of(place.number) >= SILENCE_TOLD
        if is_silent != place.is_silent and not self._is_leaving:
            place.is_silent = is_silent
            if is_silent:
                logger.warning("%s does not answer: the others take what comes", self._title(place))
            else:
                logger.warning("%s answers again", self._title(place))

    def _title(self, place: Place) -> str:
        pid = place.child.pid if place.child else os.getpid()
        return f"worker {place.number + 1} (process {pid})"
