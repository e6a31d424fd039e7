"""Our client against other people's servers."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from perfectws import WebSocket

from ..interop.conversation import mixed_messages
from .conftest import PATIENCE
from .foreign_servers import CLOSE_NOW, COMPRESSING, GOODBYE, SERVERS, SILENT, SUBPROTOCOL


class Echoes:
    """Sends messages, takes the echoes down, and then does what it is told."""

    def __init__(self, messages: list[str | bytes], then: Any) -> None:
        self.messages = messages
        self.then = then
        self.got: list[str | bytes] = []

    def on_upgrade(self, ws: WebSocket) -> None:
        ws.on_text(self.received)
        ws.on_binary(self.received)
        for message in self.messages:
            ws.send(message)

    def received(self, ws: WebSocket, message: str | bytes) -> None:
        self.got.append(message)
        if len(self.got) == len(self.messages):
            self.then(ws)


async def converse(name: str, echoes: Echoes, **options: Any) -> tuple[WebSocket, int | None]:
    """Let our client talk to a server; return our socket when it is closed, and the server's close code."""
    with trio.fail_after(PATIENCE):
        async with SERVERS[name]() as server:
            async with trio.open_nursery() as nursery:
                ws = await WebSocket.connect(
                    to=server.url,
                    on=nursery,
                    subprotocols=["other", SUBPROTOCOL],
                    on_upgrade=echoes.on_upgrade,
                    **options,
                )
                is_compressed = ws.outbox.compression is not None
                assert is_compressed == ("compression" in options and name in COMPRESSING)
            return ws, await server.close_codes.receive()


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize("options", [{}, {"compression": True}], ids=["plain", "compressed"])
async def test_300_messages_come_back_and_the_client_s_close_is_seen(
    transport: str, name: str, options: dict[str, Any]
) -> None:
    messages = mixed_messages(300)
    echoes = Echoes(messages, lambda ws: ws.close(4001, "bye"))
    ws, close_code = await converse(name, echoes, **options)
    assert echoes.got == messages
    assert ws.subprotocol == SUBPROTOCOL
    assert ws.close_code == 4001
    assert close_code == (None if name in SILENT else 4001)


@pytest.mark.parametrize("name", SERVERS)
async def test_the_server_s_close_is_seen(transport: str, name: str) -> None:
    echoes = Echoes(["hello"], lambda ws: ws.send(CLOSE_NOW))
    ws, close_code = await converse(name, echoes)
    assert (ws.close_code, ws.close_reason) == GOODBYE
    assert close_code in (4002, None)


@pytest.mark.parametrize("name", COMPRESSING)
@pytest.mark.parametrize(
    "compression", [{"context_takeover": False}, {"window_bits": 9}, {"window_bits": 15, "level": 9, "min_size": 0}]
)
async def test_every_kind_of_compression_is_understood(name: str, compression: dict[str, Any]) -> None:
    messages: list[str | bytes] = ["", "again and again " * 500, b"\x00" * 50_000, "x", *mixed_messages(40)]
    echoes = Echoes(messages, lambda ws: ws.close())
    ws, _ = await converse(name, echoes, compression=compression)
    assert echoes.got == messages
    assert ws.close_code == 1000
