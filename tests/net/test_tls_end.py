"""Whoever ends TLS says so: also where a connection is closed at once, as far as that takes no waiting."""

from __future__ import annotations

import ssl
import sys
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing

from perfectws import HTTPRequest, HTTPResponse, Routes, WebSocket
from perfectws.http.http11 import HTTPConnection
from perfectws.http.service import HTTPService
from perfectws.net.tls_end import close_at_once
from perfectws.transport import Transport

from ..calls import Calls
from ..conftest import PATIENCE
from ..peer import Peer, is_told_the_end
from .test_reactor import Recorder
from .tls_server import Server, by_hand

if sys.platform != "linux":
    pytest.skip("only Linux has a reactor", allow_module_level=True)


async def test_an_abort_says_so(either: Server) -> None:
    stream = await either.stream()
    transport, _ = await either.until_made()
    transport.write(b"first")
    assert await stream.receive_some() == b"first"
    transport.abort()
    assert await is_told_the_end(stream)
    await either.until_empty()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("way", ["abort", "close"])
async def test_it_is_said_though_records_have_come_that_nobody_reads(
    either: Server, way: str, version: ssl.TLSVersion
) -> None:
    either.client.minimum_version = either.client.maximum_version = version

    class OneOnly(Recorder):
        def __init__(self, transport: Transport) -> None:
            super().__init__()
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            self.transport.pause_reading()
            super().data_received(data)

    either.begin(OneOnly)
    client = await by_hand(either)
    await client.stream.send_all(client.encrypt(*[b"unread"] * 10) + b"\x17\x03\x03")
    transport, recorder = await either.until_made()
    while not recorder.events:
        await recorder.changed.wait()
    transport.abort() if way == "abort" else transport.close(5)
    assert await client.read_all() == b""  # which asserts that the alert comes
    client.stream.socket.close()
    await either.until_empty()


async def test_an_abort_behind_a_record_that_is_half_sent_says_nothing_and_waits_for_nobody(either: Server) -> None:
    stream = await either.stream()
    transport, _ = await either.until_made()
    transport.write(b"x" * (64 << 20))
    await trio.sleep(0.1)  # the kernel is full
    transport.abort()
    await either.until_empty()
    assert not await is_told_the_end(stream)


async def test_an_abort_within_the_handshake_has_nothing_to_say(server_context: ssl.SSLContext) -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    stream = trio.SSLStream(theirs, server_context, server_side=True)
    with trio.move_on_after(0):
        await stream.do_handshake()
    with trio.fail_after(PATIENCE):
        await close_at_once(stream)
        assert await ours.receive_some() == b""


async def test_who_is_cut_off_cuts_off(either: Server) -> None:
    client = await by_hand(either)
    _, recorder = await either.until_made()
    await client.stream.send_eof()
    with pytest.raises(AssertionError, match="cut off"):
        await client.read_all()
    await either.until_empty()
    assert any(event[0] == "lost" for event in recorder.events)


async def test_what_is_unfinished_is_cut_off(either: Server) -> None:
    class Unfinished(Recorder):
        is_unfinished = True

    either.begin(lambda transport: Unfinished())
    stream = await either.stream()
    transport, _ = await either.until_made()
    transport.abort()
    assert not await is_told_the_end(stream)


@pytest.mark.parametrize(
    ("request_line", "told"),
    [("GET / HTTP/1.1\r\nHost: test", True), ("GET / HTTP/1.0", False)],
    ids=["chunks", "up to the end of the connection"],
)
@pytest.mark.parametrize("way", ["the server stops", "the handler fails"])
async def test_a_response_that_only_the_end_would_end_is_not_ended_by_a_break(
    either: Server, request_line: str, told: bool, way: str
) -> None:
    responses: list[HTTPResponse] = []

    def begin(request: HTTPRequest, response: HTTPResponse) -> None:
        response.append_body("half").push()
        responses.append(response)

    routes = Routes()
    routes.add("GET", "/", begin)
    either.begin(partial(HTTPConnection, loop=either.loop, service=HTTPService(routes.navigator)))
    stream = await either.stream()
    await stream.send_all(f"{request_line}\r\n\r\n".encode())
    data = b""
    while b"half" not in data:
        data += await stream.receive_some()
    if way == "the server stops":
        await either.connections.end(0)
    else:
        _, connection = await either.until_made()
        connection.abandon(responses[0], ValueError("on purpose"))
    assert await is_told_the_end(stream) is told


async def websocket(either: Server, **options: Any) -> tuple[Peer, WebSocket]:
    """Open a WebSocket whose peer answers nothing."""
    opened = Calls()
    either.begin_sessions(opened, **options)
    peer = Peer(await either.stream())
    await peer.handshake()
    ((_, socket),) = await opened.until(1)
    return peer, socket


async def test_a_peer_that_answers_no_ping_is_told_the_end(either: Server) -> None:
    peer, socket = await websocket(either, ping_interval=0.05, ping_timeout=0.05)
    assert await is_told_the_end(peer.stream)
    await socket.on_close
    assert socket.close_code == 1006


async def test_a_peer_that_answers_no_close_frame_is_told_once_close_timeout_has_passed(either: Server) -> None:
    peer, socket = await websocket(either, close_timeout=0.05)
    socket.close(4001)
    assert await is_told_the_end(peer.stream)
    await socket.on_close


async def test_a_peer_that_answers_nothing_is_told_when_the_server_stops(either: Server) -> None:
    peer, _ = await websocket(either)
    await either.connections.end(0.05)
    assert await is_told_the_end(peer.stream)
