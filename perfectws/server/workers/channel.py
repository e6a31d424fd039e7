"""What workers send each other, and their supervisor: letters in mailboxes, made before the fork.

::

    worker ──a connection──▶ inbox of another          (or whoever takes back what waits there)
    worker ──a report──────▶ the supervisor's
"""

from __future__ import annotations

import os
import struct
import sys
from enum import IntEnum
from typing import NamedTuple

assert sys.platform != "win32"  # where there is no fork

from ...net.mailbox import Letter, Mailbox

_KEY = struct.Struct("i")
_REPORT = struct.Struct("iii")


class News(IntEnum):
    """What a worker reports."""

    SERVES = 1


class Report(NamedTuple):
    """A report of a worker.

    Attributes:
        worker: Its number.
        pid: Its process: another may have its number by now.
        news: What there is to tell.
    """

    worker: int
    pid: int
    news: News


class Channel:
    """The mailboxes of the workers of one supervisor, and its own.

    Args:
        workers: How many there are.
    """

    def __init__(self, workers: int) -> None:
        self.inboxes = [Mailbox() for _ in range(workers)]
        self.reports = Mailbox()

    def pass_connection(self, inbox: int, key: int, descriptor: int) -> bool:
        """Put a connection into an inbox; tell whether there was room.

        Args:
            inbox: Whose it is.
            key: Which listener has accepted it: its descriptor, which is the same in all workers.
            descriptor: The connection.
        """
        return self.inboxes[inbox].send(_KEY.pack(key), [descriptor])

    def take_connection(self, inbox: int) -> tuple[int, int | None] | None:
        """Take a connection out of an inbox.

        Returns:
            The listener's key and the descriptor, which is missing if this process has no room for another; ``None`` if
            the inbox is empty.
        """
        letter = self.inboxes[inbox].receive()
        return None if letter is None else (_KEY.unpack(letter.message)[0], _only(letter))

    def report(self, worker: int, news: News) -> None:
        """Tell the supervisor."""
        self.reports.send(_REPORT.pack(worker, os.getpid(), news))

    def read_report(self) -> Report | None:
        """Return what a worker has reported, ``None`` if nothing is left."""
        letter = self.reports.receive()
        if letter is None:
            return None
        worker, pid, news = _REPORT.unpack(letter.message)
        return Report(worker, pid, News(news))

    def close(self) -> None:
        """Let go of it, in this process."""
        for each in (*self.inboxes, self.reports):
            each.close()


def _only(letter: Letter) -> int | None:
    return letter.descriptors[0] if letter.descriptors else None
