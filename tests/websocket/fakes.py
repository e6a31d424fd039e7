"""A connection, a loop and a transport in memory: what the halves of a WebSocket are tested against, alone.

Nothing runs here by itself. A task is a coroutine that the loop steps, and that a test cancels; time passes when a test
says so; a peer that reads slowly is `FrameTransport.stall`.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Coroutine, Generator
from types import coroutine
from typing import Any

import outcome

from perfectws.callbacks import CallbackOwner
from perfectws.errors import ConnectionClosed
from perfectws.suspension import Suspension
from perfectws.transport import HIGH_WATER, Parts
from perfectws.websocket.contract import Connection
from perfectws.websocket.opcodes import CloseCode, OpcodeType

from ..http.fakes import FakeLoop, FakeTransport
from ..peer import Frame


class FakeConnection(Connection):
    """Keeps what it is asked for. How it stands is for a test to say.

    Attributes:
        asked: What it was asked for: (name, *arguments), in order.
        reactions: What it does when it is asked, by name.
        failures: What its callbacks raised.
        unsent, taken: How much the peer has not acknowledged, and a number that changes as it takes more.
    """

    is_connected = True
    has_unfinished_sends = False
    missing = 0
    session_name = "FakeSession"

    def __init__(self) -> None:
        super().__init__()
        self.socket = object()
        self.is_reading_paused = False
        self.unsent = self.taken = 0
        self.close_code, self.close_reason = int(CloseCode.ABNORMAL_CLOSURE), ""
        self.asked: list[tuple[Any, ...]] = []
        self.reactions: dict[str, Callable[..., object]] = {}
        self.failures: list[Exception] = []

    def _was_asked(self, name: str, *args: Any) -> None:
        self.asked.append((name, *args))
        if name in self.reactions:
            self.reactions[name](*args)

    def count(self, name: str) -> int:
        """Return how often it was asked for something."""
        return sum(asked[0] == name for asked in self.asked)

    def callback_failed(self, error: Exception) -> None:
        self.failures.append(error)

    def closed_error(self) -> ConnectionClosed:
        return ConnectionClosed(self.close_code, self.close_reason)

    def close(self, code: int, reason: str) -> None:
        self.is_connected = False
        self.close_code, self.close_reason = int(code), reason
        self._was_asked("close", code, reason)

    def drop(self, reason: str) -> None:
        self.is_connected = False
        self._was_asked("drop", reason)

    def read_frames(self) -> None:
        self._was_asked("read_frames")

    def inbox_drained(self) -> None:
        self._was_asked("inbox_drained")

    def unsent_amount(self) -> int:
        return self.unsent

    def progress(self) -> int:
        return self.taken

    def send_control(self, opcode: OpcodeType, payload: bytes) -> None:
        self._was_asked("send_control", opcode, payload)


class Cancelled(BaseException):
    """What is thrown into a task that was cancelled, as trio does it."""


class FakeTask:
    """A coroutine that a `TaskLoop` steps.

    Args:
        loop: The loop.
        owner: What is told of an error that leaves it; ``None`` for a task whose outcome a test looks at.
        work: The coroutine.

    Attributes:
        outcome: What it came to; ``None`` while it runs.
        given: What it was woken with and has not seen yet; ``None`` if there is nothing of the kind.
    """

    def __init__(self, loop: TaskLoop, owner: CallbackOwner | None, work: Coroutine[Any, Any, object]) -> None:
        self._loop = loop
        self._owner = owner
        self._work = work
        self._asleep: FakeSuspension | None = None
        self.outcome: outcome.Outcome[Any] | None = None
        self.given: outcome.Outcome[Any] | None = None
        self.wake(outcome.Value(None))

    def wake(self, result: outcome.Outcome[Any]) -> None:
        """Go on once the loop gets to it, with what is returned, or raised, where the task sleeps."""
        self._asleep, self.given = None, result
        self._loop.call(self._loop.owner, self._step, result)

    def _step(self, result: outcome.Outcome[Any]) -> None:
        self._loop.current_task, self.given = self, None
        try:
            if isinstance(result, outcome.Error):
                self._asleep = self._work.throw(result.error)
            else:
                assert isinstance(result, outcome.Value)
                self._asleep = self._work.send(result.value)
        except StopIteration as stop:
            self.outcome = outcome.Value(stop.value)
        except (Exception, Cancelled) as error:
            self.outcome = outcome.Error(error)
            if self._owner is not None and isinstance(error, Exception):
                self._owner.callback_failed(error)
        finally:
            del result  # an error that was thrown in holds this frame
        self._loop.current_task = None

    @property
    def is_asleep(self) -> bool:
        """Whether it waits to be resumed."""
        return self._asleep is not None

    def cancel(self) -> None:
        """Cancel it where it sleeps. Too late, and no matter, once it was resumed."""
        if self._asleep is not None:
            self._asleep.cancel()

    def result(self) -> Any:
        """Return what the task returned, or raise what it raised."""
        assert self.outcome is not None, "the task still runs"
        return self.outcome.unwrap()


class FakeSuspension(Suspension):
    """One task of a `TaskLoop`, asleep until it is resumed."""

    def __init__(self, loop: TaskLoop) -> None:
        assert loop.current_task is not None, "only a task can sleep"
        self._sleeper: FakeTask | None = loop.current_task
        self._is_asleep = False
        self._on_cancel: Callable[[], object] | None = None

    async def sleep(self, on_cancel: Callable[[], object] | None = None) -> Any:
        self._on_cancel = on_cancel
        self._is_asleep = True
        return await _suspend(self)

    def resume(self, result: outcome.Outcome[Any]) -> None:
        assert self._is_asleep, "a task is resumed where it sleeps"
        sleeper, self._sleeper = self._sleeper, None
        if sleeper is not None:
            sleeper.wake(result)

    def cancel(self) -> None:
        """Call ``on_cancel()`` and throw `Cancelled`, unless the task was resumed."""
        sleeper, self._sleeper = self._sleeper, None
        if sleeper is not None:
            if self._on_cancel is not None:
                self._on_cancel()
            sleeper.wake(outcome.Error(Cancelled()))


@coroutine
def _suspend(suspension: FakeSuspension) -> Generator[FakeSuspension, Any, Any]:
    return (yield suspension)


class TaskLoop(FakeLoop):
    """A `FakeLoop` whose tasks may sleep.

    Attributes:
        current_task: The task that is being stepped.
    """

    def __init__(self) -> None:
        super().__init__()
        self.current_task: FakeTask | None = None

    def start(self, work: Coroutine[Any, Any, object]) -> FakeTask:
        """Run a coroutine of the test's own up to where it sleeps, and nothing else: what it queues still stands."""
        task = FakeTask(self, None, work)
        owner, step = self.ready.pop()
        owner.run(*step)
        return task

    def _step_tasks(self) -> None:
        tasks, self.tasks = self.tasks, []
        for owner, work in tasks:
            FakeTask(self, owner, work)

    def suspension(self) -> Suspension:
        return FakeSuspension(self)

    async def checkpoint(self) -> None:
        suspension = FakeSuspension(self)
        self.call(self.owner, suspension.resume, outcome.Value(None))
        await suspension.sleep()

    def ring(self, seconds: float) -> None:
        """Let time pass, and queue what is due behind what is ready. `FakeLoop.advance` runs it too."""
        self.now += seconds
        while self.timers and self.timers[0][0] <= self.now:
            _, _, timer = heapq.heappop(self.timers)
            if timer.call is not None:
                self.call(*timer.call)


class FrameTransport(FakeTransport):
    """A `FakeTransport` that can do what an outbox asks for beyond HTTP.

    Attributes:
        at_once: What was written at once.
        written: All that was written.
        resumed: Called when the output has fallen below its high-water mark.
    """

    def __init__(self) -> None:
        super().__init__()
        self.at_once: list[bytes] = []
        self.written: list[bytes | Parts] = []
        self.resumed: Callable[[], object] | None = None
        self._stalled_at = 0
        self._kept_amount = 0

    def write(self, data: bytes | Parts) -> None:
        self.written.append(data)
        super().write(data)

    def write_at_once(self, data: bytes) -> int:
        self.at_once.append(data)
        self.write(data)
        return 0

    def keep(self) -> None:
        self._stalled_at = len(self.sent)
        self._kept_amount = self.buffered_amount

    def discard_unsent(self) -> None:
        """Forget what was written since the peer stalled, or since it was to be kept."""
        del self.sent[self._stalled_at :]
        self.buffered_amount = self._kept_amount

    def stall(self, amount: int = HIGH_WATER) -> None:
        """Let the peer read nothing from now on, as it has not read ``amount`` bytes that came before."""
        self.is_stalled = True
        self.buffered_amount += amount
        self._stalled_at = len(self.sent)

    def drain(self) -> None:
        """Let the peer read everything."""
        was_full = self.buffered_amount >= self.high_water
        self.is_stalled, self.buffered_amount = False, 0
        if was_full and self.resumed is not None:
            self.resumed()

    def frames(self, is_masked: bool = False) -> list[Frame]:
        """Return the frames that were sent, less their masks."""
        data, frames = bytes(self.sent), []
        while data:
            assert bool(data[1] & 0x80) is is_masked
            extended = {126: 2, 127: 8}.get(data[1] & 0x7F, 0)
            length = int.from_bytes(data[2 : 2 + extended], "big") if extended else data[1] & 0x7F
            start = 2 + extended + (4 if is_masked else 0)
            payload = data[start : start + length]
            assert len(payload) == length
            if is_masked:
                payload = bytes(byte ^ data[start - 4 + at % 4] for at, byte in enumerate(payload))
            frames.append(Frame(data[0] & 0x0F, payload, bool(data[0] & 0x80), bool(data[0] & 0x40)))
            data = data[start + length :]
        return frames
