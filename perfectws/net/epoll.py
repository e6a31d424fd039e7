"""The reactor of Linux: epoll tells what is ready, and an eventfd wakes it.

It is imported only where there is epoll: by `perfectws.net.loop.make_reactor`.
"""

from __future__ import annotations

import os
import select
import sys

from .reactor import Reactor

assert sys.platform == "linux"  # which is also how type checkers know that the rest is not for the others


class _Alarm:
    """A descriptor that is readable once `EpollReactor.wake` was called."""

    def __init__(self) -> None:
        self.descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def on_readable(self) -> int:
        os.eventfd_read(self.descriptor)
        return 0

    def on_events(self, events: int) -> int:
        return self.on_readable()

    def remove(self) -> None:
        os.close(self.descriptor)


class EpollReactor(Reactor):
    """The `Reactor` on an epoll object, which takes and tells events as they are numbered there."""

    def __init__(self) -> None:
        super().__init__(select.epoll())
        self._alarm = _Alarm()
        self.add(self._alarm.descriptor, self._alarm)

    def wake(self) -> None:
        """Make `fileno` readable."""
        os.eventfd_write(self._alarm.descriptor, 1)

    def close(self) -> None:
        """Close the epoll object. Every handler should have been removed before."""
        self.remove_later(self._alarm.descriptor, self._alarm)
        super().close()
