"""`WebSocket.connect`: what it gives, when, and what it does with frames."""

from __future__ import annotations

import gc
import socket
import ssl
import sys
from pathlib import Path
from traceback import walk_tb
from typing import Any

import pytest
import trio

from perfectws import (
    CloseCode,
    ConnectionClosed,
    ConnectionRejected,
    ConnectionTimeout,
    HandshakeError,
    HTTPClient,
    HTTPRequest,
    HTTPServer,
    InvalidURL,
    LocalProtocolError,
    OpcodeType,
    Routes,
    WebSocket,
)
from perfectws.callbacks import running_loop

from ..calls import Calls, quiet
from ..peer import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close_payload, frame_bytes
from .conftest import PATIENCE
from .raw_server import RawServer
from .served import echo, port_of, served


async def test_the_future_gives_the_socket_after_on_upgrade_was_called(transport: str) -> None:
    events: list[Any] = []
    async with served(echo) as url, trio.open_nursery() as nursery:
        future = WebSocket.connect(to=url, on=nursery, on_upgrade=events.append)
        assert not future.is_done
        socket = await future
        assert events == [socket]
        assert socket.is_connected
        assert socket.request is None
        assert socket.remote_address == ("127.0.0.1", port_of(url))
        assert await socket.close() is None  # type: ignore[func-returns-value]  # that it is None is what is tested
        assert (socket.close_code, socket.is_closed) == (1000, True)


async def test_messages_come_back_whole_and_in_order(transport: str) -> None:
    messages: list[str | bytes] = ["", "héllo", b"\x00\xff", "x" * 70_000, b"y" * 70_000, "end"]
    got: list[Any] = []

    def upgraded(ws: WebSocket) -> None:
        ws.on_text(received)
        ws.on_binary(received)
        for message in messages:
            ws.send(message)

    def received(ws: WebSocket, message: str | bytes) -> None:
        got.append(message)
        if message == "end":
            ws.close(4000, "done")

    async with served(echo) as url, trio.open_nursery() as nursery:
        socket = await WebSocket.connect(to=url, on=nursery, on_upgrade=upgraded)
    assert got == messages
    assert (socket.close_code, socket.close_reason, socket.is_closed) == (4000, "done", True)


async def test_the_nursery_stays_open_until_the_connection_is_gone_and_then_ends(transport: str) -> None:
    def upgraded(ws: WebSocket) -> None:
        ws.on_text(lambda ws, text: ws.close())
        ws.send("one message")

    async with served(echo) as url, trio.open_nursery() as nursery:
        future = WebSocket.connect(to=url, on=nursery, on_upgrade=upgraded)
    assert (await future).is_closed


async def test_clients_of_one_nursery_share_a_loop_and_a_later_one_gets_another(transport: str) -> None:
    loops: list[Any] = []

    def upgraded(ws: WebSocket) -> None:
        loops.append(running_loop())

    async with served(echo) as url, trio.open_nursery() as nursery:
        first = await WebSocket.connect(to=url, on=nursery, on_upgrade=upgraded)
        second = await WebSocket.connect(to=url, on=nursery, on_upgrade=upgraded)
        assert loops[0] is loops[1]
        assert running_loop() is None, "a loop is nobody's but its callbacks'"
        await first.close()
        await second.close()
        while len(nursery.child_tasks):
            await trio.testing.wait_all_tasks_blocked(0.01)
        third = await WebSocket.connect(to=url, on=nursery, on_upgrade=upgraded)
        assert loops[2] is not loops[0]
        await third.close()


async def test_a_client_can_be_opened_inside_a_callback_without_saying_where(transport: str) -> None:
    texts: list[str] = []

    def first(ws: WebSocket) -> None:
        future = WebSocket.connect(to=url, on_upgrade=second)
        future.when_success(lambda other: ws.close())

    def second(ws: WebSocket) -> None:
        @ws.on_text
        def received(ws: WebSocket, text: str) -> None:
            texts.append(text)
            ws.close()

        ws.send("from the second")

    async with served(echo) as url, trio.open_nursery() as nursery:
        WebSocket.connect(to=url, on=nursery, on_upgrade=first)
    assert texts == ["from the second"]


async def test_a_server_s_callback_can_be_a_client_on_the_server_s_loop(transport: str) -> None:
    async def proxy(request: HTTPRequest, ws: WebSocket) -> None:
        behind = await WebSocket.connect(to=url)
        behind.on_text(lambda _, text: ws.send(f"behind: {text}"))
        ws.on_text(lambda _, text: behind.send(text))
        ws.on_close.when_complete(lambda _: behind.close())

    async with served(echo) as url, served(proxy) as front, trio.open_nursery() as nursery:
        ws = await WebSocket.connect(to=front, on=nursery)
        ws.send("hello")
        assert (await ws.read_string_message()).data == "behind: hello"
        await ws.close()


async def test_an_async_on_upgrade_may_read_with_await(transport: str) -> None:
    got: list[Any] = []

    async def upgraded(ws: WebSocket) -> None:
        await ws.send_string_message("one")
        got.append(await ws.read_string_message())
        await ws.send(b"two")
        async for message in ws:
            got.append(message)
            await ws.close()

    async with served(echo) as url, trio.open_nursery() as nursery:
        ws = await WebSocket.connect(to=url, on=nursery, on_upgrade=upgraded)
    assert got == [("one", OpcodeType.TEXT, True), b"two"]
    assert ws.close_code == 1000


async def test_no_event_loop_raises_and_says_what_to_pass() -> None:
    with pytest.raises(LocalProtocolError, match="pass on="):
        WebSocket.connect(to="ws://localhost")
    with pytest.raises(TypeError, match="an EventLoop, a trio nursery, or a server"):
        WebSocket.connect(to="ws://localhost", on="nursery")  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"to": 1}, TypeError),
        ({"to": "ws://h", "on_upgrade": 1}, TypeError),
        ({"to": "ws://h", "open_timeout": 0}, ValueError),
        ({"to": "ws://h", "max_frame_size": 0}, ValueError),
        ({"to": "ws://h", "colour": "blue"}, TypeError),
        ({"to": "ws://h", "reconnect": True}, LocalProtocolError),
        ({"to": "ws://h", "proxy": 3128}, TypeError),
        ({"to": "ws://h", "proxy": "ftp://proxy"}, InvalidURL),
        ({"to": "ws://h", "proxy": "http://"}, InvalidURL),
        ({"to": "ws://h", "proxy": "http://proxy:http"}, InvalidURL),
        ({"to": "ws://h", "headers": {"Upgrade": "x"}}, LocalProtocolError),
        ({"to": "ws://h", "headers": ["A: b"]}, TypeError),
        ({"to": "ws://h", "headers": {"A": "\ud800"}}, LocalProtocolError),
        ({"to": "ws://h", "subprotocols": None}, TypeError),
        ({"to": "ws://h", "reconnect": 5, "on_upgrade": lambda ws: None}, TypeError),
        ({"to": "wss://h", "ssl_context": True}, TypeError),
        ({"to": "wss://h", "ssl_context": ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)}, LocalProtocolError),
    ],
)
async def test_a_wrong_argument_raises_at_once(wrong: dict[str, Any], error: type[Exception]) -> None:
    async with trio.open_nursery() as nursery:
        with pytest.raises(error):
            WebSocket.connect(on=nursery, **wrong)
        assert not nursery.child_tasks


@pytest.mark.parametrize("hostname", ["127.0.0.1/x", "u@h", "h?a", "h#a", "a b", "[::1]", 5])
async def test_a_hostname_is_a_host_alone(hostname: Any, nursery: trio.Nursery) -> None:
    with pytest.raises(InvalidURL, match="hostname is a host name or an IP address alone"):
        HTTPClient.web_socket(hostname=hostname, on=nursery)


# Failures


@pytest.mark.parametrize("url", ["w`:", "http://localhost", "ws://"])
async def test_a_wrong_url_fails_the_future(url: str) -> None:
    async with trio.open_nursery() as nursery:
        with pytest.raises(InvalidURL, match=r"URL|host"):
            await WebSocket.connect(to=url, on=nursery)


async def test_an_ssl_context_for_ws_fails_the_future() -> None:
    async with trio.open_nursery() as nursery:
        with pytest.raises(InvalidURL, match="wss://"):
            await WebSocket.connect(to="ws://localhost", on=nursery, ssl_context=ssl.create_default_context())


async def test_nobody_at_the_port_fails_with_the_reason(transport: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with trio.open_nursery() as nursery:
        with pytest.raises(HandshakeError, match=rf"cannot connect to 127.0.0.1:{port}: .*refused"):
            await WebSocket.connect(to=f"ws://127.0.0.1:{port}/", on=nursery)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_the_reason_is_the_systems_and_its_traceback_shows_none_of_ours(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with trio.open_nursery() as nursery:
        with pytest.raises(
            HandshakeError, match=rf"^wss://{host}:{port}/: cannot connect to {host}:{port}: \w+ refused$"
        ) as caught:
            await WebSocket.connect(to=f"wss://{host}:{port}/", on=nursery)
    modules = [str(frame.f_globals["__name__"]) for frame, _ in walk_tb(caught.tb)]
    assert modules == [__name__, "perfectws.futures", "perfectws.futures"]


async def test_a_host_that_does_not_exist_fails_with_its_name() -> None:
    async with trio.open_nursery() as nursery:
        with pytest.raises(HandshakeError, match=r"cannot connect to does-not-exist.invalid:80: "):
            await WebSocket.connect(to="ws://does-not-exist.invalid/", on=nursery)


async def test_a_server_that_does_not_answer_times_out_and_says_how_far_it_came(
    transport: str, raw_server: RawServer
) -> None:
    async with trio.open_nursery() as nursery:
        future = WebSocket.connect(to=raw_server.url, on=nursery, open_timeout=0.05)
        connection = await raw_server.accept()
        with pytest.raises(ConnectionTimeout, match=r"not open after 0.05 seconds: .* did not answer"):
            await future
        await connection.receive_eof()


async def test_a_server_that_drips_its_answer_times_out_all_the_same(transport: str, raw_server: RawServer) -> None:
    async with trio.open_nursery() as nursery:
        future = WebSocket.connect(to=raw_server.url, on=nursery, open_timeout=0.1)
        connection = await raw_server.accept()
        await connection.stream.send_all(b"HTTP/1.1 20")
        with pytest.raises(ConnectionTimeout):
            await future


async def test_a_rejection_gives_the_status_the_headers_and_the_body(transport: str) -> None:
    async with served(echo) as url, trio.open_nursery() as nursery:
        with pytest.raises(ConnectionRejected, match=r"answered 404 Not Found instead of 101") as rejected:
            await WebSocket.connect(to=f"{url}/nowhere", on=nursery)
    assert rejected.value.status == 404
    assert b"nothing is served at /nowhere" in rejected.value.body
    assert ("Content-Type", "text/plain; charset=utf-8") in rejected.value.headers


async def test_a_101_that_is_not_for_us_fails_and_ends_the_connection(transport: str, raw_server: RawServer) -> None:
    async with trio.open_nursery() as nursery:
        future = WebSocket.connect(to=raw_server.url, on=nursery)
        connection = await raw_server.accept()
        await connection.read_request()
        await connection.stream.send_all(connection.response(accept="s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))
        with pytest.raises(HandshakeError, match="does not answer our key"):
            await future
        await connection.receive_eof()


async def test_a_101_of_http_1_0_fails_and_ends_the_connection(transport: str, raw_server: RawServer) -> None:
    async with trio.open_nursery() as nursery:
        future = WebSocket.connect(to=raw_server.url, on=nursery)
        connection = await raw_server.accept()
        await connection.read_request()
        await connection.stream.send_all(connection.response().replace(b"HTTP/1.1", b"HTTP/1.0"))
        with pytest.raises(HandshakeError, match=r"it is HTTP/1\.0"):
            await future
        await connection.receive_eof()


async def test_a_server_that_hangs_up_without_an_answer_fails(transport: str, raw_server: RawServer) -> None:
    async with trio.open_nursery() as nursery:
        future = WebSocket.connect(to=raw_server.url, on=nursery)
        connection = await raw_server.accept()
        await connection.read_request()
        await connection.stream.aclose()
        with pytest.raises(HandshakeError, match=r"the server closed the connection|the connection was lost"):
            await future


async def test_a_failure_that_nobody_asks_for_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async with trio.open_nursery() as nursery:
        WebSocket.connect(to="ws://", on=nursery)
    gc.collect()
    assert [record.levelname for record in caplog.records] == ["ERROR"]


async def test_when_failure_is_called_though_the_loop_has_ended_meanwhile() -> None:
    failed = Calls()
    async with trio.open_nursery() as nursery:
        future = WebSocket.connect(to="ws://does-not-exist.invalid/", on=nursery)
    assert future.is_done
    future.when_failure(failed)
    assert failed.got == [], "never from inside the method that takes it"
    ((error,),) = await failed.until(1)
    assert isinstance(error, HandshakeError)


# Cancelling


async def test_a_cancelled_nursery_takes_its_connections_along_and_settles_everything_once(
    transport: str, raw_server: RawServer
) -> None:
    reads, closes = Calls(), Calls()
    async with trio.open_nursery() as nursery:
        future = WebSocket.connect(to=raw_server.url, on=nursery)
        connection = await raw_server.accept()
        await connection.upgrade()
        ws = await future
        ws.read_string_message(reads)
        ws.on_close.when_complete(closes)
        pending = WebSocket.connect(to=raw_server.url, on=nursery)
        other = await raw_server.accept()
        await other.read_request()
        nursery.cancel_scope.cancel()
    await quiet()
    assert reads.got == [(None, OpcodeType.INVALID, True)]
    assert len(closes.got) == 1
    assert ws.is_closed
    with pytest.raises(HandshakeError, match=r"given up|ended"):
        await pending
    await connection.receive_eof()
    await other.receive_eof()


async def test_cancel_gives_an_attempt_up(transport: str, raw_server: RawServer) -> None:
    async with trio.open_nursery() as nursery:
        future = WebSocket.connect(to=raw_server.url, on=nursery)
        connection = await raw_server.accept()
        await connection.read_request()
        future.cancel()
        with pytest.raises(HandshakeError, match="given up before the WebSocket was open"):
            await future
        await connection.receive_eof()


async def test_cancel_leaves_an_open_socket_open(transport: str) -> None:
    async with served(echo) as url, trio.open_nursery() as nursery:
        future = WebSocket.connect(to=url, on=nursery)
        ws = await future
        future.cancel()
        ws.send("still here")
        assert (await ws.read_string_message()).data == "still here"
        await ws.close()


async def test_a_cancelled_await_leaves_the_future_as_it_is(transport: str, raw_server: RawServer) -> None:
    async with trio.open_nursery() as nursery:
        future = WebSocket.connect(to=raw_server.url, on=nursery)
        connection = await raw_server.accept()
        await connection.read_request()
        with trio.move_on_after(0.01) as scope:
            await future
        assert scope.cancelled_caught
        await connection.stream.send_all(connection.response())
        ws = await future
        await connection.close_handshake()
        await ws.on_close


# Frames


async def test_what_comes_behind_the_101_belongs_to_the_session(transport: str, raw_server: RawServer) -> None:
    texts = Calls()

    def upgraded(ws: WebSocket) -> None:
        ws.on_text(texts)

    async with trio.open_nursery() as nursery:
        future = WebSocket.connect(to=raw_server.url, on=nursery, on_upgrade=upgraded)
        connection = await raw_server.accept()
        await connection.upgrade(more=frame_bytes(TEXT, "first", mask=b"") + frame_bytes(TEXT, "second", mask=b""))
        ws = await future
        assert await texts.until(2) == [(ws, "first"), (ws, "second")]
        await connection.close_handshake()


async def test_without_on_upgrade_frames_wait_for_the_first_handler(transport: str, raw_server: RawServer) -> None:
    texts = Calls()
    async with trio.open_nursery() as nursery:
        future = WebSocket.connect(to=raw_server.url, on=nursery)
        connection = await raw_server.accept()
        await connection.upgrade(more=frame_bytes(TEXT, "early", mask=b""))
        ws = await future
        await quiet()
        ws.on_text(texts)
        await texts.until(1)
        assert texts.got == [(ws, "early")]
        await connection.close_handshake()


async def test_without_on_upgrade_frames_wait_for_the_first_read(transport: str, raw_server: RawServer) -> None:
    async with trio.open_nursery() as nursery:
        future = WebSocket.connect(to=raw_server.url, on=nursery)
        connection = await raw_server.accept()
        await connection.upgrade()
        ws = await future
        for number in range(100):
            await connection.send(TEXT, str(number))
        await quiet()
        assert [(await ws.read_string_message()).data for _ in range(100)] == [str(number) for number in range(100)]
        await connection.close_handshake()


async def test_after_on_upgrade_messages_without_a_handler_are_dropped(transport: str, raw_server: RawServer) -> None:
    texts = Calls()
    async with trio.open_nursery() as nursery:
        future = WebSocket.connect(to=raw_server.url, on=nursery, on_upgrade=lambda ws: None)
        connection = await raw_server.accept()
        await connection.upgrade()
        ws = await future
        for _ in range(1000):
            await connection.send(BINARY, b"x" * 1000)
        await connection.send(PING, b"?")
        assert (await connection.receive()).opcode == PONG
        ws.on_text(texts)
        await connection.send(TEXT, "late, but not too late")
        await texts.until(1)
        await connection.close_handshake()


async def test_an_async_on_upgrade_drops_nothing_before_it_has_returned(transport: str, raw_server: RawServer) -> None:
    texts = Calls()
    go_on = trio.Event()

    async def upgraded(ws: WebSocket) -> None:
        await go_on.wait()
        ws.on_text(texts)

    async with trio.open_nursery() as nursery:
        future = WebSocket.connect(to=raw_server.url, on=nursery, on_upgrade=upgraded)
        connection = await raw_server.accept()
        await connection.upgrade(more=frame_bytes(TEXT, "early", mask=b""))
        await future
        await quiet()
        go_on.set()
        await texts.until(1)
        await connection.close_handshake()


async def test_on_upgrade_may_read_as_perfect_does(transport: str) -> None:
    reads = Calls()

    def upgraded(ws: WebSocket) -> None:
        ws.read_string_message(reads)
        ws.send_string_message("hello")

    async with served(echo) as url, trio.open_nursery() as nursery:
        ws = await WebSocket.connect(to=url, on=nursery, on_upgrade=upgraded)
        assert await reads.until(1) == [("hello", OpcodeType.TEXT, True)]
        await ws.close()


async def test_every_frame_is_masked_with_a_key_of_its_own(transport: str, raw_server: RawServer) -> None:
    async with trio.open_nursery() as nursery:
        future = WebSocket.connect(to=raw_server.url, on=nursery)
        connection = await raw_server.accept()
        await connection.upgrade()
        ws = await future
        for size in (0, 5, 125, 126, 65535, 65536):
            ws.send(b"x" * size)
        ws.send_ping(b"ping")
        ws.send_raw(b"a", OpcodeType.TEXT, fin=False)
        ws.send_raw(b"b", OpcodeType.CONTINUATION)
        frames = [await connection.receive() for _ in range(9)]
        assert [len(frame.payload) for frame in frames] == [0, 5, 125, 126, 65535, 65536, 4, 1, 1]
        assert [frame.opcode for frame in frames[-3:]] == [PING, TEXT, CONTINUATION]
        assert len({frame.mask for frame in frames}) == len(frames)
        assert (await connection.close_handshake()).close_code == 1000
        await ws.on_close


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame_bytes(TEXT, "masked", mask=b"\x01\x02\x03\x04"), 1002),
        (frame_bytes(TEXT, b"\xff", mask=b""), 1007),
        (frame_bytes(TEXT, "x", rsv=0x40, mask=b""), 1002),
        (frame_bytes(0x3, "x", mask=b""), 1002),
        (frame_bytes(CLOSE, close_payload(1005), mask=b""), 1002),
        (b"\x82\x7f" + (2**20 + 1).to_bytes(8, "big"), 1009),
    ],
)
async def test_a_server_that_breaks_a_rule_is_left_with_the_code(
    transport: str, raw_server: RawServer, data: bytes, code: int
) -> None:
    async with trio.open_nursery() as nursery:
        future = WebSocket.connect(to=raw_server.url, on=nursery)
        connection = await raw_server.accept()
        await connection.upgrade(more=data)
        ws = await future
        assert (await connection.receive_close()).close_code == code
        await connection.stream.aclose()
        with pytest.raises(ConnectionClosed):
            await ws.read_bytes_message()
        await ws.on_close
        assert ws.close_code == code


async def test_compressed_fragments_far_longer_than_a_frame_in_all_are_read_one_by_one(transport: str) -> None:
    sizes: list[int] = []
    whole = Calls()

    def session(request: HTTPRequest, ws: WebSocket) -> None:
        def received(data: bytes | None, opcode: OpcodeType, final: bool) -> None:
            assert data is not None
            sizes.append(len(data))
            if final:
                whole()
            else:
                ws.read_bytes_message(received)

        ws.read_bytes_message(received)

    async with served(session, compression=True) as url, trio.open_nursery() as nursery:
        ws = await WebSocket.connect(to=url, on=nursery, compression=True)
        for number in range(100):
            await ws.send_binary_message(bytes(65536), final=number == 99)
        await whole.until(1)
        assert sizes == [65536] * 100
        await ws.close()


@pytest.mark.parametrize("reads", [False, True], ids=["messages", "frames"])
@pytest.mark.parametrize(
    ("ending", "code"),
    [
        (frame_bytes(CLOSE, close_payload(4001), mask=b""), 4001),
        (frame_bytes(0x3, "x", mask=b""), 1002),
        (frame_bytes(TEXT, b"\xff", mask=b""), 1007),
        (b"\x82\x7f" + (2**20 + 1).to_bytes(8, "big"), 1009),
    ],
)
async def test_what_a_client_answers_at_once_goes_out_before_its_close_frame(
    transport: str, raw_server: RawServer, ending: bytes, code: int, reads: bool
) -> None:
    def on_upgrade(ws: WebSocket) -> None:
        def received(text: str | None, *_: object) -> None:
            if text is not None:
                ws.send_string_message(text, completion=lambda: ws.read_string_message(received))

        if reads:
            ws.read_string_message(received)
        else:
            ws.on_text(lambda ws, text: ws.send(text))

    async with trio.open_nursery() as nursery:
        WebSocket.connect(to=raw_server.url, on=nursery, on_upgrade=on_upgrade)
        connection = await raw_server.accept()
        await connection.upgrade(more=b"".join(frame_bytes(TEXT, text, mask=b"") for text in "abc") + ending)
        frames = [await connection.receive() for _ in range(4)]
        assert [frame.payload for frame in frames[:3]] == [b"a", b"b", b"c"]
        assert (frames[3].opcode, frames[3].close_code) == (CLOSE, code)
        await connection.stream.aclose()


async def test_the_client_lets_the_server_end_tcp_first(transport: str, raw_server: RawServer) -> None:
    async with trio.open_nursery() as nursery:
        future = WebSocket.connect(to=raw_server.url, on=nursery)
        connection = await raw_server.accept()
        await connection.upgrade()
        ws = await future
        await connection.send(CLOSE, close_payload(1000, "bye"))
        assert (await connection.receive_close()).payload == close_payload(1000, "bye")
        with trio.move_on_after(0.05) as waiting:
            await connection.receive_eof()
        assert waiting.cancelled_caught, "the client ended TCP first"
        assert not ws.is_connected
        assert not ws.is_closed
        await connection.stream.aclose()
        await ws.on_close
    assert (ws.close_code, ws.close_reason) == (1000, "bye")


async def test_a_client_ends_its_side_itself_once_the_server_has_broken_a_rule(
    transport: str, raw_server: RawServer
) -> None:
    async with trio.open_nursery() as nursery:
        future = WebSocket.connect(to=raw_server.url, on=nursery, close_timeout=10 * PATIENCE)
        connection = await raw_server.accept()
        await connection.upgrade()
        await future
        await connection.send(0x3)
        assert (await connection.receive_close()).close_code == 1002
        await connection.receive_eof()
        await connection.stream.aclose()


async def test_a_server_that_does_not_end_tcp_is_left_after_close_timeout(
    transport: str, raw_server: RawServer
) -> None:
    async with trio.open_nursery() as nursery:
        future = WebSocket.connect(to=raw_server.url, on=nursery, close_timeout=0.05)
        connection = await raw_server.accept()
        await connection.upgrade()
        ws = await future
        await connection.send(CLOSE, close_payload(1000))
        await connection.receive_close()
        await ws.on_close
        await connection.receive_eof()


async def test_a_lost_connection_is_1006_and_settles_everything(transport: str, raw_server: RawServer) -> None:
    async with trio.open_nursery() as nursery:
        future = WebSocket.connect(to=raw_server.url, on=nursery)
        connection = await raw_server.accept()
        await connection.upgrade()
        ws = await future
        reads, closes = Calls(), Calls()
        ws.read_bytes_message(reads)
        ws.on_close.when_complete(closes)
        await connection.stream.aclose()
        await closes.until(1)
        assert reads.got == [(None, OpcodeType.INVALID, True)]
        assert ws.close_code == CloseCode.ABNORMAL_CLOSURE


async def test_a_server_that_answers_no_ping_is_dropped_as_1006(transport: str, raw_server: RawServer) -> None:
    async with trio.open_nursery() as nursery:
        future = WebSocket.connect(to=raw_server.url, on=nursery, ping_interval=0.02, ping_timeout=0.05)
        connection = await raw_server.accept()
        await connection.upgrade()
        ws = await future
        await ws.on_close
        assert ws.close_code == CloseCode.ABNORMAL_CLOSURE
        assert (await connection.receive()).opcode == PING


async def test_an_error_in_on_upgrade_closes_with_1011_and_is_logged(
    transport: str, raw_server: RawServer, caplog: pytest.LogCaptureFixture
) -> None:
    def upgraded(ws: WebSocket) -> None:
        raise KeyError("mine")

    async with trio.open_nursery() as nursery:
        future = WebSocket.connect(to=raw_server.url, on=nursery, on_upgrade=upgraded)
        connection = await raw_server.accept()
        await connection.upgrade()
        assert (await connection.receive_close()).close_code == 1011
        await connection.send(CLOSE, close_payload(1011))
        await connection.stream.aclose()
        assert (await future).close_code == 1011
    assert "KeyError: 'mine'" in caplog.text


# Addresses


async def test_headers_subprotocols_and_the_query_are_sent(transport: str, raw_server: RawServer) -> None:
    async with trio.open_nursery() as nursery:
        future = WebSocket.connect(
            to=f"ws://user:pass@127.0.0.1:{raw_server.port}/chat?room=1",
            on=nursery,
            headers={"X-Token": "abc"},
            subprotocols=["v2", "v1"],
        )
        connection = await raw_server.accept()
        await connection.upgrade("Sec-WebSocket-Protocol: v1")
        assert connection.request_line == "GET /chat?room=1 HTTP/1.1"
        assert connection.headers["x-token"] == "abc"
        assert connection.headers["authorization"] == "Basic dXNlcjpwYXNz"
        assert connection.headers["sec-websocket-protocol"] == "v2, v1"
        assert connection.headers["host"] == f"127.0.0.1:{raw_server.port}"
        assert (await future).subprotocol == "v1"
        await connection.close_handshake()


async def test_an_ipv6_address_and_a_name_with_two_addresses_connect(transport: str) -> None:
    server = HTTPServer()
    server.server_address = "::1"
    routes = Routes()
    routes.web_socket("/", echo)
    server.add_routes(routes)
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as serving:
            port = await serving.start(server.serve)
            async with trio.open_nursery() as nursery:
                # "localhost" is 127.0.0.1 too, where nobody listens.
                hosts = ["[::1]"] + ["localhost"] * (("::1", 0) in await addresses("localhost"))
                for host in hosts:
                    ws = await WebSocket.connect(to=f"ws://{host}:{port}/", on=nursery)
                    assert ws.remote_address == ("::1", port)
                    await ws.close()
                ws = await HTTPClient.web_socket("::1", port, on=nursery)
                await ws.close()
            server.stop()


async def addresses(host: str) -> set[tuple[str, int]]:
    found = await trio.socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)
    return {(str(entry[4][0]), int(entry[4][1])) for entry in found}


async def test_a_unix_socket_connects(transport: str, tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("Windows has no Unix sockets")
    path = tmp_path / "chat.sock"
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen()
    async with trio.SocketListener(trio.socket.from_stdlib_socket(listening)) as listener:
        with trio.fail_after(PATIENCE):
            async with trio.open_nursery() as nursery:
                future = WebSocket.connect(to=f"ws+unix://{path}:/chat?a=b", on=nursery)
                raw = RawServer.__new__(RawServer)
                raw._listener, raw._connections = listener, []
                connection = await raw.accept()
                await connection.upgrade()
                assert connection.request_line == "GET /chat?a=b HTTP/1.1"
                assert connection.headers["host"] == "localhost"
                ws = await future
                ws.send("hello")
                assert (await connection.receive()).payload == b"hello"
                await connection.close_handshake()
                with pytest.raises(HandshakeError, match="cannot connect to /does/not/exist: No such file"):
                    await WebSocket.connect(to="ws+unix:///does/not/exist:/", on=nursery)
