"""Other people's servers, each echoing in a thread or a process of its own.

All do the same: they speak the subprotocol ``echo``, send every message back, compress if they can, and close with
(4002, "goodbye") when they get the text `CLOSE_NOW`. When a connection has ended they report its close code.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from aiohttp import WSMsgType as AiohttpType
from aiohttp import web
from hypercorn.asyncio import serve as hypercorn_serve
from hypercorn.config import Config
from picows import (
    WSCloseCode,
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
    ws_create_server,
)
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

SUBPROTOCOL = "echo"
CLOSE_NOW = "close now"
GOODBYE = (4002, "goodbye")

PortReport = Callable[[int], None]
Report = Callable[[int | None], None]
#: Called with what reports a port or a close code, and what is set when the server is to stop.
Serve = Callable[[PortReport, Report, asyncio.Event], Awaitable[None]]


class ForeignServer:
    """A server that runs.

    Attributes:
        url: Where.
        close_codes: The close codes that it has seen.
    """

    def __init__(self, port: int, close_codes: trio.MemoryReceiveChannel[int | None]) -> None:
        self.url = f"ws://127.0.0.1:{port}/"
        self.close_codes = close_codes


async def serve_websockets(started: PortReport, ended: Report, stop: asyncio.Event) -> None:
    async def handle(connection: ServerConnection) -> None:
        try:
            while (message := await connection.recv()) != CLOSE_NOW:
                await connection.send(message)
            await connection.close(*GOODBYE)
        except ConnectionClosed:
            pass
        await connection.wait_closed()
        ended(connection.close_code)

    async with serve(handle, "127.0.0.1", 0, subprotocols=[Subprotocol(SUBPROTOCOL)], compression="deflate") as server:
        started(next(iter(server.sockets)).getsockname()[1])
        await stop.wait()


async def serve_aiohttp(started: PortReport, ended: Report, stop: asyncio.Event) -> None:
    async def handle(request: web.Request) -> web.WebSocketResponse:
        response = web.WebSocketResponse(protocols=[SUBPROTOCOL], compress=True)
        await response.prepare(request)
        async for message in response:
            if message.data == CLOSE_NOW:
                await response.close(code=GOODBYE[0], message=GOODBYE[1].encode())
            elif message.type is AiohttpType.TEXT:
                await response.send_str(message.data)
            else:
                await response.send_bytes(message.data)
        ended(response.close_code)
        return response

    app = web.Application()
    app.router.add_get("/", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    started(runner.addresses[0][1])
    await stop.wait()
    await runner.cleanup()


async def serve_picows(started: PortReport, ended: Report, stop: asyncio.Event) -> None:
    class Listener(WSListener):
        def __init__(self) -> None:
            self.close_code: int | None = None

        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
            if frame.msg_type == WSMsgType.CLOSE:
                self.close_code = int(frame.get_close_code())  # type: ignore[call-overload]  # an int, whatever the stub says
                transport.send_close(frame.get_close_code())
                transport.disconnect()
            elif frame.msg_type == WSMsgType.TEXT and frame.get_payload_as_utf8_text() == CLOSE_NOW:
                transport.send_close(WSCloseCode(GOODBYE[0]), GOODBYE[1].encode())
            else:
                transport.send(frame.msg_type, frame.get_payload_as_bytes())

        def on_ws_disconnected(self, transport: WSTransport) -> None:
            ended(self.close_code)

    def accept(request: WSUpgradeRequest) -> WSUpgradeResponseWithListener:
        headers = {"Sec-WebSocket-Protocol": SUBPROTOCOL}
        return WSUpgradeResponseWithListener(WSUpgradeResponse.create_101_response(headers), Listener())

    server = await ws_create_server(accept, "127.0.0.1", 0)
    started(server.sockets[0].getsockname()[1])
    await stop.wait()
    server.close()


async def serve_hypercorn(started: PortReport, ended: Report, stop: asyncio.Event) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "websocket":
            return
        await receive()
        await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL})
        while (event := await receive())["type"] == "websocket.receive":
            if event.get("text") == CLOSE_NOW:
                await send({"type": "websocket.close", "code": GOODBYE[0], "reason": GOODBYE[1]})
            else:
                await send({"type": "websocket.send", "text": event.get("text"), "bytes": event.get("bytes")})
        ended(None)  # it tells 1006, or 1000, whatever the code was

    # Its descriptor is given, since hypercorn tells nobody which port the kernel has chosen.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = Config()
        config.bind = [f"fd://{os.dup(listener.fileno())}"]
        config.loglevel = "CRITICAL"
        started(listener.getsockname()[1])
        await hypercorn_serve(app, config, shutdown_trigger=stop.wait)


def in_thread(serve: Serve) -> Callable[[], AbstractAsyncContextManager[ForeignServer]]:
    @asynccontextmanager
    async def run() -> AsyncIterator[ForeignServer]:
        token = trio.lowlevel.current_trio_token()
        send_port, ports = trio.open_memory_channel[int](1)
        send_code, codes = trio.open_memory_channel[int | None](100)
        stopping: list[Callable[[], object]] = []

        async def main() -> None:
            stop = asyncio.Event()
            loop = asyncio.get_running_loop()
            stopping.append(lambda: loop.call_soon_threadsafe(stop.set))
            await serve(
                lambda port: token.run_sync_soon(send_port.send_nowait, port),
                lambda code: token.run_sync_soon(send_code.send_nowait, code),
                stop,
            )

        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, lambda: asyncio.run(main()))
            port = await ports.receive()
            try:
                yield ForeignServer(port, codes)
            finally:
                stopping[0]()

    return run


@asynccontextmanager
async def serve_node(**compression: object) -> AsyncIterator[ForeignServer]:
    """Node's ``ws``, in a process of its own; see ``node_server.mjs``. ``compression`` is more of its own options."""
    node, script = shutil.which("node"), Path(__file__).parent / "node_server.mjs"
    if node is None or not (script.parents[1] / "interop" / "node_modules" / "ws").is_dir():
        pytest.fail("Node or its package ws is not installed; this installs them: bash .ci/setup", pytrace=False)
    send_code, codes = trio.open_memory_channel[int | None](100)
    async with trio.open_nursery() as nursery:
        process = await nursery.start(
            lambda task_status: trio.run_process(
                [node, str(script), json.dumps(compression)],
                stdout=subprocess.PIPE,
                stdin=subprocess.PIPE,
                task_status=task_status,
            )
        )
        lines = read_lines(process.stdout)
        port = json.loads(await anext(lines))["port"]

        async def read_codes() -> None:
            async for line in lines:
                await send_code.send(json.loads(line)["closeCode"])

        nursery.start_soon(read_codes)
        try:
            yield ForeignServer(port, codes)
        finally:
            await process.stdin.aclose()  # it ends when its input does


async def read_lines(stream: trio.abc.ReceiveStream) -> AsyncIterator[bytes]:
    buffer = b""
    async for data in stream:
        *lines, buffer = (buffer + data).split(b"\n")
        for line in lines:
            yield line


SERVERS: dict[str, Callable[[], AbstractAsyncContextManager[ForeignServer]]] = {
    "websockets": in_thread(serve_websockets),
    "aiohttp": in_thread(serve_aiohttp),
    "picows": in_thread(serve_picows),
    "hypercorn": in_thread(serve_hypercorn),
    "ws": serve_node,
    # answers 400 if nothing is offered but what it must decline
    "ws, strict": partial(serve_node, serverMaxWindowBits=False, serverNoContextTakeover=False, clientMaxWindowBits=10),
}
#: Those that can compress.
COMPRESSING = ("websockets", "aiohttp", "hypercorn", "ws", "ws, strict")
#: Those that do not say which close code they have seen.
SILENT = ("hypercorn",)
