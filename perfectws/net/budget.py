"""`Budget`: what all write buffers of a server may hold together; past it the connections with the largest are closed.

Nothing is added up per message. Who has more than `HIGH_WATER` waiting for its peer tells what it adds to that, and who
begins to wait tells that it may come to have so much: together that is more than there can be. Only when that sum
passes the limit is each connection asked what it has, and then not again before a sixteenth of the limit was told::

    told ──▶ a sum that is too large ──past the limit──▶ a look at all, behind the turn's writes ──▶ the true sum
"""

from __future__ import annotations

from ..callbacks import report_failure
from ..log_limit import LogLimit
from .loop import Connections, Loop, LoopTransport

#: What part of the limit is told anew before it is looked again.
_STEP = 16


class Budget:
    """The write buffers of one server's connections.

    Args:
        loop: The loop that drives them, which tells what waits in any of its connections.
        connections: The server's.
        most: How many bytes may wait in all.
    """

    def __init__(self, loop: Loop, connections: Connections, most: int) -> None:
        self._loop = loop
        self._connections = connections
        self._most = most
        self._told = 0
        self._looks_above = most
        self._is_look_due = False
        self._log_limit = LogLimit()
        former = loop.note_backlog

        def note(size: int) -> None:
            if former is not None:
                former(size)
            self.note(size)

        loop.note_backlog = note

    def note(self, size: int) -> None:
        """Take note that so much more may wait."""
        self._told += size
        if self._told > self._looks_above and not self._is_look_due:
            self._is_look_due = True
            # What the kernel takes at the end of this turn does not count.
            self._loop.call_before_writing(self._look_next_turn)

    def _look_next_turn(self) -> None:
        self._loop.call_next_turn(self._loop.owner, self._look)

    def _look(self) -> None:
        """Find out what waits, and close the largest until that is no more than may."""
        self._is_look_due = False
        waiting = [(transport.buffered_amount, transport) for transport in self._connections]
        total = sum(amount for amount, _ in waiting)
        if total > self._most:
            waiting.sort(key=lambda each: each[0])
            while total > self._most and waiting:
                amount, transport = waiting.pop()
                self._shed(transport, amount)
                total += transport.buffered_amount - amount
        self._told = total
        self._looks_above = max(self._most, total + self._most // _STEP)

    def _shed(self, transport: LoopTransport, amount: int) -> None:
        self._loop.counts.sheds += 1
        self._log_limit.log(
            "shed",
            "max_buffered=%d is passed: the connection of %s is closed, for which %d bytes wait",
            self._most,
            transport.remote_address[0],
            amount,
        )
        try:
            transport.protocol.shed()
        except Exception as error:
            report_failure(transport.protocol, error)
        if transport.buffered_amount > amount // 2:  # one large message has begun to go out, and would go on
            transport.abort(ConnectionAbortedError("the write buffers of the server are full"))
