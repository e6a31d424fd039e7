"""A server of ours beside the test, in the same trio run."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio

from perfectws import HTTPRequest, HTTPServer, Routes, WebSocket, WebSocketUpgrader

from .conftest import PATIENCE

OnUpgrade = Callable[[HTTPRequest, WebSocket], object]


@asynccontextmanager
async def served(
    on_upgrade: OnUpgrade | None = None,
    *upgraders: WebSocketUpgrader,
    routes: Routes | None = None,
    patience: float = PATIENCE,
    **options: Any,
) -> AsyncIterator[str]:
    """Serve WebSockets at ``/``, or routes, or upgraders, and give the URL. All within ``patience`` seconds."""
    routes = Routes() if routes is None else routes
    if on_upgrade is not None:
        routes.web_socket("/", on_upgrade, **options)
    server = HTTPServer()
    server.server_address = "127.0.0.1"
    server.close_timeout = 1
    server.add_routes(routes)
    server.add_upgraders(upgraders)
    with trio.fail_after(patience):
        async with trio.open_nursery() as nursery:
            port = await nursery.start(server.serve)
            try:
                yield f"ws://127.0.0.1:{port}"
            finally:
                server.stop()


def echo(request: HTTPRequest, ws: WebSocket) -> None:
    """Send every message back."""
    ws.on_text(lambda ws, text: ws.send(text))
    ws.on_binary(lambda ws, data: ws.send(data))


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2].partition("/")[0])


def unverified() -> ssl.SSLContext:
    """TLS with whomever."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
