"""A task asleep until it is resumed: the one place where ours meets the scheduler that runs the task.

Ours run on trio, and a `perfectws.futures.Future` is awaited by the tasks of asyncio too. Nothing here loads either:
code that suspends a task runs inside one, so its scheduler is loaded by then, and code that only turns bytes into
frames never needs it.
"""

from __future__ import annotations

import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import outcome
from sniffio import current_async_library

if TYPE_CHECKING:
    import trio


class AnySuspension(ABC):
    """One task, asleep until it is resumed. To be made in that task.

    To resume is to decide: a task that was resumed can no longer be cancelled out of its sleep, so what it was given is
    never lost.
    """

    __slots__ = ()

    @abstractmethod
    async def sleep(self, on_cancel: Callable[[], object] | None = None) -> Any:
        """Sleep until `resume`; return or raise its outcome. A cancellation that comes first calls ``on_cancel()``."""

    @abstractmethod
    def resume(self, result: outcome.Outcome[Any]) -> None:
        """Wake the task with ``result``, from any thread. Ignored if it is awake already."""


class Suspension(AnySuspension):
    """A task of trio's."""

    __slots__ = ("_reschedule_task", "_task", "_thread_id", "_token")

    def __init__(self) -> None:
        lowlevel = _trio()
        self._task: trio.lowlevel.Task | None = lowlevel.current_task()
        self._token = lowlevel.current_trio_token()
        self._reschedule_task = lowlevel.reschedule
        self._thread_id = threading.get_ident()

    async def sleep(self, on_cancel: Callable[[], object] | None = None) -> Any:
        """Sleep until `resume`; return or raise its outcome. A cancellation that comes first calls ``on_cancel()``."""
        lowlevel = _trio()

        def abort(_: object) -> trio.lowlevel.Abort:
            self._task = None
            if on_cancel is not None:
                on_cancel()
            succeeded: trio.lowlevel.Abort = lowlevel.Abort.SUCCEEDED
            return succeeded

        return await lowlevel.wait_task_rescheduled(abort)

    def resume(self, result: outcome.Outcome[Any]) -> None:
        """Wake the task with ``result``, from any thread. Ignored if it is awake already."""
        if threading.get_ident() == self._thread_id:
            self._reschedule(result)
            return
        from trio import RunFinishedError

        try:
            self._token.run_sync_soon(self._reschedule, result)
        except RunFinishedError:
            pass  # the run that the task belonged to is over, and so is the task

    def _reschedule(self, result: outcome.Outcome[Any]) -> None:
        task, self._task = self._task, None
        if task is not None:
            self._reschedule_task(task, result)


class AsyncioSuspension(AnySuspension):
    """A task of asyncio's."""

    __slots__ = ("_future", "_loop")

    def __init__(self) -> None:
        self._loop = _asyncio().get_running_loop()
        self._future = self._loop.create_future()

    async def sleep(self, on_cancel: Callable[[], object] | None = None) -> Any:
        """Sleep until `resume`; return or raise its outcome. A cancellation that comes first calls ``on_cancel()``."""
        try:
            result = await self._future
        except BaseException:
            # What comes with the cancellation comes too late.
            if on_cancel is not None:
                on_cancel()
            raise
        return result.unwrap()

    def resume(self, result: outcome.Outcome[Any]) -> None:
        """Wake the task with ``result``, from any thread. Ignored if it is awake already."""
        try:
            self._loop.call_soon_threadsafe(self._set, result)
        except RuntimeError:
            pass  # the loop that the task belonged to is closed, and so is the task

    def _set(self, result: outcome.Outcome[Any]) -> None:
        if not self._future.done():
            self._future.set_result(result)


def _trio() -> Any:
    """Return `trio.lowlevel`, which is loaded where one of trio's tasks runs."""
    return sys.modules["trio.lowlevel"]


def _asyncio() -> Any:
    """Return asyncio, which is loaded where one of its tasks runs."""
    return sys.modules["asyncio"]


def suspension_here() -> AnySuspension:
    """Return what puts the current task to sleep, whatever runs it: trio or asyncio.

    Raises:
        sniffio.AsyncLibraryNotFoundError: This is no task of either.
    """
    return AsyncioSuspension() if current_async_library() == "asyncio" else Suspension()


async def checkpoint() -> None:
    """Let the other tasks run, and be cancelled here if that was asked for."""
    if current_async_library() == "asyncio":
        await _asyncio().sleep(0)
        return
    await _trio().checkpoint()
