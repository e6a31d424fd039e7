"""A server in a thread of its own, for scripts that wait: what ``app.run()`` in another process is to Vapor."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import trio

from perfectws import HTTPServer, Routes, WebSocketUpgrader

#: No test waits longer for anything, in seconds.
PATIENCE = 30


@contextmanager
def running(routes: Routes | None = None, *upgraders: WebSocketUpgrader) -> Iterator[int]:
    """Serve in a thread, and give the port."""
    server = HTTPServer()
    server.server_address = "127.0.0.1"
    server.close_timeout = 1
    server.add_routes(Routes() if routes is None else routes)
    server.add_upgraders(upgraders)
    ports: list[int] = []
    is_up = threading.Event()

    async def serve() -> None:
        async with trio.open_nursery() as nursery:
            ports.append(await nursery.start(server.serve))
            is_up.set()

    thread = threading.Thread(target=trio.run, args=(serve,))
    thread.start()
    assert is_up.wait(PATIENCE)
    try:
        yield ports[0]
    finally:
        server.stop()
        thread.join(PATIENCE)
        assert not thread.is_alive()
