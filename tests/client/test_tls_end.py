"""A client that ends TLS says so to the server, and to a proxy, however the connection has ended."""

from __future__ import annotations

import ssl
from typing import Any

import pytest
import trio

from perfectws import HandshakeError, WebSocket
from perfectws.client import opening

from ..certificates import server_context
from ..peer import CLOSE, close_payload, is_told_the_end
from .conftest import PATIENCE
from .raw_server import RawConnection, RawServer
from .tls_server import tls_server


async def is_told(connection: RawConnection) -> bool:
    """Return whether a closure alert ends the connection, which is closed then."""
    try:
        return await is_told_the_end(connection.stream)
    finally:
        await trio.aclose_forcefully(connection.stream)


async def close_and_stay(connection: RawConnection, ws: WebSocket) -> None:
    """Answer the close frame, and keep the connection open."""
    ws.close()
    await connection.receive_close()
    await connection.send(CLOSE, close_payload(1000))


async def close_without_an_answer(connection: RawConnection, ws: WebSocket) -> None:
    ws.close()
    await connection.receive_close()


async def answer_no_ping(connection: RawConnection, ws: WebSocket) -> None:
    await connection.receive()


async def close_amid_messages(connection: RawConnection, ws: WebSocket) -> None:
    """Close while messages wait that nobody reads, and keep the connection open."""
    for _ in range(100):
        await connection.send(1, "x" * 1000)
    await close_and_stay(connection, ws)


@pytest.mark.parametrize(
    ("end", "code"),
    [(close_and_stay, 1000), (close_without_an_answer, 1000), (answer_no_ping, 1006), (close_amid_messages, 1000)],
)
async def test_a_server_that_keeps_the_connection_open_is_told_of_the_end(
    trusting: ssl.SSLContext, end: Any, code: int
) -> None:
    with trio.fail_after(PATIENCE):
        async with tls_server("localhost") as server, trio.open_nursery() as nursery:
            keepalive = 0.05 if end is answer_no_ping else None
            future = WebSocket.connect(
                to=f"wss://localhost:{server.port}/",
                on=nursery,
                ssl_context=trusting,
                close_timeout=0.05,
                ping_interval=keepalive,
                ping_timeout=keepalive,
            )
            connection = await server.accept()
            await connection.upgrade()
            ws = await future
            await end(connection, ws)
            assert await is_told(connection)
            await ws.on_close
            assert ws.close_code == code
            nursery.cancel_scope.cancel()


ANSWERS: dict[str, bytes] = {
    "a refusal": b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n",
    "a refusal without an end": b"HTTP/1.1 403 No\r\nConnection: close\r\n\r\nno",
    "a 101 for somebody else": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "no HTTP": b"SSH-2.0-x\r\n",
    "nothing": b"",
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_a_server_whose_answer_opens_nothing_is_told_of_the_end(
    trusting: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(opening, "REFUSAL_TIMEOUT", 0.05)
    with trio.fail_after(PATIENCE):
        async with tls_server("localhost") as server, trio.open_nursery() as nursery:
            future = WebSocket.connect(
                to=f"wss://localhost:{server.port}/",
                on=nursery,
                ssl_context=trusting,
                open_timeout=10 if ANSWERS[name] else 0.2,
            )
            connection = await server.accept()
            await connection.read_request()
            if ANSWERS[name]:
                await connection.stream.send_all(ANSWERS[name])
            assert await is_told(connection)
            with pytest.raises(HandshakeError):
                await future
            nursery.cancel_scope.cancel()


async def test_a_server_is_told_of_the_end_when_the_program_of_the_client_is_cancelled(
    trusting: ssl.SSLContext,
) -> None:
    with trio.fail_after(PATIENCE):
        async with tls_server("localhost") as server:
            async with trio.open_nursery() as nursery:
                future = WebSocket.connect(to=f"wss://localhost:{server.port}/", on=nursery, ssl_context=trusting)
                connection = await server.accept()
                await connection.upgrade()
                await future
                nursery.cancel_scope.cancel()
            assert await is_told(connection)


@pytest.mark.parametrize("answer", ["407 No", "200 OK"])
async def test_an_https_proxy_is_told_of_the_end_and_so_is_the_server_behind_it(
    trusting: ssl.SSLContext, raw_server: RawServer, answer: str
) -> None:
    async with trio.open_nursery() as nursery:
        future = WebSocket.connect(
            to="wss://inside.example/",
            on=nursery,
            ssl_context=trusting,
            proxy=f"https://localhost:{raw_server.port}",
            close_timeout=0.05,
        )
        connection = await raw_server.accept()
        outer = trio.SSLStream(connection.stream, server_context("localhost"), server_side=True)
        connection.stream = outer
        await connection.read_request()
        await outer.send_all(
            f"HTTP/1.1 {answer}\r\n{'Content-Length: 0' if answer[0] == '4' else 'A: b'}\r\n\r\n".encode()
        )
        if answer == "200 OK":
            connection.stream = trio.SSLStream(outer, server_context("inside.example"), server_side=True)
            await connection.upgrade()
            await close_and_stay(connection, await future)
            assert await is_told_the_end(connection.stream)
        else:
            with pytest.raises(HandshakeError):
                await future
        assert await is_told_the_end(outer)
        nursery.cancel_scope.cancel()
