"""SIGHUP in a process that serves without workers: what it has read from files it reads again, and goes on.

The signal means something else where the terminal is gone in which the process was started: then nobody is left who
could stop it, so that ends it in order, unless ``nohup`` was to prevent that.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType, TracebackType

import trio

from .signals import Handling, is_applications


def has_terminal() -> bool:
    """Tell whether this process has a terminal."""
    if sys.platform == "win32":
        return False
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


class HangUps:
    """SIGHUP, for a ``with`` block in a trio run; there is none outside the main thread, or if the application has it.

    It stays taken until the block's end, so that it ends nothing that is being stopped either.
    """

    def __init__(self) -> None:
        self._former: Handling = None
        self._had_terminal = False
        self._came = trio.Event()
        self._token = trio.lowlevel.current_trio_token()

    def __enter__(self) -> HangUps:
        if sys.platform != "win32" and threading.current_thread() is threading.main_thread():
            former = signal.getsignal(signal.SIGHUP)
            if former is not None and not is_applications(former):  # None is handled in C, and could not be given back
                self._former = signal.signal(signal.SIGHUP, self._arrived)
                self._had_terminal = self._former is not signal.SIG_IGN and has_terminal()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if sys.platform != "win32" and self._former is not None:
            signal.signal(signal.SIGHUP, self._former)

    async def wait(self) -> None:
        """Wait until one has come since the last call."""
        await self._came.wait()
        self._came = trio.Event()

    @property
    def terminal_is_gone(self) -> bool:
        """Whether the process was started in a terminal that is closed by now."""
        return self._had_terminal and not has_terminal()

    def _arrived(self, number: int, frame: FrameType | None) -> None:
        self._token.run_sync_soon(self._tell)

    def _tell(self) -> None:
        self._came.set()
