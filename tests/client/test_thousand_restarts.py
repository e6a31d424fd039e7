"""A server that is restarted a thousand times, and a client that sends all the while."""

from __future__ import annotations

import gc
import os
import sys
from typing import Any

import pytest
import trio

from perfectws import Backoff, HTTPRequest, HTTPServer, Promise, Routes, WebSocket
from perfectws.client.connector import Connector
from perfectws.websocket.connection import WebSocketConnection

from ..calls import Calls

RESTARTS = 1000
PATIENCE = 240


def served_by(received: list[str], port: int) -> HTTPServer:
    """Return a server that keeps what it is sent."""
    routes = Routes()

    def take(request: HTTPRequest, ws: WebSocket) -> None:
        ws.on_text(lambda ws, text: received.append(text))

    routes.web_socket("/", take)
    server = HTTPServer()
    server.server_address, server.server_port = "127.0.0.1", port
    server.add_routes(routes)
    return server


def left() -> dict[str, int]:
    """Return how many of each thing there are that a connection is made of, and that was made in this test."""
    gc.collect()
    kinds = (Connector, WebSocketConnection, WebSocket, trio.lowlevel.Task)
    counts = {kind.__name__: sum(isinstance(each, kind) for each in gc.get_objects()) for kind in kinds}
    return counts | {"descriptors": len(os.listdir("/proc/self/fd"))}


@pytest.fixture
def only_ours() -> None:
    """Let the collector pass over all that is there already: the other tests' things take it long."""
    gc.collect()
    gc.freeze()


@pytest.mark.slow
@pytest.mark.usefixtures("only_ours")
@pytest.mark.skipif(sys.platform != "linux", reason="descriptors are counted as Linux lists them")
async def test_a_thousand_restarts_lose_nothing_that_waited_and_send_nothing_twice_and_leave_nothing() -> None:
    received: list[str] = []
    drops, sockets = Calls(), Calls(lambda ws: ws.send("hello"))
    sent = 0
    counts: list[dict[str, int]] = []
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            async with trio.open_nursery() as serving:
                first = served_by(received, 0)
                port = await serving.start(first.serve)
                future = WebSocket.connect(
                    to=f"ws://127.0.0.1:{port}/",
                    on=nursery,
                    reconnect=Backoff(0.001, 1, 0.001),
                    on_upgrade=sockets,
                    on_drop=drops,
                    close_timeout=1,
                )
                await sockets.until(1)
                first.stop()
            for restart in range(1, RESTARTS + 1):
                await drops.until(restart)
                for _ in range(3):
                    future.send(str(sent))
                    sent += 1
                async with trio.open_nursery() as serving:
                    server = served_by(received, port)
                    await serving.start(server.serve)
                    promise = Promise[None]()
                    future.send(str(sent), promise)
                    sent += 1
                    await promise.future_result
                    await until(received, f"{sent - 1}")
                    server.stop()
                drops.got[:-1] = [None] * (len(drops.got) - 1)  # so that the test itself keeps nothing
                sockets.got.clear()
                if restart in (100, RESTARTS):
                    await drops.until(restart + 1)
                    counts.append(await least_left())
            future.cancel()
    assert [text for text in received if text != "hello"] == [str(number) for number in range(sent)]
    assert received.count("hello") >= RESTARTS
    assert counts[0] == counts[1]


async def least_left() -> dict[str, int]:
    """Return the least that is left over a while: the next attempt comes and goes, and what leaks does not."""
    counts = left()
    for _ in range(20):
        await trio.sleep(0.005)
        now = left()
        counts = {kind: min(count, now[kind]) for kind, count in counts.items()}
    return counts


async def until(received: list[Any], text: str) -> None:
    while not received or received[-1] != text:
        await trio.sleep(0)
