"""``reconnect=``: again after each drop, until told to stop."""

from __future__ import annotations

import logging
import socket
from itertools import islice
from typing import Any

import pytest
import trio

from perfectws import Backoff, ConnectionRejected, HandshakeError, HTTPRequest, HTTPServer, Routes, WebSocket

from ..calls import Calls
from ..peer import CLOSE, close_payload
from .conftest import PATIENCE
from .raw_server import RawServer
from .served import echo, port_of, served

FAST = Backoff(first=0.001, longest=0.01)


def test_the_waits_grow_up_to_the_longest_and_are_shortened_at_random() -> None:
    for _ in range(100):
        waits = list(islice(Backoff(first=1, factor=2, longest=10).delays(), 6))
        for wait, most in zip(waits, [1, 2, 4, 8, 10, 10], strict=True):
            assert most / 2 <= wait <= most
    assert len({next(Backoff().delays()) for _ in range(20)}) > 1


@pytest.mark.parametrize(
    "wrong",
    [{"first": 0}, {"first": -1}, {"factor": 0.5}, {"first": 2, "longest": 1}, {"jitter": 1.5}, {"attempts": 0}],
)
def test_a_wrong_backoff_raises(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^reconnect: {next(iter(wrong))} is "):
        Backoff(**wrong)


async def test_on_upgrade_is_called_again_after_each_drop_until_the_application_closes(
    transport: str, caplog: pytest.LogCaptureFixture
) -> None:
    sockets: list[WebSocket] = []

    def drop(request: HTTPRequest, ws: WebSocket) -> None:
        ws.on_text(lambda ws, text: ws.close(1012, "restart"))

    def upgraded(ws: WebSocket) -> None:
        sockets.append(ws)
        if len(sockets) < 5:
            ws.send("drop me")
        else:
            ws.close(4000)

    async with served(drop) as url, trio.open_nursery() as nursery:
        first = await WebSocket.connect(to=url, on=nursery, reconnect=FAST, on_upgrade=upgraded)
    assert first is sockets[0]
    assert [ws.close_code for ws in sockets] == [1012] * 4 + [4000]
    assert len(caplog.records) == 4
    assert "1012 (restart); connecting again in 0.0 seconds" in caplog.text


async def test_a_lost_connection_is_made_again(transport: str, raw_server: RawServer) -> None:
    sockets = Calls()
    async with trio.open_nursery() as nursery:
        WebSocket.connect(to=raw_server.url, on=nursery, reconnect=FAST, on_upgrade=sockets)
        for _ in range(3):
            connection = await raw_server.accept()
            await connection.upgrade()
            await connection.stream.aclose()
        connection = await raw_server.accept()
        await connection.upgrade()
        *lost, (last,) = await sockets.until(4)
        last.close()
        await connection.receive_close()
        await connection.send(CLOSE, close_payload(1000))
        await connection.stream.aclose()
    assert [ws.close_code for (ws,) in lost] == [1006] * 3


async def test_attempts_go_on_until_a_server_is_there(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    server = HTTPServer()
    server.server_address, server.server_port = "127.0.0.1", port
    routes = Routes()
    routes.web_socket("/", echo)
    server.add_routes(routes)
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as serving, trio.open_nursery() as nursery:
            future = WebSocket.connect(
                to=f"ws://127.0.0.1:{port}/", on=nursery, reconnect=FAST, on_upgrade=lambda ws: None
            )
            while len(caplog.records) < 3:
                await trio.sleep(0.001)
            await serving.start(server.serve)
            await (await future).close()
            server.stop()
    assert "refused; connecting again in" in caplog.text


async def test_a_server_that_says_no_is_final(transport: str) -> None:
    async with served(echo) as url, trio.open_nursery() as nursery:
        with pytest.raises(ConnectionRejected, match="404"):
            await WebSocket.connect(to=f"{url}/nowhere", on=nursery, reconnect=FAST, on_upgrade=lambda ws: None)


async def test_a_server_that_is_overloaded_is_asked_again(transport: str, raw_server: RawServer) -> None:
    async with trio.open_nursery() as nursery:
        future = WebSocket.connect(to=raw_server.url, on=nursery, reconnect=FAST, on_upgrade=lambda ws: None)
        for status in (503, 429):
            connection = await raw_server.accept()
            await connection.read_request()
            await connection.stream.send_all(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % status)
            await connection.receive_eof()
        connection = await raw_server.accept()
        await connection.upgrade()
        (await future).close()
        await connection.receive_close()
        await connection.stream.aclose()


async def test_a_no_after_the_first_connection_is_logged_and_final(
    transport: str, raw_server: RawServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with trio.open_nursery() as nursery:
        WebSocket.connect(to=raw_server.url, on=nursery, reconnect=FAST, on_upgrade=lambda ws: None)
        connection = await raw_server.accept()
        await connection.upgrade()
        await connection.stream.aclose()
        connection = await raw_server.accept()
        await connection.read_request()
        await connection.stream.send_all(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n")
    assert caplog.records[-1].levelno == logging.ERROR
    assert "401 Unauthorized instead of 101; not connecting again" in caplog.text


async def test_closing_a_socket_that_has_dropped_already_ends_the_waiting(
    transport: str, raw_server: RawServer
) -> None:
    async with trio.open_nursery() as nursery:
        future = WebSocket.connect(
            to=raw_server.url, on=nursery, reconnect=Backoff(first=1000, longest=1000), on_upgrade=lambda ws: None
        )
        connection = await raw_server.accept()
        await connection.upgrade()
        ws = await future
        await connection.stream.aclose()
        await ws.on_close
        ws.close()


async def test_cancel_ends_the_waiting_and_fails_what_was_never_open(transport: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"ws://127.0.0.1:{taken.getsockname()[1]}/"
    async with trio.open_nursery() as nursery:
        future = WebSocket.connect(to=url, on=nursery, reconnect=Backoff(1000, 1, 1000), on_upgrade=lambda ws: None)
        with trio.move_on_after(0.05):
            await future
        future.cancel()
        with pytest.raises(HandshakeError, match="given up"):
            await future


async def test_a_server_that_stops_and_comes_back_finds_its_clients_again(transport: str) -> None:
    sockets = Calls()
    async with trio.open_nursery() as nursery:
        async with served(echo) as url:
            WebSocket.connect(to=url, on=nursery, reconnect=FAST, on_upgrade=sockets)
            ((first,),) = await sockets.until(1)
        await first.on_close
        assert first.close_code == 1001
        server = HTTPServer()
        server.server_address, server.server_port = "127.0.0.1", port_of(url)
        routes = Routes()
        routes.web_socket("/", echo)
        server.add_routes(routes)
        with trio.fail_after(PATIENCE):
            await nursery.start(server.serve)
            _, (second,) = await sockets.until(2)
            await second.close()
            server.stop()
