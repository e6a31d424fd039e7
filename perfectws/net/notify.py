"""What systemd is told of a service with ``Type=notify``: that it serves, reads its files again, stops, and lives.

Each is a datagram of lines to the socket that ``NOTIFY_SOCKET`` names. It is told by the process that was started, not
by its workers, nor by programs that it starts: the variables are taken away. Where there is none, nothing is told.

Source: sd_notify(3), sd_watchdog_enabled(3).
"""

from __future__ import annotations

import os
import socket
import sys
import time
from functools import cache

import trio

from ..log_limit import LogLimit

_VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class Notifier:
    """What tells systemd.

    Args:
        address: The path of its socket, or ``@`` and an abstract name; ``None`` tells nobody.
        watchdog_seconds: Within which time it wants to hear that the process lives; ``None`` if it does not.

    Attributes:
        interval: How often it is told that the process lives, in seconds; ``None`` if it need not be.
    """

    def __init__(self, address: str | None, watchdog_seconds: float | None = None) -> None:
        self._address = address
        # sd_watchdog_enabled(3): "It is recommended that a daemon sends a keep-alive notification message to the
        # service manager every half of the time returned here."
        self.interval = None if address is None or watchdog_seconds is None else watchdog_seconds / 2
        self._status = ""
        self._log_limit = LogLimit()

    def tell_ready(self, status: str) -> None:
        """Tell that it serves.

        Args:
            status: How, for people.
        """
        self._status = status
        self._tell("READY=1", f"STATUS={status}")

    def tell_reloading(self, status: str) -> None:
        """Tell that it reads again what it has read when it began; `tell_reloaded` is to follow."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}", f"STATUS={status}")

    def tell_reloaded(self) -> None:
        """Tell that it has."""
        self.tell_ready(self._status)

    def tell_stopping(self, status: str) -> None:
        """Tell that it stops."""
        self._tell("STOPPING=1", f"STATUS={status}")

    def tell_alive(self) -> None:
        """Tell that it lives."""
        self._tell("WATCHDOG=1")

    async def keep_alive(self) -> None:
        """Tell again and again that the loop that this runs on turns, until cancelled, if somebody wants to hear it."""
        while self.interval is not None:
            self.tell_alive()
            await trio.sleep(self.interval)

    def _tell(self, *lines: str) -> None:
        if self._address is None or sys.platform == "win32":
            return
        address = f"\0{self._address[1:]}" if self._address[0] == "@" else self._address
        message = "\n".join(" ".join(line.split("\n")) for line in lines).encode()
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sender.sendto(message, address)
        except OSError as error:
            self._log_limit.log("notify", "systemd cannot be told by %s: %s", self._address, error)


@cache
def notifier() -> Notifier:
    """Return the one of this process; the first call takes the variables away, which no child is to find."""
    address, microseconds, pid = (os.environ.pop(name, None) for name in _VARIABLES)
    is_watched = microseconds is not None and microseconds.isdigit() and int(microseconds) > 0
    is_for_us = pid is None or pid == str(os.getpid())
    seconds = int(microseconds or 0) / 1e6 if is_watched and is_for_us else None
    return Notifier(address or None, seconds)
