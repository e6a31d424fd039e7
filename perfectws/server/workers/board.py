"""The board: what workers tell each other by memory that they share. It is made before the fork.

Each field is a 64-bit number that is stored in one step, and has *one writer*: a counter with two would drift. What
several have to count is therefore told by each of them apart, and summed by who reads.
"""

from __future__ import annotations

import mmap
from enum import IntEnum
from time import monotonic_ns

from ..figures import FIGURES_SIZE, ServerFigures

#: How old a heartbeat may be, in seconds: whoever's is older is passed nothing, and what waits for it is taken back.
SILENCE = 1.0


class State(IntEnum):
    """How far a worker has come. It says so itself; of one that is gone the supervisor does."""

    ABSENT = 0
    #: It has been forked just now. What is passed to it meanwhile it finds when it serves: so who comes back from a
    #: worker that has died is not left to the others.
    COMING = 1
    SERVING = 2
    #: It accepts no more, and ends.
    LEAVING = 3


_FIT = (State.COMING, State.SERVING)


class Order(IntEnum):
    """What the supervisor wants of a worker."""

    SERVE = 0
    #: Make way for the workers of another generation.
    RETIRE = 1


class Board:
    """The shared memory of the workers of one supervisor, and the arithmetic over it.

    Args:
        workers: How many there are.
        servers: How many servers each of them runs.
    """

    def __init__(self, workers: int, servers: int) -> None:
        self.workers = workers
        self.servers = servers
        columns = (workers, workers, workers, workers * servers, servers, workers * workers, workers * workers)
        numbers, rows = sum(columns) * 8, (workers + 1) * servers
        self._memory = memoryview(mmap.mmap(-1, numbers + rows * FIGURES_SIZE))
        fields = self._memory[:numbers].cast("q")
        #: A row for each server in each worker, and behind them one for each server with what is left of the dead.
        self._figures = self._memory[numbers:]
        starts = [sum(columns[:number]) for number in range(len(columns))]
        views = [fields[start : start + length] for start, length in zip(starts, columns, strict=True)]
        self._states, self._beats, self._orders, self._connections, self._stopped, self._passed, self._taken = views

    # What a worker tells of itself

    def enter(self, worker: int, state: State) -> None:
        """Tell how far it has come."""
        self._states[worker] = state

    def beat(self, worker: int) -> None:
        """Tell that its loop turns."""
        self._beats[worker] = monotonic_ns()

    def count(self, worker: int, server: int, change: int) -> None:
        """Tell that connections have come, or gone."""
        self._connections[worker * self.servers + server] += change

    def count_passed(self, worker: int, inbox: int) -> None:
        """Tell that it has put a connection into an inbox."""
        self._passed[inbox * self.workers + worker] += 1

    def count_taken(self, worker: int, inbox: int) -> None:
        """Tell that it has taken a connection out of an inbox: its own, or that of one who is silent."""
        self._taken[inbox * self.workers + worker] += 1

    def show_figures(self, worker: int, server: int, figures: ServerFigures) -> None:
        """Tell what a server has done in it."""
        self._figures[self._row(worker, server)] = figures.packed()

    # What the supervisor tells

    def order(self, worker: int, order: Order) -> None:
        """Tell what is wanted of a worker."""
        self._orders[worker] = order

    def expect(self, worker: int) -> None:
        """Tell that a worker is about to serve."""
        self._beats[worker] = monotonic_ns()
        self._states[worker] = State.COMING

    def clear(self, worker: int) -> None:
        """Let nothing stand there of a worker that is gone but what it has passed and taken, for others count on it."""
        self._states[worker] = State.ABSENT
        self._orders[worker] = Order.SERVE
        for server in range(self.servers):
            self._connections[worker * self.servers + server] = 0
            self._retire_figures(worker, server)

    def _retire_figures(self, worker: int, server: int) -> None:
        """Count what a worker has done to what is left of the dead: no sum ever falls because one dies."""
        figures = self._figures_at(worker, server)
        self._figures[self._row(worker, server)] = bytes(FIGURES_SIZE)
        self.show_figures(
            self.workers, server, ServerFigures.total([self._figures_at(self.workers, server), figures.retired()])
        )

    # What anybody tells, once

    def stop_server(self, server: int) -> None:
        """Tell that a server was stopped, by the application, and is to stop in every worker."""
        self._stopped[server] = 1

    # What is read

    def order_to(self, worker: int) -> Order:
        """Return what is wanted of a worker."""
        return Order(self._orders[worker])

    def state_of(self, worker: int) -> State:
        """Return how far a worker has come."""
        return State(self._states[worker])

    def is_stopped(self, server: int) -> bool:
        """Return whether the application has stopped a server."""
        return bool(self._stopped[server])

    @property
    def is_all_stopped(self) -> bool:
        """Whether the application has stopped every server."""
        return all(self._stopped)

    def connections_to(self, server: int) -> int:
        """Return how many connections a server has, in all workers."""
        return sum(self._connections[server :: self.servers])

    def figures_of(self, server: int, but: int | None = None) -> list[ServerFigures]:
        """Return what a server has done in each worker, but for one of them, and what is left of the dead."""
        return [self._figures_at(worker, server) for worker in range(self.workers + 1) if worker != but]

    def _figures_at(self, worker: int, server: int) -> ServerFigures:
        return ServerFigures.unpacked(self._figures[self._row(worker, server)])

    def _row(self, worker: int, server: int) -> slice:
        start = (worker * self.servers + server) * FIGURES_SIZE
        return slice(start, start + FIGURES_SIZE)

    def silence_of(self, worker: int) -> float:
        """Return how long ago a worker has told that its loop turns, in seconds."""
        return (monotonic_ns() - self._beats[worker]) / 1e9

    def is_fit(self, worker: int) -> bool:
        """Return whether a worker serves, or is about to, and its loop turns."""
        return self._states[worker] in _FIT and self.silence_of(worker) <= SILENCE

    def waiting_in(self, inbox: int) -> int:
        """Return how many connections lie in an inbox."""
        row = slice(inbox * self.workers, (inbox + 1) * self.workers)
        return sum(self._passed[row]) - sum(self._taken[row])

    def load_of(self, worker: int) -> int:
        """Return how many connections a worker has, those among them that it will find in its inbox."""
        row = slice(worker * self.servers, (worker + 1) * self.servers)
        return sum(self._connections[row]) + self.waiting_in(worker)
