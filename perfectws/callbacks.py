"""The one queue from which every callback runs, and the loop as the protocols see it.

A user's callback is never called from inside a public method, nor from inside another callback: it is appended to the
queue of its loop, and the loop runs the queue in turns. So the stack stays flat however long a chain of callbacks is.

A turn is bounded, so that no socket can hold up the others, nor trio's other tasks::

    turn = at most ROUNDS_PER_TURN rounds, and at most TURN_SECONDS in all
    round = the callbacks that were ready when it began

A callback that a round makes ready waits for the next round, so a chain on one socket advances one step per round: 64
steps per turn, while a thousand sockets with one callback each cost one round. What is left starts the next turn.
"""

from __future__ import annotations

import logging
import os
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from time import perf_counter
from typing import Any, TypeVarTuple
from weakref import ref

import outcome

from .counts import Counts
from .errors import LocalProtocolError
from .suspension import Suspension, checkpoint

logger = logging.getLogger("perfectws")

ROUNDS_PER_TURN = 64
TURN_SECONDS = 0.005
#: How many callbacks run between two looks at the clock.
CLOCK_INTERVAL = 16

Ts = TypeVarTuple("Ts")

#: (owner, (function, *args)): the call is one tuple, so that it is passed on as it is.
ReadyCall = tuple["CallbackOwner", tuple[Any, ...]]


class CallbackOwner:
    """What a callback belongs to: a connection, or the loop itself.

    Attributes:
        context: The `contextvars.Context` in which the owner's callbacks run.
        run: Its method, kept: it would have to be bound anew for each callback.
    """

    __slots__ = ("context", "run")

    def __init__(self, context: Context | None = None) -> None:
        self.context = copy_context() if context is None else context
        self.run = self.context.run

    def is_failure(self, error: Exception) -> bool:
        """Tell whether an exception that leaves a callback says that the callback is wrong; perfectws's own."""
        return True

    def callback_failed(self, error: Exception) -> None:
        """Take an exception that one of the owner's callbacks raised."""
        logger.error("A callback raised %s", type(error).__name__, exc_info=error)


class Timer(ABC):
    """A call that will be made later, once or again and again.

    Attributes:
        when: The time of the next call, on the loop's clock, in seconds.

    Source: SwiftNIO's ``Scheduled`` and ``RepeatedTask``.
    """

    __slots__ = ("when",)

    when: float

    @abstractmethod
    def cancel(self) -> None:
        """Make no further call. Harmless when there is none left to make. In the loop's thread."""


class CallbackLoop(ABC):
    """The queue of ready callbacks, and what a protocol may ask of the loop that drives it.

    All but `ask`, `call_from_thread` and `call_soon` is for the loop's own thread.

    Attributes:
        thread_id: The loop's own thread.
        direct_thread: The same, but 0 while something waits that other threads have asked for: so one comparison tells
            the hot path that it may go ahead. Everybody else calls `is_here`.
        counts: What is counted here.
        is_behind: Whether the last turn had no time for all that was ready.
        note_backlog: Is to be called with how many bytes more wait for a peer for which much waits; ``None`` unless a
            server limits what waits for all. To be set before connections are made.
        ends_when_idle: Whether it may end as soon as nothing is under way in it, as a script's does.
    """

    ends_when_idle = False

    def __init__(self) -> None:
        self.counts = Counts()
        self.thread_id = self.direct_thread = threading.get_ident()
        #: What other threads have asked for, in order: each with its owner.
        self._asked: deque[tuple[CallbackOwner, Callable[..., object], tuple[Any, ...]]] = deque()
        #: True while nobody will look at the queue unless woken.
        self.idle = False
        self.is_behind = False
        self.note_backlog: Callable[[int], object] | None = None
        #: Whether the loop has come to its end: what fails from now on fails for that.
        self.is_ending = False
        #: Owns the callbacks that belong to no connection.
        self.owner = CallbackOwner()
        #: The callbacks of this turn. Code that appends here wakes the loop if it is idle, as `call` does: the hot path
        #: saves the call.
        self.ready: deque[ReadyCall] = deque()
        self._next_turn: list[ReadyCall] = []
        #: What waits for its time, by owner, but must not be left out: the loop calls it at its end.
        self.last_calls: dict[CallbackOwner, Callable[[], object]] = {}
        self._before_writing: list[Callable[[], object]] = []

    def call(self, owner: CallbackOwner, function: Callable[[*Ts], object], *args: *Ts) -> None:
        """Queue ``function(*args)`` for this turn, behind all that is ready. A coroutine it returns becomes a task."""
        self.ready.append((owner, (function, *args)))
        if self.idle:
            self.wake()

    def call_next_turn(self, owner: CallbackOwner, function: Callable[[*Ts], object], *args: *Ts) -> None:
        """Queue ``function(*args)`` for the next turn, so that the other sockets come first."""
        self._next_turn.append((owner, (function, *args)))
        if self.idle:
            self.wake()

    def call_before_writing(self, function: Callable[[], object]) -> None:
        """Call ``function()``, which is perfectws's own, at the end of the turn, before what was sent is written."""
        self._before_writing.append(function)
        if self.idle:
            self.wake()

    def run_before_writing(self) -> None:
        """Make the calls that are due before the turn's writes."""
        functions, self._before_writing = self._before_writing, []
        for function in functions:
            try:
                function()
            except Exception as error:
                report_failure(self.owner, error)

    @property
    def has_ready(self) -> bool:
        """Whether a turn would find something to run."""
        return bool(self.ready or self._next_turn or self._before_writing)

    def run_ready(self) -> None:
        """Run one turn's callbacks, within the budgets above."""
        ready = self.ready
        self.is_behind = False
        if self._next_turn:
            ready.extend(self._next_turn)
            self._next_turn.clear()
        if not ready:
            return
        deadline = perf_counter() + TURN_SECONDS
        next_ready = ready.popleft
        left = CLOCK_INTERVAL
        for _ in range(ROUNDS_PER_TURN):
            count = len(ready)
            while count:  # which costs a round of one callback less than a `range`
                owner, call = next_ready()
                count -= 1
                try:
                    result = owner.run(*call)
                    if result is not None and isinstance(result, Coroutine):
                        self.start_task(owner, result)
                except Exception as error:
                    self.count_failure(owner, error)
                left -= 1
                if not left:
                    if perf_counter() > deadline:
                        self.is_behind = bool(ready)
                        del call
                        return
                    left = CLOCK_INTERVAL
            if not ready:
                break
        else:
            self.is_behind = True
        # An error that a callback has raised refers to this frame, and may be what another callback was given.
        del call

    def count_failure(self, owner: CallbackOwner, error: Exception) -> None:
        """Take an exception that has left a callback: it is counted, and goes to its owner."""
        self.counts.callback_errors += owner.is_failure(error)
        report_failure(owner, error)

    def drop_ready(self) -> None:
        """Forget all that a turn would find to run."""
        self._asked.clear()
        self.ready.clear()
        self._next_turn.clear()
        self._before_writing.clear()

    # Other threads

    def ask(self, owner: CallbackOwner, function: Callable[[*Ts], object], *args: *Ts) -> None:
        """Let ``function(*args)``, which is perfectws's own, be called in the loop's thread. From any thread.

        It has its place when this returns: ahead of all that is asked of the loop later, in whatever thread, task or
        callback. An exception goes to ``owner``. Once the loop has ended it is called here, and what that makes ready.
        """
        self._asked.append((owner, function, args))
        self.direct_thread = 0
        self.wake_from_thread()

    def wake_from_thread(self) -> None:
        """Let the loop's thread `catch_up` soon. From any thread."""
        self.call_from_thread(self.owner, self.catch_up)

    def is_here(self) -> bool:
        """Tell whether this is the loop's own thread. If so, what other threads have asked for is done now."""
        thread = threading.get_ident()
        if thread == self.direct_thread:
            return True
        if thread != self.thread_id:
            return False
        self.catch_up()
        return True

    def catch_up(self) -> None:
        """Do what other threads have asked for."""
        self.direct_thread = self.thread_id  # before: a thread that asks meanwhile sets it to 0 again
        asked = self._asked
        while asked:
            owner, function, args = asked.popleft()
            try:
                function(*args)
            except Exception as error:
                report_failure(owner, error)

    def check_thread(self) -> None:
        """Raise `LocalProtocolError` in any thread but the loop's."""
        if not self.is_here():
            raise LocalProtocolError(
                "await this in the thread of its event loop; elsewhere pass a callback or a promise"
            )

    def call_soon(self, owner: CallbackOwner, function: Callable[[*Ts], object], *args: *Ts) -> None:
        """Queue ``function(*args)``, from any thread."""
        if self.is_here():
            self.call(owner, function, *args)
        else:
            self.call_from_thread(owner, function, *args)

    def hold(self) -> None:  # noqa: B027  # most loops end when they are told to
        """Count one more thing that is under way: a loop that ends when nothing is, as a script's does, goes on."""

    def release(self) -> None:  # noqa: B027
        """Take one `hold` back."""

    def call_in_thread(
        self,
        owner: CallbackOwner,
        function: Callable[[], object],
        done: Callable[[outcome.Outcome[Any]], object] | None = None,
    ) -> None:
        """Call ``function()``, which is perfectws's own and may block for a while, in a thread; in the loop's thread.

        It is called once, whatever happens: the end of the loop waits for it, and once that has come it is called here.

        Args:
            owner: What ``done`` belongs to.
            function: What to call. There it may use nothing that is the loop's.
            done: What to queue then, with what came of it.
        """
        result = outcome.capture(function)  # a loop that has no threads
        if done is not None:
            self.call(owner, done, result)

    def suspension(self) -> Suspension:
        """Return what puts the current task to sleep until a callback resumes it."""
        return Suspension()

    async def checkpoint(self) -> None:
        """Let the other tasks run, and be cancelled here if that was asked for."""
        await checkpoint()

    @abstractmethod
    def wake(self) -> None:
        """Let the loop, which is idle, take a turn soon."""

    @abstractmethod
    def time(self) -> float:
        """Return the loop's clock, in seconds."""

    @abstractmethod
    def call_later(self, owner: CallbackOwner, seconds: float, function: Callable[[*Ts], object], *args: *Ts) -> Timer:
        """Queue ``function(*args)`` once ``seconds`` have passed."""

    @abstractmethod
    def call_from_thread(self, owner: CallbackOwner, function: Callable[[*Ts], object], *args: *Ts) -> None:
        """Queue ``function(*args)``, from any thread. Once the loop has ended, it is called before this returns."""

    @abstractmethod
    def start_task(self, owner: CallbackOwner, coroutine: Coroutine[Any, Any, object]) -> None:
        """Run a coroutine that a callback of ``owner`` returned as a task in the loop's nursery.

        An `Exception` that leaves it goes to ``owner.callback_failed``. Not to be called inside a callback of the same
        owner, whose context is in use then: a callback returns its coroutine.
        """


def report_failure(owner: CallbackOwner, error: Exception) -> None:
    """Give ``error`` to its owner; an owner that fails at that costs nobody else anything."""
    try:
        owner.callback_failed(error)
    except Exception:
        logger.exception("perfectws failed to handle an exception")


_running: ContextVar[CallbackLoop | None] = ContextVar("perfectws_running_loop", default=None)


def running_loop() -> CallbackLoop | None:
    """Return the loop in whose callbacks, or tasks, this code runs; in a thread that one of them started too."""
    return _running.get()


def context_in(loop: CallbackLoop) -> Context:
    """Return a copy of the current context in which ``loop`` is the running one."""
    context = copy_context()
    context.run(set_running_loop, loop)
    return context


def set_running_loop(loop: CallbackLoop) -> None:
    """Make ``loop`` the running one for this context, and for those copied from it."""
    _running.set(loop)


class LoopWatcher(ABC):
    """What may have something to do that no loop has asked for, and does it in any loop of this process."""

    def __init__(self) -> None:
        _watchers[ref(self, _watchers.pop)] = None

    @abstractmethod
    def loop_began(self, loop: CallbackLoop) -> None:
        """Take it that one more loop runs. In its thread."""

    @abstractmethod
    def forget_loops(self) -> None:
        """Take it that no loop runs that did: this is a process that was forked."""


# Both are read as a whole, in one step, by any thread.
_watchers: dict[ref[LoopWatcher], None] = {}
_loops: dict[CallbackLoop, None] = {}


def loops_here() -> list[CallbackLoop]:
    """Return the loops of this process in which tasks can be started, the oldest first. From any thread."""
    return list(_loops)


def note_begun(loop: CallbackLoop) -> None:
    """Take it that tasks can be started in ``loop`` from now on. In its thread, as `note_ending`."""
    _loops[loop] = None
    for watcher in _all_watchers():
        watcher.loop_began(loop)


def note_ending(loop: CallbackLoop) -> None:
    """Take it that no task is to be started in ``loop`` any more."""
    _loops.pop(loop, None)


def _all_watchers() -> list[LoopWatcher]:
    return [watcher for reference in list(_watchers) if (watcher := reference()) is not None]


def _forget_loops() -> None:
    _loops.clear()
    for watcher in _all_watchers():
        watcher.forget_loops()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_loops)
