"""No secret of a peer's, or of a server's own, is logged above DEBUG: neither when all goes well nor when it fails."""

from __future__ import annotations

import logging
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from perfectws import (
    HTTPRequest,
    HTTPResponse,
    HTTPServer,
    LaunchFailure,
    RedisBroker,
    Room,
    Routes,
    TLSConfiguration,
    WebSocket,
)
from tests.http.forms import FORM, field, file, form
from tests.leaks import FORMS, MARK, Records, assert_tells_nothing, basic, secret, told_by, watched
from tests.peer import BINARY, CLOSE, CONTINUATION, HANDSHAKE_KEY, PING, TEXT, close_payload, frame_bytes
from tests.server.conftest import PATIENCE, Launch, Raw

#: What a client may carry into any request.
HEADERS = (
    f"Authorization: Basic {basic('ann', secret('password'))}",
    f"Cookie: session={secret('cookie')}; _csrf={secret('csrf')}",
    f"X-Api-Key: {secret('api-key')}",
    f"X-Request-ID: {secret('request-id')}",
    f"Referer: http://x/?{secret('referer')}",
)
HANDSHAKE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    f"Sec-WebSocket-Key: {HANDSHAKE_KEY}",
    f"Sec-WebSocket-Protocol: chat, token.{secret('subprotocol')}",
)


def head(path: str, *headers: str, method: str = "GET", version: str = "HTTP/1.1") -> bytes:
    """Return a request's head with a secret in each place."""
    lines = [
        f"{method} {path}?ticket={secret('ticket')}&{secret('name')} {version}",
        "Host: localhost",
        *HEADERS,
        *headers,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def handshake(path: str, version: int = 13) -> bytes:
    return head(path, *HANDSHAKE, f"Sec-WebSocket-Version: {version}")


def post(path: str, body: bytes, kind: str = "application/x-www-form-urlencoded") -> bytes:
    return head(path, f"Content-Type: {kind}", f"Content-Length: {len(body)}", method="POST") + body


def make_routes() -> Routes:
    """Return handlers that take secrets, and fail in every way that there is."""
    routes = Routes()

    def opened(request: HTTPRequest, socket: WebSocket) -> None:
        @socket.on_text
        def received(socket: WebSocket, text: str) -> None:
            if text.startswith("raise"):
                raise RuntimeError("the application has failed")
            socket.send(text)

        @socket.on_binary
        def received_bytes(socket: WebSocket, data: bytes) -> None:
            socket.send_string_message(data)  # type: ignore[call-overload]  # a misuse

    def fails(*_: object) -> Any:
        raise RuntimeError("the application has failed")

    def answers_wrongly(request: HTTPRequest) -> Any:
        return dict(request.cookies)["session"]  # a str, which is no mapping of headers

    def answers_a_wrong_header(request: HTTPRequest) -> Any:
        return {"X-Session": dict(request.cookies)["session"] + "\n"}

    async def frames(request: HTTPRequest, socket: WebSocket) -> None:
        while True:
            await socket.read_string_message()

    routes.web_socket("/ok", opened, subprotocols=["chat"], max_message_size=1000, max_frame_size=1000)
    routes.web_socket("/frames", frames)
    routes.web_socket("/begins-badly", fails, close_timeout=0.3)
    routes.web_socket("/refused", opened, should_upgrade=lambda request: None)
    routes.web_socket("/raises", opened, should_upgrade=fails)
    routes.web_socket("/wrong-answer", opened, should_upgrade=answers_wrongly)
    routes.web_socket("/wrong-header", opened, should_upgrade=answers_a_wrong_header)
    routes.web_socket("/other-origin", opened, origins=["http://localhost"])
    routes.web_socket("/other-protocol", opened, subprotocols=["other"])

    @routes.post("/login")
    def login(request: HTTPRequest, response: HTTPResponse) -> None:
        if request.param("password") is None:
            raise LookupError("there is no password")
        response.set_body(str(request.post_params)).completed()

    @routes.post("/login-fails")
    def login_fails(request: HTTPRequest, response: HTTPResponse) -> None:
        response.set_header("Set-Cookie", f"session={dict(request.cookies)['session']}\n")

    @routes.get("/forgets")
    def forgets(request: HTTPRequest, response: HTTPResponse) -> None:
        """Complete nothing."""

    @routes.get("/twice")
    def twice(request: HTTPRequest, response: HTTPResponse) -> None:
        response.completed()
        response.push()

    @routes.get("/misspelt")
    def misspelt(request: HTTPRequest, response: HTTPResponse) -> None:
        request.queryParams  # type: ignore[attr-defined]  # noqa: B018

    return routes


@pytest.fixture
def records(capfd: pytest.CaptureFixture[str]) -> Iterator[Records]:
    """Listen to everything, and fail at the end if a secret was told."""
    with watched() as records:
        yield records
    assert_tells_nothing("".join(capfd.readouterr()))


@pytest.fixture
def served(launch: Launch, records: Records) -> Callable[..., Raw]:
    """Serve it, and open a connection that the test writes itself."""
    context = launch(routes=make_routes(), header_timeout=0.3, keep_alive_timeout=0.3, close_timeout=0.3)
    return lambda: Raw(("127.0.0.1", context.port))


def until(records: Records, text: str) -> None:
    """Wait until something is logged."""
    end = time.monotonic() + PATIENCE
    while text not in records.text:
        assert time.monotonic() < end, f"{text!r} was never logged:\n{records.text}"
        time.sleep(0.01)


def test_what_is_looked_for_is_found_where_it_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    told = [secret("x"), *(basic("ann"[:length], secret("password")) for length in range(3)), HANDSHAKE_KEY]
    for text in told:
        with pytest.raises(AssertionError, match="a secret is told"):
            assert_tells_nothing(f"before {text} behind")
    with pytest.raises(AssertionError, match="a secret is told"), watched():
        logging.getLogger("anything").info("the password is %s", secret("x"))
    with watched():
        logging.getLogger("anything").debug("the password is %s", secret("x"))
    assert all(form not in Path(__file__).read_text() for form in FORMS[:-1])  # a traceback shows lines of it
    assert MARK in FORMS


@pytest.mark.parametrize(
    ("frames", "logged"),
    [
        ([(TEXT, secret("text"), True)], " 101 "),
        ([(TEXT, f"raise {secret('text')}", True)], "raised RuntimeError"),
        ([(BINARY, secret("bytes"), True)], "raised TypeError"),
        ([(TEXT, secret("text"), False), (CONTINUATION, f" {secret('rest')}", True)], " 101 "),
        ([(PING, secret("ping"), True)], " 101 "),
        ([(TEXT, secret("text").encode() + b"\xff", True)], " 1007 "),
        ([(TEXT, secret("text") * 100, True)], " 1009 "),
        ([(CONTINUATION, secret("text"), True)], " 1002 "),
        ([(3, secret("text"), True)], " 1002 "),
        ([(CLOSE, close_payload(4001, secret("reason")), True)], " 4001 "),
    ],
)
@pytest.mark.parametrize("path", ["/ok", "/frames"])
def test_messages(
    served: Callable[..., Raw], records: Records, path: str, frames: list[tuple[int, Any, bool]], logged: str
) -> None:
    with served() as client:
        assert client.ask(handshake(path))[0].startswith(b"HTTP/1.1 101 ")
        client.send(b"".join(frame_bytes(opcode, data, fin) for opcode, data, fin in frames))
        client.send(frame_bytes(CLOSE, close_payload(1000)))
        client.read_all()
    until(records, f"GET {path}?*** HTTP/1.1")
    if path == "/ok":
        until(records, logged)


@pytest.mark.parametrize(
    ("path", "status", "logged"),
    [
        ("/refused", 403, " 403 "),
        ("/raises", 500, "raised RuntimeError"),
        ("/wrong-answer", 500, "should_upgrade returns a mapping of headers, or None to refuse, not str"),
        ("/wrong-header", 500, "the header X-Session cannot hold a line break"),
        ("/other-origin", 403, "A WebSocket whose Origin is missing"),
        ("/other-protocol", 400, " 400 "),
        ("/nowhere", 404, " 404 "),
    ],
)
def test_handshakes_that_are_refused(
    served: Callable[..., Raw], records: Records, path: str, status: int, logged: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perfectws.websocket.server_handshake._mistakes._logged_at", {})
    with served() as client:
        assert client.ask(handshake(path))[0].startswith(b"HTTP/1.1 %d " % status)
    until(records, logged)
    until(records, f"GET {path}?*** HTTP/1.1")


def test_a_session_that_cannot_begin_and_a_version_that_nobody_speaks(
    served: Callable[..., Raw], records: Records
) -> None:
    with served() as client:
        client.send(handshake("/begins-badly"))
        client.read_all()
    with served() as client:
        assert client.ask(handshake("/ok", version=7))[0].startswith(b"HTTP/1.1 426 ")
    with served() as client:
        assert client.ask(head("/ok", *HANDSHAKE[1:], "Sec-WebSocket-Version: 13"))[0].startswith(b"HTTP/1.1 400 ")
    until(records, "raised RuntimeError")
    until(records, " 426 ")
    until(records, " 400 ")


PASSWORD = f"password={secret('password')}".encode()
PARTS = form(field("password", secret("field")), file("key", secret("file").encode(), secret("file-name")))


@pytest.mark.parametrize(
    ("request_bytes", "logged"),
    [
        (post("/login", PASSWORD), "POST /login?*** HTTP/1.1"),
        (post("/login", PARTS, FORM.partition(": ")[2]), "POST /login?*** HTTP/1.1"),
        (post("/login", PARTS[:-20] + b"x" * 20, FORM.partition(": ")[2]), "POST /login?*** HTTP/1.1"),
        (post("/login", b"pass=" + secret("other").encode()), "raised LookupError"),
        (post("/login-fails", PASSWORD), "the header Set-Cookie cannot hold a line break"),
        (post("/login", PASSWORD)[: -len(PASSWORD)].replace(b"Length: ", b"Length: -") + PASSWORD, " 400 "),
        (post("/login", PASSWORD).replace(b"Content-Length: ", b"Content-Length: 10000000"), " 413 "),
        # The rest of a body that says to be shorter is taken for the next request.
        (head("/forgets", "Content-Length: 1") + b"x" + PASSWORD + b"\r\n\r\n", '"-" 400'),
        (head("/forgets"), "has let go of its response"),
        (head("/twice"), "after the response was complete"),
        (head("/misspelt"), "raised AttributeError"),
        (head("/forgets").replace(b"Host", b"Hos"), " 400 "),
        (head("/forgets").replace(b"X-Api-Key:", b"X-Api-Key :"), " 400 "),
        (head("/forgets").replace(b"X-Api-Key:", b"\x00:"), " 400 "),
        (head("/forgets", f"X: {secret('x') * 10_000}"), " 431 "),
        (head("/forgets" + "x" * 70_000), " 414 "),
        (head(f"http://ann:{secret('password')}@localhost/forgets"), "GET http"),
        (head("/forgets", version="HTTP/3.0"), " 505 "),
        (head("/forgets")[:-50], " 408 "),
        (secret("no-request").encode() + b"\r\n\r\n", '"-" 400'),
        (b"\x16\x03\x01" + secret("tls").encode(), '"-" 400'),
    ],
)
def test_requests(served: Callable[..., Raw], records: Records, request_bytes: bytes, logged: str) -> None:
    with served() as client:
        client.send(request_bytes)
        client.read_all()
    until(records, logged)


def test_a_peer_that_is_gone_in_the_middle(served: Callable[..., Raw], records: Records) -> None:
    with served() as client:
        client.send(post("/login", PASSWORD)[:-5])
    with served() as client:
        client.ask(handshake("/ok"))
        client.send(frame_bytes(TEXT, secret("text"))[:-3])
    until(records, " 1006 ")


# What is the server's own


def encrypted_key(password: str) -> tuple[str, str]:
    """Return a certificate and its key, which only that password opens."""
    issued = trustme.CA().issue_cert("127.0.0.1")
    key = serialization.load_pem_private_key(issued.private_key_pem.bytes(), None)
    encrypted = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password.encode()),
    )
    return issued.cert_chain_pems[0].bytes().decode(), encrypted.decode()


def test_the_key_of_a_server_and_its_password(records: Records, tmp_path: Path) -> None:
    cert, key = encrypted_key(secret("key-password"))
    plain = trustme.CA().issue_cert("127.0.0.1").private_key_pem.bytes().decode()
    without_first_line = plain.partition("\n")[2]
    for wrong in (key, plain, without_first_line):
        tls = TLSConfiguration(cert_path=cert, key_path=wrong)
        both = TLSConfiguration(cert_path=cert + wrong)
        with pytest.raises(LaunchFailure) as failed:
            HTTPServer.launch(name="x", address="127.0.0.1", port=0, routes=Routes(), tls_config=tls, wait=False)
        assert not any(line in told_by(failed.value) + repr([tls, both]) for line in wrong.splitlines()[1:-1])
    (tmp_path / "cert.pem").write_text(cert)
    (tmp_path / "key.pem").write_text(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with pytest.raises(ssl.SSLError) as refused:
        context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem", secret("other-password"))
    assert_tells_nothing(told_by(refused.value))


@pytest.mark.parametrize("user", ["", "ann"])
def test_the_password_of_a_redis_that_is_not_there(records: Records, user: str) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        broker = RedisBroker(f"redis://{user}:{secret('redis')}@127.0.0.1:{nobody.getsockname()[1]}/0")
        room = Room("lobby", broker=broker)
        server = HTTPServer.server(name="x", address="127.0.0.1", port=0, routes=Routes())
        server.on_start(lambda: room.send_string_message(secret("message")))
        with HTTPServer.launch(server, wait=False)[0]:
            until(records, "There is no connection to Redis at redis://")
            broker.close()
    assert_tells_nothing(repr(broker))
