"""Peers that send all they have to say in segments of one byte, over TLS in records of one byte, without a pause."""

from __future__ import annotations

import json
import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from perfectws import EventLoop, WebSocket

from ..conftest import PATIENCE
from ..peer import CONTINUATION, PING, PONG, TEXT, frame_bytes
from .serving import memory_of, serving

PEERS = 3
#: Every so many messages a ping is between the parts of one: more of them would be a flood to the server.
PING_EACH = 100
UPGRADE = (
    b"GET /echo HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
#: A request in chunks, and how long its body is.
POST = (
    b"POST /measure HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n7;a=b\r\n, world\r\n0\r\n\r\n"
)
POSTED = 12


class Dripping:
    """A connection over which each byte is sent alone.

    Args:
        port: The server's port.
        tls: What makes it TLS.
    """

    def __init__(self, port: int, tls: ssl.SSLContext | None) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self._socket = tls.wrap_socket(self._socket, server_hostname="127.0.0.1")
        self._received = b""
        self.sent = 0

    def close(self) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        for position in range(len(data)):
            self._socket.send(data[position : position + 1])
        self.sent += len(data)

    def expect(self, data: bytes) -> None:
        """See that this comes, and nothing before it."""
        while len(self._received) < len(data):
            received = self._socket.recv(65536)
            assert received, "the server has ended the connection"
            self._received += received
        assert self._received[: len(data)] == data
        self._received = self._received[len(data) :]

    def read_head(self) -> bytes:
        while b"\r\n\r\n" not in self._received:
            received = self._socket.recv(65536)
            assert received, "the server has ended the connection"
            self._received += received
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        return head


def drip(port: int, tls: ssl.SSLContext | None, until: float) -> int:
    """Ask, open a WebSocket and talk; return how many bytes that took."""
    with closing(Dripping(port, tls)) as peer:
        peer.send(POST)
        assert peer.read_head().startswith(b"HTTP/1.1 200")
        peer.expect(json.dumps([POSTED]).encode())
        peer.send(UPGRADE)
        assert peer.read_head().startswith(b"HTTP/1.1 101")
        number = 0
        while time.monotonic() < until or not number:
            number += 1
            text = f"{number}: grüße ☃ 😀"
            peer.send(frame_bytes(TEXT, text[:4], fin=False))
            if number % PING_EACH == 1:
                peer.send(frame_bytes(PING, b"between"))
                peer.expect(frame_bytes(PONG, b"between", mask=b""))
            peer.send(frame_bytes(CONTINUATION, text[4:].encode()))
            peer.expect(frame_bytes(TEXT, text, mask=b""))
        return peer.sent


def talk(neighbour: WebSocket, text: str) -> None:
    """Send a message, and see that it is answered."""
    neighbour.send(text)
    assert neighbour.receive().wait(PATIENCE) == text


def test_each_is_answered_rightly_and_the_others_wait_for_nobody(
    tls: str | None, trusting: ssl.SSLContext, is_long: bool
) -> None:
    seconds = 120.0 if is_long else 0.5
    context = None if tls is None else trusting
    with (
        serving({"ping_interval": None}, certificate=tls) as server,
        ThreadPoolExecutor(PEERS) as threads,
        EventLoop() as loop,
    ):
        # Our own: that of `serving` would have its `SSLSocket` in two threads, and may take what is whole for cut off.
        address = f"{'ws' if tls is None else 'wss'}://127.0.0.1:{server.port}/echo"
        neighbour = WebSocket.connect(to=address, on=loop, ssl_context=context).wait(PATIENCE)
        talk(neighbour, "before")
        until = time.monotonic() + seconds
        peers = [threads.submit(drip, server.port, context, until) for _ in range(PEERS)]
        waits: list[float] = []
        half_way = 0
        while not half_way or time.monotonic() < until:
            began = time.monotonic()
            talk(neighbour, "meanwhile")
            waits.append(time.monotonic() - began)
            time.sleep(0.02)
            if not half_way and time.monotonic() > until - seconds / 2:
                half_way = memory_of(server.process.pid)
        sent = [peer.result(PATIENCE) for peer in peers]
        assert min(sent) > len(POST) + len(UPGRADE)
        assert max(waits) < 2.0
        assert memory_of(server.process.pid) < half_way + 8 * 1024 * 1024
        neighbour.close().wait(PATIENCE)
        assert server.stop() == 0
        assert server.complaints() == []
