"""A WebSocket peer that tests hold in the hand: it sends what it is told, right or wrong, and shows what it gets.

It shares no code with perfectws: frames are built and parsed here, byte by byte.
"""

from __future__ import annotations

import os
import socket
import struct
from typing import NamedTuple

import trio

from perfectws.testing.pipes import PipeStream

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA

HANDSHAKE_KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # RFC 6455 §1.3
HANDSHAKE_ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


class Frame(NamedTuple):
    """A frame as it was on the wire."""

    opcode: int
    payload: bytes
    fin: bool = True
    rsv1: bool = False

    @property
    def close_code(self) -> int | None:
        return struct.unpack("!H", self.payload[:2])[0] if self.payload else None

    @property
    def close_reason(self) -> str:
        return self.payload[2:].decode()


def frame_bytes(
    opcode: int, payload: bytes | str = b"", fin: bool = True, rsv: int = 0, mask: bytes | None = None
) -> bytes:
    """Return a frame as a client sends it; with ``mask=b""`` as a server does."""
    data = payload.encode() if isinstance(payload, str) else payload
    mask = os.urandom(4) if mask is None else mask
    first = (0x80 if fin else 0) | rsv | opcode
    masked = 0x80 if mask else 0
    if len(data) < 126:
        header = bytes([first, masked | len(data)])
    elif len(data) < 0x10000:
        header = bytes([first, masked | 126]) + struct.pack("!H", len(data))
    else:
        header = bytes([first, masked | 127]) + struct.pack("!Q", len(data))
    if not mask:
        return header + data
    key = int.from_bytes((mask * (len(data) // 4 + 1))[: len(data)], "little")
    return header + mask + (int.from_bytes(data, "little") ^ key).to_bytes(len(data), "little")


def close_payload(code: int, reason: str = "") -> bytes:
    return struct.pack("!H", code) + reason.encode()


class Peer:
    """One end of a connection, as a client has it."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.buffer = bytearray()
        self.status = 0
        self.headers: dict[str, str] = {}

    async def handshake(self, path: str = "/", headers: list[tuple[str, str]] | None = None, more: bytes = b"") -> None:
        """Open a WebSocket; ``more`` follows the request in the same segment."""
        lines = [f"GET {path} HTTP/1.1", "Host: test", "Upgrade: websocket", "Connection: Upgrade"]
        lines += [f"Sec-WebSocket-Key: {HANDSHAKE_KEY}", "Sec-WebSocket-Version: 13"]
        lines += [f"{name}: {value}" for name, value in headers or []]
        await self.stream.send_all(("\r\n".join(lines) + "\r\n\r\n").encode() + more)
        await self.read_head()

    async def read_head(self) -> None:
        """Read a response's head into `status` and `headers`."""
        while b"\r\n\r\n" not in self.buffer:
            await self._fill()
        head, _, rest = bytes(self.buffer).partition(b"\r\n\r\n")
        self.buffer = bytearray(rest)
        first, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(first.split()[1])
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}

    async def read_body(self) -> bytes:
        """Read the body of a response that has a Content-Length."""
        size = int(self.headers["content-length"])
        while len(self.buffer) < size:
            await self._fill()
        body = bytes(self.buffer[:size])
        del self.buffer[:size]
        return body

    async def send(self, opcode: int, payload: bytes | str = b"", fin: bool = True, rsv: int = 0) -> None:
        await self.stream.send_all(frame_bytes(opcode, payload, fin, rsv))

    async def send_text(self, text: str) -> None:
        await self.send(TEXT, text)

    async def send_close(self, code: int | None = 1000, reason: str = "") -> None:
        await self.send(CLOSE, b"" if code is None else close_payload(code, reason))

    async def receive(self) -> Frame:
        """Return the next frame. Raises `EOFError` at the end of the stream."""
        while (frame := self._parse()) is None:
            await self._fill()
        return frame

    async def receive_text(self) -> str:
        frame = await self.receive()
        assert frame.opcode == TEXT, frame
        return frame.payload.decode()

    async def receive_close(self) -> Frame:
        """Return the close frame, past whatever comes before it."""
        while (frame := await self.receive()).opcode != CLOSE:
            pass
        return frame

    async def receive_eof(self) -> None:
        """Read to the end of the stream, past whatever comes before it."""
        try:
            while True:
                await self._fill()
        except EOFError:
            pass

    async def close_handshake(self, code: int = 1000, reason: str = "") -> Frame:
        """Close as a client should: send, await the answer, await the end, close."""
        await self.send_close(code, reason)
        frame = await self.receive_close()
        await self.receive_eof()
        await self.stream.aclose()
        return frame

    async def vanish(self) -> None:
        """Be gone, without a word of farewell."""
        await trio.aclose_forcefully(self.stream)

    async def end(self) -> None:
        """Say that nothing more will be sent: over TLS by close_notify, which reads up to the server's own."""
        if not isinstance(self.stream, trio.SSLStream):
            assert isinstance(self.stream, trio.abc.HalfCloseableStream)
            await self.stream.send_eof()
            return
        try:
            self.stream, _ = await self.stream.unwrap()  # which leaves what is below it open, for `vanish`
        except trio.BrokenResourceError:
            pass  # the server said something else, or left without one

    def reset(self) -> None:
        """Be gone with a reset, as a machine that crashed and came back: even what was sent may be lost."""
        raw = self.stream.transport_stream if isinstance(self.stream, trio.SSLStream) else self.stream
        if isinstance(raw, trio.SocketStream):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raw.socket.close()
        else:
            assert isinstance(self.stream, PipeStream)
            self.stream.reset()

    async def _fill(self) -> None:
        try:
            data = await self.stream.receive_some(65536)
        except trio.BrokenResourceError:
            data = b""
        if not data:
            raise EOFError("the stream ended")
        self.buffer += data

    def _parse(self) -> Frame | None:
        data = self.buffer
        if len(data) < 2:
            return None
        assert not data[1] & 0x80, "a server must not mask"
        length, start = data[1] & 0x7F, 2
        if length >= 126:
            size = 2 if length == 126 else 8
            if len(data) < 2 + size:
                return None
            length, start = int.from_bytes(data[2 : 2 + size], "big"), 2 + size
        if len(data) < start + length:
            return None
        frame = Frame(data[0] & 0x0F, bytes(data[start : start + length]), bool(data[0] & 0x80), bool(data[0] & 0x40))
        del self.buffer[: start + length]
        return frame


async def is_told_the_end(stream: trio.abc.ReceiveStream) -> bool:
    """Read to the end of what comes over TLS. Return whether a closure alert tells it, without which trio raises."""
    try:
        while await stream.receive_some(65536):
            pass
    except trio.BrokenResourceError:
        return False
    return True
