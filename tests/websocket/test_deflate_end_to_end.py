"""``permessage-deflate`` with the compressor of the package websockets at the other end, over every transport."""

from __future__ import annotations

import random
from typing import Any

import pytest
import trio
from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import parse_uri

from perfectws import HTTPRequest, Room, Routes, WebSocket, WebSocketHandler

from ..calls import Calls
from ..conftest import Connect, Handler

NOISE = random.Random(7692).randbytes(20_000)
DATA_OPCODES = (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)
MESSAGES: list[str | bytes] = ["short", "", "x" * 100, "grüße " * 1000, b"", b"\x00" * 70_000, NOISE, NOISE]


class Client:
    """A client of websockets, without I/O of its own, on a stream."""

    def __init__(self, stream: trio.abc.Stream, factory: ClientPerMessageDeflateFactory) -> None:
        self.stream = stream
        self.protocol = ClientProtocol(parse_uri("ws://test/"), extensions=[factory])
        self.frames: list[Frame] = []

    async def open(self) -> Response:
        self.protocol.send_request(self.protocol.connect())
        await self._flush()
        while self.protocol.state is State.CONNECTING:
            for event in await self._receive():
                if isinstance(event, Response):
                    assert self.protocol.handshake_exc is None
                    return event
        raise AssertionError(self.protocol.handshake_exc)

    async def send(self, message: str | bytes) -> None:
        if isinstance(message, str):
            self.protocol.send_text(message.encode())
        else:
            self.protocol.send_binary(message)
        await self._flush()

    async def receive(self) -> str | bytes:
        frame = await self.receive_frame()
        assert frame.fin
        return bytes(frame.data).decode() if frame.opcode is Opcode.TEXT else bytes(frame.data)

    async def receive_frame(self) -> Frame:
        while not self.frames:
            if self.protocol.state is State.CLOSED:
                raise ConnectionError(str(self.protocol.close_exc))
            events = await self._receive()
            self.frames += [event for event in events if isinstance(event, Frame) and event.opcode in DATA_OPCODES]
        return self.frames.pop(0)

    async def close(self) -> int | None:
        self.protocol.send_close(1000)
        await self._flush()
        while self.protocol.state is not State.CLOSED:
            await self._receive()
        await self.stream.aclose()
        return self.protocol.close_code

    async def _flush(self) -> None:
        # an empty piece says that the client ends its side
        await self.stream.send_all(b"".join(self.protocol.data_to_send()))

    async def _receive(self) -> list[object]:
        data = await self.stream.receive_some(65536)
        if data:
            self.protocol.receive_data(data)
        else:
            self.protocol.receive_eof()
        await self._flush()
        return list(self.protocol.events_received())


def echo(request: HTTPRequest, socket: WebSocket) -> None:
    socket.on_text(lambda socket, text: socket.send(text))
    socket.on_binary(lambda socket, data: socket.send(data))


OFFERS: dict[str, dict[str, Any]] = {
    "plain": {},
    "a small window for the server": {"server_max_window_bits": 9},
    "a small window for the client": {"client_max_window_bits": 9},
    "the largest windows, by name": {"server_max_window_bits": 15, "client_max_window_bits": 15},
    "no context for the server": {"server_no_context_takeover": True},
    "no context for the client": {"client_no_context_takeover": True},
}


async def open_client(connect: Connect, offer: dict[str, Any], **options: Any) -> tuple[Client, Response]:
    routes = Routes()
    routes.add("GET", "/", WebSocketHandler(lambda *_: Handler(echo), **options))
    peer = await connect.to(routes)
    client = Client(peer.stream, ClientPerMessageDeflateFactory(**offer))
    return client, await client.open()


@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS)
@pytest.mark.parametrize("options", [{}, {"window_bits": 15}, {"context_takeover": False, "min_size": 0}])
async def test_every_message_comes_back_as_it_was(
    connect: Connect, offer: dict[str, Any], options: dict[str, Any]
) -> None:
    client, response = await open_client(connect, offer, compression=options)
    assert response.headers["Sec-WebSocket-Extensions"].startswith("permessage-deflate")
    for message in MESSAGES:
        await client.send(message)
    assert [await client.receive() for _ in MESSAGES] == MESSAGES
    assert await client.close() == 1000


@pytest.mark.parametrize("options", [{}, {"window_bits": 15}, {"context_takeover": False, "min_size": 0}])
async def test_what_a_room_says_and_what_it_is_answered_in_between_reach_every_client_as_they_were(
    connect: Connect, options: dict[str, Any]
) -> None:
    room, routes = Room(), Routes()
    clients: list[Client] = []

    def session(request: HTTPRequest, socket: WebSocket) -> None:
        room.join(socket)
        echo(request, socket)

    routes.add("GET", "/", WebSocketHandler(lambda *_: Handler(session), compression=options))
    for offer in OFFERS.values():
        peer = await connect.to(routes)
        clients.append(Client(peer.stream, ClientPerMessageDeflateFactory(**offer)))
        await clients[-1].open()
    for number in range(3):
        for message in MESSAGES:
            if isinstance(message, str):
                room.send_string_message(message)
            else:
                room.send_binary_message(message)
            room.send_string_message(f"{number}: the same as ever, " * 5)
        asking = clients[number]
        await asking.send("an answer of one's own " * 5)
        for client in clients:
            got = [await client.receive() for _ in range(2 * len(MESSAGES) + (client is asking))]
            if client is asking:
                got.remove("an answer of one's own " * 5)
            assert got[::2] == MESSAGES
            assert set(got[1::2]) == {f"{number}: the same as ever, " * 5}
    for client in clients:
        assert await client.close() == 1000


async def test_a_fragment_can_be_read_before_the_next_is_sent(connect: Connect) -> None:
    sockets = Calls()
    routes = Routes()
    routes.add("GET", "/", WebSocketHandler(lambda *_: Handler(sockets), compression=True))
    peer = await connect.to(routes)
    client = Client(peer.stream, ClientPerMessageDeflateFactory())
    await client.open()
    [(_, socket)] = await sockets.until(1)
    for part, final in (("first", False), ("", False), ("second " * 1000, False), ("", True)):
        socket.send_string_message(part, final)
        frame = await client.receive_frame()
        assert (bytes(frame.data).decode(), frame.fin) == (part, final)


async def test_without_the_option_the_offer_is_not_answered(connect: Connect) -> None:
    client, response = await open_client(connect, {})
    assert "Sec-WebSocket-Extensions" not in response.headers
    await client.send("x" * 1000)
    assert await client.receive() == "x" * 1000
    assert await client.close() == 1000


async def test_a_message_that_inflates_past_the_limit_closes_with_1009(connect: Connect) -> None:
    client, _ = await open_client(connect, {}, compression=True, max_frame_size=10_000)
    await client.send("x" * 10_001)
    with pytest.raises(ConnectionError):
        await client.receive()
    assert client.protocol.close_code == 1009
    await client.stream.aclose()
