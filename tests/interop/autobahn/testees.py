"""What the suite tests: an echo, as a server and as a client, once by read and send and once by handlers.

python -m tests.interop.autobahn.testees server           serves both echoes, and prints its port
python -m tests.interop.autobahn.testees client URL AGENT frames|messages
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from urllib.parse import quote

import trio

from perfectws import HTTPRequest, HTTPServer, OpcodeType, Routes, WebSocket
from perfectws.websocket.options import WebSocketKeywords

#: The suite sends messages of 16 MiB, and of 65,537 frames; 64 MiB leaves room for both.
LIMITS: WebSocketKeywords = {
    "compression": True,
    "max_frame_size": 64 * 1024 * 1024,
    "max_message_size": 64 * 1024 * 1024,
    "max_fragments": 100_000,
}

Echo = Callable[[WebSocket], object]


def echo_frames(socket: WebSocket) -> None:
    """Send each frame back as it comes, and read the next when there is room for it: Perfect's way."""
    kind = OpcodeType.CONTINUATION

    def read() -> None:
        socket.read_bytes_message(received)

    def received(data: bytes | None, opcode: OpcodeType, final: bool) -> None:
        nonlocal kind
        if data is None:
            return
        kind = kind if opcode is OpcodeType.CONTINUATION else opcode
        if kind is OpcodeType.TEXT:
            socket.send_string_message(data.decode(), final, read)
        else:
            socket.send_binary_message(data, final, read)

    read()


def echo_messages(socket: WebSocket) -> None:
    """Send each whole message back: Vapor's way."""
    socket.on_text(lambda socket, text: socket.send(text))
    socket.on_binary(lambda socket, data: socket.send(data))


ECHOES: dict[str, Echo] = {"frames": echo_frames, "messages": echo_messages}


def serve() -> None:
    """Serve each echo at the path of its name, until interrupted."""
    routes = Routes()
    for name, echo in ECHOES.items():
        routes.web_socket(f"/{name}", on_upgrade=partial(_begin, echo), **LIMITS)
    context = HTTPServer.launch(name="autobahn", address="127.0.0.1", port=0, routes=routes, wait=False)
    print(context.port, flush=True)  # noqa: T201
    context.wait()


def _begin(echo: Echo, request: HTTPRequest, socket: WebSocket) -> None:
    echo(socket)


async def run_cases(url: str, agent: str, echo: Echo) -> None:
    """Run all cases that the suite's server at ``url`` has, and let it write its report."""
    agent = quote(agent)
    async with trio.open_nursery() as nursery:
        counting = await WebSocket.connect(to=f"{url}/getCaseCount", on=nursery)
        count = await counting.read_string_message()
        await counting.on_close
        for case in range(1, int(count.data or 0) + 1):
            await run_case(nursery, f"{url}/runCase?case={case}&agent={agent}", echo)
        reporting = await WebSocket.connect(to=f"{url}/updateReports?agent={agent}", on=nursery)
        await reporting.on_close


async def run_case(nursery: trio.Nursery, url: str, echo: Echo) -> None:
    socket = await WebSocket.connect(to=url, on=nursery, on_upgrade=echo, **LIMITS)
    await socket.on_close


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["server"]:
            serve()
        case ["client", url, agent, echo]:
            trio.run(run_cases, url, agent, ECHOES[echo])
        case _:
            sys.exit(__doc__)
