"""What a loop counts: what its connections receive and send, and what its rooms and callbacks do.

Nobody is told of it, it is there to be read, from any thread. On the way of each message it costs an addition; where
more happens at once (a pass of the reactor, the end of a turn), it is added there once for all.
"""

from __future__ import annotations


class Counts:
    """The counts of one loop, each by the loop's thread alone.

    Attributes:
        messages_received, messages_sent: Whole data messages of WebSockets: the last frame has arrived, or has been
            given to the connection.
        bytes_received, bytes_sent: All that the kernel has given and taken; with TLS on the reactor as it is encrypted.
        requests: Requests over HTTP, of which the head was understood.
        web_sockets: The WebSockets that are open: both sides may still send.
        rooms: The rooms with members in this loop.
        members: Members of those rooms, each in each of them.
        deliveries: Messages of rooms times the members they were given to.
        drops: Messages of rooms that slow members missed.
        sheds: Connections that were closed since all write buffers together held too much.
        callback_errors: Exceptions that have left a callback.
    """

    __slots__ = (
        "bytes_received",
        "bytes_sent",
        "callback_errors",
        "deliveries",
        "drops",
        "members",
        "messages_received",
        "messages_sent",
        "requests",
        "rooms",
        "sheds",
        "web_sockets",
    )

    def __init__(self) -> None:
        self.messages_received = self.messages_sent = 0
        self.bytes_received = self.bytes_sent = 0
        self.requests = 0
        self.web_sockets = 0
        self.rooms = self.members = 0
        self.deliveries = self.drops = 0
        self.sheds = 0
        self.callback_errors = 0

    def count_deliveries(self, deliveries: int, drops: int = 0) -> None:
        """Count messages of a room that were given to members, and those that slow ones missed."""
        self.deliveries += deliveries
        self.messages_sent += deliveries
        self.drops += drops
