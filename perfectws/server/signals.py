"""SIGINT and SIGTERM: the first of them stops servers in an orderly way; a SIGINT after it ends the process at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable

import trio


def can_receive_signals() -> bool:
    """Return whether this is the main thread: Python calls signal handlers in no other."""
    return threading.current_thread() is threading.main_thread()


async def stop_at_signal(stop: Callable[[str], object], *, task_status: trio.TaskStatus[None]) -> None:
    """Wait for SIGINT or SIGTERM, and call ``stop("SIGTERM")``, once."""
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        task_status.started()
        async for number in signals:
            stop(signal.Signals(number).name)
            break
    # From here on a SIGINT is Python's own again: the second one is immediate.
