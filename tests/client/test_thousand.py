"""Many clients in one process, and what they leave behind."""

from __future__ import annotations

import gc
import os
import sys
import weakref

import pytest
import trio

from perfectws import WebSocket
from perfectws.callbacks import running_loop
from perfectws.client.loop import ClientLoop

from .served import echo, served

if sys.platform != "linux":
    pytest.skip("what it measures stands in /proc", allow_module_level=True)
assert sys.platform == "linux"  # which type checkers understand

import resource  # noqa: E402  # which Windows has not

pytestmark = pytest.mark.slow

CLIENTS = 1000
PATIENCE = 120.0  # seconds; a bound for a machine under load, not a measure


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def count_tasks() -> int:
    root = trio.lowlevel.current_root_task()
    assert root is not None
    count, todo = 0, [root]
    while todo:
        task = todo.pop()
        count += 1
        todo += [child for nursery in task.child_nurseries for child in nursery.child_tasks]
    return count


@pytest.fixture(autouse=True)
def _enough_descriptors() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 3 * CLIENTS:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 3 * CLIENTS), hard))


async def test_a_thousand_clients_connect_exchange_and_close_and_nothing_is_left(transport: str) -> None:
    echoes: list[str] = []
    sockets: list[WebSocket] = []
    loops: set[ClientLoop] = set()

    def upgraded(ws: WebSocket) -> None:
        loop = running_loop()
        assert isinstance(loop, ClientLoop)
        loops.add(loop)
        ws.on_text(received)
        ws.send(str(len(sockets)))
        sockets.append(ws)

    def received(ws: WebSocket, text: str) -> None:
        echoes.append(text)
        ws.close()

    async with served(echo, patience=PATIENCE) as url:
        await trio.testing.wait_all_tasks_blocked()
        before = open_descriptors(), count_tasks()
        async with trio.open_nursery() as nursery:
            futures = [
                WebSocket.connect(to=url, on=nursery, open_timeout=PATIENCE, on_upgrade=upgraded)
                for _ in range(CLIENTS)
            ]
        for ws in sockets:
            assert (ws.is_closed, ws.close_code) == (True, 1000)
        (loop,) = loops
        assert (len(loop.timers), loop.transports) == (0, set())
        while (open_descriptors(), count_tasks()) != before:  # the server's ends of the last connections
            await trio.sleep(0.001)
    assert sorted(map(int, echoes)) == list(range(CLIENTS))
    assert all(future.is_done for future in futures)
    left = [weakref.ref(each) for each in sockets]
    del futures, ws
    sockets.clear()
    gc.collect()
    assert [each() for each in left if each() is not None] == []
