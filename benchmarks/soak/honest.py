"""Honest sessions: every message is numbered, and every answer is compared with what was sent.

Each function is one session: it opens, talks for a while, and closes. What it raises is a fault of the server's, or of
the client's, which for most of them is perfectws too.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from math import inf
from typing import Any, NamedTuple
from zlib import crc32

import h11
import trio

from perfectws import WebSocket

from .places import FILES
from .scene import NEVER, Scene
from .wire import UPLOAD_TYPE, upload

#: How many messages one session sends at most.
_LENGTH = 20
#: How long the texts are, in characters; most are short. A session begins with one of the longest: what a connection
#: keeps once it has carried much, it keeps from its beginning, and memory does not grow until all have carried some.
_SIZES = (0, 5, 60, 120, 130, 900, 5_000, 40_000)
#: How long the texts of those are who stay.
_WORDS = _SIZES[:5]
#: How these are called.
STAYING = "echo, staying"
#: The limits of perfectws's own clients: a server that is busy is not dead.
_CLIENT: dict[str, Any] = {
    "open_timeout": NEVER,
    "ping_interval": 20.0,
    "ping_timeout": NEVER,
    "close_timeout": NEVER,
}

_numbers = itertools.count()


class Kind(NamedTuple):
    """A kind of honest session.

    Attributes:
        session: One session.
        share: How many of a hundred connections it has.
        connections: How many one session opens.
    """

    session: Callable[[Scene], Awaitable[None]]
    share: int
    connections: int = 1


def _word(size: int) -> str:
    """Return a text that there is once, of about so many characters."""
    return f"{next(_numbers)}:" + "é" * size


def _texts(scene: Scene) -> Iterator[str]:
    """Yield the messages of one session, no two of them alike, until it is long enough or all is over."""
    for number in range(scene.random.randrange(1, _LENGTH)):
        yield _word(_size(scene, number))
        if scene.over.is_set():
            return


def _size(scene: Scene, number: int) -> int:
    """Return how long the text of so many behind the first of a session is."""
    return scene.random.choice(_SIZES) if number else max(_SIZES)


def _bursts(scene: Scene) -> Iterator[list[str]]:
    """Yield the messages of one session, a few at a time: those are sent before the first of them is answered."""
    texts = _texts(scene)
    while burst := list(itertools.islice(texts, scene.random.choice((1, 1, 1, 2, 8)))):
        yield burst


@asynccontextmanager
async def _client(scene: Scene, path: str, **options: Any) -> AsyncIterator[WebSocket]:
    """Open a WebSocket of perfectws's client around a block."""
    place = scene.honest_place()
    if place.transport == "tls":
        options["ssl_context"] = scene.places.ssl_context
    async with scene.opening():
        url = scene.places.url(place, path)
        socket = await WebSocket.connect(to=url, on=scene.clients, **_CLIENT, **options)
    try:
        yield socket
    finally:
        with trio.CancelScope(shield=True):
            await socket.close()


async def echo_by_reads(scene: Scene) -> None:
    """Talk to a server that reads frame by frame, and read so too; some messages go in parts."""
    async with _client(scene, "/echo") as socket:
        for burst in _bursts(scene):
            for text in burst:
                scene.tally.sent["echo by reads"] += 1
                if scene.random.random() < 0.2:
                    await socket.send_string_message(text[:3], False)
                    await socket.send_string_message("", False)
                    await socket.send_string_message(text[3:], True)
                else:
                    await socket.send_string_message(text)
            for text in burst:
                scene.tally.check("echo by reads", await _read_whole(socket), text)
            await scene.rest()


async def _read_whole(socket: WebSocket) -> str:
    parts = []
    while True:
        message = await socket.read_string_message()
        parts.append(message.data)
        if message.final:
            return "".join(map(str, parts))


async def _echo_by_handler(scene: Scene, kind: str, path: str, **options: Any) -> None:
    """Talk to a server that takes whole messages, and take them so too."""
    async with _client(scene, path, **options) as socket:
        say = _speaker(scene, kind, socket)
        for burst in _bursts(scene):
            await say(burst)
            await scene.rest()


def _speaker(scene: Scene, kind: str, socket: WebSocket) -> Callable[[list[str]], Awaitable[None]]:
    """Return what sends some messages, and then waits for their answers."""
    incoming, messages = trio.open_memory_channel[str](inf)
    socket.on_text(lambda ws, text: incoming.send_nowait(text))
    socket.on_close.when_complete(lambda _: incoming.close())

    async def say(burst: list[str]) -> None:
        for text in burst:
            scene.tally.sent[kind] += 1
            await socket.send_string_message(text)
        for text in burst:
            scene.tally.check(kind, await messages.receive(), text)

    return say


async def echo_by_handler(scene: Scene) -> None:
    """Talk by `on_text`."""
    await _echo_by_handler(scene, "echo by on_text", "/messages")


async def echo_compressed(scene: Scene) -> None:
    """Talk by `on_text`, compressed."""
    await _echo_by_handler(scene, "echo, compressed", "/compressed", compression=True)


async def echo_late(scene: Scene) -> None:
    """Talk to a handler that is async and takes its time."""
    await _echo_by_handler(scene, "echo, later", "/later")


async def stay(scene: Scene, opened: Callable[[], object]) -> None:
    """Open a connection that stays, and say a word now and then, from when all have begun to the end.

    Calls back:
        ``opened()`` once it is there, and has been answered: whatever a first message makes is there too.
    """
    async with _client(scene, "/messages") as socket:
        say = _speaker(scene, STAYING, socket)
        await say([_word(max(_WORDS))])
        opened()
        await scene.begun.wait()
        while not scene.over.is_set():
            await scene.rest(scene.pause_of_staying)
            await say([_word(scene.random.choice(_WORDS))])


async def echo_foreign(scene: Scene) -> None:
    """Talk by another client: that of ``websockets``, on trio."""
    from websockets.trio.client import connect

    async with scene.opening():
        stream = await scene.places.open(scene.honest_place())
        options: dict[str, Any] = {"open_timeout": NEVER, "ping_interval": None, "close_timeout": NEVER}
        path = scene.random.choice(("/messages", "/compressed"))
        opened = connect(f"ws://localhost{path}", stream=stream, proxy=None, **options)
    async with opened as socket:
        for burst in _bursts(scene):
            for text in burst:
                scene.tally.sent["echo, foreign client"] += 1
                await socket.send(text)
            for text in burst:
                scene.tally.check("echo, foreign client", await socket.recv(), text)
            await scene.rest()


# Rooms

_MEMBERS = 6
_LAST = "last"


class Circle:
    """Members of one room who all talk, and who all get everything: in the order in which each has said it."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._name = f"circle-{next(_numbers)}"
        self._missing = _MEMBERS
        self._all_joined = trio.Event()

    async def meet(self) -> None:
        """Let all members come, talk and leave."""
        self._scene.rooms.add(self._name)
        try:
            async with trio.open_nursery() as nursery:
                for member in range(_MEMBERS):
                    nursery.start_soon(self._take_part, member)
        finally:
            self._scene.rooms.discard(self._name)

    async def _take_part(self, member: int) -> None:
        async with _client(self._scene, f"/room/{self._name}") as socket:
            if (await socket.read_string_message()).data != "joined":
                self._scene.tally.fail("room: the first message is not the welcome")
            self._missing -= 1
            if not self._missing:
                self._all_joined.set()
            await self._all_joined.wait()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._talk, socket, member)
                await self._listen(socket)

    async def _talk(self, socket: WebSocket, member: int) -> None:
        length = self._scene.random.randrange(1, _LENGTH)
        for number in itertools.count():
            is_last = number >= length or self._scene.over.is_set()
            self._scene.tally.sent["room"] += _MEMBERS
            filling = "z" * _size(self._scene, number)
            await socket.send_string_message(f"{self._name} {member} {number} {_LAST if is_last else filling}")
            if is_last:
                return
            await self._scene.rest()

    async def _listen(self, socket: WebSocket) -> None:
        heard = dict.fromkeys(range(_MEMBERS), 0)
        while heard:
            text = str((await socket.read_string_message()).data)
            if not text.startswith(self._name):
                continue  # a hostile peer found its way in
            _, member, number, filling = text.split(" ")
            self._scene.tally.check("room", int(number), heard.get(int(member)))
            heard[int(member)] = int(number) + 1
            if filling == _LAST:
                del heard[int(member)]


async def meet_in_a_room(scene: Scene) -> None:
    """Let a circle meet."""
    await Circle(scene).meet()


# Requests


class HTTPClient:
    """A keep-alive connection of a client that is h11, and shares no code with perfectws."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._h11 = h11.Connection(h11.CLIENT)

    async def ask(
        self, method: str, target: str, *, body: bytes = b"", headers: tuple[tuple[str, str], ...] = ()
    ) -> Any:
        """Send a request, and return the status and the body of its response."""
        fields = [("Host", "localhost"), ("Content-Length", str(len(body))), *headers]
        data = self._h11.send(h11.Request(method=method, target=target, headers=fields)) or b""
        data += self._h11.send(h11.Data(data=body)) or b""
        data += self._h11.send(h11.EndOfMessage()) or b""
        await self._stream.send_all(data)
        status, parts = 0, []
        while not isinstance(event := await self._next_event(), h11.EndOfMessage):
            if isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                parts.append(bytes(event.data))
        self._h11.start_next_cycle()
        return status, b"".join(parts)

    async def _next_event(self) -> Any:
        while (event := self._h11.next_event()) is h11.NEED_DATA:
            self._h11.receive_data(bytes(await self._stream.receive_some(65536)))
        return event


@asynccontextmanager
async def _http_client(scene: Scene) -> AsyncIterator[HTTPClient]:
    async with scene.opening():
        stream = await scene.places.open(scene.honest_place())
    async with stream:
        yield HTTPClient(stream)


async def load_files(scene: Scene) -> None:
    """Load whole files, and parts of them."""
    async with _http_client(scene) as client:
        for _ in _texts(scene):
            name = scene.random.choice(("small", "small", "middle", "middle", "large"))
            content = FILES[name]
            first = scene.random.randrange(len(content))
            part = content[first : first + scene.random.randrange(1, 100_000)]
            scene.tally.sent["files"] += 1
            if scene.random.random() < 0.7:
                bounds = f"bytes={first}-{first + len(part) - 1}"
                answer = await client.ask("GET", f"/files/{name}", headers=(("Range", bounds),))
                status = 200 if part == content else 206  # all of it is no part: a server may say so
                scene.tally.check("files", answer, (status, part))
            else:
                scene.tally.check("files", await client.ask("GET", f"/files/{name}"), (200, content))
            await scene.rest()


async def upload_files(scene: Scene) -> None:
    """Upload files: small ones, which the server has in memory, and large ones, which go to its disk."""
    async with _http_client(scene) as client:
        for text in _texts(scene):
            content = f"{text}:".encode() + FILES["large"][: scene.random.choice((0, 1_000, 100_000, 900_000))]
            scene.tally.sent["uploads"] += 1
            answer = await client.ask("POST", "/upload", body=upload(content), headers=(("Content-Type", UPLOAD_TYPE),))
            scene.tally.check("uploads", answer, (200, f"{len(content)} {crc32(content)}".encode()))
            await scene.rest()


async def ask_handlers(scene: Scene) -> None:
    """Ask handlers that answer at once, later, in pieces and from a task, and send bodies."""
    async with _http_client(scene) as client:
        for text in _texts(scene):
            kind = scene.random.choice(("hello", "late", "async", "post"))
            scene.tally.sent["requests"] += 1
            if kind == "post":
                answer = await client.ask("POST", "/post", body=text.encode())
                scene.tally.check("requests", answer, (200, text.encode()))
            else:
                name = text.partition(":")[0]
                answer = await client.ask("GET", f"/{kind}?name={name}")
                scene.tally.check("requests", answer, (200, f"{kind} {name}".encode()))
            await scene.rest()


#: Those of perfectws's own client, with any server that echoes.
OF_CLIENTS = {
    "echo by reads": Kind(echo_by_reads, 18),
    "echo by on_text": Kind(echo_by_handler, 14),
    "echo, compressed": Kind(echo_compressed, 8),
    "echo, later": Kind(echo_late, 4),
    "room": Kind(meet_in_a_room, 8, _MEMBERS),
}


def kinds() -> dict[str, Kind]:
    """Return the kinds of honest sessions that are possible here."""
    found = {
        "echo by reads": Kind(echo_by_reads, 12),
        "echo by on_text": Kind(echo_by_handler, 8),
        "echo, compressed": Kind(echo_compressed, 6),
        "echo, later": Kind(echo_late, 4),
        "echo, foreign client": Kind(echo_foreign, 4),
        "room": Kind(meet_in_a_room, 10, _MEMBERS),
        "files": Kind(load_files, 3),
        "uploads": Kind(upload_files, 1),
        "requests": Kind(ask_handlers, 3),
    }
    try:
        has_foreign = find_spec("websockets.trio") is not None
    except ModuleNotFoundError:
        has_foreign = False
    if not has_foreign:
        del found["echo, foreign client"]
    return found
