"""The echo server of Perfect's guide, ported line by line and driven by a client over every transport."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
import trio

from perfectws import HTTPRequest, HTTPResponse, Routes, WebSocket, WebSocketHandler

from ..conftest import Connect
from ..peer import BINARY, CONTINUATION, PING, PONG, TEXT, Frame, Peer, frame_bytes
from .echo import EchoHandler, make_routes

MESSAGES = 20_000


@pytest.fixture(autouse=True)
def _printed(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Keep what the server prints out of the report of a failure: it is a line per message."""
    yield
    capsys.readouterr()


async def open_echo(connect: Connect, protocols: str = "echo", routes: Routes | None = None) -> Peer:
    peer = await connect.to(make_routes() if routes is None else routes)
    await peer.handshake("/echo", [("Sec-WebSocket-Protocol", protocols)] if protocols else None)
    return peer


async def close(peer: Peer) -> None:
    assert (await peer.close_handshake(1000, "bye")).payload == b"\x03\xe8bye"


@pytest.mark.parametrize("protocols", ["echo", "chat, echo", "echo, chat"])
async def test_the_subprotocol_is_agreed(connect: Connect, protocols: str) -> None:
    peer = await open_echo(connect, protocols)
    assert peer.status == 101
    assert peer.headers["sec-websocket-protocol"] == "echo"
    await close(peer)


@pytest.mark.parametrize("protocols", ["", "chat", "echoes"])
async def test_a_client_that_does_not_ask_for_echo_is_refused(connect: Connect, protocols: str) -> None:
    peer = await open_echo(connect, protocols)
    assert peer.status == 400
    assert await peer.read_body() == b"WebSocket protocols not supported.\n"


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 1024 * 1024])
async def test_a_text_of_any_length_comes_back(connect: Connect, size: int) -> None:
    peer = await open_echo(connect)
    text = ("né€𐍈" * size).encode()[:size].decode(errors="ignore")
    for _ in range(2):
        await peer.send_text(text)
        assert await peer.receive_text() == text
    await close(peer)


async def test_binary_that_is_text_comes_back_as_text(connect: Connect) -> None:
    peer = await open_echo(connect)
    await peer.send(BINARY, "grüße")
    assert await peer.receive_text() == "grüße"
    await close(peer)


async def test_binary_that_is_no_text_closes_as_the_guide_has_it(connect: Connect) -> None:
    peer = await open_echo(connect)
    await peer.send(BINARY, b"\xff\xfe")
    assert (await peer.receive_close()).close_code == 1000
    await peer.send_close(1000)
    await peer.receive_eof()


async def test_a_message_in_five_fragments_with_a_ping_between_them(connect: Connect) -> None:
    peer = await open_echo(connect)
    await peer.send(TEXT, "one ", fin=False)
    await peer.send(CONTINUATION, "two ", fin=False)
    await peer.send(PING, "are you there?")
    await peer.send(CONTINUATION, "three ", fin=False)
    await peer.send(CONTINUATION, "", fin=False)
    await peer.send(CONTINUATION, "five")
    received = [await peer.receive() for _ in range(6)]
    assert [frame for frame in received if frame.opcode == PONG] == [Frame(PONG, b"are you there?")]
    # The guide's handler sends each fragment that it reads as a message of its own.
    texts = [Frame(TEXT, text) for text in (b"one ", b"two ", b"three ", b"", b"five")]
    assert [frame for frame in received if frame.opcode != PONG] == texts
    await close(peer)


async def test_what_it_prints_is_what_the_guide_prints(connect: Connect, capsys: pytest.CaptureFixture[str]) -> None:
    peer = await open_echo(connect)
    await peer.send(TEXT, "hel", fin=False)
    await peer.send(CONTINUATION, "lo")
    await peer.receive()
    await peer.receive()
    await close(peer)
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["Read msg: hel op: TEXT fin: False", "Read msg: lo op: CONTINUATION fin: True"]


async def test_many_clients_each_get_their_own(connect: Connect) -> None:
    routes = make_routes()
    peers = [await open_echo(connect, routes=routes) for _ in range(20)]
    for number, peer in enumerate(peers):
        await peer.send_text(f"from {number}")
    for number, peer in enumerate(peers):
        assert await peer.receive_text() == f"from {number}"
        await close(peer)


async def test_a_client_that_vanishes_ends_its_session_only(connect: Connect) -> None:
    routes = make_routes()
    lost, kept = await open_echo(connect, routes=routes), await open_echo(connect, routes=routes)
    await lost.vanish()
    await kept.send_text("still there?")
    assert await kept.receive_text() == "still there?"
    await close(kept)


class MeasuredEchoHandler(EchoHandler):
    """The guide's handler, which notes how deep the stack is at each recursion."""

    depths: set[int]

    def handle_session(self, request: HTTPRequest, socket: WebSocket) -> None:
        depth, frame = 0, sys._getframe()
        while frame.f_back is not None:
            depth, frame = depth + 1, frame.f_back
        self.depths.add(depth)
        super().handle_session(request, socket)


@pytest.mark.slow
async def test_the_stack_stays_flat_over_20_000_messages(connect: Connect) -> None:
    handler = MeasuredEchoHandler()
    handler.depths = set()
    routes = Routes()

    @routes.add("GET", "/echo")
    def _(request: HTTPRequest, response: HTTPResponse) -> None:
        # On a busy machine a ping would come between the echoes.
        WebSocketHandler(handler_producer=lambda *_: handler, ping_interval=None).handle_request(request, response)

    peer = await open_echo(connect, routes=routes)
    messages = b"".join(frame_bytes(TEXT, f"{number:06}", mask=b"mask") for number in range(MESSAGES))
    echoes = b"".join(frame_bytes(TEXT, f"{number:06}", mask=b"") for number in range(MESSAGES))
    received = bytearray()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(peer.stream.send_all, messages)
        while len(received) < len(echoes):
            received += await peer.stream.receive_some(1 << 16)
    assert received == echoes
    # The first call, of the session's beginning, comes another way than those that completions make.
    assert len(handler.depths) <= 2
    assert max(handler.depths) - min(handler.depths) < 5
    await close(peer)
