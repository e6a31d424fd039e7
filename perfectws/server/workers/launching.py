"""The servers of a launch, as their workers and the supervisor have them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Protocol

assert sys.platform != "win32"  # where there is no fork

from ...net.listeners import Listening
from ...net.loop import Loop
from ..accepting import Sharing
from ..figures import FiguresOfOthers, ServerFigures
from ..stopping import StopRequest
from .plan import Plan
from .succession import Heritage, Listener
from .supervisor import supervise
from .worker import Worker


class Server(Protocol):
    """One of the servers."""

    @property
    def listening(self) -> Listening:
        """What it listens by."""

    @property
    def stop_request(self) -> StopRequest | None:
        """What tells it to stop, while it runs."""

    def announce(self, by_whom: str) -> None:
        """Log where it can be reached, and who serves there."""

    @property
    def own_figures(self) -> ServerFigures:
        """What it has done in this process."""

    def add_figures(self, of_others: FiguresOfOthers) -> None:
        """Count what it has done in other processes into its figures."""


class Context(Protocol):
    """One of the servers, launched."""

    @property
    def server(self) -> Server:
        """The server."""

    def terminate(self) -> object:
        """Stop it, without waiting for that."""


class Run(Protocol):
    """All of the servers: what `perfectws.server.launch` runs."""

    @property
    def contexts(self) -> Sequence[Context]:
        """One for each of them."""

    @property
    def close_timeout(self) -> float:
        """How long their connections may take to end, in seconds."""

    async def serve_on_loop(self, begun: Callable[[Loop], object], shared: Sequence[Sharing | None]) -> None:
        """Serve until all are stopped; ``begun(loop)`` is called once all accept connections."""


class RunServers:
    """What `Supervised` asks of the servers of a run."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._contexts = run.contexts
        self.close_timeout = run.close_timeout

    def __len__(self) -> int:
        return len(self._contexts)

    async def serve(self, worker: Worker) -> None:
        """Serve until all are stopped."""
        await self._run.serve_on_loop(worker.begin, [worker.sharing.of(server) for server in range(len(self))])

    def is_stopping(self, server: int) -> bool:
        """Return whether a server was asked to stop, or has stopped."""
        request = self._contexts[server].server.stop_request
        return request is None or request.is_made

    def stop(self, server: int) -> None:
        """Stop a server; harmless if that was asked for before."""
        self._contexts[server].terminate()

    def retire(self, server: int, drain: float) -> None:
        """Stop a server gently, over so many seconds."""
        request = self._contexts[server].server.stop_request
        if request is not None:
            request.make_way(drain)

    def figures(self, server: int) -> ServerFigures:
        """Return what a server has done in this process."""
        return self._contexts[server].server.own_figures

    def add_figures(self, server: int, of_others: FiguresOfOthers) -> None:
        """Count what a server has done in other processes into its figures."""
        self._contexts[server].server.add_figures(of_others)

    def listeners(self) -> list[Listener]:
        """Return what they listen by."""
        listening = [context.server.listening for context in self._contexts]
        return [Listener(each.address, each.asked_port, each.sockets) for each in listening]

    def announce(self, workers: int) -> None:
        """Log that they are served, by so many workers."""
        for context in self._contexts:
            context.server.announce(f" with {workers} worker{'s' * (workers > 1)}")


def serve_by_workers(run: Run, plan: Plan, heritage: Heritage) -> None:
    """Serve by workers until all servers are stopped. Raises as `supervise`."""
    supervise(RunServers(run), plan, heritage)
