"""How workers share connections: all accept from the same listeners, and whoever has clearly more passes them on.

What decides is on the `Board`: each worker's connections, with those that wait in its inbox. A worker that is silent is
passed nothing, and what waits for it is taken back by the others. One whose inbox is full is passed nothing either: the
connection is kept. So no connection waits for anybody.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable

assert sys.platform != "win32"  # where there is no fork

from ...log_limit import LogLimit
from ...net.loop import Connections, Loop, LoopTransport
from .board import Board
from .channel import Channel

#: By how many connections a worker stands above the least loaded when it passes one on. Less would pass on more, for
#: an evenness that nobody notices.
MARGIN = 4
#: The most connections that are taken out of an inbox before anything else is done.
BURST = 64

#: Serves a connection in this process.
Take = Callable[[socket.socket], None]


class SharedConnections(Connections):
    """The connections of one server in one worker, which counts them on the board."""

    def __init__(self, loop: Loop, board: Board, worker: int, server: int) -> None:
        super().__init__(loop)
        self._board = board
        self._worker = worker
        self._server = server
        self._told = 0

    @property
    def count_everywhere(self) -> int:
        """How many connections the server has in all of its processes."""
        return self._board.connections_to(self._server)

    def add(self, transport: LoopTransport) -> None:
        """Take in a connection that is open."""
        super().add(transport)
        self._tell()

    def refuse(self, transport: object) -> None:
        """Leave a connection out of the count: it is told that there is no room, and nothing more."""
        super().refuse(transport)
        self._tell()

    def discard(self, transport: LoopTransport) -> None:
        """Let go of a connection that is closed."""
        super().discard(transport)
        self._tell()

    def _tell(self) -> None:
        count = len(self)
        if count != self._told:
            self._board.count(self._worker, self._server, count - self._told)
            self._told = count


class Sharing:
    """What one worker keeps, passes on and takes.

    Args:
        board: Says who has how many.
        channel: Connections are passed on by it.
        me: The worker's number.
    """

    def __init__(self, board: Board, channel: Channel, me: int) -> None:
        self._board = board
        self._channel = channel
        self._me = me
        self._others = [worker for worker in range(board.workers) if worker != me]
        #: Who serves what was accepted by each listener.
        self._takers: dict[int, tuple[socket.socket, Take]] = {}
        #: How many connections the others have, and we, as this pass of the reactor knows it.
        self._loads: dict[int, int] = {}
        self._load = 0
        self._log_limit = LogLimit()

    def of(self, server: int) -> ServerSharing:
        """Return it for one of the servers."""
        return ServerSharing(self, self._board, self._me, server)

    def begin(self, listening: socket.socket, take: Take) -> None:
        """Serve by ``take`` what others pass on of what a listener has accepted."""
        self._takers[listening.fileno()] = (listening, take)

    # Passing on

    def look(self) -> None:
        """Read who has how many. To be called before a few connections are accepted, rather than for each."""
        board = self._board
        self._load = board.load_of(self._me)
        self._loads = {other: board.load_of(other) for other in self._others if board.is_fit(other)}

    def passes_on(self, key: int, connected: int) -> bool:
        """Pass a connection on if another worker has clearly fewer; tell whether that was done.

        Args:
            key: The descriptor of the listener that has accepted it.
            connected: The descriptor of the connection, which is to be closed here if it was passed on.
        """
        loads = self._loads
        other = min(loads, key=loads.__getitem__) if loads else self._me
        if other == self._me or self._load - loads[other] < MARGIN:
            self._load += 1
            return False
        if not self._channel.pass_connection(other, key, connected):
            del loads[other]  # its inbox is full
            return self.passes_on(key, connected)
        self._board.count_passed(self._me, other)
        loads[other] += 1
        return True

    # Taking

    def fileno(self) -> int:
        """Return the descriptor that is readable when something was passed to this worker."""
        return self._channel.inboxes[self._me].fileno()

    def take(self) -> bool:
        """Serve what was passed to this worker, a few; tell whether more may be there."""
        return self._take_from(self._me)

    def take_back(self) -> bool:
        """Serve, or pass on, what waits for workers that are silent, a few; tell whether more may be there."""
        silent = [other for other in self._others if not self._board.is_fit(other)]
        waiting = [other for other in silent if self._board.waiting_in(other) > 0]
        if waiting:
            self.look()
        return True in [self._take_from(other) for other in waiting]

    def _take_from(self, inbox: int) -> bool:
        for _ in range(BURST):
            taken = self._channel.take_connection(inbox)
            if taken is None:
                return False
            self._board.count_taken(self._me, inbox)
            key, descriptor = taken
            if descriptor is None:
                self._log_limit.log("lost", "No descriptors are left: a connection that was passed on is lost")
            else:
                self._serve(key, descriptor, is_for_me=inbox == self._me)
        return True

    def _serve(self, key: int, descriptor: int, *, is_for_me: bool) -> None:
        if key not in self._takers:  # the application has stopped that server
            socket.close(descriptor)
            return
        listening, take = self._takers[key]
        if not is_for_me and self.passes_on(key, descriptor):
            socket.close(descriptor)
            return
        # Its family and so on are the listener's: else the kernel would be asked for each.
        take(socket.socket(listening.family, listening.type, listening.proto, fileno=descriptor))


class ServerSharing:
    """`Sharing` as one of the servers of a worker has it: what `perfectws.net.acceptors.Sharing` asks for."""

    def __init__(self, sharing: Sharing, board: Board, worker: int, server: int) -> None:
        self._board = board
        self._worker = worker
        self._server = server
        self.begin = sharing.begin
        self.look = sharing.look
        self.passes_on = sharing.passes_on

    def make_connections(self, loop: Loop) -> Connections:
        """Return what is to hold the server's connections."""
        return SharedConnections(loop, self._board, self._worker, self._server)
