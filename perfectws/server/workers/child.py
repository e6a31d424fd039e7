"""A forked child: how it begins, how it ends, and that it never outlives its parent."""

from __future__ import annotations

import atexit
import ctypes
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from math import inf
from time import monotonic
from typing import NoReturn

assert sys.platform != "win32"  # where there is no fork

from ...callbacks import logger
from ...net.signals import Handling

# <sys/prctl.h> of Linux
_PR_SET_PDEATHSIG = 1


class Child:
    """A child of this process that has not been waited for.

    Attributes:
        pid: Its number.
        kill_at: When it is killed, if it has not ended by itself.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.kill_at = inf
        self._end: str | None = None

    def ended(self) -> str | None:
        """Return how it has ended, for people; ``None`` while it runs. What runs past its time is killed."""
        if self._end is None and monotonic() >= self.kill_at:
            self.kill_at = inf
            self.signal(signal.SIGKILL)
        if self._end is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._end = _described(status) if pid else None
        return self._end

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if self._end is None:  # else the number may be another's
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                pass  # it has just ended, which `ended` will find

    def stop(self, seconds: float) -> None:
        """Ask it to end in order; kill it after so many seconds. One that is stopped is to go on, for that."""
        self.kill_at = monotonic() + seconds
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once, and wait for that."""
        self.signal(signal.SIGKILL)
        if self._end is None:
            _, status = os.waitpid(self.pid, 0)
            self._end = _described(status)


def _described(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"has ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal
        return f"was ended by signal {-code}"


def fork(main: Callable[[], object], handlers: Mapping[int, Handling]) -> Child:
    """Fork a child that calls ``main()`` and ends: nothing of the caller's runs in it any more.

    Args:
        main: What it does. What this raises is logged.
        handlers: How it handles signals, from its first moment on: until then they wait.
    """
    _flush()
    with _signals_blocked() as former, warnings.catch_warnings():
        # From Python 3.12 on it warns where libraries have threads of their own: those of NumPy know how to be forked.
        warnings.simplefilter("ignore", DeprecationWarning)
        parent, pid = os.getpid(), os.fork()
        if pid == 0:
            _be_child(parent, main, handlers, former)
    return Child(pid)


@contextmanager
def _signals_blocked() -> Iterator[set[int]]:
    """Let signals wait, so that a new child does not take them as its parent does; yield those that waited before."""
    former = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield set(former)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


def _be_child(parent: int, main: Callable[[], object], handlers: Mapping[int, Handling], blocked: set[int]) -> NoReturn:
    code = 1
    try:
        signal.set_wakeup_fd(-1)  # which is the parent's
        for number, handling in handlers.items():
            signal.signal(number, handling)
        die_with(parent)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)  # a blocked signal would stay so for ever
        atexit._clear()  # what was to be done at the parent's end
        main()
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException as error:
        logger.critical("Process %d has failed", os.getpid(), exc_info=error)
    finally:
        leave(code)


def leave(code: int) -> NoReturn:
    """End this process as Python would, without going back to who has called what runs here."""
    try:
        atexit._run_exitfuncs()
        _flush()
    finally:
        os._exit(code)


def _flush() -> None:
    """Write what is buffered: else a child would write it too, or nobody."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:  # there may be none, or it is closed
            pass


def die_with(parent: int) -> None:
    """Let the kernel end this process at once when its parent ends, where it can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it was gone before that
        os._exit(1)
