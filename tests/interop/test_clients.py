"""Other people's clients against our server."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio

from perfectws import (
    HTTPRequest,
    HTTPServer,
    OpcodeType,
    Routes,
    WebSocket,
    WebSocketHandler,
    WebSocketSessionHandler,
)

from . import aiohttp_client, node_client, picows_client, trio_websocket_client, websockets_client
from .conversation import PATIENCE, SUBPROTOCOL, Client, Conversation, Transcript, in_asyncio, mixed_messages

CLIENTS: dict[str, Client] = {
    "websockets": in_asyncio(websockets_client.talk),
    "aiohttp": in_asyncio(aiohttp_client.talk),
    "picows": in_asyncio(picows_client.talk),
    "trio-websocket": trio_websocket_client.talk,
    "ws": node_client.talk,
}

#: A text that the server answers by closing.
CLOSE_NOW = "close now"


class EchoHandler(WebSocketSessionHandler):
    """Echoes texts as texts and binaries as binaries, and hands the socket over when it has ended."""

    socket_protocol = SUBPROTOCOL

    def __init__(self, ended: Callable[[WebSocket], None]) -> None:
        self.ended = ended

    def handle_session(self, request: HTTPRequest, socket: WebSocket) -> None:
        def again() -> None:
            self.handle_session(request, socket)

        @socket.read_bytes_message
        def received(data: bytes | None, op: OpcodeType, fin: bool) -> None:
            if data is None:
                self.ended(socket)
            elif op is OpcodeType.BINARY:
                socket.send_binary_message(data, final=fin, completion=again)
            elif data == CLOSE_NOW.encode():
                socket.close(4002, "goodbye")
                again()
            else:
                socket.send_string_message(data.decode(), final=fin, completion=again)


async def converse(
    client: Client, messages: list[str | bytes], close: tuple[int, str] | None
) -> tuple[Transcript, WebSocket]:
    """Let a client talk to a server of ours; return what the client reports, and the server's socket when it ended."""
    ended, sockets = trio.open_memory_channel[WebSocket](1)
    routes = Routes()
    routes.add("GET", "/echo", WebSocketHandler(lambda request, protocols: EchoHandler(ended.send_nowait)))
    server = HTTPServer()
    server.server_address = "127.0.0.1"
    server.server_port = 0
    server.add_routes(routes)
    with trio.fail_after(2 * PATIENCE):
        async with trio.open_nursery() as nursery:
            port = await nursery.start(server.serve)
            transcript = await client(Conversation(f"ws://127.0.0.1:{port}/echo", messages, close))
            socket = await sockets.receive()
            server.stop()
    return transcript, socket


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> Client:
    return CLIENTS[request.param]


async def test_a_client_gets_1000_messages_back_and_closes_with_a_code_that_both_sides_see(client: Client) -> None:
    messages = mixed_messages(1000)
    transcript, socket = await converse(client, messages, close=(4001, "bye"))
    assert transcript.subprotocol == socket.subprotocol == SUBPROTOCOL
    assert transcript.echoes == messages
    assert transcript.close_code == socket.close_code == 4001
    assert socket.close_reason == "bye"


async def test_a_client_sees_the_code_that_the_server_closes_with(client: Client) -> None:
    transcript, socket = await converse(client, ["hello", b"\x00\xff", CLOSE_NOW], close=None)
    assert transcript.echoes == ["hello", b"\x00\xff"]
    assert transcript.close_code == socket.close_code == 4002
    assert socket.close_reason == "goodbye"
