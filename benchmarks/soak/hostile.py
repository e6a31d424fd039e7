"""Hostile peers: what a peer can do wrong, one function for each kind.

Attacks leave by themselves, at some point, one way or another. Squatters never do: it is the server that has to put an
end to them, also once all others are gone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from math import inf
from typing import NamedTuple

import trio

from .places import TRANSPORTS, Place
from .scene import Scene
from .wire import (
    BINARY,
    CLOSE,
    CONTINUATION,
    LEFT,
    PING,
    TEXT,
    UPLOAD_TYPE,
    Wire,
    frame,
    handshake,
    request,
    upload,
)

_DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate"
#: Sessions that read on. Beside one that does not, a living peer may stay as long as it likes.
_READING = ("/echo", "/messages", "/compressed", "/later", "/raising", "/torrent")
_ENDPOINTS = (*_READING, "/silent")


class Kind(NamedTuple):
    """A kind of hostile peer.

    Attributes:
        act: What it does with a connection.
        share: How many of a hundred connections it has.
        squats: Whether it stays until it is dropped.
        drips: Whether it sends a byte now and then while it stays.
        transports: Over which it comes.
    """

    act: Callable[[Scene, Wire], Awaitable[None]]
    share: int
    squats: bool = False
    drips: bool = False
    transports: tuple[str, ...] = TRANSPORTS


async def run(scene: Scene, name: str, kind: Kind) -> None:
    """Let one peer come and go; a squatter goes too, in case nobody puts an end to it."""
    scene.tally.attacks[name] += 1
    place = scene.strict_place(kind.transports) if kind.squats else scene.any_place()
    try:
        async with _opened(scene, place) as wire:
            await kind.act(scene, wire)
            if kind.squats:
                await _stay(kind, wire, 10)
    except LEFT:
        pass  # dropped, refused, reset: as it should be


async def hold(scene: Scene, name: str, kind: Kind, begun: Callable[[], object]) -> None:
    """Let a squatter come, and stay until cancelled, whatever the server does.

    Calls back:
        ``begun()`` once, when it squats.
    """
    scene.tally.attacks[name] += 1
    try:
        async with _opened(scene, scene.strict_place(kind.transports)) as wire:
            await kind.act(scene, wire)
            begun()
            begun = _nothing
            await _stay(kind, wire, inf)
    except LEFT:
        pass  # dropped while it was at it
    begun()


def _nothing() -> None:
    pass


async def _stay(kind: Kind, wire: Wire, seconds: float) -> None:
    """Stay for so long, and read nothing; some send a byte now and then."""
    with trio.move_on_after(seconds):
        while kind.drips:
            await trio.sleep(0.3)
            await wire.send(b"x")
        await trio.sleep_forever()


@asynccontextmanager
async def _opened(scene: Scene, place: Place) -> AsyncIterator[Wire]:
    async with scene.opening():
        wire = Wire(place, await scene.places.open(place))
    try:
        yield wire
    finally:
        await wire.leave(scene.random)


# Attacks


async def idle(scene: Scene, wire: Wire) -> None:
    """Open a WebSocket, say a word, answer pings, and go some time."""
    await wire.upgrade(scene.random.choice(_ENDPOINTS))
    await wire.send(frame(TEXT, b"hello"))
    with trio.move_on_after(scene.random.random() * 120):
        await wire.answer_pings()
    if scene.random.random() < 0.5:
        await wire.send(frame(CLOSE, b"\x03\xe8"))
        await wire.listen(1)


async def read_slowly(scene: Scene, wire: Wire) -> None:
    """Ask for much, and take it a little at a time, or not at all."""
    kind = scene.random.choice(("room", "torrent", "file"))
    if kind == "room" and scene.rooms:
        await wire.upgrade(f"/room/{scene.random.choice(sorted(scene.rooms))}")
    elif kind == "file":
        await wire.send(request("GET", "/files/vast"))
    else:
        await wire.upgrade("/torrent")
    for _ in range(scene.random.randrange(30)):
        await trio.sleep(0.5)
        if scene.random.random() < 0.5:
            await wire.stream.receive_some(4096)


async def flood(scene: Scene, wire: Wire) -> None:
    """Send as fast as it goes, and read little of what comes back."""
    path = scene.random.choice(_ENDPOINTS)
    await wire.upgrade(path)
    size, count = scene.random.choice(((0, 500), (50, 300), (2_000, 50), (300_000, 2)))
    opcode = scene.random.choice((TEXT, TEXT, BINARY, PING))
    payload = b"f" * (min(size, 125) if opcode == PING else size)
    for _ in range(10):
        with trio.move_on_after(5):
            await wire.send(frame(opcode, payload, mask=scene.random.randbytes(4)) * count)
        if scene.random.random() < 0.5:
            await wire.listen(0.1)
        await trio.sleep(0.2)


async def flood_with_requests(scene: Scene, wire: Wire) -> None:
    """Send many requests in a row, and read few of the responses."""
    target = scene.random.choice(("/hello", "/files/small", "/files/large", "/late", "/raising", "/nowhere"))
    with trio.move_on_after(5):
        await wire.send(request("GET", target) * 200)
    await wire.listen(scene.random.random())


async def reset(scene: Scene, wire: Wire) -> None:
    """Be gone in the middle of something."""
    choose = scene.random.choice
    state = choose(("nothing", "head", "body", "upload", "response", "handshake", "session", "room"))
    if state == "head":
        await wire.send(handshake("/echo")[: scene.random.randrange(1, 150)])
    elif state == "body":
        await wire.send(request("POST", "/post", "Content-Length: 100") + b"half of it")
    elif state == "upload":
        body = upload(bytes(1_000_000))
        head = request("POST", "/upload", f"Content-Type: {UPLOAD_TYPE}", f"Content-Length: {len(body)}")
        await wire.send(head + body[: scene.random.randrange(len(body))])
    elif state == "response":
        await wire.send(request("GET", choose(("/files/large", "/late", "/async", "/half", "/dead"))))
    elif state == "handshake":
        await wire.send(handshake(choose(_ENDPOINTS)) + frame(TEXT, b"early"))
    elif state == "session":
        await wire.upgrade(choose(_ENDPOINTS), *choose(((), (_DEFLATE,))))
        await wire.send(choose(_STATES))
    elif state == "room" and scene.rooms:
        await wire.upgrade(f"/room/{choose(sorted(scene.rooms))}")
    await trio.sleep(choose((0, 0, 0.01, 0.1)))


#: Where a session may stand when its peer is gone.
_STATES = (
    b"\x81",
    b"\x81\xfe\xff\xff\x00\x00\x00\x00abc",
    frame(TEXT, b"a part", fin=False),
    frame(TEXT, b"a part", fin=False) + frame(PING, b"between"),
    frame(TEXT, b"whole") * 20,
    frame(PING, b"ping") * 5,
    frame(CLOSE, b"\x03\xe8"),
    frame(BINARY, b"much" * 50_000),
)


async def break_frames(scene: Scene, wire: Wire) -> None:
    """Send frames that are nearly right."""
    await wire.upgrade(scene.random.choice(_ENDPOINTS), _DEFLATE)
    broken = bytearray(scene.random.choice(_FRAMES))
    broken[scene.random.randrange(len(broken))] = scene.random.randrange(256)
    await wire.send(bytes(broken) + scene.random.randbytes(scene.random.randrange(40)))
    await wire.listen(1)


_FRAMES = (
    frame(TEXT, b"hello"),
    frame(TEXT, b"\xff\xfe"),
    frame(TEXT, b"\xf0\x9f\x98\x80", mask=b"abcd"),
    frame(BINARY, b"b" * 300),
    frame(PING, b"q"),
    frame(CLOSE, b"\x03\xe8bye"),
    frame(TEXT, b"a", fin=False) + frame(CONTINUATION, b"b"),
    frame(TEXT, b"\xf2\x48\xcd\xc9\xc9\x07\x00", rsv=0x40),
    frame(BINARY, b"\x01\x02", rsv=0x40),
    frame(CONTINUATION, b"of nothing"),
)


async def break_heads(scene: Scene, wire: Wire) -> None:
    """Send what is no request, or nearly one."""
    head = scene.random.choice(_HEADS)
    if scene.random.random() < 0.3:
        mangled = bytearray(head)
        mangled[scene.random.randrange(len(mangled))] = scene.random.randrange(256)
        head = bytes(mangled)
    await wire.send(head)
    await wire.listen(1)


_HEADS = (
    b"\x00" * 50,
    b"\x16\x03\x01\x02\x00\x01\x00",
    b"GET\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET / HTTP/1.1\nHost: a\n\n",
    b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 200 + b"\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 70_000,
    b"POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    b"POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n",
    b"POST /post HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST /post HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    b"POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    handshake("/echo").replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"short"),
    handshake("/echo").replace(b"Version: 13", b"Version: 8"),
    handshake("/echo", "Sec-WebSocket-Extensions: permessage-deflate; a=b; a=b, ;,"),
    handshake("/nowhere"),
)


async def ask_the_dead(scene: Scene, wire: Wire) -> None:
    """Ask handlers that never answer, never end or raise, perhaps with more behind it, and lose patience."""
    await wire.send(request("GET", scene.random.choice(("/dead", "/half", "/raising"))))
    if scene.random.random() < 0.3:
        await wire.send(request("GET", "/hello") * 3)
    await wire.listen(scene.random.random() * 3)


async def stall_tls(scene: Scene, wire: Wire) -> None:
    """Begin a TLS handshake, or what looks like one, and go."""
    if "tls" not in scene.transports:
        return
    stream = await scene.places.connect(Place(scene.any_place().limits, "tls"))
    raw = Wire(wire.place, stream)
    try:
        await raw.send(scene.random.choice((b"\x16", b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/1.1\r\n", b"\x80")))
        await raw.listen(scene.random.random())
    finally:
        await raw.leave(scene.random)


# Squatters


async def say_nothing(scene: Scene, wire: Wire) -> None:
    """Connect, and say nothing."""


async def stray_line(scene: Scene, wire: Wire) -> None:
    """Send a request with an empty line behind it, and nothing more."""
    await wire.send(request("GET", "/hello") + b"\r\n")


async def half_a_head(scene: Scene, wire: Wire) -> None:
    """Send the beginning of a request."""
    await wire.send(handshake("/echo")[: scene.random.randrange(1, 150)])


async def drip_a_head(scene: Scene, wire: Wire) -> None:
    """Send a request that never comes to its end, byte by byte."""
    await wire.send(b"GET /hello HTTP/1.1\r\nHost: a\r\nX: ")


async def drip_a_body(scene: Scene, wire: Wire) -> None:
    """Send a body that never comes to its end, byte by byte."""
    await wire.send(request("POST", "/post", "Content-Length: 1000000"))


async def leave_the_response(scene: Scene, wire: Wire) -> None:
    """Ask for more than the kernel holds, and take none of it."""
    await wire.send(request("GET", scene.random.choice(["/much", "/files/large"])))


async def be_deaf(scene: Scene, wire: Wire) -> None:
    """Open a WebSocket, and answer no ping."""
    await wire.upgrade(scene.random.choice(_READING))


async def half_a_frame(scene: Scene, wire: Wire) -> None:
    """Open a WebSocket, and send the beginning of a frame."""
    await wire.upgrade(scene.random.choice(_READING), _DEFLATE)
    await wire.send(scene.random.choice(_STATES)[:-1])


async def stay_after_the_close(scene: Scene, wire: Wire) -> None:
    """Close a WebSocket, and not the connection."""
    await wire.upgrade(scene.random.choice(_READING))
    await wire.send(frame(TEXT, b"more") * 30 + frame(CLOSE, b"\x03\xe8"))


async def stay_after_the_refusal(scene: Scene, wire: Wire) -> None:
    """Send a malformed request, and stay."""
    await wire.send(b"GET / HTTP/1.1\r\nno header\r\n\r\n")


KINDS = {
    "idle sockets": Kind(idle, 38),
    "slow readers": Kind(read_slowly, 6),
    "floods": Kind(flood, 2),
    "floods of requests": Kind(flood_with_requests, 1),
    "resets": Kind(reset, 3),
    "malformed frames": Kind(break_frames, 2),
    "malformed heads": Kind(break_heads, 2),
    "dead handlers": Kind(ask_the_dead, 2),
    "TLS begun": Kind(stall_tls, 1),
    "silent connections": Kind(say_nothing, 1, squats=True),
    "stray CRLFs": Kind(stray_line, 1, squats=True),
    "half heads": Kind(half_a_head, 1, squats=True),
    "dripping heads": Kind(drip_a_head, 1, squats=True, drips=True),
    "dripping bodies": Kind(drip_a_body, 1, squats=True, drips=True),
    "responses unread": Kind(leave_the_response, 1, squats=True),
    "deaf sockets": Kind(be_deaf, 1, squats=True),
    "half frames": Kind(half_a_frame, 1, squats=True),
    "closed but not gone": Kind(stay_after_the_close, 1, squats=True),
    "refused but not gone": Kind(stay_after_the_refusal, 1, squats=True),
}
