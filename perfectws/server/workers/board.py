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
_SILENCE_NS = int(SILENCE * 1e9)


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
        columns = (workers, workers, servers, workers * servers, workers * workers, workers * workers)
        numbers, rows = sum(columns) * 8, (workers + 1) * servers
        self._memory = memoryview(mmap.mmap(-1, numbers + rows * FIGURES_SIZE))
        fields = self._memory[:numbers].cast("q")
        starts = [sum(columns[:number]) for number in range(len(columns))]
        views = [fields[start : start + length] for start, length in zip(starts, columns, strict=True)]
        self._beats, self._orders, self._stopped, connections, passed, taken = views
        #: By worker: its connections to each server; what each has put into its inbox, and taken out of it.
        self._connections = _rows(connections, servers)
        self._passed, self._taken = _rows(passed, workers), _rows(taken, workers)
        #: A row for each server in each worker, and behind them one for each server with what is left of the dead.
        self._figures = self._memory[numbers:]

    # What a worker tells of itself

    def beat(self, worker: int) -> None:
        """Tell that its loop turns. The supervisor does so for a worker that it forks, once.

        So what comes back from one that has died is not left to the others: the next finds it when it serves.
        """
        self._beats[worker] = monotonic_ns()

    def leave(self, worker: int) -> None:
        """Tell that it takes nothing any more."""
        self._beats[worker] = 0

    def count(self, worker: int, server: int, change: int) -> None:
        """Tell that connections have come, or gone."""
        self._connections[worker][server] += change

    def count_passed(self, worker: int, inbox: int) -> None:
        """Tell that it has put a connection into an inbox."""
        self._passed[inbox][worker] += 1

    def count_taken(self, worker: int, inbox: int) -> None:
        """Tell that it has taken a connection out of an inbox: its own, or that of one who is silent."""
        self._taken[inbox][worker] += 1

    def show_figures(self, worker: int, server: int, figures: ServerFigures) -> None:
        """Tell what a server has done in it."""
        self._figures[self._row(worker, server)] = figures.packed()

    # What the supervisor tells

    def order(self, worker: int, order: Order) -> None:
        """Tell what is wanted of a worker."""
        self._orders[worker] = order

    def clear(self, worker: int) -> None:
        """Let nothing stand there of a worker that is gone but what it has passed and taken, for others count on it."""
        self._beats[worker] = 0
        self._orders[worker] = Order.SERVE
        for server in range(self.servers):
            self._connections[worker][server] = 0
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

    def is_stopped(self, server: int) -> bool:
        """Return whether the application has stopped a server."""
        return bool(self._stopped[server])

    @property
    def is_all_stopped(self) -> bool:
        """Whether the application has stopped every server."""
        return all(self._stopped)

    def connections_to(self, server: int) -> int:
        """Return how many connections a server has, in all workers."""
        return sum(row[server] for row in self._connections)

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
        """Return whether a worker takes what is passed to it, and its loop turns."""
        return monotonic_ns() - self._beats[worker] <= _SILENCE_NS

    def waiting_in(self, inbox: int) -> int:
        """Return how many connections lie in an inbox."""
        return sum(self._passed[inbox]) - sum(self._taken[inbox])

    def load_of(self, worker: int) -> int:
        """Return how many connections a worker has, those among them that it will find in its inbox."""
        return sum(self._connections[worker]) + sum(self._passed[worker]) - sum(self._taken[worker])


def _rows(column: memoryview[int], length: int) -> list[memoryview[int]]:
    return [column[start : start + length] for start in range(0, len(column), length)]
