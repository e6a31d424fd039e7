"""A task asleep until it is resumed: the one place where ours meets the scheduler that runs the task.

Nothing here loads trio: code that suspends a task runs inside one, so trio is loaded by then, and code that only turns
bytes into frames never needs it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import outcome

if TYPE_CHECKING:
    import trio


class Suspension:
    """One trio task, asleep until it is resumed. To be made in that task.

    To resume is to decide: a task that was resumed can no longer be cancelled out of its sleep, so what it was given is
    never lost.
    """

    __slots__ = ("_reschedule_task", "_task", "_thread_id", "_token")

    def __init__(self) -> None:
        from trio import lowlevel

        self._task: trio.lowlevel.Task | None = lowlevel.current_task()
        self._token = lowlevel.current_trio_token()
        self._reschedule_task = lowlevel.reschedule
        self._thread_id = threading.get_ident()

    async def sleep(self, on_cancel: Callable[[], object] | None = None) -> Any:
        """Sleep until `resume`; return or raise its outcome. A cancellation that comes first calls ``on_cancel()``."""
        from trio import lowlevel

        def abort(_: object) -> trio.lowlevel.Abort:
            self._task = None
            if on_cancel is not None:
                on_cancel()
            return lowlevel.Abort.SUCCEEDED

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


async def checkpoint() -> None:
    """Let the other tasks run, and be cancelled here if that was asked for."""
    from trio import lowlevel

    await lowlevel.checkpoint()
