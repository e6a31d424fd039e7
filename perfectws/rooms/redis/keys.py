"""What the keys and channels are called.

::

    pws:{ROOM}             the log of a room, a stream; and its channel
    pws:{ROOM}:who         who is there, a hash: ``instance:member`` → name and info
    pws:{ROOM}:names       who has which name, a hash: name → the members that have it
    pws:instances          how long each process is known to live, a sorted set; and the channel on which they say so
    pws:instance:INSTANCE  the channel of one process, by which it finds out whether it hears

An instance is a name that a broker has chosen in its process.

The braces put a room's keys into one slot of a cluster. Channels, unlike keys, are the same in all databases of a
server: one that is not 0 is written behind them.
"""

from __future__ import annotations


class Keys:
    """The names, below one prefix.

    Args:
        prefix: What they begin with.
        db: The number of the database.

    Attributes:
        instances: The sorted set of the processes.
        instances_channel: The channel that they all listen to.
    """

    __slots__ = ("_prefix", "_suffix", "instances", "instances_channel")

    def __init__(self, prefix: str, db: int) -> None:
        self._prefix = prefix.encode()
        self._suffix = f"@{db}".encode() if db else b""
        self.instances = self._prefix + b":instances"
        self.instances_channel = self.instances + self._suffix

    def log(self, room: str) -> bytes:
        """Return the key of a room's log."""
        # A lone surrogate is no UTF-8, but a str may hold one: two rooms of different names have different keys.
        return b"%b:{%b}" % (self._prefix, room.encode("utf-8", "surrogatepass"))

    def channel_of(self, log: bytes) -> bytes:
        """Return the channel of the room that has this log."""
        return log + self._suffix

    def instance_channel(self, name: bytes) -> bytes:
        """Return the channel of one process, which has this name."""
        return b"%b:instance:%b%b" % (self._prefix, name, self._suffix)
