"""SIGINT and SIGTERM: the first of them stops what runs in order, a SIGINT after it interrupts what runs, at once.

The first is told to the trio run. That cannot look while a synchronous callback holds it up, so the second is judged in
the signal's handler, by the frames that it meets::

    the user's code                     KeyboardInterrupt, here and now
    ours, which the user's code called  KeyboardInterrupt as soon as ours has returned
    ours, and nobody else's             the run is cancelled, and KeyboardInterrupt raised once it is over

So nothing is interrupted half way through what it changes but the user's own code. A callback that has no frame of its
own, such as ``partial(time.sleep, 1000)``, is known by where it was called: nothing of ours stays in a place for long.

In a trio program of the application's own the first is trio's, and only the second is judged so.

The second SIGTERM is what it was before the run: it ends the process, unless the application has a handler for it; to
such a handler the second SIGINT goes too.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import Enum, auto
from time import monotonic
from types import FrameType, TracebackType
from typing import Any

import trio

from ..errors import lone_error

#: What a signal does: of the application, the system or Python.
Handling = Callable[[int, FrameType | None], Any] | int | None

#: The packages that run callbacks, and what those have their work done by.
_OURS = frozenset({"perfectws", "trio", "outcome", "attr", "attrs", "sortedcontainers", "sniffio", "wsproto", "h11"})
#: On Windows nobody can send SIGTERM. SIGBREAK is Ctrl-Break, a console that is closed, or another process that asks by
#: ``CTRL_BREAK_EVENT``.
_OF_WINDOWS: list[signal.Signals] = []
if sys.platform == "win32":
    _OF_WINDOWS.append(signal.SIGBREAK)
#: Who has stayed in one place for so long is held up there, in seconds. A turn of the loop takes less.
_HELD_UP = 0.1


class MainThread:
    """What the main thread does when a signal meets it, in one trio run, in which this is made."""

    def __init__(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        #: Where the last signal has met the thread, and when; whether the trio run has got on since.
        self._place: tuple[int, int] | None = None
        self._met_at = 0.0
        self._has_got_on = True

    def interrupt(self, frame: FrameType | None) -> bool:
        """Interrupt the user's code, now or as soon as what it has called of ours returns; tell whether there is any.

        Raises:
            KeyboardInterrupt: That is it.
        """
        users, is_running = _users_frame(frame)
        if is_running or self.is_held_up(frame):
            raise KeyboardInterrupt
        if users is not None:
            _interrupt_on_return_to(users)
        return users is not None

    def is_held_up(self, frame: FrameType | None) -> bool:
        """Tell whether the thread is where the last signal has met it, and was there all the time."""
        now, place = monotonic(), None if frame is None else (id(frame), frame.f_lasti)
        is_held_up = place == self._place and not self._has_got_on and now - self._met_at >= _HELD_UP
        if place != self._place or self._has_got_on:
            self._place, self._met_at, self._has_got_on = place, now, False
            self._token.run_sync_soon(self._get_on)
        return is_held_up

    def _get_on(self) -> None:
        self._has_got_on = True


class StopSignals:
    """The signals that stop one trio run, in whose main task it is made. For a ``with`` block in the main thread.

    Args:
        numbers: The signals.

    Attributes:
        first: The first that came, ``None`` until one does.
        abort: What the run's main task is in, to be cancelled by the second.
        was_aborted: Whether it was.
    """

    def __init__(self, numbers: Iterable[signal.Signals]) -> None:
        self.first: signal.Signals | None = None
        self.abort = trio.CancelScope()
        self.was_aborted = False
        self._numbers = numbers
        self._former: dict[int, Handling] = {}
        self._came = trio.Event()
        self._token = trio.lowlevel.current_trio_token()
        self._thread = MainThread()

    def __enter__(self) -> StopSignals:
        for number in self._numbers:
            if signal.getsignal(number) is not None:  # else it is handled in C, and could not be given back
                self._former[number] = signal.signal(number, self._arrived)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number in list(self._former):
            self._give_back(number)

    def _give_back(self, number: int) -> None:
        handling = self._former.pop(number, None)
        if handling is not None:
            signal.signal(number, handling)

    async def wait(self) -> str:
        """Wait for the first of the signals, and return its name."""
        await self._came.wait()
        assert self.first is not None
        return self.first.name

    def _arrived(self, number: int, frame: FrameType | None) -> None:
        """Act on a signal. This may be called between any two steps of whatever runs in the main thread."""
        if self.first is None:
            self.first = signal.Signals(number)
            for each, former in list(self._former.items()):
                if each != signal.SIGINT or is_applications(former):
                    self._give_back(each)
            self._thread.is_held_up(frame)
            self._token.run_sync_soon(self._came.set)
        elif not self._thread.interrupt(frame):
            self.was_aborted = True
            self._token.run_sync_soon(self.abort.cancel)


def _is_trios(handling: Handling) -> bool:
    """Tell whether trio has set this."""
    return callable(handling) and str(getattr(handling, "__module__", "")).startswith("trio.")


def is_applications(handling: Handling) -> bool:
    """Tell whether the application has set this, rather than the system, Python or trio."""
    return callable(handling) and handling is not signal.default_int_handler and not _is_trios(handling)


class TriosInterrupt:
    """SIGINT in a trio program of the application's own, in which loops run: the first is trio's, as ever.

    That gives it to the main task, since the pump is protected, and so it does not reach a callback that blocks. The
    second interrupts the callback.
    """

    def __init__(self) -> None:
        self._loops = 0
        self._former: Handling = None
        self._thread: MainThread | None = None
        self._has_come = False

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Take SIGINT from trio, if it is trio's, while a loop runs in this thread."""
        if threading.current_thread() is not threading.main_thread() or not (
            self._loops or _is_trios(signal.getsignal(signal.SIGINT))
        ):
            yield
            return
        if not self._loops:
            self._thread, self._has_come = MainThread(), False
            self._former = signal.signal(signal.SIGINT, self._arrived)
        self._loops += 1
        try:
            yield
        finally:
            self._loops -= 1
            if not self._loops:
                self._give_back()

    def _give_back(self) -> None:
        # Compared by what it is bound to: a bound method is made anew each time.
        if getattr(signal.getsignal(signal.SIGINT), "__self__", None) is self:
            signal.signal(signal.SIGINT, self._former)
        self._thread = None  # which holds on to the run

    def _arrived(self, number: int, frame: FrameType | None) -> None:
        users, is_running = _users_frame(frame)
        is_protected, thread = trio.lowlevel.currently_ki_protected(), self._thread
        if thread is not None:
            if self._has_come and is_protected and thread.interrupt(frame):
                return
            thread.is_held_up(frame)
        self._has_come = True
        if not is_protected and users is not None and not is_running:
            _interrupt_on_return_to(users)  # trio would interrupt ours, which a task of the user's has called
        elif callable(self._former):
            self._former(number, frame)


#: There is one, as there is one main thread.
trios_interrupt = TriosInterrupt()


def run_until_signal(
    main: Callable[[StopSignals], Awaitable[None]], *, takes_sigterm: bool, takes_sigint: bool = True
) -> signal.Signals | None:
    """Run ``main(signals)`` with trio; in the main thread SIGINT stops it, elsewhere there are no signals.

    Args:
        main: What is run: it is to end in order when the first signal comes.
        takes_sigterm: Whether this is a server's: SIGTERM is one of the signals then, and if the application has set a
            handler of its own, that gets only what comes second. A script leaves SIGINT to such a handler.
        takes_sigint: Whether SIGINT is one of them. It is not where another process acts on it, and stops this one.

    Returns:
        The signal that came, ``None`` if there was none.

    Raises:
        KeyboardInterrupt: A second SIGINT came.
        BaseException: What has left ``main``; a single one without its group.
    """
    numbers = [each for each in _numbers_to_take(takes_sigterm) if takes_sigint or each != signal.SIGINT]
    try:
        return trio.run(_run_main, main, numbers)
    except BaseExceptionGroup as group:
        raise lone_error(group) from None


def _numbers_to_take(takes_sigterm: bool) -> list[signal.Signals]:
    if threading.current_thread() is not threading.main_thread():  # Python calls signal handlers in no other
        return []
    if takes_sigterm:
        return [signal.SIGINT, signal.SIGTERM, *_OF_WINDOWS]
    return [signal.SIGINT] if signal.getsignal(signal.SIGINT) is signal.default_int_handler else []


@trio.lowlevel.enable_ki_protection  # while the handlers change, trio's own waits for the next checkpoint
async def _run_main(
    main: Callable[[StopSignals], Awaitable[None]], numbers: Iterable[signal.Signals]
) -> signal.Signals | None:
    with StopSignals(numbers) as signals, signals.abort:
        await main(signals)
    if signals.was_aborted:
        raise KeyboardInterrupt
    return signals.first


class _Whose(Enum):
    """Whose code a frame runs."""

    OURS = auto()
    USERS = auto()
    #: The standard library's: it works for whoever has called it.
    CALLERS = auto()


def _whose(frame: FrameType) -> _Whose:
    package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
    if package in _OURS or frame.f_code.co_name == "__del__":  # an error in __del__ would be ignored
        return _Whose.OURS
    # The classes of namedtuple have modules of their own.
    is_library = not package or package in sys.stdlib_module_names or package.startswith("namedtuple_")
    return _Whose.CALLERS if is_library else _Whose.USERS


def _users_frame(frame: FrameType | None) -> tuple[FrameType | None, bool]:
    """Return the frame of a callback of the user's that is to be interrupted, and whether it is the one that runs.

    What we call of the library may call the user in its turn, as logging does, and so may what a callback has called of
    ours: that is work of ours, which goes on.
    """
    users, is_running = None, False
    innermost, was_called_by_us, is_inside_ours = None, False, False
    while frame is not None and frame.f_code is not run_until_signal.__code__:
        whose = _whose(frame)
        if whose is _Whose.OURS:
            if was_called_by_us:
                users, is_running = innermost, not is_inside_ours
            innermost, is_inside_ours = None, True
        elif whose is _Whose.USERS and innermost is None:
            innermost = frame
        was_called_by_us = whose is _Whose.USERS
        frame = frame.f_back
    return users, is_running


def _interrupt_on_return_to(frame: FrameType) -> None:
    """Raise `KeyboardInterrupt` in a frame as soon as what it has called returns to it."""
    former, former_of_frame = sys.gettrace(), frame.f_trace

    def trace(traced: FrameType, event: str, argument: object) -> None:
        sys.settrace(former)
        traced.f_trace = former_of_frame
        raise KeyboardInterrupt

    frame.f_trace = trace
    sys.settrace(lambda *_: None)
