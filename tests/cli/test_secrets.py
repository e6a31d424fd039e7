"""``serve`` and ``connect`` write no secret, whatever they are asked for, in text and in JSON."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from perfectws.cli.main import main
from tests.leaks import assert_tells_nothing, basic, secret, watched
from tests.peer import HANDSHAKE_KEY, TEXT, frame_bytes
from tests.platforms import python

from .conftest import PATIENCE, Write

CODE = """
from perfectws import Routes

routes = Routes()

@routes.web_socket("/chat", subprotocols=["chat"])
def chat(request, socket):
    @socket.on_text
    def received(socket, text):
        raise RuntimeError("the application has failed")

@routes.post("/login")
def login(request, response):
    raise RuntimeError("the application has failed")
"""
HEADERS = [
    "Host: localhost",
    f"Authorization: Basic {basic('ann', secret('password'))}",
    f"Cookie: session={secret('cookie')}",
]
UPGRADE = [
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    f"Sec-WebSocket-Key: {HANDSHAKE_KEY}",
    f"Sec-WebSocket-Protocol: chat, token.{secret('subprotocol')}",
]


def head(line: str, *headers: str) -> bytes:
    return ("\r\n".join([line, *HEADERS, *headers]) + "\r\n\r\n").encode()


def asked(port: int, data: bytes, then: bytes = b"") -> None:
    """Send a request, and read what comes."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
        client.sendall(data)
        client.recv(65536)
        with contextlib.suppress(ConnectionError):
            client.sendall(then)
            client.shutdown(socket.SHUT_WR)
            while client.recv(65536):
                pass


@contextlib.contextmanager
def serving(folder: Path, *options: str) -> Iterator[tuple[int, Path]]:
    """Serve the module ``shop`` by the command, and give its port and the file that it writes to."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    command = [*python(), "-m", "perfectws", "serve", "shop", "--address", "127.0.0.1", "--port", str(port), *options]
    log = folder / "log"
    with log.open("wb") as output, subprocess.Popen(command, cwd=folder, stdout=output, stderr=output) as process:
        try:
            end = time.monotonic() + PATIENCE
            while "Starting" not in log.read_text():
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < end
                time.sleep(0.02)
            yield port, log
        finally:
            process.terminate()


@pytest.mark.slow
@pytest.mark.parametrize("form", ["text", "json"])
def test_serve(write_shop: Write, tmp_path: Path, form: str) -> None:
    write_shop(CODE)
    query, body = f"?ticket={secret('ticket')}", f"password={secret('form')}".encode()
    with serving(tmp_path, "--access-log", "--log-format", form, "--log-level", "info") as (port, log):
        asked(port, head(f"GET /chat{query} HTTP/1.1", *UPGRADE), frame_bytes(TEXT, secret("message")))
        asked(port, head(f"GET /nowhere{query} HTTP/1.1", *UPGRADE))
        asked(port, head(f"POST /login{query} HTTP/1.1", f"Content-Length: {len(body)}") + body)
        asked(port, head(f"GET /bad{query} HTTP/1.1", f"No field {secret('header')}"))
        asked(port, body + b"\r\n\r\n")
    text = log.read_text()
    assert_tells_nothing(text)
    assert text.count("GET /chat?*** HTTP/1.1") >= 2
    assert text.count("the application has failed") >= 2
    if form == "json":
        lines: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
        assert {line.get("request") for line in lines} >= {"POST /login?*** HTTP/1.1", "GET /bad?*** HTTP/1.1", "-"}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "Connected to ws://ann:***@"),
        (["--header", f"Authorization: Bearer {secret('bearer')}\r\n"], "cannot hold a line break"),
        (["--header", f"Authorization Bearer {secret('bearer')}"], "there is no colon"),
        (["--subprotocol", f"{secret('token')}="], "cannot be the name of a subprotocol"),
        (["--subprotocol", f"token.{secret('token')}"], "the server answered 400"),
        (["--proxy", f"http://ann:{secret('proxy')}@127.0.0.1:1"], "the proxy http://ann:***@127.0.0.1:1 cannot be"),
        (["--proxy", f"ftp://ann:{secret('proxy')}@127.0.0.1:1"], "'ftp://ann:***@127.0.0.1:1' is no URL of a proxy"),
    ],
)
def test_connect(url: str, options: list[str], told: str, capfd: pytest.CaptureFixture[str]) -> None:
    there = url.replace("ws://", f"ws://ann:{secret('password')}@") + f"?token={secret('query')}"
    with watched():
        main(["connect", there, "--wait", "0.1", *options])
    written = "".join(capfd.readouterr())
    assert told in written
    assert_tells_nothing(written)
