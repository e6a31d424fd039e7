"""Law 13: misuse raises at once, with a message that says what to do; the network never does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import trio

from perfectws import ConnectionClosed, LocalProtocolError, OpcodeType, Promise, Room, WebSocket

from .. import peer as wire
from ..calls import NOTHING, TEXT, Calls, quiet
from ..conftest import Connect

Wrong = Callable[[Any], object]

#: A call that is wrong whatever the state, its error, and a word of what to do instead.
WRONG_ARGUMENTS = [
    (lambda s: s.send_string_message(b"x"), TypeError, "send_binary_message"),
    (lambda s: s.send_string_message(None), TypeError, "str"),
    (lambda s: s.send_string_message("\ud800"), UnicodeEncodeError, "surrogates not allowed: replace them"),
    (lambda s: s.send_string_message("x", completion="x"), TypeError, "callable"),
    (lambda s: s.send_string_message("x", completion=Promise()), TypeError, "callable"),
    (lambda s: s.send_string_message("x", print), TypeError, "final is True or False, not .*: write completion="),
    (lambda s: s.send_string_message("x", Promise()), TypeError, "completion="),
    (lambda s: s.send_string_message("x", None), TypeError, "True or False"),
    (lambda s: s.send_binary_message(b"x", print), TypeError, "completion="),
    (lambda s: s.send_raw(b"x", OpcodeType.TEXT, print), TypeError, "fin is True or False, not .*: write promise="),
    (lambda s: s.send_raw(b"x", OpcodeType.PING, Promise()), TypeError, "promise="),
    (lambda s: s.send_binary_message("x"), TypeError, "send_string_message"),
    (lambda s: s.send_binary_message(1), TypeError, "bytes, not int"),
    (lambda s: s.send_binary_message([1, 256]), ValueError, "256"),
    (lambda s: s.send([1, "2"]), TypeError, "a str or bytes, or a list of ints from 0 to 255, which '2' is not"),
    (lambda s: s.send_binary_message(b"", True, 5), TypeError, "callable"),
    (lambda s: s.send(5), TypeError, "bytes"),
    (lambda s: s.send("\ud800"), UnicodeEncodeError, "surrogates not allowed: replace them"),
    (lambda s: s.send("x", print), TypeError, "Promise"),
    (lambda s: s.send_raw("x", OpcodeType.TEXT), TypeError, "bytes"),
    (lambda s: s.send_raw(b"\xff\xfe", OpcodeType.TEXT), LocalProtocolError, "UTF-8.*OpcodeType.BINARY"),
    (lambda s: s.send_raw(b"\xc3", OpcodeType.TEXT), LocalProtocolError, "UTF-8"),
    (lambda s: s.send_raw(b"x", OpcodeType.CLOSE), LocalProtocolError, "close\\("),
    (lambda s: s.send_raw(b"x", OpcodeType.INVALID), LocalProtocolError, "INVALID"),
    (lambda s: s.send_raw(b"x", 5), ValueError, "OpcodeType"),
    (lambda s: s.send_raw(b"x", OpcodeType.PING, fin=False), LocalProtocolError, "fin"),
    (lambda s: s.send_raw(bytes(126), OpcodeType.PING), LocalProtocolError, "125"),
    (lambda s: s.send_ping(data=bytes(126)), LocalProtocolError, "125"),
    (lambda s: s.send_ping("text"), TypeError, "callable"),
    (lambda s: s.send_ping(data="text"), TypeError, "bytes"),
    (lambda s: s.send_ping(b"first", data=b"second"), TypeError, "send_ping takes one payload"),
    (lambda s: s.send_pong([1], data=[2]), TypeError, "send_pong takes one payload"),
    (lambda s: s.send_pong(bytes(126)), LocalProtocolError, "125"),
    (lambda s: s.read_string_message("x"), TypeError, "continuation"),
    (lambda s: s.read_bytes_message(5), TypeError, "continuation"),
    (lambda s: s.on_text(None), TypeError, "callable"),
    (lambda s: s.on_binary("x"), TypeError, "callable"),
    (lambda s: s.on_ping(5), TypeError, "callable"),
    (lambda s: s.on_pong(5), TypeError, "callable"),
    (lambda s: s.close(1005), LocalProtocolError, "close code"),
    (lambda s: s.close("bye"), TypeError, "code"),
    (lambda s: s.close(1000.0), TypeError, "code"),
    (lambda s: s.close(1000, b"bye"), TypeError, "reason"),
    (lambda s: s.close(1000, "x" * 124), LocalProtocolError, "123"),
    (lambda s: s.close(1000, "\ud800"), UnicodeEncodeError, "surrogates not allowed: replace them"),
    (lambda s: s.close(promise=print), TypeError, "Promise"),
    (lambda s: setattr(s, "ping_interval", 0), ValueError, "None"),
    (lambda s: setattr(s, "ping_interval", -1), ValueError, "None"),
]


@pytest.mark.parametrize("in_thread", [False, True], ids=["in the loop", "in a thread"])
@pytest.mark.parametrize(("call", "error", "advice"), WRONG_ARGUMENTS)
async def test_a_wrong_argument_raises_at_once_and_leaves_the_socket_usable(
    memory_connect: Connect, call: Wrong, error: type[Exception], advice: str, in_thread: bool
) -> None:
    peer, socket = await memory_connect.socket()
    with pytest.raises(error, match=advice):
        await trio.to_thread.run_sync(call, socket) if in_thread else call(socket)
    await quiet()
    assert socket.is_connected
    socket.send_string_message("still here")
    assert await peer.receive_text() == "still here"


def read_beside_handlers(socket: WebSocket) -> None:
    socket.on_text(Calls())
    socket.read_string_message(Calls())


def set_a_handler_with_a_read_pending(socket: WebSocket) -> None:
    socket.read_string_message(Calls())
    socket.on_text(Calls())


def change_kind_inside_a_message(socket: WebSocket) -> None:
    socket.send_string_message("x", final=False)
    socket.send_binary_message(b"x")


def continue_nothing(socket: WebSocket) -> None:
    socket.send_raw(b"x", OpcodeType.CONTINUATION)


def begin_inside_a_message(socket: WebSocket) -> None:
    socket.send_raw(b"x", OpcodeType.TEXT, fin=False)
    socket.send_raw(b"x", OpcodeType.TEXT)


def cut_a_character_and_go_on_with_another(socket: WebSocket) -> None:
    socket.send_raw(b"\xc3", OpcodeType.TEXT, fin=False)
    socket.send_raw(b"x", OpcodeType.CONTINUATION, fin=False)


def end_within_a_character(socket: WebSocket) -> None:
    socket.send_string_message("x", final=False)
    socket.send_raw(b"\xc3", OpcodeType.CONTINUATION)


def cut_a_character_and_go_on_with_a_text(socket: WebSocket) -> None:
    socket.send_raw(b"\xc3", OpcodeType.TEXT, fin=False)
    socket.send_string_message("x")


WRONG_STATES = [
    (cut_a_character_and_go_on_with_another, "UTF-8"),
    (end_within_a_character, "UTF-8"),
    (cut_a_character_and_go_on_with_a_text, "UTF-8"),
    (read_beside_handlers, "on_text"),
    (set_a_handler_with_a_read_pending, "pending"),
    (change_kind_inside_a_message, "final=True"),
    (continue_nothing, "nothing to continue"),
    (begin_inside_a_message, "CONTINUATION"),
]


@pytest.mark.parametrize(("call", "advice"), WRONG_STATES)
async def test_a_call_at_the_wrong_time_raises(
    connect: Connect, call: Callable[[WebSocket], None], advice: str
) -> None:
    _, socket = await connect.socket()
    with pytest.raises(LocalProtocolError, match=advice):
        call(socket)
    assert socket.is_connected


@pytest.mark.parametrize(("call", "advice"), WRONG_STATES)
async def test_at_the_wrong_time_from_another_thread_it_is_logged_and_closes_nothing(
    connect: Connect, caplog: pytest.LogCaptureFixture, call: Callable[[WebSocket], None], advice: str
) -> None:
    _, socket = await connect.socket()
    await trio.to_thread.run_sync(call, socket)
    await quiet()
    (record,) = caplog.records
    assert "thread" in record.getMessage()
    assert socket.is_connected
    caplog.clear()


@pytest.mark.parametrize(
    "send",
    [
        lambda socket, promise: socket.send_raw(b"x", OpcodeType.TEXT, promise=promise),
        lambda socket, promise: socket.send(b"x", promise),
        lambda socket, promise: socket.send([1, 2], promise=promise),
    ],
)
async def test_the_promise_of_a_send_that_proves_wrong_in_the_loop_fails_with_the_reason(
    connect: Connect, caplog: pytest.LogCaptureFixture, send: Callable[[WebSocket, Promise[None]], object]
) -> None:
    _, socket = await connect.socket()
    socket.send_raw(b"x", OpcodeType.TEXT, fin=False)
    promise = Promise[None]()
    await trio.to_thread.run_sync(send, socket, promise)
    with pytest.raises(LocalProtocolError, match="a fragmented"), trio.fail_after(30):
        await promise.future_result
    assert caplog.text.count("A call from another thread was wrong") == 1
    assert socket.is_connected
    caplog.clear()


async def test_an_error_leaves_a_fragmented_message_where_it_was(connect: Connect) -> None:
    peer, socket = await connect.socket()
    socket.send_string_message("one ", final=False)
    with pytest.raises(LocalProtocolError):
        socket.send_binary_message(b"x")
    with pytest.raises(UnicodeEncodeError):
        socket.send_string_message("\ud800")
    socket.send_string_message("two")
    assert [(await peer.receive())[:3] for _ in range(2)] == [
        (wire.TEXT, b"one ", False),
        (wire.CONTINUATION, b"two", True),
    ]


def fragment(socket: WebSocket) -> None:
    socket.send_raw(b"x", OpcodeType.TEXT, fin=False)


@pytest.mark.parametrize("prepare", [Room().join, fragment, WebSocket.close], ids=["room", "message", "closed"])
@pytest.mark.parametrize("options", [{}, {"compression": True}], ids=["plain", "compressed"])
async def test_what_is_wrong_is_refused_on_whatever_way_a_message_would_go(
    connect: Connect, options: dict[str, Any], prepare: Callable[[WebSocket], object]
) -> None:
    _, socket = await connect.socket(**options)
    prepare(socket)
    called: Any = Calls()
    calls: list[Callable[[], object]] = [
        lambda: socket.send_string_message("x", called),
        lambda: socket.send_binary_message(b"x", called),
        lambda: socket.send_string_message("\ud800"),
        lambda: socket.send("\ud800"),
    ]
    for call in calls:
        with pytest.raises((TypeError, UnicodeEncodeError), match=r"write completion=|surrogates not allowed: replace"):
            call()
    await quiet()
    assert called.got == []


async def test_a_character_may_be_cut_where_a_part_of_a_text_ends(connect: Connect) -> None:
    peer, socket = await connect.socket()
    socket.send_raw("é".encode()[:1], OpcodeType.TEXT, fin=False)
    with pytest.raises(LocalProtocolError, match="UTF-8"):
        socket.send_raw(b"x", OpcodeType.CONTINUATION)
    socket.send_raw("é".encode()[1:], OpcodeType.CONTINUATION, fin=False)
    socket.send_string_message("!")
    socket.send_raw(b"\xc3", OpcodeType.BINARY, fin=False)
    socket.send_raw(b"\xff", OpcodeType.CONTINUATION)
    socket.send_raw("é".encode(), OpcodeType.TEXT)
    assert [(await peer.receive())[:3] for _ in range(6)] == [
        (wire.TEXT, b"\xc3", False),
        (wire.CONTINUATION, b"\xa9", False),
        (wire.CONTINUATION, b"!", True),
        (wire.BINARY, b"\xc3", False),
        (wire.CONTINUATION, b"\xff", True),
        (wire.TEXT, b"\xc3\xa9", True),
    ]


async def in_thread(function: Callable[..., Any], *args: Any) -> Any:
    return await trio.to_thread.run_sync(function, *args)


async def test_every_method_may_be_called_from_another_thread(connect: Connect) -> None:
    peer, socket = await connect.socket()
    loop_thread = threading.get_ident()
    threads: set[int] = set()
    calls = Calls(lambda *_: threads.add(threading.get_ident()))
    texts = Calls(lambda *_: threads.add(threading.get_ident()))

    def in_another_thread() -> None:
        assert threading.get_ident() != loop_thread
        assert socket.read_string_message(calls) is calls
        socket.send_string_message("text", completion=calls)
        socket.send_string_message("a", False)
        socket.send_string_message("b")
        socket.send_binary_message(b"bytes", completion=calls)
        socket.send_ping(calls, data=b"ping")
        socket.send_pong(b"pong")
        promise = Promise[None](socket.on_close._loop)
        socket.send("sent", promise)
        assert promise.future_result.wait(5) is None
        socket.send_raw(b"raw", OpcodeType.BINARY)
        socket.on_ping(texts)
        socket.on_pong(texts)
        socket.on_close.when_complete(calls)
        socket.ping_interval = 5
        assert socket.ping_interval == 5
        assert socket.is_connected
        assert socket.buffered_amount >= 0

    await in_thread(in_another_thread)
    got = [(await peer.receive())[:2] for _ in range(8)]
    assert [payload for _, payload in got] == [b"text", b"a", b"b", b"bytes", b"ping", b"pong", b"sent", b"raw"]
    await peer.send_text("read")
    await calls.until(4)
    assert ("read", TEXT, True) in calls.got
    await in_thread(socket.on_text, texts)
    await peer.send_text("text")
    assert await texts.until(1) == [(socket, "text")]
    await peer.send(wire.PONG, b"ping")
    assert (await texts.until(2))[1] == (socket, b"ping")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(peer.close_handshake, 4001)
        await in_thread(lambda: socket.on_close.wait(5))
    await calls.until(5)
    assert threads == {loop_thread}


async def test_close_and_wait_from_another_thread_returns_when_the_connection_is_gone(connect: Connect) -> None:
    peer, socket = await connect.socket()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(peer.close_handshake)
        await in_thread(lambda: socket.close(4001, "bye").wait(5))
    assert socket.is_closed


async def test_calls_of_one_thread_keep_their_order_among_many(connect: Connect) -> None:
    peer, socket = await connect.socket()

    def send(name: str) -> None:
        for number in range(200):
            socket.send_string_message(f"{name}{number}")

    async with trio.open_nursery() as nursery:
        for name in "abcd":
            nursery.start_soon(in_thread, send, name)
        texts = [await peer.receive_text() for _ in range(800)]
    for name in "abcd":
        assert [text for text in texts if text[0] == name] == [f"{name}{number}" for number in range(200)]


async def test_a_read_is_awaited_in_the_loops_own_trio_run_only_and_a_send_in_any(connect: Connect) -> None:
    peer, socket = await connect.socket()

    async def elsewhere() -> None:
        with pytest.raises(LocalProtocolError, match="thread"):
            await socket.read_string_message()
        await socket.send_string_message("x")

    await in_thread(trio.run, elsewhere)
    assert await peer.receive_text() == "x"


async def test_a_method_of_a_socket_whose_loop_has_ended_does_nothing(caplog: pytest.LogCaptureFixture) -> None:
    from ..conftest import connecting

    async with connecting("memory") as connect:
        _, socket = await connect.socket()
    calls = Calls()
    socket.send_string_message("x", completion=calls)
    socket.close()
    await in_thread(socket.send_string_message, "x")
    assert not socket.is_connected


async def test_no_peer_can_raise_in_a_callback(connect: Connect) -> None:
    nonsense = [b"\x81", b"\x81\x80", bytes(100), b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 50, wire.frame_bytes(8, b"\x03")]
    for data in nonsense:
        peer, socket = await connect.socket()
        read = Calls()
        socket.read_string_message(read)
        await peer.stream.send_all(data)
        await quiet()
        await peer.vanish()
        assert await read.until(1) == [NOTHING]


async def test_promises_of_a_closed_socket_fail_with_its_code(connect: Connect) -> None:
    peer, socket = await connect.socket()
    await peer.close_handshake(4001, "bye")
    promise = Promise[None]()
    socket.send_raw(b"x", OpcodeType.PING, promise=promise)
    with pytest.raises(ConnectionClosed, match=r"4001 \(bye\)"):
        await promise.future_result
