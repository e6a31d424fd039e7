"""Which loops run in this process: whoever has something to do that no loop asks for finds one."""

from __future__ import annotations

import gc
import os
import sys

import pytest

from perfectws import callbacks
from perfectws.callbacks import CallbackLoop, LoopWatcher, loops_here
from perfectws.net.loop import Loop, open_loop


@pytest.fixture(autouse=True)
def no_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take it that none runs, though another test may have left one that does."""
    monkeypatch.setattr(callbacks, "_loops", {})


class Watcher(LoopWatcher):
    """Writes down what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.began: list[CallbackLoop] = []
        self.is_forked = False

    def loop_began(self, loop: CallbackLoop) -> None:
        self.began.append(loop)

    def forget_loops(self) -> None:
        self.is_forked = True


async def test_a_loop_is_there_as_long_as_tasks_can_be_started_in_it() -> None:
    ran: list[str] = []

    async def task() -> None:
        ran.append("task")

    assert loops_here() == []
    async with open_loop() as first:
        assert loops_here() == [first]
        first.start_task(first.owner, task())
        first.last_calls[first.owner] = lambda: ran.append(f"{len(loops_here())} there as it ends")
        async with open_loop() as second:
            assert loops_here() == [first, second]
        assert loops_here() == [first]
    assert loops_here() == []
    assert ran == ["task", "0 there as it ends"]


async def test_one_that_fails_is_there_no_longer() -> None:
    with pytest.raises(ExceptionGroup):
        async with open_loop():
            raise ValueError
    assert loops_here() == []


async def test_watchers_are_told_of_each_loop_and_are_not_kept() -> None:
    watcher, gone = Watcher(), Watcher()
    told = gone.began
    del gone
    gc.collect()
    async with open_loop() as loop:
        assert watcher.began == [loop]
    assert told == []


if sys.platform != "win32":  # where nothing is forked

    async def test_none_runs_in_a_process_that_was_forked() -> None:
        watcher = Watcher()
        async with open_loop() as loop:
            child = os.fork()
            if child == 0:
                os._exit(0 if watcher.is_forked and loops_here() == [] else 1)
            assert os.waitpid(child, 0)[1] == 0
            assert not watcher.is_forked
            assert isinstance(loop, Loop)
            assert loops_here() == [loop]
