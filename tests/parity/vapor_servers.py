"""A server in a thread of its own, for scripts that wait: what ``app.run()`` in another process is to Vapor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from perfectws import HTTPServer, Routes, WebSocketUpgrader

#: No test waits longer for anything, in seconds.
PATIENCE = 30


@contextmanager
def running(routes: Routes | None = None, *upgraders: WebSocketUpgrader) -> Iterator[int]:
    """Serve in a thread, and give the port."""
    context = HTTPServer.launch(  # let server = try HTTPServer.start(hostname:port:responder:upgraders:on:).wait()
        name="vapor",
        address="127.0.0.1",
        port=0,
        routes=Routes() if routes is None else routes,
        upgraders=list(upgraders),
        close_timeout=1,
        wait=False,
    )
    try:
        yield context.port
    finally:
        context.terminate()
        context.on_close.wait(PATIENCE)  # try server.onClose.wait()
