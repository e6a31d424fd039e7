"""The messages of one WebSocket, counted for its line in the access log, while that is on.

What arrives is counted by the connection, where it adds to what its loop counts: this stands in that place. What is
sent is counted by what is written, since rooms write the same bytes to all of their members.
"""

from __future__ import annotations

from struct import Struct

from ..counts import Counts
from ..transport import Parts
from .frames import EIGHT_BYTES, FIN, TWO_BYTES

_UINT16, _UINT64 = Struct("!H"), Struct("!Q")
#: The first opcode that is none of a data frame.
_CONTROL = 8


class SessionCounts(Counts):
    """The counts of a loop, as one connection sees them, which counts what arrives there for itself too.

    Args:
        loop_counts: Those of the loop.

    Attributes:
        received: The messages that have arrived whole on this connection.
    """

    __slots__ = ("_loop_counts", "received")

    def __init__(self, loop_counts: Counts) -> None:
        self._loop_counts = loop_counts
        self.received = 0

    @property
    def messages_received(self) -> int:
        """The messages that have arrived on all connections; what is added is added here, too."""
        return self._loop_counts.messages_received

    @messages_received.setter
    def messages_received(self, count: int) -> None:
        self.received += count - self._loop_counts.messages_received
        self._loop_counts.messages_received = count

    @property
    def web_sockets(self) -> int:
        """The WebSockets that are open."""
        return self._loop_counts.web_sockets

    @web_sockets.setter
    def web_sockets(self, count: int) -> None:
        self._loop_counts.web_sockets = count


def messages_in(data: bytes | Parts) -> int:
    """Return how many messages end in the frames that are written, which are whole, and not masked: a server's."""
    if isinstance(data, Parts):
        return _ends_message(data.head[0])
    count = position = 0
    while position < len(data):
        count += _ends_message(data[position])
        length = data[position + 1]
        position += 2
        if length == TWO_BYTES:
            length = _UINT16.unpack_from(data, position)[0]
            position += 2
        elif length == EIGHT_BYTES:
            length = _UINT64.unpack_from(data, position)[0]
            position += 8
        position += length
    return count


def _ends_message(first: int) -> bool:
    return first & FIN != 0 and first & 0x0F < _CONTROL
