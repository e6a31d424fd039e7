"""HTTP over each transport that there is: what depends on when the bytes arrive."""

from __future__ import annotations

from functools import partial

import pytest
import trio

from perfectws import Routes
from perfectws.http.http11 import HTTPConnection
from perfectws.http.service import HTTPService
from perfectws.net.acceptors import serve_listener
from perfectws.net.listeners import bound_port, open_listeners
from perfectws.net.loop import open_loop
from tests.conftest import PATIENCE, Connect
from tests.http.fakes import echo_path, get
from tests.http.forms import FORM
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


async def test_a_client_that_expects_it_is_told_to_go_on_before_the_protocols_are_switched(connect: Connect) -> None:
    routes = Routes()
    routes.web_socket("/", lambda request, socket: socket.send("hello"))
    peer = await connect.to(routes)
    await peer.stream.send_all(HANDSHAKE.replace(CHUNKED.encode(), b"Expect: 100-continue"))
    data = b""
    while not data.endswith(b"hello"):
        data += await peer.stream.receive_some(65536)
    assert data.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n")
    assert data.count(b"HTTP/1.1 ") == 2


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


@pytest.mark.parametrize("behind", [b"", b"\r\n", b"\n\r\n\r\n"])
@pytest.mark.parametrize("count", [0, 1])
async def test_a_peer_that_asks_nothing_more_is_left_whatever_empty_lines_it_has_sent(
    count: int, behind: bytes
) -> None:
    routes = Routes()
    routes.add(uri="/**", handler=echo_path)
    service = HTTPService(routes.navigator, header_timeout=0.1, keep_alive_timeout=0.1, close_timeout=0.1)
    with trio.fail_after(PATIENCE):
        async with open_loop() as loop, trio.open_nursery() as accepting:
            listeners = await open_listeners("127.0.0.1", 0)
            make = partial(HTTPConnection, loop=loop, service=service)
            accepting.start_soon(serve_listener, loop, listeners[0], make)
            peer = Peer(await trio.open_tcp_stream("127.0.0.1", bound_port(listeners)))
            await peer.stream.send_all(get("/") * count + behind)
            assert (await read_to_the_end(peer)).count(b"HTTP/1.1 200 OK") == count
            await peer.vanish()
            accepting.cancel_scope.cancel()


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


@pytest.mark.parametrize("head", [get("/", CHUNKED), get("/", CHUNKED, FORM), HANDSHAKE], ids=["body", "form", "101"])
async def test_a_body_with_megabytes_around_it_is_refused_though_it_never_ends(connect: Connect, head: bytes) -> None:
    routes = Routes()
    routes.web_socket("/", lambda request, socket: socket.close())
    routes.add(uri="/**", handler=echo_path)
    peer = await connect.to(routes)
    await peer.stream.send_all(head)
    for _ in range(300):
        await peer.stream.send_all(b"1;" + b"e" * 10_000 + b"\r\nx\r\n")
    await peer.read_head()
    assert (peer.status, peer.headers["connection"]) == (400, "close")
    assert b"too much around" in await peer.read_body()
    await peer.stream.send_all(b"0\r\n\r\n" + get("/"))
    await peer.receive_eof()
    assert not peer.buffer
