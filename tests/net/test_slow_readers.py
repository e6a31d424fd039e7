"""A slow but steady reader is served to the end: what ends a connection counts from the kernel's progress."""

from __future__ import annotations

from functools import partial

import pytest
import trio

from perfectws import HTTPRequest, HTTPResponse, Routes
from perfectws.http.service import HTTPService

from ..conftest import Connect
from ..peer import CLOSE, Frame, Peer

#: What is sent: more than the kernel keeps between two sockets.
SIZE = 6 * 1024 * 1024
#: The linger and the close timeout, in seconds: a tenth of the time that the reading takes.
TIMEOUT = 0.3
PIECE = 256 * 1024


async def read_slowly(peer: Peer) -> int:
    """Read to the end, a piece at a time, and return how many bytes there were."""
    count = len(peer.buffer)
    while True:
        await trio.sleep(0.1)
        piece = 0
        while piece < PIECE:
            try:
                data = await peer.stream.receive_some(PIECE - piece)
            except trio.BrokenResourceError:
                return count
            if not data:
                return count
            piece += len(data)
            count += len(data)


@pytest.mark.slow
async def test_a_response_that_ends_its_connection_arrives_whole(
    network_connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.conftest.HTTPService", partial(HTTPService, close_timeout=TIMEOUT))
    routes = Routes()

    @routes.add("GET", "/")
    def answer(request: HTTPRequest, response: HTTPResponse) -> None:
        response.set_body(bytes(SIZE)).completed()

    peer = await network_connect.to(routes)
    await peer.stream.send_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    await peer.read_head()
    assert await read_slowly(peer) == SIZE


@pytest.mark.slow
async def test_a_message_before_a_close_arrives_whole_and_so_does_the_close(network_connect: Connect) -> None:
    peer, socket = await network_connect.socket(close_timeout=TIMEOUT)
    socket.send(bytes(SIZE))
    socket.close()
    reading = Slowly(peer)
    frame = await reading.receive()
    assert len(frame.payload) == SIZE
    assert (await peer.receive()).opcode == CLOSE
    await peer.send_close()
    await socket.on_close
    assert socket.close_code == 1000


class Slowly:
    """A peer that reads a piece now and then."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    async def receive(self) -> Frame:
        """Return the first frame."""
        peer = self._peer
        while len(peer.buffer) < SIZE:
            await trio.sleep(0.1)
            piece = 0
            while piece < PIECE and len(peer.buffer) < SIZE:
                data = await peer.stream.receive_some(PIECE - piece)
                assert data, "the connection was cut off"
                peer.buffer += data
                piece += len(data)
        return await peer.receive()


async def test_a_peer_that_takes_nothing_is_dropped_when_that_has_lasted_for_close_timeout(
    network_connect: Connect,
) -> None:
    _, socket = await network_connect.socket(close_timeout=TIMEOUT)
    socket.send(bytes(SIZE))
    socket.close()
    with trio.fail_after(10 * TIMEOUT + 5):
        await socket.on_close
    assert socket.close_code == 1000
