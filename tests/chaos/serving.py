"""The server of `server` as a process, and clients of others."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from ..conftest import PATIENCE
from ..examples.running import RunningServer, running

#: How a server and its sockets are that tolerate no long silence.
STRICT = {"ping_interval": 0.2, "ping_timeout": 0.4}


@contextmanager
def serving(
    options: dict[str, Any] | None = None, within: Sequence[str] = (), **keywords: Any
) -> Iterator[RunningServer]:
    """Run the server around a block.

    Args:
        options: Those of its WebSockets.
        within: As in `running`.
        keywords: Those of its launch.
    """
    with running("-m", "tests.chaos.server", json.dumps(options or {}), json.dumps(keywords), within=within) as server:
        yield server


def opened(port: int) -> ClientConnection:
    """Open a WebSocket of a client that answers pings, and sends none."""
    return connect(
        f"ws://127.0.0.1:{port}/echo",
        proxy=None,
        ping_interval=None,
        open_timeout=PATIENCE,
        close_timeout=PATIENCE,
        max_size=None,
    )


def talk(connection: ClientConnection, *messages: str) -> None:
    """Send messages, and see that each is answered, in order."""
    for message in messages:
        connection.send(message)
    for message in messages:
        assert connection.recv(PATIENCE) == message


def url(server: RunningServer, path: str) -> str:
    """Return the address of something on the server."""
    return f"http://127.0.0.1:{server.port}{path}"


def memory_of(process: int) -> int:
    """Return the resident memory of a process, in bytes."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
