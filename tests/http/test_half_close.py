"""A client that has ended its side while its request is with a handler: it may read on, or be gone."""

from __future__ import annotations

import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from perfectws import HTTPRequest, HTTPResponse, WebSocketHandler
from perfectws import Routes as WebSocketRoutes
from perfectws.http.filters import FilterPriority, HTTPRequestFilter, HTTPResponseFilter
from perfectws.http.http11 import READ_AHEAD, HTTPConnection
from perfectws.http.response import ResponseState
from perfectws.http.routing import Routes
from perfectws.http.service import HTTPService
from perfectws.net.acceptors import serve_listener
from perfectws.net.listeners import bound_port, open_listeners
from perfectws.net.loop import open_loop
from perfectws.net.stream_transport import StreamTransport
from perfectws.testing.pipes import stream_pair
from tests import certificates
from tests.calls import Calls, quiet
from tests.conftest import PATIENCE
from tests.http.fakes import Server, echo_path, everything, get, post
from tests.websocket.test_freed import no_cycles

HANDSHAKE = [
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
]


class Held:
    """A handler that keeps its responses, and is told of their ends."""

    def __init__(self) -> None:
        self.responses: list[HTTPResponse] = []
        self.ends: list[HTTPResponse] = []

    def __call__(self, request: HTTPRequest, response: HTTPResponse) -> None:
        self.responses.append(response)
        response.on_close.when_complete(lambda result: self.ends.append(response))


def held_server(*requests: bytes, **limits: Any) -> tuple[Server, Held]:
    held = Held()
    server = Server(everything(held), half_close_timeout=30, **limits)
    server.ask(b"".join(requests or (get("/"),)))
    return server, held


def end(server: Server) -> None:
    """Let the client end its side."""
    server.protocol.eof_received()
    server.loop.run()


def told_and_harmless(server: Server, response: HTTPResponse, held: Held) -> None:
    """Check that a response knows that the client is gone, and that nothing it does then matters."""
    assert server.transport.is_aborted
    server.lose()
    assert response.is_over
    assert response.state is ResponseState.LOST
    assert held.ends.count(response) == 1
    oks: list[bool] = []
    sent = len(server.transport.sent)
    response.append_body("x").push(oks.append)
    server.loop.run()
    response.completed()
    server.loop.run()
    assert oks == [False]
    assert held.ends.count(response) == 1
    assert len(server.transport.sent) == sent
    assert server.loop.live_timers == 0


class TestTheDeadline:
    @pytest.mark.parametrize("request_bytes", [get("/"), post("/", b"abc"), get("/1") + get("/2")[:20]])
    def test_a_client_that_has_ended_its_side_is_dropped_in_the_end_and_the_handler_is_told(
        self, request_bytes: bytes
    ) -> None:
        server, held = held_server(request_bytes)
        end(server)
        server.loop.advance(29.9)
        assert server.transport.is_open
        assert not held.ends
        server.loop.advance(30.2)
        told_and_harmless(server, held.responses[0], held)

    @pytest.mark.parametrize("seconds", [0, 29])
    def test_it_gets_its_answer_until_then_and_the_connection_ends_in_order(self, seconds: float) -> None:
        server, held = held_server()
        end(server)
        server.loop.advance(seconds)
        held.responses[0].set_body("late").completed()
        server.loop.run()
        assert [answer.body for answer in server.answers()] == [b"late"]
        assert server.transport.linger is not None
        assert held.ends == held.responses

    def test_an_end_that_came_with_the_request_counts_too(self) -> None:
        held = Held()
        server = Server(everything(held), half_close_timeout=30)
        server.receive(get("/"))
        end(server)
        server.loop.advance(61)
        told_and_harmless(server, held.responses[0], held)

    def test_each_of_several_pipelined_requests_has_its_time(self) -> None:
        server, held = held_server(get("/1"), get("/2"), get("/3"))
        end(server)
        for n in range(2):
            server.loop.advance(29)
            held.responses[n].completed()
            server.loop.run()
        server.loop.advance(29)
        assert server.transport.is_open
        assert len(server.answers()) == 2
        server.loop.advance(32)
        told_and_harmless(server, held.responses[2], held)

    def test_a_client_that_has_not_ended_its_side_waits_for_ever(self) -> None:
        server, _ = held_server()
        server.loop.advance(100_000)
        assert server.transport.is_open
        assert server.loop.live_timers <= 1

    def test_without_a_limit_one_that_has_waits_for_ever_too(self) -> None:
        held = Held()
        server = Server(everything(held), half_close_timeout=None)
        server.ask(get("/"))
        end(server)
        server.loop.advance(100_000)
        assert server.transport.is_open

    def test_as_long_as_it_gets_something_it_is_no_deadline(self) -> None:
        server, held = held_server()
        end(server)
        for _ in range(10):
            server.loop.advance(29)
            held.responses[0].append_body("x").push()
        assert server.transport.is_open
        server.loop.advance(61)
        told_and_harmless(server, held.responses[0], held)

    def test_nor_as_long_as_it_reads_what_was_sent(self) -> None:
        server, held = held_server(write_timeout=1000)
        end(server)
        server.transport.is_stalled = True
        held.responses[0].append_body(bytes(1000)).push()
        for _ in range(10):
            server.loop.advance(29)
            server.transport.buffered_amount -= 10
        assert server.transport.is_open
        server.loop.advance(61)
        assert server.transport.is_aborted


class TestPaused:
    """Behind so much that reading has paused, the end is not read; the kernel tells of it if it is asked."""

    def test_the_end_behind_what_waits_is_found(self) -> None:
        server, held = held_server(get("/1"), get("/2", "A: " + "x" * READ_AHEAD))
        assert server.transport.is_paused
        server.loop.advance(1000)
        assert server.transport.is_open
        server.transport.has_ended = True
        server.loop.advance(29.9)
        assert server.transport.is_open
        server.loop.advance(31)
        told_and_harmless(server, held.responses[0], held)

    def test_behind_the_second_request_too(self) -> None:
        server, held = held_server(get("/1"), get("/2"), get("/3", "A: " + "x" * READ_AHEAD))
        assert server.transport.is_paused
        held.responses[0].completed()
        server.loop.run()
        assert server.transport.is_paused
        server.transport.has_ended = True
        server.loop.advance(61)
        told_and_harmless(server, held.responses[1], held)


class Never(HTTPRequestFilter, HTTPResponseFilter):
    """Never calls back."""

    def filter(self, request: HTTPRequest, response: HTTPResponse, callback: Callable[..., object]) -> None:
        self.response = response

    def filter_headers(self, response: HTTPResponse, callback: Callable[..., object]) -> None: ...

    def filter_body(self, response: HTTPResponse, callback: Callable[..., object]) -> None: ...


class TestWhoeverHoldsIt:
    @pytest.mark.parametrize("kind", ["request_filters", "response_filters"])
    def test_a_filter_that_never_calls_back_keeps_no_connection(self, kind: str) -> None:
        filters: Any = {kind: [(Never(), FilterPriority.HIGH)]}
        server = Server(everything(echo_path), half_close_timeout=30, **filters)
        server.ask(get("/"))
        end(server)
        server.loop.advance(61)
        assert server.transport.is_aborted

    def test_a_producer_that_never_decides_keeps_none_and_may_decide_later(self) -> None:
        sessions: list[object] = []

        async def produce(request: HTTPRequest, protocols: list[str]) -> Any:
            await Later()
            return Session(sessions)

        server = Server(everything(WebSocketHandler(produce)), half_close_timeout=30)
        server.receive(get("/", *HANDSHAKE))
        server.loop.run_ready()
        ((_, coroutine),) = server.loop.tasks
        server.loop.tasks.clear()
        coroutine.send(None)
        server.protocol.eof_received()
        server.loop.advance(61)
        assert server.transport.is_aborted
        server.lose()
        with pytest.raises(StopIteration):
            coroutine.send(None)
        assert server.transport.sent == b""
        assert not sessions


class Later:
    """Something awaited that comes when the test goes on with the coroutine."""

    def __await__(self) -> Any:
        yield


class Session:
    socket_protocol = None

    def __init__(self, sessions: list[object]) -> None:
        self._sessions = sessions

    def handle_session(self, request: HTTPRequest, socket: Any) -> None:
        self._sessions.append(socket)


class TestOnClose:
    def test_it_comes_when_the_response_is_complete(self) -> None:
        server, held = held_server()
        assert not held.responses[0].on_close.is_done
        held.responses[0].completed()
        assert held.responses[0].on_close.is_done
        assert not held.ends  # queued, as every callback
        server.loop.run()
        assert held.ends == held.responses

    def test_and_when_the_connection_is_lost(self) -> None:
        server, held = held_server()
        server.lose()
        assert held.ends == held.responses

    def test_it_may_be_asked_for_when_all_is_over(self) -> None:
        responses: list[HTTPResponse] = []
        server = Server(everything(lambda request, response: responses.append(response)))
        server.ask(get("/"))
        server.lose()
        ends: list[object] = []
        responses[0].on_close.when_complete(ends.append)
        server.loop.run()
        assert len(ends) == 1

    def test_it_comes_when_a_web_socket_takes_over(self) -> None:
        held = Held()

        def handle(request: HTTPRequest, response: HTTPResponse) -> None:
            held(request, response)
            WebSocketHandler(lambda request, protocols: Session([])).handle_request(request, response)

        server = Server(everything(handle))
        server.receive(get("/", *HANDSHAKE))
        server.loop.run()
        assert server.transport.sent.startswith(b"HTTP/1.1 101 ")
        assert held.ends == held.responses

    def test_without_a_connection_it_comes_with_completed(self) -> None:
        response = HTTPResponse(HTTPRequest())
        ends: list[object] = []
        response.on_close.when_complete(ends.append)
        assert not ends
        response.completed()
        assert len(ends) == 1

    def test_what_its_callback_raises_is_logged_and_answers_nothing(self, caplog: pytest.LogCaptureFixture) -> None:
        server, held = held_server()

        def fail(result: object) -> None:
            raise KeyError

        held.responses[0].on_close.when_complete(fail)
        held.responses[0].set_body("fine").completed()
        server.loop.run()
        assert [answer.body for answer in server.answers()] == [b"fine"]
        assert [record.getMessage() for record in caplog.records] == ["A callback raised KeyError"]
        assert server.transport.is_open


# From the outside

Open = Callable[[], Awaitable[trio.abc.Stream]]


@asynccontextmanager
async def serving(kind: str, routes: Routes, path: Path, **limits: Any) -> AsyncIterator[Open]:
    """Serve routes over one kind of transport."""
    service = HTTPService(routes.navigator, close_timeout=0.2, **limits)
    tls = kind.endswith("tls")
    with trio.fail_after(PATIENCE):
        async with open_loop(with_reactor="streams" not in kind) as loop, trio.open_nursery() as accepting:
            make = partial(HTTPConnection, loop=loop, service=service)

            async def open_stream() -> trio.abc.Stream:
                if kind == "memory":
                    ours, theirs = stream_pair()
                    transport = StreamTransport(loop, theirs, ("memory", 1), ("memory", 2))
                    transport.set_protocol(make(transport))
                    loop.tasks.start_soon(transport.run)
                    return ours
                stream = await (
                    trio.open_unix_socket(path / "s")
                    if kind == "unix"
                    else trio.open_tcp_stream("127.0.0.1", bound_port(listeners))
                )
                if not tls:
                    return stream
                return trio.SSLStream(stream, certificates.client_context(), server_hostname="test")

            if kind != "memory":
                address = f"unix:{path / 's'}" if kind == "unix" else "127.0.0.1"
                listeners = await open_listeners(address, 0)
                context = certificates.server_context("test")
                accepting.start_soon(serve_listener, loop, listeners[0], make, (lambda: context) if tls else None)
            yield open_stream
            accepting.cancel_scope.cancel()
            await loop.end_connections(0)


KINDS = ["memory", "reactor", "streams", "unix", "tls", "streams-tls"]


async def end_side(stream: trio.abc.Stream) -> None:
    """End our side, and read on: over TLS by close_notify, as far as that can be told."""
    if isinstance(stream, trio.SSLStream):
        ssl_object = stream._ssl_object  # trio offers only to say it and to wait for the answer
        try:
            ssl_object.unwrap()
        except Exception:  # it waits for the peer's own
            pass
        await stream.transport_stream.send_all(stream._outgoing.read())
    else:
        assert isinstance(stream, trio.abc.HalfCloseableStream)
        await stream.send_eof()


async def read_all(stream: trio.abc.Stream) -> bytes:
    data = b""
    try:
        while more := await stream.receive_some(65536):
            data += more
    except trio.BrokenResourceError:
        pass
    return data


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("requests", [get("/"), get("/") + get("/2")], ids=["one", "pipelined"])
async def test_nobody_waits_for_ever_for_a_handler_that_never_answers(
    kind: str, requests: bytes, tmp_path: Path
) -> None:
    begun, ended = Calls(), Calls()

    async def never(request: HTTPRequest, response: HTTPResponse) -> None:
        begun()
        with trio.CancelScope() as scope:
            response.on_close.when_complete(lambda result: scope.cancel())
            await trio.sleep_forever()
        ended(response.is_over)

    async with serving(kind, everything(never), tmp_path, half_close_timeout=0.1) as open_stream:
        stream = await open_stream()
        await stream.send_all(requests)
        await begun.until(1)
        await end_side(stream)
        assert await ended.until(1) == [(True,)]
        assert await read_all(stream) == b""
        await trio.aclose_forcefully(stream)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_client_that_ends_its_side_first_still_gets_its_answers(kind: str, tmp_path: Path) -> None:
    begun = Calls()

    async def late(request: HTTPRequest, response: HTTPResponse) -> None:
        begun()
        await may_answer.wait()
        response.set_body(f"late {request.path} ").completed()

    may_answer = trio.Event()
    async with serving(kind, everything(late), tmp_path) as open_stream:
        stream = await open_stream()
        await stream.send_all(get("/1") + get("/2"))
        await begun.until(1)
        await end_side(stream)
        await trio.sleep(0.01)
        may_answer.set()
        if not isinstance(stream, trio.SSLStream):  # OpenSSL reads nothing behind its own close_notify here
            answers = await read_all(stream)
            assert answers.count(b"HTTP/1.1 200 OK") == 2
            assert answers.endswith(b"late /2 ")
        else:
            await begun.until(2)
            assert await read_all(stream.transport_stream)
        await trio.aclose_forcefully(stream)


@pytest.mark.parametrize("kind", ["reactor", "tls"])
async def test_a_response_that_was_given_up_is_freed_by_its_last_reference(kind: str, tmp_path: Path) -> None:
    ended = Calls()

    def never(request: HTTPRequest, response: HTTPResponse) -> None:
        response.on_close.when_complete(lambda result: ended(response.is_over))

    async with serving(kind, everything(never), tmp_path, half_close_timeout=0.05) as open_stream:

        async def one(count: int) -> None:
            stream = await open_stream()
            await stream.send_all(get("/"))
            await end_side(stream)
            await ended.until(count)
            await trio.aclose_forcefully(stream)
            await quiet()

        await one(1)
        with no_cycles():
            await one(2)


@pytest.mark.parametrize("kind", ["reactor", "unix", "streams", "tls", "streams-tls"])
async def test_a_client_that_is_gone_behind_unread_requests_keeps_nothing(kind: str, tmp_path: Path) -> None:
    begun, ended = Calls(), Calls()

    def never(request: HTTPRequest, response: HTTPResponse) -> None:
        begun()
        response.on_close.when_complete(ended)

    limits = {"half_close_timeout": 0.1, "max_header_size": 10**6}
    async with serving(kind, everything(never), tmp_path, **limits) as open_stream:
        stream = await open_stream()
        await stream.send_all(get("/") + get("/2", "A: " + "x" * 4 * READ_AHEAD))
        await begun.until(1)
        await trio.aclose_forcefully(stream)
        await ended.until(1)


@pytest.mark.parametrize("kind", ["reactor", "streams", "tls", "streams-tls"])
@pytest.mark.parametrize("behind", [b"", b"x" * 4 * READ_AHEAD], ids=["read", "paused"])
async def test_a_client_that_is_reset_is_told_at_once(kind: str, behind: bytes, tmp_path: Path) -> None:
    begun, ended = Calls(), Calls()

    def never(request: HTTPRequest, response: HTTPResponse) -> None:
        begun()
        response.on_close.when_complete(ended)

    # A paused stream is not looked at: there the deadline tells.
    limit = 0.1 if kind.startswith("streams") and behind else PATIENCE
    async with serving(kind, everything(never), tmp_path, half_close_timeout=limit) as open_stream:
        stream = await open_stream()
        await stream.send_all(get("/") + behind)
        await begun.until(1)
        raw: Any = stream.transport_stream if isinstance(stream, trio.SSLStream) else stream
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await trio.aclose_forcefully(raw)
        with trio.fail_after(PATIENCE / 2):
            await ended.until(1)


async def test_one_that_is_reset_after_it_has_ended_its_side_too(tmp_path: Path) -> None:
    begun, ended = Calls(), Calls()

    def never(request: HTTPRequest, response: HTTPResponse) -> None:
        begun()
        response.on_close.when_complete(ended)

    async with serving("reactor", everything(never), tmp_path, half_close_timeout=PATIENCE) as open_stream:
        stream: Any = await open_stream()
        await stream.send_all(get("/"))
        await stream.send_eof()
        await begun.until(1)
        await quiet()
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await trio.aclose_forcefully(stream)
        with trio.fail_after(PATIENCE / 2):
            await ended.until(1)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_web_socket_that_nobody_decides_on_keeps_nothing(kind: str, tmp_path: Path) -> None:
    asked = Calls()

    async def never(request: HTTPRequest) -> None:
        asked()
        await trio.sleep_forever()

    routes = WebSocketRoutes()
    routes.web_socket("/", lambda request, ws: None, should_upgrade=never)
    async with serving(kind, routes, tmp_path, half_close_timeout=0.1) as open_stream:
        stream = await open_stream()
        await stream.send_all(get("/", *HANDSHAKE))
        await asked.until(1)
        await end_side(stream)
        assert await read_all(stream) == b""
        await trio.aclose_forcefully(stream)
