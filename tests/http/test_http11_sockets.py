"""HTTP over each transport that there is: what depends on when the bytes arrive."""

from __future__ import annotations

import pytest
import trio

from perfectws import Routes
from tests.conftest import Connect
from tests.http.fakes import echo_path, get
from tests.peer import HANDSHAKE_KEY, TEXT, Peer, frame_bytes

CHUNKED = "Transfer-Encoding: chunked"
HANDSHAKE = get(
    "/",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    f"Sec-WebSocket-Key: {HANDSHAKE_KEY}",
    CHUNKED,
)


def chunks(count: int) -> bytes:
    """Return a body of ``count`` chunks of one byte."""
    return b"1\r\nx\r\n" * count + b"0\r\n\r\n"


async def read_to_the_end(peer: Peer) -> bytes:
    data = b""
    while more := await peer.stream.receive_some(65536):
        data += more
    return data


@pytest.mark.parametrize("gap", [0, 0.0005])
@pytest.mark.parametrize("count", [70, 200, 600])
async def test_a_request_behind_many_chunks_is_read_in_order_when_it_comes_in_two_pieces(
    connect: Connect, count: int, gap: float
) -> None:
    routes = Routes()
    routes.add(uri="/**", handler=echo_path)
    last = get("/2", "A: abcdefghij", "Connection: close")
    for cut in (1, 5, 30):
        peer = await connect.to(routes)
        await peer.stream.send_all(get("/1", CHUNKED) + chunks(count) + last[:cut])
        await trio.sleep(gap)
        await peer.stream.send_all(last[cut:])
        answers = await read_to_the_end(peer)
        assert answers.count(b"HTTP/1.1 200 OK") == answers.count(b"HTTP/1.1 ") == 2
        assert answers.endswith(b"\r\n\r\nGET /2 ")
        assert b"\r\n\r\nGET /1 " + b"x" * count + b"HTTP/1.1" in answers


async def test_frames_behind_the_many_chunks_of_a_handshake_arrive_in_order(connect: Connect) -> None:
    routes = Routes()
    routes.web_socket("/", lambda request, socket: socket.on_text(lambda socket, text: socket.send(text)))
    texts = ["message 1", "message 2", "message 3"]
    behind = b"".join(frame_bytes(TEXT, text) for text in texts)
    for cut in (1, 3, 20):
        peer = await connect.to(routes)
        await peer.stream.send_all(HANDSHAKE + chunks(100) + behind[:cut])
        await peer.stream.send_all(behind[cut:])
        await peer.read_head()
        assert peer.status == 101
        assert [await peer.receive_text() for _ in texts] == texts
