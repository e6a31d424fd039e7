"""A WebSocket server that tests hold in the hand: it answers what it is told, right or wrong.

It shares no code with perfectws: what comes is taken apart here, byte by byte.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import trio

from ..peer import CLOSE, close_payload, frame_bytes

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3


class MaskedFrame(NamedTuple):
    """A client's frame."""

    opcode: int
    payload: bytes
    fin: bool
    rsv1: bool
    mask: bytes

    @property
    def close_code(self) -> int | None:
        return struct.unpack("!H", self.payload[:2])[0] if self.payload else None


class RawConnection:
    """One connection, as the server has it."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.buffer = bytearray()
        self.request_line = ""
        self.headers: dict[str, str] = {}

    async def read_request(self) -> None:
        while b"\r\n\r\n" not in self.buffer:
            await self._fill()
        head, _, rest = bytes(self.buffer).partition(b"\r\n\r\n")
        self.buffer = bytearray(rest)
        self.request_line, *lines = head.decode().split("\r\n")
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}

    @property
    def accept_key(self) -> str:
        key = self.headers["sec-websocket-key"].encode()
        return base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()

    def response(self, *headers: str, accept: str | None = None) -> bytes:
        """A 101, with more headers and perhaps a wrong key."""
        lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: WebSocket", "Connection: keep-alive, Upgrade"]
        lines += [f"Sec-WebSocket-Accept: {self.accept_key if accept is None else accept}", *headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    async def upgrade(self, *headers: str, more: bytes = b"") -> None:
        """Read the request and accept it; ``more`` follows in the same segment."""
        await self.read_request()
        await self.stream.send_all(self.response(*headers) + more)

    async def send(self, opcode: int, payload: bytes | str = b"", fin: bool = True, rsv: int = 0) -> None:
        await self.stream.send_all(frame_bytes(opcode, payload, fin, rsv, mask=b""))

    async def receive(self) -> MaskedFrame:
        """Return the next frame. Raises `EOFError` at the end of the stream."""
        while (frame := self._parse()) is None:
            await self._fill()
        return frame

    async def receive_close(self) -> MaskedFrame:
        while (frame := await self.receive()).opcode != CLOSE:
            pass
        return frame

    async def close_handshake(self, code: int = 1000, reason: str = "") -> MaskedFrame:
        """Close as a server should: send, await the answer, end."""
        await self.send(CLOSE, close_payload(code, reason))
        frame = await self.receive_close()
        await self.stream.aclose()
        return frame

    async def receive_eof(self) -> None:
        try:
            while True:
                await self._fill()
        except EOFError:
            pass

    async def _fill(self) -> None:
        try:
            data = await self.stream.receive_some(65536)
        except trio.BrokenResourceError:
            data = b""
        if not data:
            raise EOFError("the stream ended")
        self.buffer += data

    def _parse(self) -> MaskedFrame | None:
        data = self.buffer
        if len(data) < 2:
            return None
        assert data[1] & 0x80, "a client must mask"
        length, start = data[1] & 0x7F, 2
        if length >= 126:
            size = 2 if length == 126 else 8
            if len(data) < 2 + size:
                return None
            length, start = int.from_bytes(data[2 : 2 + size], "big"), 2 + size
        end = start + 4 + length
        if len(data) < end:
            return None
        mask = bytes(data[start : start + 4])
        key = (mask * (length // 4 + 1))[:length]  # as one number: a byte at a time would take the most of some tests
        payload = (int.from_bytes(data[start + 4 : end], "big") ^ int.from_bytes(key, "big")).to_bytes(length, "big")
        frame = MaskedFrame(data[0] & 0x0F, payload, bool(data[0] & 0x80), bool(data[0] & 0x40), mask)
        del self.buffer[:end]
        return frame


class RawServer:
    """A listener on a loopback port."""

    def __init__(self, listener: trio.SocketListener) -> None:
        self._listener = listener
        self._connections: list[RawConnection] = []
        self.port: int = listener.socket.getsockname()[1]
        self.url = f"ws://127.0.0.1:{self.port}/"

    @classmethod
    @asynccontextmanager
    async def listen(cls) -> AsyncIterator[RawServer]:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        async with listener:
            server = cls(listener)
            try:
                yield server
            finally:
                for connection in server._connections:
                    await trio.aclose_forcefully(connection.stream)

    async def accept(self) -> RawConnection:
        connection = RawConnection(await self._listener.accept())
        self._connections.append(connection)
        return connection
