"""Peers that send much once, and stay: what their connections keep of the memory that it took."""

from __future__ import annotations

import ssl

import trio

from perfectws import WebSocket

from .serving import memory_of, serving

KIB = 1024
#: How many stay, and how much each has sent.
PEERS, MUCH = 40, 1024 * KIB
#: What the process keeps for whoever comes next, however many there are.
OF_THE_PROCESS = 6 * 1024 * KIB
#: What one connection may keep, over plain TCP and over TLS.
PLAIN, ENCRYPTED = 20 * KIB, 80 * KIB


async def test_connections_that_have_carried_much_are_small_again(
    tls: str | None, trusting: ssl.SSLContext, nursery: trio.Nursery
) -> None:
    async def exchange(socket: WebSocket, data: bytes) -> None:
        await socket.send_binary_message(data)
        assert (await socket.read_bytes_message()).data == data

    scheme, context = ("ws", None) if tls is None else ("wss", trusting)
    with serving(certificate=tls) as server:
        url = f"{scheme}://127.0.0.1:{server.port}/echo"
        sockets = [await WebSocket.connect(to=url, on=nursery, ssl_context=context) for _ in range(PEERS)]
        before = memory_of(server.process.pid)
        for socket in sockets:
            await exchange(socket, bytes(MUCH))
        kept = memory_of(server.process.pid) - before
        for socket in sockets:
            await exchange(socket, b"still there")
            await socket.close()
    assert kept < OF_THE_PROCESS + PEERS * (PLAIN if tls is None else ENCRYPTED)
