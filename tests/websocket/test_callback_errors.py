"""Law 4: an error in a callback costs its own socket, with 1011, and nobody else anything."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from perfectws import HTTPRequest, Routes, WebSocket, WebSocketHandler

from .. import peer as wire
from ..calls import NOTHING, Calls, Reads, quiet
from ..conftest import Connect, Handler


class Mistake(Exception):
    """What the callbacks here raise."""


def raises(*_: Any) -> None:
    raise Mistake


async def raises_at_once(*_: Any) -> None:
    raise Mistake


async def raises_later(*_: Any) -> None:
    await quiet()
    raise Mistake


RAISERS = [raises, raises_at_once, raises_later]


def in_session(request: HTTPRequest, socket: WebSocket, mistake: Callable[..., Any]) -> object:
    return mistake()


def in_continuation(request: HTTPRequest, socket: WebSocket, mistake: Callable[..., Any]) -> None:
    socket.read_string_message(mistake)


def in_completion(request: HTTPRequest, socket: WebSocket, mistake: Callable[..., Any]) -> object:
    return socket.send_ping(mistake)


def in_on_text(request: HTTPRequest, socket: WebSocket, mistake: Callable[..., Any]) -> None:
    socket.on_text(mistake)


def in_on_ping(request: HTTPRequest, socket: WebSocket, mistake: Callable[..., Any]) -> None:
    socket.on_ping(mistake)


PLACES = [in_session, in_continuation, in_completion, in_on_text, in_on_ping]


@pytest.fixture
async def bystander(connect: Connect) -> AsyncIterator[None]:
    """Hold a connection that must not notice anything."""
    reads = Reads()
    peer = await connect(reads.session)
    yield
    await peer.send_text("undisturbed")
    assert (await reads.until(1))[0][0] == "undisturbed"


def assert_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    (record,) = caplog.records
    assert record.name == "perfectws"
    assert record.exc_info is not None
    assert record.exc_info[0] is Mistake
    assert record.exc_info[2] is not None
    source = r"A callback of Handler \(/ from \S+\)|GET /\w*: the handler \S+"
    assert re.fullmatch(rf"({source}) raised Mistake", record.getMessage())
    caplog.clear()


@pytest.mark.parametrize("mistake", RAISERS)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.usefixtures("bystander")
async def test_an_error_is_logged_once_and_closes_its_own_socket_with_1011(
    connect: Connect, caplog: pytest.LogCaptureFixture, place: Callable[..., object], mistake: Callable[..., Any]
) -> None:
    peer = await connect(lambda request, socket: place(request, socket, mistake))
    await peer.send(wire.PING)
    await peer.send_text("x")
    assert (await peer.receive_close()).close_code == 1011
    await quiet()
    assert_logged_once(caplog)


@pytest.mark.usefixtures("bystander")
async def test_an_error_in_an_on_close_callback_is_logged_and_costs_nothing_more(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    peer, socket = await connect.socket()
    others = Calls()
    socket.on_close.when_success(raises)
    socket.on_close.when_success(others)
    await peer.close_handshake()
    await others.until(1)
    assert_logged_once(caplog)


WRONG_CALLS: list[Callable[[WebSocket], object]] = [
    lambda socket: socket.read_string_message(lambda text: None),  # type: ignore[misc, arg-type]  # on purpose
    lambda socket: socket.send_string_message("x", completion=lambda sent: None),  # type: ignore[misc, arg-type]
]


@pytest.mark.parametrize("call", WRONG_CALLS, ids=["continuation", "completion"])
async def test_what_cannot_be_called_with_what_it_gets_is_told_what_that_is(
    connect: Connect, caplog: pytest.LogCaptureFixture, call: Callable[[WebSocket], object]
) -> None:
    peer, socket = await connect.socket()
    call(socket)
    await peer.send_text("x")
    while (await peer.receive()).opcode != wire.CLOSE:
        pass
    assert socket.close_code == 1011
    assert "A continuation is called with (data, opcode, final), a completion without arguments." in caplog.text


async def test_a_wrong_call_that_a_callback_makes_is_not_said_to_be_its_own(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    peer, socket = await connect.socket()
    socket.on_text(lambda socket, text: socket.send(text.upper))  # type: ignore[call-overload]  # on purpose
    await peer.send_text("x")
    while (await peer.receive()).opcode != wire.CLOSE:
        pass
    assert "send takes a str or bytes, not builtin_function_or_method" in caplog.text
    assert "is called with" not in caplog.text


async def test_a_function_of_asyncio_is_told_to_be_none_of_trio(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    peer, socket = await connect.socket()

    @socket.on_text
    async def received(socket: WebSocket, text: str) -> None:
        await asyncio.sleep(1)

    await peer.send_text("x")
    while (await peer.receive()).opcode != wire.CLOSE:
        pass
    assert "perfectws runs on trio" in caplog.text


@pytest.mark.parametrize(("written", "meant"), [("recv", "receive"), ("ping", "send_ping"), ("emit", "send")])
async def test_a_name_of_another_library_is_told_in_ours(
    connect: Connect, caplog: pytest.LogCaptureFixture, written: str, meant: str
) -> None:
    peer, socket = await connect.socket()
    socket.on_text(lambda socket, text: getattr(socket, written)())
    await peer.send_text("x")
    while (await peer.receive()).opcode != wire.CLOSE:
        pass
    assert f"WebSocket has {meant}." in caplog.text


async def test_after_an_error_the_pending_read_gets_nothing_and_no_frame_is_delivered(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    peer, socket = await connect.socket()
    read = Calls()
    socket.read_string_message(read)
    socket.send_string_message("x", completion=raises)
    assert await read.until(1) == [NOTHING]
    assert not socket.is_connected
    assert socket.close_code == 1011
    await peer.send_text("too late")
    socket.read_string_message(read)
    assert await read.until(2) == [NOTHING, NOTHING]
    assert_logged_once(caplog)


async def test_after_an_error_in_on_text_the_messages_that_wait_are_not_delivered(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    peer, socket = await connect.socket()
    await peer.stream.send_all(b"".join(wire.frame_bytes(wire.TEXT, str(number)) for number in range(10)))
    await quiet()
    texts = Calls(raises)
    socket.on_text(texts)
    await peer.receive_close()
    await quiet()
    assert len(texts.got) == 1
    assert_logged_once(caplog)


async def test_several_errors_at_once_close_once(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    peer, socket = await connect.socket()
    for _ in range(3):
        socket.send_ping(raises)
    assert (await peer.receive_close()).close_code == 1011
    await peer.send_close(1011)
    await peer.receive_eof()
    assert not peer.buffer
    assert len(caplog.records) == 3
    caplog.clear()


@pytest.mark.parametrize("mistake", RAISERS)
async def test_an_error_before_the_upgrade_is_a_500(
    connect: Connect, caplog: pytest.LogCaptureFixture, mistake: Callable[..., Any]
) -> None:
    routes = Routes()
    routes.add("GET", "/handler", mistake)
    routes.add("GET", "/producer", WebSocketHandler(mistake))
    for path in ("/handler", "/producer"):
        peer = await connect.to(routes)
        await peer.handshake(path)
        assert peer.status == 500
        assert_logged_once(caplog)


async def test_a_producer_that_returns_something_else_is_a_500(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    routes = Routes()
    routes.add("GET", "/", WebSocketHandler(lambda *_: "not a handler"))  # type: ignore[arg-type]  # misuse on purpose
    peer = await connect.to(routes)
    await peer.handshake()
    assert peer.status == 500
    assert len(caplog.records) == 1
    caplog.clear()


async def test_an_async_session_that_lets_connection_closed_out_is_no_error(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    ended = Calls()

    async def session(request: HTTPRequest, socket: WebSocket) -> None:
        try:
            while True:
                await socket.read_string_message()
        finally:
            ended()

    peer = await connect(session)
    await peer.close_handshake(4000)
    await ended.until(1)
    await quiet()
    assert not caplog.records


async def test_an_async_producer_that_raises_is_a_500_and_the_next_one_is_served(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    answers = iter([raises_later, None])

    async def produce(request: HTTPRequest, protocols: list[str]) -> Handler:
        if (answer := next(answers)) is not None:
            await answer()
        return Handler(lambda request, socket: None)

    routes = Routes()
    routes.add("GET", "/", WebSocketHandler(produce))
    peer = await connect.to(routes)
    await peer.handshake()
    assert peer.status == 500
    assert_logged_once(caplog)
    peer = await connect.to(routes)
    await peer.handshake()
    assert peer.status == 101
