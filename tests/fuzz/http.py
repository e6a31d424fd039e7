"""A whole HTTP connection: what it answers with its fast path, it answers without.

The first bytes say what the handlers do, the rest is a script: what the peer sends and takes, what the handlers that
wait do, and how time passes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from unittest import mock
from weakref import ref

from perfectws import HTTPRequest, HTTPResponse, WebSocket, WebSocketHandler
from perfectws.http import request_head, response_head
from perfectws.http.http11 import READ_AHEAD, HTTPConnection, Phase
from perfectws.http.request_head import read_plain
from perfectws.http.routing import Routes
from perfectws.http.service import HTTPService
from perfectws.websocket import keepalive

from ..peer import HANDSHAKE_KEY, TEXT, frame_bytes
from .data import Data
from .watching import Boom, watched
from .wire import Wire, WireLoop

LIMITS = {"max_header_size": 2000, "max_headers": 8, "max_body_size": 300}
UPGRADE = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
UPGRADE += HANDSHAKE_KEY.encode() + b"\r\n\r\n"

#: What is hard to find by mutation.
PIECES = [
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /a?b=c HTTP/1.1\r\nHost: x\r\nCookie: a=b\r\nUser-Agent: y\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\na=b&c",
    b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"5\r\nhello\r\n",
    b"0\r\n\r\n",
    b"\r\n",
    b"X: " + b"y" * 300 + b"\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\na=b",
    b"GET /ws HTTP/1.1\r\nHost: x\r\n" + UPGRADE,
    frame_bytes(TEXT, b"hello", mask=b"abcd"),
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 20,
    b"y" * 6000,
]
SECONDS = [0.0, 0.1, 1.0, 11.0, 80.0, 400.0]


class World:
    """One connection, its handlers and its peer."""

    def __init__(self, ways: Sequence[int]) -> None:
        self.loop = WireLoop()
        self.wire = Wire(self.loop)
        routes = Routes()
        routes.add("GET", "/ws", WebSocketHandler(lambda request, protocols: Session()))
        routes.add(uri="/**", handler=self.handle)
        self.connection = HTTPConnection(self.wire, self.loop, HTTPService(routes.navigator, **LIMITS))  # type: ignore[arg-type]
        self.wire.set_protocol(self.connection)
        self.ways = ways
        self.waiting: list[HTTPResponse] = []
        #: What handlers were to be told, by number: how often they were.
        self.told: list[int] = []
        self.requests = 0
        self._seen = 0

    def once(self) -> Callable[[object], None]:
        """Return a callback that is to be called once."""
        number = len(self.told)
        self.told.append(0)

        def tell(result: object) -> None:
            self.told[number] += 1

        return tell

    def handle(self, request: HTTPRequest, response: HTTPResponse) -> Awaitable[None] | None:
        way = self.ways[self.requests % len(self.ways)]
        self.requests += 1
        response.on_close.when_complete(self.once())
        response.set_body(f"{request.method} {request.uri} {request.post_params} {request.cookies} ")
        response.append_body(request.post_body_bytes)
        match way % 7:
            case 0 | 1:
                response.completed()
            case 2:
                response.is_streaming = True
                response.push(self.once())
                response.append_body(b"more").completed()
            case 3:
                response.append_body(bytes(100_000))
                response.push(self.once())
                self.waiting.append(response)
            case 4:
                raise Boom
            case 5:
                return self.answer_later(response)
            case _:
                self.waiting.append(response)
        return None

    async def answer_later(self, response: HTTPResponse) -> None:
        await self.loop.checkpoint()
        response.completed(201)

    def take(self, step: int, source: Data) -> None:
        """Take one step of the script."""
        match step % 12:
            case 0 | 1:
                self.wire.bring(source.take(source.number()))
                self.loop.run()
            case 2:
                self.wire.bring(source.take(source.number()))
            case 3 | 4:
                self.wire.bring(source.choice(PIECES))
                self.loop.run()
            case 5:
                self.wire.bring(source.choice(PIECES))
            case 6:
                self.wire.stall(source.number() * 100)
            case 7:
                self.wire.drain()
                self.loop.run()
            case 8:
                self.loop.advance(source.choice(SECONDS))
            case 9:
                if self.waiting:
                    self.waiting.pop(0).completed()
                self.loop.run()
            case 10:
                self.wire.end()
                self.loop.run()
            case _:
                self.stop(source.number())

    def stop(self, way: int) -> None:
        """Let the server stop, or make way, or the peer vanish."""
        match way % 3:
            case 0:
                self.wire.protocol.shut_down()
            case 1:
                self.wire.protocol.retire()
            case _:
                self.wire.abort(ConnectionResetError())
        self.loop.run()

    def check(self) -> None:
        """Fail if more waits than may."""
        waiting = len(self.connection._input)
        most = READ_AHEAD + self.wire.largest_read
        assert waiting <= most, "more waits than is read ahead"
        if self.connection._phase is Phase.HEAD and not self.loop.is_busy and not self.wire.buffered_amount:
            assert waiting <= LIMITS["max_header_size"], "more waits than a head may have"
        assert self.loop.live_timers <= 12, "timers pile up"
        assert max(self.told, default=0) <= 1, "a callback was called twice"

    def seen(self) -> tuple[object, ...]:
        """Return what the peer and the handlers see; of what was sent, what is new since it was last asked."""
        wire = self.wire
        new = bytes(wire.sent[self._seen :])
        self._seen += len(new)
        return new, wire.stage, wire.is_paused, wire.buffered_amount, self.requests, list(self.told)

    def finish(self) -> ref[HTTPConnection]:
        """Let the peer vanish, and fail if anything is left."""
        self.wire.abort()
        self.loop.run()
        is_http = self.connection._phase is Phase.CLOSED
        assert not (is_http and self.loop.live_timers), "a timer runs on behind the end"
        self.loop.advance(1000)
        assert self.told == [1] * len(self.told), "a callback was not called"
        assert not self.loop.live_timers, "a timer runs on"
        assert not self.loop.last_calls
        connection = ref(self.connection)
        self.waiting.clear()
        self.loop.started.clear()
        del self.connection  # whose routes lead back here
        return connection


class Session:
    """Sends back what it is sent."""

    socket_protocol = None

    def handle_session(self, request: HTTPRequest, socket: WebSocket) -> None:
        socket.on_text(lambda socket, text: socket.send(text))


@contextmanager
def fast_path(is_on: bool) -> Iterator[None]:
    """Read plain requests past h11, or do not. What else may differ is fixed: the date, and the payload of a ping."""
    date = mock.patch.object(response_head, "current_http_date", return_value="Sun, 06 Nov 1994 08:49:37 GMT")
    payload = mock.patch.object(keepalive, "urandom", bytes)
    with date, payload, mock.patch.object(request_head, "read_plain", read_plain if is_on else lambda raw: None):
        yield


def target(data: bytes) -> None:
    """Play a script twice, and compare what is seen after each step."""
    with watched(Boom):
        seen = [play(data, is_on) for is_on in (True, False)]
    for step, (fast, slow) in enumerate(zip(*seen, strict=True)):
        assert fast == slow, f"the fast path is seen in step {step}"


def play(data: bytes, is_on: bool) -> list[tuple[object, ...]]:
    """Play a script, and return what was seen after each step."""
    source = Data(data)
    with fast_path(is_on):
        world = World([source.number() for _ in range(4)])
        seen = []
        while source:
            world.take(source.number(), source)
            world.check()
            seen.append(world.seen())
        connection = world.finish()
    assert connection() is None, "the connection is held by something that only the collector would find"
    return seen
