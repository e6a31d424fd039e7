"""Signals of a process that sleeps in ``poll``: they wake it, and it takes them one by one."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Iterable
from types import FrameType, TracebackType

assert sys.platform != "win32"  # where there is no fork

from ...net.hang_up import has_terminal
from ...net.signals import Handling


def ignore(number: int, frame: FrameType | None) -> None:
    """Do nothing. As a handler, unlike SIG_IGN, this is not what programs inherit that a process starts."""


class SignalQueue:
    """The signals that have come, for a ``with`` block in the main thread.

    Args:
        numbers: The signals.

    Attributes:
        former: How each of them was handled before.
    """

    def __init__(self, numbers: Iterable[signal.Signals]) -> None:
        self.former: dict[int, Handling] = {number: signal.getsignal(number) for number in numbers}
        self._taken = dict(self.former)
        self._ours, self._theirs = socket.socketpair()
        self._former_wakeup = -1
        self._had_terminal = has_terminal()

    def __enter__(self) -> SignalQueue:
        for end in (self._ours, self._theirs):
            end.setblocking(False)
        # Python writes the number of each signal there, from C, at the moment when it comes.
        self._former_wakeup = signal.set_wakeup_fd(self._theirs.fileno(), warn_on_full_buffer=False)
        for number in self._taken:
            signal.signal(number, ignore)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number in list(self._taken):
            self.give_back(signal.Signals(number))
        signal.set_wakeup_fd(self._former_wakeup)
        self.close()

    def give_back(self, number: signal.Signals) -> None:
        """Let a signal be handled as it was before."""
        handling = self._taken.pop(number, None)
        if handling is not None:  # else it was handled in C
            signal.signal(number, handling)

    def fileno(self) -> int:
        """Return the descriptor that is readable when a signal has come."""
        return self._ours.fileno()

    def take(self) -> list[int]:
        """Return the signals that have come since the last call."""
        try:
            numbers = self._ours.recv(4096)
        except BlockingIOError:
            return []
        return [number for number in numbers if number in self.former]

    def terminal_is_gone(self) -> bool:
        """Tell whether this process was started in a terminal that is closed by now: then SIGHUP means that."""
        return self._had_terminal and not has_terminal()

    def close(self) -> None:
        """Let go of the descriptors."""
        self._ours.close()
        self._theirs.close()
