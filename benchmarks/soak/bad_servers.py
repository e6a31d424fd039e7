"""What a server can do wrong to a client, one function for each kind; the path of the request says which.

Some leave by themselves at some point, one way or another. Others never do: it is the client that has to put an end to
them, by its own limits (`bad_visits`).
"""

from __future__ import annotations

import re
import struct
import zlib
from base64 import b64encode
from collections.abc import Awaitable, Callable
from hashlib import sha1
from random import Random
from typing import NamedTuple

import trio

from .wire import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Wire

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate"


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0) -> bytes:
    """Return a frame as a server sends it."""
    size = len(payload)
    if size < 126:
        length = bytes([size])
    elif size < 0x10000:
        length = b"\x7e" + struct.pack("!H", size)
    else:
        length = b"\x7f" + struct.pack("!Q", size)
    return bytes([(0x80 if fin else 0) | rsv | opcode]) + length + payload


class Visit(NamedTuple):
    """A client that has come to the wrong server.

    Attributes:
        wire: Its connection.
        request: What it asks.
        random: Where all chance comes from.
    """

    wire: Wire
    request: bytes
    random: Random

    def answer(self, *lines: str) -> bytes:
        """Return the head that opens its WebSocket."""
        key = re.search(rb"(?im)^sec-websocket-key: *(\S+)", self.request)
        accept = b64encode(sha1((key[1] if key else b"") + _GUID).digest()).decode()
        head = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
        return "\r\n".join([*head, f"Sec-WebSocket-Accept: {accept}", *lines, "", ""]).encode()

    @property
    def can_deflate(self) -> bool:
        """Whether it offers to compress."""
        return b"permessage-deflate" in self.request

    async def open(self) -> None:
        """Open its WebSocket, compressed if it likes."""
        await self.wire.send(self.answer(*([_DEFLATE] if self.can_deflate else [])))


async def serve(wire: Wire, random: Random) -> None:
    """Read a request, and do what its path says."""
    request = b""
    while b"\r\n\r\n" not in request:
        request += await wire.receive()
    name = request.split(b" ", 2)[1].decode(errors="replace").strip("/").partition("/")[0]
    await KINDS.get(name, say_nothing)(Visit(wire, request, random))  # a redirect may lead anywhere


# Instead of an answer


async def say_nothing(visit: Visit) -> None:
    """Never answer."""
    await visit.wire.until_end()


async def drip_a_head(visit: Visit) -> None:
    """Send an answer that never comes to its end, byte by byte."""
    await visit.wire.send(visit.answer()[:-2] + b"X: ")
    while True:
        await visit.wire.send(b"x")
        await trio.sleep(0.3)


async def break_the_head(visit: Visit) -> None:
    """Send what is no answer, or nearly one."""
    right = visit.answer()
    head = visit.random.choice(
        (
            b"\x00" * 50,
            b"\x15\x03\x01\x00\x02\x02\x28",
            b"HTTP/9.9 101 No\r\n\r\n",
            b"HTTP/1.1 101\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 99999999\r\n\r\n" + b"no " * 100_000,
            b"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"HTTP/1.1 302 Found\r\nLocation: /resets\r\n\r\n",
            b"HTTP/1.1 302 Found\r\nLocation: http://[\r\n\r\n",
            b"HTTP/1.1 307 Found\r\nLocation: /malformed-heads\r\nContent-Length: 0\r\n\r\n",
            right.replace(b"Accept: ", b"Accept: x"),
            right.replace(b"Upgrade: websocket\r\n", b""),
            right.replace(b"\r\n", b"\n"),
            visit.answer("Sec-WebSocket-Protocol: nobody-asked"),
            visit.answer("Sec-WebSocket-Extensions: x-nobody-offered"),
            visit.answer("Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99"),
            visit.answer("X: " + "y" * 70_000),
            visit.answer(*["X: y"] * 300),
            b"HTTP/1.1 100 Continue\r\n\r\n" * 1000,
        )
    )
    if visit.random.random() < 0.3:
        mangled = bytearray(head)
        mangled[visit.random.randrange(len(mangled))] = visit.random.randrange(256)
        head = bytes(mangled)
    await visit.wire.send(head)
    await visit.wire.listen(visit.random.random() * 2)


# Behind one


async def reset(visit: Visit) -> None:
    """Be gone in the middle of something."""
    state = visit.random.choice(("request", "head", "handshake", "session", "session", "close"))
    if state == "head":
        answer = visit.answer()
        await visit.wire.send(answer[: visit.random.randrange(1, len(answer))])
    elif state == "handshake":
        await visit.wire.send(visit.answer() + frame(TEXT, b"early"))
    elif state == "session":
        await visit.open()
        await visit.wire.send(visit.random.choice(_STATES))
    elif state == "close":
        await visit.open()
        await visit.wire.send(frame(TEXT, b"more") * 20 + frame(CLOSE, b"\x03\xe8"))
    await trio.sleep(visit.random.choice((0, 0, 0.01, 0.1, 0.5)))


#: Where a session may stand when its server is gone.
_STATES = (
    b"",
    b"\x81",
    b"\x81\x7e\xff\xffabc",
    frame(TEXT, b"a part", fin=False),
    frame(TEXT, b"a part", fin=False) + frame(PING, b"between"),
    frame(TEXT, b"whole") * 20,
    frame(PING, b"ping") * 5,
    frame(BINARY, b"much" * 50_000),
)


async def break_frames(visit: Visit) -> None:
    """Send frames that are nearly right."""
    await visit.open()
    broken = bytearray(visit.random.choice(_FRAMES))
    if visit.random.random() < 0.5:
        broken[visit.random.randrange(len(broken))] = visit.random.randrange(256)
    await visit.wire.send(bytes(broken) + visit.random.randbytes(visit.random.randrange(40)))
    await visit.wire.listen(2)


_FRAMES = (
    frame(TEXT, b"hello"),
    frame(TEXT, b"\xff\xfe"),
    frame(BINARY, b"b" * 300),
    frame(PING, b"q" * 126),
    frame(PING, b"q", fin=False),
    frame(CLOSE, b"\x03\xe8bye"),
    frame(CLOSE, b"\x03\xed"),
    frame(CLOSE, b"\x03"),
    frame(CLOSE, b"\x03\xe8\xff"),
    frame(TEXT, b"a", fin=False) + frame(CONTINUATION, b"b"),
    frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"),
    frame(CONTINUATION, b"of nothing"),
    frame(BINARY, b"\x01\x02", rsv=0x40),
    frame(BINARY, b"\x01\x02", rsv=0x20),
    frame(0x3, b"nobody knows it"),
    b"\x81\x85abcdmasked",
    b"\x82\x7f" + b"\x3f" + b"\xff" * 7,
    b"\x82\x7f" + b"\xff" * 8,
    b"\x82\x7e\x00\x05short",
)


async def send_bombs(visit: Visit) -> None:
    """Send what is small, and large once it is inflated."""
    await visit.open()
    bomb = _BOMB if visit.can_deflate else frame(BINARY, bytes(2_000_000))
    for _ in range(5):
        await visit.wire.send(bomb)
    await visit.wire.listen(2)


def _bomb() -> bytes:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = deflater.compress(bytes(20_000_000)) + deflater.flush(zlib.Z_SYNC_FLUSH)
    return frame(BINARY, data[:-4], rsv=0x40)


_BOMB = _bomb()


async def flood(visit: Visit) -> None:
    """Send as fast as it goes, and read little of what comes back."""
    await visit.open()
    size, count = visit.random.choice(((0, 500), (50, 300), (2_000, 50), (300_000, 2)))
    opcode = visit.random.choice((TEXT, TEXT, BINARY, PING, PONG))
    data = frame(opcode, b"f" * (min(size, 125) if opcode in (PING, PONG) else size)) * count
    for _ in range(10):
        with trio.move_on_after(5):
            await visit.wire.send(data)
        if visit.random.random() < 0.5:
            await visit.wire.listen(0.1)
        await trio.sleep(0.2)


async def flood_with_fragments(visit: Visit) -> None:
    """Send a message in fragments of nothing that never comes to its end."""
    await visit.open()
    await visit.wire.send(frame(TEXT, fin=False))
    while True:
        await visit.wire.send(frame(CONTINUATION, fin=False) * 500)
        await trio.sleep(0.2)


async def read_slowly(visit: Visit) -> None:
    """Take what comes a little at a time, and go some time."""
    await visit.open()
    for _ in range(visit.random.randrange(30)):
        await trio.sleep(0.3)
        await visit.wire.stream.receive_some(4096)


async def write_slowly(visit: Visit) -> None:
    """Send frames byte by byte, and answer nothing."""
    await visit.open()
    while True:
        for byte in frame(TEXT, b"slow"):
            await visit.wire.send(bytes([byte]))
            await trio.sleep(0.1)


async def be_deaf(visit: Visit) -> None:
    """Open the WebSocket, and read nothing more."""
    await visit.open()
    await trio.sleep_forever()


async def answer_nothing(visit: Visit) -> None:
    """Open the WebSocket, and answer no ping and no close."""
    await visit.open()
    await visit.wire.until_end()
    await trio.sleep_forever()


async def stay_after_the_close(visit: Visit) -> None:
    """Close the WebSocket, and not the connection."""
    await visit.open()
    await visit.wire.send(frame(TEXT, b"more") * 30 + frame(CLOSE, b"\x03\xe8"))
    await trio.sleep_forever()


async def stay_after_the_refusal(visit: Visit) -> None:
    """Refuse, in a body that does not end, and stay."""
    await visit.wire.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 1000000\r\n\r\nno")
    await trio.sleep_forever()


async def come_and_go(visit: Visit) -> None:
    """Say a word, listen for a while, and close."""
    await visit.open()
    await visit.wire.send(frame(TEXT, b"hello"))
    await visit.wire.listen(visit.random.random() * 20)
    if visit.random.random() < 0.5:
        await visit.wire.send(frame(CLOSE, b"\x03\xe9"))
        await visit.wire.listen(1)


KINDS: dict[str, Callable[[Visit], Awaitable[None]]] = {
    "silent": say_nothing,
    "dripping-heads": drip_a_head,
    "malformed-heads": break_the_head,
    "refused-but-not-gone": stay_after_the_refusal,
    "resets": reset,
    "malformed-frames": break_frames,
    "bombs": send_bombs,
    "floods": flood,
    "floods-of-fragments": flood_with_fragments,
    "slow-readers": read_slowly,
    "slow-writers": write_slowly,
    "deaf": be_deaf,
    "answering-nothing": answer_nothing,
    "closed-but-not-gone": stay_after_the_close,
    "coming-and-going": come_and_go,
}
