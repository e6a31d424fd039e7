"""Why TLS fails is told: by OpenSSL's own servers, which judge a client late in TLS 1.3; and by what is no TLS."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trio
import trustme

from perfectws import HandshakeError, WebSocket

from .. import certificates
from .conftest import PATIENCE
from .raw_server import RawServer
from .served import echo, served, unverified

#: Serves one connection in a thread.
Serve = Callable[[socket.socket], object]


@contextmanager
def serving(serve: Serve) -> Iterator[int]:
    """Serve connections in a thread, and give the port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(PATIENCE)
                try:
                    serve(connection)
                except (OSError, ssl.SSLError):
                    pass

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def tls(context: ssl.SSLContext) -> Serve:
    """Shake hands, and read: as OpenSSL does it."""

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as stream:
            stream.recv(4096)

    return serve


async def failed(port: int, **options: Any) -> HandshakeError:
    """Return why a client fails. Nothing is waited for that does not come."""
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            with pytest.raises(HandshakeError) as caught:
                await WebSocket.connect(to=f"wss://localhost:{port}/", on=nursery, open_timeout=1000, **options)
    return caught.value


def has_tls_cause(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__
    return error is not None


def demanding(version: ssl.TLSVersion) -> ssl.SSLContext:
    """A server that demands a client's certificate."""
    context = certificates.server_context("localhost")
    certificates.authority().configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = version
    return context


def client_with(certificate: trustme.LeafCert | None) -> ssl.SSLContext:
    context = certificates.client_context()
    if certificate is not None:
        certificate.configure_cert(context)
    return context


@pytest.mark.parametrize(
    ("version", "alert"),
    [(ssl.TLSVersion.TLSv1_3, "certificate required"), (ssl.TLSVersion.TLSv1_2, "handshake failure")],
)
async def test_a_server_that_demands_a_certificate_says_so(version: ssl.TLSVersion, alert: str) -> None:
    with serving(tls(demanding(version))) as port:
        for _ in range(5):
            error = await failed(port, ssl_context=client_with(None))
            assert f"the server's alert is '{alert}'" in str(error)
            assert has_tls_cause(error)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2])
async def test_a_certificate_that_the_server_does_not_trust_is_told(version: ssl.TLSVersion) -> None:
    stranger = trustme.CA().issue_cert("client.example")
    with serving(tls(demanding(version))) as port:
        error = await failed(port, ssl_context=client_with(stranger))
    assert "the server's alert is 'unknown CA'" in str(error)
    assert has_tls_cause(error)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2])
async def test_a_client_s_certificate_that_is_over_is_told(version: ssl.TLSVersion) -> None:
    with serving(tls(demanding(version))) as port:
        error = await failed(port, ssl_context=client_with(expired("client.example")))
    assert "the server's alert is 'certificate expired'" in str(error)


def expired(name: str) -> trustme.LeafCert:
    past = datetime.now(UTC) - timedelta(days=2)
    return certificates.authority().issue_cert(name, not_before=past - timedelta(days=2), not_after=past)


async def test_a_server_s_certificate_that_is_over_or_of_another_is_told() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    expired("localhost").configure_cert(context)
    with serving(tls(context)) as port:
        error = await failed(port, ssl_context=certificates.client_context())
        assert "certificate has expired" in str(error)
        assert has_tls_cause(error)
    with serving(tls(certificates.server_context("other.example"))) as port:
        error = await failed(port, ssl_context=certificates.client_context())
        assert "Hostname mismatch, certificate is not valid for 'localhost'" in str(error)
        error = await failed(port)
        assert "unable to get local issuer certificate" in str(error)


async def test_no_version_in_common_is_told() -> None:
    context = certificates.server_context("localhost")
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    client = certificates.client_context()
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    with serving(tls(context)) as port:
        error = await failed(port, ssl_context=client)
    assert "the server's alert is 'protocol version'" in str(error)


# What is no TLS


def says(data: bytes) -> Serve:
    def serve(connection: socket.socket) -> None:
        connection.sendall(data)
        while connection.recv(4096):
            pass

    return serve


@pytest.mark.parametrize(
    "banner",
    [
        b"SSH-2.0-OpenSSH_9.2p1\r\n",
        b"220 mail.example ESMTP\r\n",
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
        b"\x00\x00\x12\x04\x00\x00\x00\x00\x00",
    ],
)
async def test_a_port_that_speaks_something_else_is_told_at_once(banner: bytes) -> None:
    with serving(says(banner)) as port:
        error = await failed(port, ssl_context=unverified())
    assert f"TLS with localhost:{port} failed: the server does not speak TLS there" in str(error)


async def test_our_own_plain_port_is_told_and_the_reverse_too(transport: str, raw_server: RawServer) -> None:
    async with served(echo) as url, trio.open_nursery() as nursery:
        with pytest.raises(HandshakeError, match="the server does not speak TLS there"):
            await WebSocket.connect(
                to=url.replace("ws:", "wss:"), on=nursery, ssl_context=unverified(), open_timeout=1000
            )
    with serving(tls(certificates.server_context("localhost"))) as port:
        async with trio.open_nursery() as nursery:
            with pytest.raises(HandshakeError, match="if it speaks TLS there, write wss://"):
                await WebSocket.connect(to=f"ws://localhost:{port}/", on=nursery, open_timeout=1000)


async def test_an_end_in_the_handshake_is_told_at_once() -> None:
    with serving(lambda connection: connection.recv(1)) as port:
        error = await failed(port, ssl_context=unverified())
    assert any(text in str(error) for text in ("in the middle of the TLS handshake", "reset by peer"))
    with serving(lambda connection: connection.recv(4096)) as port:
        error = await failed(port, ssl_context=unverified())
    assert "the server closed the connection in the middle of the TLS handshake" in str(error)
