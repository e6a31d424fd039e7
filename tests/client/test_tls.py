from __future__ import annotations

import ssl
from collections.abc import Iterator

import pytest
import trio

from perfectws import HandshakeError, WebSocket
from perfectws.net import dialing

from .conftest import PATIENCE
from .tls_server import TLSServer, tls_server


@pytest.fixture(autouse=True)
def _fresh_default_context() -> Iterator[None]:
    """Let nothing trust what another test has made the default."""
    dialing.default_ssl_context.cache_clear()
    yield
    dialing.default_ssl_context.cache_clear()


async def echo_once(server: TLSServer) -> None:
    connection = await server.accept()
    await connection.upgrade()
    frame = await connection.receive()
    await connection.send(frame.opcode, frame.payload)
    await connection.receive_close()
    await connection.send(0x8, b"\x03\xe8")
    await connection.stream.aclose()


@pytest.mark.parametrize(
    ("identity", "host", "named"), [("localhost", "localhost", "localhost"), ("127.0.0.1", "127.0.0.1", None)]
)
async def test_wss_connects_to_a_name_and_to_an_address_and_only_names_are_told_to_the_server(
    identity: str, host: str, named: str | None, trusting: ssl.SSLContext
) -> None:
    with trio.fail_after(PATIENCE):
        async with tls_server(identity) as server, trio.open_nursery() as nursery:
            nursery.start_soon(echo_once, server)
            url = f"wss://{host}:{server.port}/"
            ws = await WebSocket.connect(to=url, on=nursery, ssl_context=trusting)
            ws.send("x" * 100_000)
            assert (await ws.read_string_message()).data == "x" * 100_000
            await ws.close()
            assert ws.close_code == 1000
    assert server.names == [named]


async def test_a_certificate_is_verified_by_default() -> None:
    with trio.fail_after(PATIENCE):
        async with tls_server("localhost") as server, trio.open_nursery() as nursery:
            nursery.start_soon(fail_to_accept, server)
            with pytest.raises(HandshakeError, match=r"TLS with localhost:[0-9]+ failed: unable to get local issuer"):
                await WebSocket.connect(to=f"wss://localhost:{server.port}/", on=nursery)


async def test_a_certificate_for_another_name_fails_with_both_names(trusting: ssl.SSLContext) -> None:
    with trio.fail_after(PATIENCE):
        async with tls_server("example.com") as server, trio.open_nursery() as nursery:
            nursery.start_soon(fail_to_accept, server)
            url = f"wss://localhost:{server.port}/"
            with pytest.raises(HandshakeError, match=r"Hostname mismatch.* 'localhost'"):
                await WebSocket.connect(to=url, on=nursery, ssl_context=trusting)


async def test_the_default_context_verifies_names_and_is_made_once() -> None:
    context = dialing.default_ssl_context()
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert dialing.default_ssl_context() is context


async def test_a_server_without_tls_fails_at_once() -> None:
    with trio.fail_after(PATIENCE):
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        async with listener, trio.open_nursery() as nursery:
            future = WebSocket.connect(to=f"wss://127.0.0.1:{listener.socket.getsockname()[1]}/", on=nursery)
            async with await listener.accept() as stream:
                await stream.receive_some()
                await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                with pytest.raises(HandshakeError, match=r"TLS with 127.0.0.1:[0-9]+ failed"):
                    await future


async def test_a_server_that_never_finishes_tls_times_out() -> None:
    with trio.fail_after(PATIENCE):
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        async with listener, trio.open_nursery() as nursery:
            url = f"wss://127.0.0.1:{listener.socket.getsockname()[1]}/"
            with pytest.raises(HandshakeError, match=r"not open after 0.05 seconds"):
                await WebSocket.connect(to=url, on=nursery, open_timeout=0.05)


async def fail_to_accept(server: TLSServer) -> None:
    connection = await server.accept()
    with pytest.raises(trio.BrokenResourceError):
        await connection.stream.receive_some()
    await trio.aclose_forcefully(connection.stream)
