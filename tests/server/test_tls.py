"""HTTPS and ``wss``: certificates from files, text and contexts, clients' certificates, and whoever speaks no TLS."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
import trustme

from perfectws import (
    HTTPRequest,
    HTTPResponse,
    HTTPServer,
    LaunchFailure,
    Routes,
    TLSConfiguration,
    WebSocket,
    WebSocketHandler,
)
from perfectws.net import tls as tls_module
from perfectws.net.loop import open_loop
from perfectws.server import launch as launching
from tests.peer import HANDSHAKE_KEY
from tests.server.conftest import PATIENCE, Launch, Raw, raw, url

HANDSHAKE = (
    "GET {} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    f"Sec-WebSocket-Key: {HANDSHAKE_KEY}\r\nSec-WebSocket-Protocol: echo\r\n\r\n"
)
HELLO = b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(autouse=True, params=["reactor", "streams"])
def transport(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Serve on each of the transports that TLS has."""
    if request.param == "streams":
        monkeypatch.setattr(launching, "open_loop", partial(open_loop, with_reactor=False))


@pytest.fixture
def tls(certificate: tuple[Path, Path]) -> TLSConfiguration:
    return TLSConfiguration(cert_path=certificate[0], key_path=certificate[1])


def fetch(context: Any, trusting: ssl.SSLContext) -> str:
    return httpx.get(url(context, "/hello", "https"), verify=trusting, trust_env=False, timeout=PATIENCE).text


class TestCertificates:
    def test_from_two_files(
        self, launch: Launch, routes: Routes, tls: TLSConfiguration, trusting: ssl.SSLContext
    ) -> None:
        assert fetch(launch(routes=routes, tls_config=tls), trusting) == "127.0.0.1 secure test"

    def test_from_one_file_with_both(
        self,
        launch: Launch,
        routes: Routes,
        certificate: tuple[Path, Path],
        trusting: ssl.SSLContext,
        tmp_path: Path,
    ) -> None:
        both = tmp_path / "both.pem"
        both.write_text(certificate[0].read_text() + certificate[1].read_text())
        assert fetch(launch(routes=routes, tls_config=TLSConfiguration(cert_path=both)), trusting)

    def test_from_text_which_is_left_in_no_file(
        self,
        launch: Launch,
        routes: Routes,
        certificate: tuple[Path, Path],
        trusting: ssl.SSLContext,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        text = TLSConfiguration(cert_path=certificate[0].read_text(), key_path=certificate[1].read_text())
        assert fetch(launch(routes=routes, tls_config=text), trusting)
        assert list(tmp_path.iterdir()) == []

    def test_from_a_context(
        self, launch: Launch, routes: Routes, certificate: tuple[Path, Path], trusting: ssl.SSLContext
    ) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        assert fetch(launch(routes=routes, tls_config=TLSConfiguration(ssl_context=context)), trusting)

    def test_secure_server_and_the_property_of_perfect_do_the_same(
        self, routes: Routes, certificate: tuple[Path, Path], tls: TLSConfiguration, trusting: ssl.SSLContext
    ) -> None:
        described = HTTPServer.secure_server(tls, name="test", address="127.0.0.1", port=0, routes=routes)
        by_hand = HTTPServer()
        by_hand.server_name, by_hand.server_address = "test", "127.0.0.1"
        by_hand.ssl = (str(certificate[0]), str(certificate[1]))
        by_hand.add_routes(routes)
        contexts = HTTPServer.launch(described, by_hand, wait=False)
        for context in contexts:
            assert fetch(context, trusting) == "127.0.0.1 secure test"
            assert context.terminate().wait(PATIENCE)

    def test_a_plain_server_and_a_secure_one_share_a_loop(
        self, routes: Routes, tls: TLSConfiguration, trusting: ssl.SSLContext
    ) -> None:
        plain, secure = HTTPServer.launch(
            HTTPServer.server(name="test", address="127.0.0.1", port=0, routes=routes),
            HTTPServer.secure_server(tls, name="test", address="127.0.0.1", port=0, routes=routes),
            wait=False,
        )
        assert httpx.get(url(plain, "/hello"), trust_env=False).text == "127.0.0.1 plain test"
        assert fetch(secure, trusting) == "127.0.0.1 secure test"
        plain.terminate()
        secure.terminate()
        assert plain.wait(PATIENCE)
        assert secure.wait(PATIENCE)

    def test_http_2_is_not_agreed_on(
        self, launch: Launch, routes: Routes, tls: TLSConfiguration, trusting: ssl.SSLContext
    ) -> None:
        trusting.set_alpn_protocols(["h2", "http/1.1"])
        with raw(launch(routes=routes, tls_config=tls), trusting) as connection:
            assert isinstance(connection.socket, ssl.SSLSocket)
            assert connection.socket.selected_alpn_protocol() == "http/1.1"


class TestClientCertificates:
    @pytest.fixture
    def authority_file(self, authority: trustme.CA, tmp_path: Path) -> Path:
        path = tmp_path / "ca.pem"
        authority.cert_pem.write_to_path(str(path))
        return path

    def asked(self, certificate: tuple[Path, Path], authority_file: Path, mode: Any) -> TLSConfiguration:
        chain, key = certificate
        return TLSConfiguration(cert_path=chain, key_path=key, ca_cert_path=authority_file, cert_verify_mode=mode)

    @pytest.mark.parametrize("mode", [None, "peerWithFailIfNoPeerCert", ssl.CERT_REQUIRED])
    def test_one_is_needed(
        self,
        launch: Launch,
        routes: Routes,
        certificate: tuple[Path, Path],
        authority: trustme.CA,
        authority_file: Path,
        trusting: ssl.SSLContext,
        mode: Any,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        context = launch(routes=routes, tls_config=self.asked(certificate, authority_file, mode))
        for _ in range(3):
            with pytest.raises((OSError, AssertionError)), raw(context, trusting) as connection:
                connection.ask(HELLO)
        assert sum("PEER_DID_NOT_RETURN_A_CERTIFICATE" in message for message in caplog.messages) == 1
        authority.issue_cert("client.example").configure_cert(trusting)
        assert fetch(context, trusting)

    @pytest.mark.parametrize("mode", ["none", "peer", ssl.CERT_OPTIONAL])
    def test_one_is_not_needed(
        self,
        launch: Launch,
        routes: Routes,
        certificate: tuple[Path, Path],
        authority_file: Path,
        trusting: ssl.SSLContext,
        mode: Any,
    ) -> None:
        assert fetch(launch(routes=routes, tls_config=self.asked(certificate, authority_file, mode)), trusting)


def sessions(routes: Routes) -> Routes:
    """Add the same session as ever, at /echo."""

    class Echo:
        socket_protocol = "echo"

        def handle_session(self, request: HTTPRequest, socket: WebSocket) -> None:
            socket.read_string_message(
                lambda string, op, fin: (
                    string is not None
                    and socket.send_string_message(string, completion=lambda: self.handle_session(request, socket))
                )
            )

    routes.add("GET", "/echo", WebSocketHandler(lambda *_: Echo()))
    return routes


async def test_a_session_is_the_same_over_wss(
    launch: Launch, routes: Routes, tls: TLSConfiguration, trusting: ssl.SSLContext
) -> None:
    context = launch(routes=sessions(routes), tls_config=tls)
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            ws = await WebSocket.connect(
                to=url(context, "/echo", "wss"), on=nursery, subprotocols=["echo"], ssl_context=trusting
            )
            for size in (0, 10, 100_000):
                ws.send("x" * size)
                assert (await ws.read_string_message()).data == "x" * size
            await ws.close()


@pytest.mark.parametrize("path", ["/echo", "/pending"])
def test_a_server_that_stops_tells_its_end_to_who_is_still_there(
    launch: Launch, routes: Routes, tls: TLSConfiguration, trusting: ssl.SSLContext, path: str
) -> None:
    asked = threading.Event()
    responses: list[HTTPResponse] = []

    def keep(request: HTTPRequest, response: HTTPResponse) -> None:
        responses.append(response)
        asked.set()

    routes.add("GET", "/pending", keep)
    context = launch(routes=sessions(routes), tls_config=tls, close_timeout=0.1)
    with socket.create_connection(("127.0.0.1", context.port), PATIENCE) as connected:
        wrapped = trusting.wrap_socket(connected, server_hostname="127.0.0.1", suppress_ragged_eofs=False)
        wrapped.sendall(HANDSHAKE.format(path).encode())
        if path == "/echo":
            assert wrapped.recv(65536).startswith(b"HTTP/1.1 101 ")
        else:
            assert asked.wait(PATIENCE)
        context.terminate()
        while wrapped.recv(65536):
            pass  # it raises if no closure alert tells the end
        wrapped.close()


class TestWhoSpeaksNoTLS:
    def test_plain_http_is_told_so_and_it_is_logged_once(
        self,
        launch: Launch,
        routes: Routes,
        tls: TLSConfiguration,
        trusting: ssl.SSLContext,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        context = launch(routes=routes, tls_config=tls)
        for _ in range(5):
            with raw(context) as plain:
                plain.send(HELLO * 100)
                answer = plain.read_all()
            assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
            assert answer.endswith(b"\r\n\r\n400 Bad Request: this port speaks TLS; use https:// or wss://\n")
        assert fetch(context, trusting)
        assert len(caplog.records) == 1
        assert "speaks no TLS" in caplog.text

    def test_tls_on_a_plain_port_is_told_so_and_it_is_logged_once(
        self, launch: Launch, routes: Routes, trusting: ssl.SSLContext, caplog: pytest.LogCaptureFixture
    ) -> None:
        context = launch(routes=routes)
        for _ in range(3):
            with pytest.raises(ssl.SSLError):
                raw(context, trusting)
        assert httpx.get(url(context, "/hello"), trust_env=False).status_code == 200
        assert [record.levelno for record in caplog.records] == [logging.WARNING]
        assert "HTTP server test, which has no tls_config" in caplog.text

    @pytest.mark.parametrize("sent", [b"", b"\x00\x01\x02", b"\x16\x03\x01\x00\x05hello", b"\xff" * 1000])
    def test_whatever_comes_harms_nobody(
        self,
        launch: Launch,
        routes: Routes,
        tls: TLSConfiguration,
        trusting: ssl.SSLContext,
        sent: bytes,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        context = launch(routes=routes, tls_config=tls)
        for _ in range(3):
            with raw(context) as strange:
                try:
                    strange.send(sent)
                    strange.socket.shutdown(socket.SHUT_WR)
                except OSError:
                    pass  # it was shown the door already
                strange.read_all()
        assert fetch(context, trusting)
        assert len(caplog.records) <= 1

    def test_one_that_says_nothing_is_dropped_after_a_while(
        self,
        launch: Launch,
        routes: Routes,
        tls: TLSConfiguration,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        monkeypatch.setattr(tls_module, "HANDSHAKE_TIMEOUT", 0.05)
        context = launch(routes=routes, tls_config=tls)
        for _ in range(2):
            with raw(context) as silent:
                assert silent.read_all() == b""
        assert caplog.messages == ["The TLS handshake with 127.0.0.1 took too long"]

    def test_a_client_that_trusts_nobody_is_logged_once(
        self, launch: Launch, routes: Routes, tls: TLSConfiguration, caplog: pytest.LogCaptureFixture
    ) -> None:
        context = launch(routes=routes, tls_config=tls)
        for _ in range(3):
            with pytest.raises(ssl.SSLCertVerificationError):
                Raw(("127.0.0.1", context.port), ssl.create_default_context())
        context.terminate().wait()
        assert [record.levelno for record in caplog.records] == [logging.WARNING]


@pytest.mark.parametrize("transport", ["streams"], indirect=True)
class TestMisuse:
    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            ({}, "needs cert_path or ssl_context"),
            ({"cert_path": "/no/such.pem"}, "cert_path '/no/such.pem': there is no such file"),
            ({"cert_path": "CERT", "key_path": "/no/key.pem"}, "key_path '/no/key.pem': there is no such file"),
            ({"cert_path": "CERT"}, "cert_path"),
            ({"cert_path": "KEY", "key_path": "CERT"}, "cert_path and key_path"),
            ({"cert_path": "CERT", "key_path": "OTHER"}, "KEY_VALUES_MISMATCH"),
            ({"cert_path": "CERT", "key_path": "KEY", "ca_cert_path": "KEY"}, "ca_cert_path"),
            ({"cert_path": "CERT", "key_path": "KEY", "cert_verify_mode": "peer"}, "give ca_cert_path"),
            ({"cert_path": "CERT", "key_path": "KEY", "cert_verify_mode": "often"}, "cert_verify_mode is"),
            ({"cert_path": "CERT", "key_path": "KEY", "cipher_list": ["none"]}, "cipher_list 'none'"),
            ({"cert_path": "CERT", "ssl_context": ssl.create_default_context()}, "an ssl_context is given alone"),
            ({"ssl_context": "context"}, "ssl_context is an ssl.SSLContext"),
        ],
    )
    def test_what_is_wrong_is_said_when_it_is_launched(
        self,
        certificate: tuple[Path, Path],
        authority: trustme.CA,
        tmp_path: Path,
        arguments: dict[str, Any],
        says: str,
    ) -> None:
        authority.issue_cert("other").private_key_pem.write_to_path(str(tmp_path / "other.pem"))
        files = {"CERT": certificate[0], "KEY": certificate[1], "OTHER": tmp_path / "other.pem"}
        given: dict[str, Any] = {
            key: files.get(value, value) if isinstance(value, str) else value for key, value in arguments.items()
        }
        with pytest.raises(LaunchFailure) as caught:
            HTTPServer.launch(
                name="shop",
                address="127.0.0.1",
                port=0,
                routes=Routes(),
                tls_config=TLSConfiguration(**given),
                wait=False,
            )
        assert says in str(caught.value)
        assert "HTTPS server 'shop'" in str(caught.value)

    def test_an_encrypted_key_does_not_ask_on_the_terminal(
        self, certificate: tuple[Path, Path], tmp_path: Path
    ) -> None:
        from cryptography.hazmat.primitives import serialization

        key = serialization.load_pem_private_key(certificate[1].read_bytes(), None)
        encrypted = tmp_path / "encrypted.pem"
        encrypted.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(b"secret"),
            )
        )
        with pytest.raises(ValueError, match="is encrypted"):
            TLSConfiguration(cert_path=certificate[0], key_path=encrypted).make_context()

    def test_files_that_hold_something_else_are_told(self, certificate: tuple[Path, Path]) -> None:
        cert, key = certificate
        for paths, says in (
            ((cert, None), "there is no private key in it: give key_path"),
            ((key, cert), "there is no certificate in it"),
            ((cert, cert), "there is no private key in it$"),
        ):
            with pytest.raises(ValueError, match=says):
                TLSConfiguration(cert_path=paths[0], key_path=paths[1]).make_context()
