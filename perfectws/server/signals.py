"""SIGINT and SIGTERM: the first of them stops servers in an orderly way; a SIGINT after it ends the process at once.

On Windows SIGINT is Ctrl-C, and nobody can send SIGTERM. There SIGBREAK does the same: Ctrl-Break, a console that is
closed, or another process that asks by ``CTRL_BREAK_EVENT``.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable

import trio

#: What asks servers to stop.
STOP_SIGNALS = [signal.SIGINT, signal.SIGTERM]
if sys.platform == "win32":
    STOP_SIGNALS.append(signal.SIGBREAK)


def can_receive_signals() -> bool:
    """Return whether this is the main thread: Python calls signal handlers in no other."""
    return threading.current_thread() is threading.main_thread()


async def stop_at_signal(stop: Callable[[str], object], *, task_status: trio.TaskStatus[None]) -> None:
    """Wait for one of `STOP_SIGNALS`, and call ``stop("SIGTERM")``, once."""
    with trio.open_signal_receiver(*STOP_SIGNALS) as signals:
        task_status.started()
        async for number in signals:
            stop(signal.Signals(number).name)
            break
    # From here on a SIGINT is Python's own again: the second one is immediate.
