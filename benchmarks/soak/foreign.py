"""The servers of a soak of clients: an honest one of other people's, and one that does everything wrong.

A program of its own: ``python -m benchmarks.soak.foreign --directory DIR --parent PID``. It prints its ports. Where the
soak of a server has its ``patient`` places the server of ``websockets`` listens, and echoes; at the ``strict`` ones a
raw one, which does to a client what the path of its request says (`bad_servers`).
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import ssl
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import trio
from websockets.exceptions import ConnectionClosed
from websockets.trio.server import ServerConnection, serve

from ..servers.__main__ import die_with_parent
from . import bad_servers
from .places import ALL, HOST, Place, Places
from .scene import NEVER
from .wire import LEFT, Wire

Handler = Callable[[trio.abc.Stream], Awaitable[None]]

#: The limits of the honest server: a client that is busy is not dead.
_PATIENT: dict[str, Any] = {"open_timeout": NEVER, "ping_interval": None, "close_timeout": NEVER}


class Echo:
    """What the honest server does: it echoes, at once or later, and has rooms."""

    def __init__(self) -> None:
        self._rooms: dict[str, set[ServerConnection]] = {}

    async def serve(self, socket: ServerConnection) -> None:
        """Serve one client."""
        path = socket.request.path if socket.request is not None else ""
        try:
            if path.startswith("/room/"):
                await self._serve_member(socket, path)
                return
            async for message in socket:
                if path == "/later":
                    await trio.sleep(0.02)
                await socket.send(message)
        except ConnectionClosed:
            pass  # a client that is cancelled at the end says no farewell

    async def _serve_member(self, socket: ServerConnection, path: str) -> None:
        members = self._rooms.setdefault(path, set())
        members.add(socket)
        try:
            await socket.send("joined")
            async for message in socket:
                for each in list(members):
                    await each.send(message)
        finally:
            members.discard(socket)
            if not members:
                self._rooms.pop(path, None)


async def listen(places: Places, place: Place) -> trio.SocketListener:
    """Listen at a place."""
    if place.transport == "unix":
        listener = trio.socket.socket(trio.socket.AF_UNIX)
        await listener.bind(str(places.socket_of(place)))
        listener.listen(1024)
        return trio.SocketListener(listener)
    (found,) = await trio.open_tcp_listeners(0, host=HOST, backlog=1024)
    return found


async def serve_badly(tls: ssl.SSLContext | None, random: Random, stream: trio.SocketStream) -> None:
    """Do one client wrong, with TLS or without; whatever it does then is right."""
    secured: trio.abc.Stream = stream
    if tls is not None:
        secured = trio.SSLStream(stream, tls, server_side=True, https_compatible=True)
    wire = Wire(Place("strict", "plain"), secured)
    try:
        await bad_servers.serve(wire, random)
    except LEFT:
        pass
    finally:
        await wire.leave(random)


async def run(places: Places, seed: int) -> None:
    """Listen at all places, say where, and serve until killed."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(places.certificate)
    listeners = {place: await listen(places, place) for place in ALL}
    ports = {
        place.name: 0 if place.transport == "unix" else listener.socket.getsockname()[1]
        for place, listener in listeners.items()
    }
    async with trio.open_nursery() as nursery:
        echo, random = Echo(), Random(seed)
        for place, listener in listeners.items():
            context = tls if place.transport == "tls" else None
            if place.limits == "patient":
                nursery.start_soon(partial(serve, echo.serve, listeners=[listener], ssl=context, **_PATIENT))
            else:
                nursery.start_soon(trio.serve_listeners, partial(serve_badly, context, random), [listener])
        sys.stdout.write(json.dumps(ports) + "\n")
        sys.stdout.flush()


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak.foreign")
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    arguments = parser.parse_args()
    die_with_parent(arguments.parent)
    os.nice(5)
    logging.getLogger("websockets").setLevel(logging.CRITICAL)
    trio.run(run, Places(arguments.directory, {}), arguments.seed)


if __name__ == "__main__":
    main()
