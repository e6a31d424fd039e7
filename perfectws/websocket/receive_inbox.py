"""Whole messages, one for each who asks: ``await socket.receive()``, ``async for``, and a script's ``.wait()``.

Messages wait for who asks, and who asks waits in a row for messages. Nobody is given a message that cannot take it: a
task that was cancelled has left the row, and so has a future that nobody holds any more. Where a message had come just
before, it is put back, ahead of the others.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from functools import partial
from weakref import ref

import outcome

from ..callbacks import CallbackLoop, Timer
from ..errors import LocalProtocolError
from ..futures import Future, OnResolved
from ..suspension import Suspension
from .contract import Connection
from .frames import BINARY, TEXT, Frame
from .inbox import Inbox
from .whole_inbox import WholeInbox

Whole = str | bytes


class Received(Future[Whole]):
    """The future of one whole message. Dropped before anybody could have it, it consumes none.

    Args:
        loop: The loop that the socket lives in.
        owner: The connection.
    """

    __slots__ = ("_inbox", "_is_taken", "_waiter")

    def __init__(self, loop: CallbackLoop, owner: Connection) -> None:
        super().__init__(loop, owner)
        self._inbox: ReceiveInbox | None = None
        self._waiter = _FutureWaiter(self)
        #: Whether callbacks are given the message, whoever holds the future.
        self._is_taken = False

    def wait_in(self, inbox: ReceiveInbox, timeout: float | None) -> None:
        """Wait in the row of ``inbox``, in the loop's thread."""
        self._inbox = inbox
        inbox.add_waiter(self._waiter, timeout)

    def _add(self, on_resolved: OnResolved) -> None:
        self._is_taken = True
        super()._add(on_resolved)
        self._waiter.keep(self)

    def __del__(self) -> None:
        is_lost = isinstance(self._outcome, outcome.Value) and not (self._is_taken or self._retrieved)
        if is_lost and self._inbox is not None:
            assert isinstance(self._outcome, outcome.Value)
            self._inbox.put_back_soon(self._outcome.value)
        super().__del__()


class _Waiter(ABC):
    """Who waits for a message."""

    __slots__ = ("timer",)

    def __init__(self) -> None:
        self.timer: Timer | None = None

    @property
    def is_live(self) -> bool:
        """Whether there is anybody to take a message."""
        return True

    @abstractmethod
    def take(self, result: outcome.Outcome[Whole]) -> bool:
        """Take a message, or the reason why there is none; tell whether there was anybody to take it."""


class _TaskWaiter(_Waiter):
    """A task that awaits one."""

    __slots__ = ("_suspension",)

    def __init__(self, suspension: Suspension) -> None:
        super().__init__()
        self._suspension = suspension

    def take(self, result: outcome.Outcome[Whole]) -> bool:
        """Take it: a task that was cancelled has left the row."""
        self._suspension.resume(result)
        return True


class _FutureWaiter(_Waiter):
    """A future of one, as long as anybody holds it: or, with callbacks, until it is resolved."""

    __slots__ = ("_future", "_kept")

    def __init__(self, future: Received) -> None:
        super().__init__()
        self._future = ref(future)
        self._kept: Received | None = None

    def keep(self, future: Received) -> None:
        """Hold the future until it is resolved. From any thread."""
        self._kept = future
        if future.is_done:  # meanwhile
            self._kept = None

    @property
    def is_live(self) -> bool:
        """Whether anybody holds the future."""
        return self._future() is not None

    def take(self, result: outcome.Outcome[Whole]) -> bool:
        """Take it, unless the future was dropped."""
        future, self._kept = self._future(), None
        if future is None:
            return False
        future._resolve(result)
        return True


class ReceiveInbox(WholeInbox):
    """The whole messages that wait, and those who wait for one."""

    __slots__ = ("_waiters",)

    _not_beside = "whole messages are received: read_* cannot read frames beside that"

    def __init__(self, connection: Connection, loop: CallbackLoop, former: Inbox) -> None:
        super().__init__(connection, loop, former)
        self._waiters: deque[_Waiter] = deque()

    @property
    def has_reader(self) -> bool:
        """Whether somebody waits for a message."""
        return any(waiter.is_live for waiter in self._waiters)

    @property
    def is_answered(self) -> bool:
        """Whether the session was given all that arrived, and asks for more."""
        return bool(self._waiters) and not self._frames

    def add_waiter(self, waiter: _Waiter, timeout: float | None) -> None:
        """Let somebody wait for a message, behind the others.

        Args:
            waiter: Who.
            timeout: How long, in seconds; ``None`` or a negative number for ever.
        """
        self._expect_nothing()
        self._waiters.append(waiter)
        if timeout is not None and timeout >= 0:
            waiter.timer = self._loop.call_later(self._connection, timeout, self._time_out, waiter, timeout)
        self.settle()

    async def receive_whole(self, timeout: float | None) -> Whole:
        """Wait for a message, in a task.

        Raises:
            ConnectionClosed: There is no further message.
            TimeoutError: None came in time.
        """
        self._loop.check_thread()
        suspension = self._loop.suspension()
        waiter = _TaskWaiter(suspension)
        self.add_waiter(waiter, timeout)
        message: Whole = await suspension.sleep(on_cancel=partial(self._leave, waiter))
        return message

    def _leave(self, waiter: _Waiter) -> None:
        if waiter.timer is not None:
            waiter.timer.cancel()
        self._waiters.remove(waiter)
        self.settle()

    def _time_out(self, waiter: _Waiter, seconds: float) -> None:
        if waiter in self._waiters:
            self._waiters.remove(waiter)
            waiter.take(outcome.Error(TimeoutError(f"no message came within {seconds} seconds")))
            self.settle()

    def put_back_soon(self, message: Whole) -> None:
        """Let the next who asks have a message that nobody could take. From any thread, between any two steps."""
        self._loop.ask(self._connection, self._put_back, message)

    def _put_back(self, message: Whole) -> None:
        self._frames.insert(0, (TEXT if isinstance(message, str) else BINARY, message, True))
        self.settle()

    def take_waiting(self) -> list[Whole]:
        """Take all messages that wait, for who keeps them elsewhere."""
        messages = [frame[1] for frame in self._frames]
        self._frames.clear()
        if self.is_full:
            self._make_room()
        self.settle()
        return messages

    def give_up(self) -> list[Frame]:
        """Return what waits, for handlers to take. Raises `LocalProtocolError` if somebody waits for a message."""
        if self._waiters:
            raise LocalProtocolError("a receive is pending: set on_text and on_binary when it has been served")
        waiting, self._frames = self._frames, []
        return waiting

    def add(self, frame: Frame) -> None:
        """Take a frame."""
        self._let_wait([frame])

    def _is_due(self) -> bool:
        if not self._waiters:
            return False
        # Who waits is told of the end behind the completions (law 12).
        return bool(self._frames) or (self._has_ended and not self._connection.has_unfinished_sends)

    def _deliver_next(self) -> object:
        waiter = self._waiters.popleft()
        if waiter.timer is not None:
            waiter.timer.cancel()
        if not self._frames:
            waiter.take(outcome.Error(self._connection.closed_error()))
        elif waiter.take(outcome.Value(self._frames[0][1])):
            if self._has_ended:
                self._expect_more()
            self._take()
        self.settle()
        return None

    def _is_awaited(self) -> bool:
        return bool(self._waiters) or super()._is_awaited()
