"""A plain connection to one address: it is there at once, or it is waited for. And attempts that are broken off."""

from __future__ import annotations

import errno
import socket

import pytest
import trio

from perfectws import ConnectionTimeout, HandshakeError, WebSocket

from .raw_server import RawServer


@pytest.fixture
def far_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every connection take its time, as one to another machine does."""
    connect_ex = socket.socket.connect_ex
    begun = set[int]()

    def begin(connecting: socket.socket, address: tuple[str, int]) -> int:
        if id(connecting) in begun:
            return errno.EALREADY
        begun.add(id(connecting))
        return connect_ex(connecting, address)

    monkeypatch.setattr(socket.socket, "connect_ex", begin)


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def test_a_connection_that_takes_its_time_is_waited_for(raw_server: RawServer, far_away: None) -> None:
    async with trio.open_nursery() as nursery:
        connecting = WebSocket.connect(to=raw_server.url, on=nursery)
        connection = await raw_server.accept()
        await connection.upgrade()
        socket = await connecting
        assert socket.remote_address == ("127.0.0.1", raw_server.port)
        closed = socket.close()
        await connection.receive_close()
        await connection.stream.aclose()
        await closed


async def test_one_that_is_refused_later_says_so(far_away: None) -> None:
    port = unused_port()
    async with trio.open_nursery() as nursery:
        with pytest.raises(HandshakeError, match=f"cannot connect to 127.0.0.1:{port}: Connection refused"):
            await WebSocket.connect(to=f"ws://127.0.0.1:{port}/", on=nursery)


async def test_one_that_is_refused_at_once_says_the_same() -> None:
    port = unused_port()
    async with trio.open_nursery() as nursery:
        with pytest.raises(HandshakeError, match=f"cannot connect to 127.0.0.1:{port}: Connection refused"):
            await WebSocket.connect(to=f"ws://127.0.0.1:{port}/", on=nursery)


async def test_without_a_descriptor_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_socket(*_: object) -> socket.socket:
        raise OSError(errno.EMFILE, "Too many open files")

    async with trio.open_nursery() as nursery:
        connecting = WebSocket.connect(to="ws://127.0.0.1:9/", on=nursery)
        monkeypatch.setattr("perfectws.net.dialing.socket.socket", no_socket)
        with pytest.raises(HandshakeError, match=r"cannot connect to 127\.0\.0\.1:9: Too many open files"):
            await connecting
        monkeypatch.undo()


async def test_who_is_given_up_before_it_has_begun_asks_nothing(transport: str, raw_server: RawServer) -> None:
    def to() -> str:
        asked.append("to")
        return raw_server.url

    asked: list[str] = []
    async with trio.open_nursery() as nursery:
        connecting = WebSocket.connect(to=to, on=nursery)
        connecting.cancel()
        with pytest.raises(HandshakeError, match="given up"):
            await connecting
    assert asked == []


async def test_who_is_given_up_while_it_is_asked_does_not_dial(transport: str, raw_server: RawServer) -> None:
    def to() -> str:
        connecting.cancel()
        return raw_server.url

    async with trio.open_nursery() as nursery:
        connecting = WebSocket.connect(to=to, on=nursery)
        with pytest.raises(HandshakeError, match="given up"):
            await connecting
    with trio.move_on_after(0.05) as nobody:
        await raw_server.accept()
    assert nobody.cancelled_caught


async def test_who_is_given_up_while_it_waits_for_the_answer_hangs_up(transport: str, raw_server: RawServer) -> None:
    async with trio.open_nursery() as nursery:
        connecting = WebSocket.connect(to=raw_server.url, on=nursery)
        connection = await raw_server.accept()
        await connection.read_request()
        connecting.cancel()
        await connection.receive_eof()
        with pytest.raises(HandshakeError, match="given up"):
            await connecting


async def test_the_time_is_over_though_a_redirect_leads_on(transport: str, raw_server: RawServer) -> None:
    """The same time counts for all that a redirect leads to."""
    async with trio.open_nursery() as nursery:
        connecting = WebSocket.connect(to=raw_server.url, on=nursery, open_timeout=0.2)
        first = await raw_server.accept()
        await first.read_request()
        await first.stream.send_all(b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n")
        second = await raw_server.accept()
        await second.read_request()
        with pytest.raises(ConnectionTimeout, match=r"there: not open after 0\.2 seconds"):
            await connecting
        await second.receive_eof()
