"""What a broker has done so far."""

from __future__ import annotations

from typing import NamedTuple


class BrokerFigures(NamedTuple):
    """What a broker has done so far, in this process. All but ``queued`` and ``is_connected`` only grow.

    Attributes:
        published: Messages that reached the log.
        queued: Messages that wait to be sent there, now.
        lost: Messages that never reached it, and so no other process: the queue was full, or they were refused.
        refused: Of those, the ones that the log's server refused.
        resent: Messages that were sent again, since nobody answered.
        duplicates: Messages of others that came again, and were dropped.
        gaps: How often something that others said was not to be had any more.
        reconnects: How often the connection was made anew.
        is_connected: Whether there is one now.
    """

    published: int
    queued: int
    lost: int
    refused: int
    resent: int
    duplicates: int
    gaps: int
    reconnects: int
    is_connected: bool
