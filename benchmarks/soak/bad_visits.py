"""Clients of perfectws that meet a server which does everything wrong (`bad_servers`), one kind of visit for each.

Whatever it does, a client raises nothing but what is documented, is told of each send and each read exactly once, and
is gone by its own limits in the end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import trio

from perfectws import ConnectionClosed, HandshakeError, InvalidURL, OpcodeType, WebSocket

from .bad_servers import KINDS as WRONGS
from .places import TRANSPORTS, Place
from .scene import PATIENCE, Scene

#: The limits of these clients: so short that whoever does not do his part is left within seconds.
_STRICT: dict[str, Any] = {
    "open_timeout": 3.0,
    "ping_interval": 1.0,
    "ping_timeout": 2.0,
    "write_timeout": 3.0,
    "close_timeout": 1.0,
    "max_write_buffer": 256 * 1024,
}
#: What documented errors there are for a client that did nothing wrong.
_EXPECTED = (HandshakeError, ConnectionClosed)
#: What is sent to them.
_TEXTS = ("", "a", "é" * 200, "z" * 40_000)
#: The kinds of the tally whose numbers must come out even.
SENDS, READS = "completions, from bad servers", "reads, from bad servers"


class Kind(NamedTuple):
    """A kind of visit.

    Attributes:
        name: What the server does, as the path says it.
        share: How many of a hundred connections it has.
        transports: Over which it comes.
        secure: Whether it asks for TLS where nobody speaks it.
    """

    name: str
    share: int = 2
    transports: tuple[str, ...] = TRANSPORTS
    secure: bool = False


async def run(scene: Scene, name: str, kind: Kind) -> None:
    """Let one client come, and see that it is gone in the end."""
    scene.tally.attacks[name] += 1
    with trio.move_on_after(PATIENCE) as scope:
        try:
            await _visit(scene, kind)
        except Exception as error:
            if isinstance(error, InvalidURL) or not isinstance(error, _EXPECTED):
                scene.tally.fail(f"{name}: {error!r}")  # whatever it is, a peer must not be able to raise it
    if scope.cancelled_caught:
        scene.tally.fail(f"{name}: a client was kept for {PATIENCE:.0f} s")


def _url(scene: Scene, kind: Kind) -> str:
    place = Place("strict", scene.random.choice([each for each in scene.transports if each in kind.transports]))
    url = scene.places.url(place, f"/{kind.name}")
    return url.replace("ws://", "wss://") if kind.secure else url


async def _visit(scene: Scene, kind: Kind) -> None:
    url, options = _url(scene, kind), _STRICT.copy()
    if url.startswith("wss:"):
        options["ssl_context"] = scene.places.ssl_context
    if scene.random.random() < 0.5:
        options["compression"] = True
    async with scene.opening():
        socket = await WebSocket.connect(to=url, on=scene.clients, **options)
    try:
        with trio.move_on_after(scene.random.random() * 15):
            await scene.random.choice(_WAYS)(scene, socket)
    finally:
        with trio.CancelScope(shield=True):
            await socket.close()
            await socket.on_close


# What a client does meanwhile


async def _by_reads(scene: Scene, socket: WebSocket) -> None:
    """Read frame by frame by callbacks, and send beside it."""

    def read() -> None:
        scene.tally.sent[READS] += 1
        socket.read_string_message(received)

    def received(text: str | None, op: OpcodeType, fin: bool) -> None:
        scene.tally.answered[READS] += 1
        if op is not OpcodeType.INVALID:
            read()

    read()
    await _send(scene, socket)


async def _by_handlers(scene: Scene, socket: WebSocket) -> None:
    """Take whole messages, and send beside it."""
    socket.on_text(lambda ws, text: None)
    socket.on_binary(lambda ws, data: None)
    socket.on_ping(lambda ws: None)
    await _send(scene, socket)


async def _by_iterating(scene: Scene, socket: WebSocket) -> None:
    """Await message after message."""
    _send_one(scene, socket)
    async for _ in socket:
        _send_one(scene, socket)


async def _not_at_all(scene: Scene, socket: WebSocket) -> None:
    """Read nothing, and send on."""
    await _send(scene, socket)


async def _send(scene: Scene, socket: WebSocket) -> None:
    """Send now and then, some without waiting."""
    while socket.is_connected:
        for _ in range(scene.random.choice((1, 1, 2, 8))):
            _send_one(scene, socket)
        if scene.random.random() < 0.5:
            await socket.send_string_message("awaited")
        await trio.sleep(scene.random.expovariate(2))


def _send_one(scene: Scene, socket: WebSocket) -> None:
    def completed() -> None:
        scene.tally.answered[SENDS] += 1

    scene.tally.sent[SENDS] += 1
    socket.send_string_message(scene.random.choice(_TEXTS), completion=completed)


_WAYS: tuple[Callable[[Scene, WebSocket], Any], ...] = (_by_reads, _by_handlers, _by_iterating, _not_at_all)


#: What each server does wrong, in words, and how many come to it.
KINDS: dict[str, Kind] = {
    **{name.replace("-", " "): Kind(name) for name in WRONGS},
    "coming and going": Kind("coming-and-going", 18),
    "TLS where there is none": Kind("silent", 1, ("plain",), secure=True),
}
