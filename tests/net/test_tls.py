"""Sessions over TLS: the same, on streams. For TLS on the reactor see `test_tls_transport`."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator

import pytest
import trio

from perfectws import HTTPRequest, Routes, WebSocket, WebSocketHandler
from perfectws.http.http11 import HTTPConnection
from perfectws.http.service import HTTPService
from perfectws.net.loop import Loop, open_loop
from perfectws.net.stream_transport import StreamTransport
from perfectws.testing.pipes import stream_pair

from ..calls import NOTHING, Calls, Reads, quiet
from ..conftest import PATIENCE, Handler, Session
from ..peer import Peer


@pytest.fixture
async def loop() -> AsyncIterator[Loop]:
    with trio.fail_after(PATIENCE):
        async with open_loop() as loop:
            yield loop


class Secure:
    """Opens connections over TLS."""

    def __init__(self, loop: Loop, server: ssl.SSLContext, client: ssl.SSLContext) -> None:
        self.loop = loop
        self.server = server
        self.client = client

    async def raw(self, session: Session) -> trio.abc.Stream:
        """Connect to a session, and say nothing yet."""
        ours, theirs = stream_pair()
        transport = StreamTransport(self.loop, trio.SSLStream(theirs, self.server, server_side=True), is_secure=True)
        routes = Routes()
        routes.add("GET", "/", WebSocketHandler(lambda *_: Handler(session), close_timeout=5))
        transport.set_protocol(HTTPConnection(transport, self.loop, HTTPService(routes.navigator)))
        self.loop.tasks.start_soon(transport.run)
        return ours

    async def __call__(self, session: Session) -> Peer:
        stream = trio.SSLStream(await self.raw(session), self.client, server_hostname="test")
        peer = Peer(stream)
        await peer.handshake()
        assert peer.status == 101
        return peer

    async def socket(self) -> tuple[Peer, WebSocket]:
        opened = Calls()
        peer = await self(opened)
        ((_, socket),) = await opened.until(1)
        return peer, socket


@pytest.fixture
def secure(loop: Loop, server_context: ssl.SSLContext, trusting: ssl.SSLContext) -> Secure:
    return Secure(loop, server_context, trusting)


async def test_messages_go_both_ways(secure: Secure) -> None:
    async def session(request: HTTPRequest, socket: WebSocket) -> None:
        async for message in socket:
            await socket.send(message)

    peer = await secure(session)
    for size in (0, 1, 1000, 100_000):
        await peer.send_text("x" * size)
        assert await peer.receive_text() == "x" * size
    assert (await peer.close_handshake()).close_code == 1000


@pytest.mark.parametrize("number", range(20))
async def test_the_close_frame_arrives_though_input_is_unread(secure: Secure, number: int) -> None:
    peer, socket = await secure.socket()
    for _ in range(100):
        await peer.send_text("nobody reads this")
    await quiet()
    socket.close(4001, "bye")
    close = await peer.receive_close()
    assert (close.close_code, close.close_reason) == (4001, "bye")
    await peer.send_close(4001)
    await peer.receive_eof()


@pytest.mark.parametrize("number", range(20))
async def test_the_answer_to_the_peers_close_arrives_and_then_the_end(secure: Secure, number: int) -> None:
    reads = Reads()
    peer = await secure(reads.session)
    await peer.send_text("one")
    await peer.send_close(4001)
    assert (await peer.receive_close()).close_code == 4001
    await peer.receive_eof()
    await peer.vanish()
    await reads.until_end()
    assert [data for data, _, _ in reads.got] == ["one", None]
    await reads.socket.on_close


async def test_a_peer_that_vanishes_without_close_notify_is_a_lost_connection(secure: Secure) -> None:
    peer, socket = await secure.socket()
    read = Calls()
    socket.read_string_message(read)
    await peer.vanish()
    assert await read.until(1) == [NOTHING]
    assert socket.close_code == 1006


async def test_a_peer_that_does_not_speak_tls_costs_nobody_anything(
    secure: Secure, caplog: pytest.LogCaptureFixture
) -> None:
    stream = await secure.raw(Calls())
    await stream.send_all(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n" * 10)
    await quiet()
    peer, socket = await secure.socket()
    socket.send_string_message("undisturbed")
    assert await peer.receive_text() == "undisturbed"
    assert not caplog.records


async def test_many_messages_of_one_turn_are_one_write(secure: Secure) -> None:
    peer, socket = await secure.socket()
    await quiet()
    stream = socket._transport._stream.transport_stream  # type: ignore[attr-defined]
    before = len(stream.writes)
    for number in range(100):
        socket.send_string_message(str(number))
    assert [await peer.receive_text() for _ in range(100)] == [str(number) for number in range(100)]
    assert len(stream.writes) == before + 1
