"""A connection of a hostile peer: raw bytes, frames built by hand, and every way to leave."""

from __future__ import annotations

import socket
import ssl
import struct
from random import Random

import trio

from .places import Place

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA

#: What a peer meets that is being dropped, reset or refused.
LEFT = (OSError, EOFError, trio.BrokenResourceError, trio.ClosedResourceError, ssl.SSLError)


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, mask: bytes = b"\x00\x00\x00\x00"
) -> bytes:
    """Return a frame as a client sends it. The default mask leaves the payload as it is."""
    size = len(payload)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 0x10000:
        length = b"\xfe" + struct.pack("!H", size)
    else:
        length = b"\xff" + struct.pack("!Q", size)
    if any(mask):
        key = int.from_bytes((mask * (size // 4 + 1))[:size], "little")
        payload = (int.from_bytes(payload, "little") ^ key).to_bytes(size, "little")
    return bytes([(0x80 if fin else 0) | rsv | opcode]) + length + mask + payload


def handshake(path: str, *lines: str) -> bytes:
    """Return the request that opens a WebSocket."""
    head = [f"GET {path} HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade"]
    head += ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", *lines]
    return ("\r\n".join(head) + "\r\n\r\n").encode()


def request(method: str, path: str, *lines: str) -> bytes:
    """Return a request without a body."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *lines, "", ""]).encode()


#: What stands between the parts of an upload.
_BOUNDARY = b"--soak--"
UPLOAD_TYPE = f"multipart/form-data; boundary={_BOUNDARY.decode()}"


def upload(content: bytes) -> bytes:
    """Return the body of a request that uploads a file."""
    head = b'Content-Disposition: form-data; name="file"; filename="soak.bin"\r\n\r\n'
    return b"--" + _BOUNDARY + b"\r\n" + head + content + b"\r\n--" + _BOUNDARY + b"--\r\n"


def _frame_size(data: bytes) -> int | None:
    """Return the size of the frame that begins ``data``, which a server has sent; ``None`` if it is not there yet."""
    if len(data) < 10 and (len(data) < 2 or data[1] > 125):
        return None
    start = {126: 4, 127: 10}.get(data[1], 2)
    size = start + (data[1] if start == 2 else int.from_bytes(data[2:start], "big"))
    return size if size <= len(data) else None


class Wire:
    """One connection.

    Attributes:
        place: Where it leads.
        stream: What carries it.
    """

    def __init__(self, place: Place, stream: trio.abc.Stream) -> None:
        self.place = place
        self.stream = stream
        #: What came behind the head of an upgrade.
        self._received = b""

    async def send(self, data: bytes) -> None:
        """Send all of it, whatever becomes of it."""
        await self.stream.send_all(data)

    async def receive(self) -> bytes:
        """Receive something. Raises `EOFError` at the end."""
        data = await self.stream.receive_some(65536)
        if not data:
            raise EOFError
        return bytes(data)

    async def upgrade(self, path: str, *lines: str) -> None:
        """Open a WebSocket, and read the head of the answer, with whatever comes behind it."""
        await self.send(handshake(path, *lines))
        received = b""
        while b"\r\n\r\n" not in received:
            received += await self.receive()
        self._received = received.partition(b"\r\n\r\n")[2]

    async def until_end(self) -> None:
        """Read to the end, and answer nothing."""
        while True:
            await self.receive()

    async def answer_pings(self) -> None:
        """Read to the end, and answer every ping."""
        received = self._received
        while True:
            while (size := _frame_size(received)) is not None:
                whole, received = received[:size], received[size:]
                if whole[0] & 0x0F == PING:
                    await self.send(frame(PONG, whole[2:]))
            received += await self.receive()

    async def listen(self, seconds: float) -> None:
        """Read for a while."""
        with trio.move_on_after(seconds):
            await self.until_end()

    async def leave(self, random: Random) -> None:
        """Be gone, one way or another."""
        with trio.CancelScope(shield=True):
            if random.random() < 0.5:
                self._reset()
            elif random.random() < 0.5:
                with trio.move_on_after(1):
                    await self.stream.aclose()  # over TLS with a farewell
            await trio.aclose_forcefully(self.stream)

    def _reset(self) -> None:
        """Let the kernel say that the connection is broken: what the server has sent may be lost."""
        raw = self.stream.transport_stream if isinstance(self.stream, trio.SSLStream) else self.stream
        if isinstance(raw, trio.SocketStream) and raw.socket.family != socket.AF_UNIX:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
