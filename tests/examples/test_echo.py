from __future__ import annotations

import signal
import socket
import subprocess
from http.client import HTTPConnection

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from ..platforms import python
from .running import PATIENCE, ROOT, RunningServer, running


def echoed(port: int, messages: list[str]) -> list[str]:
    with connect(f"ws://127.0.0.1:{port}/echo", subprotocols=[Subprotocol("echo")], proxy=None) as client:
        assert client.subprotocol == "echo"
        replies = []
        for message in messages:
            client.send(message)
            replies.append(str(client.recv(PATIENCE)))
        return replies


def fetch(port: int, path: str) -> tuple[int, str, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.headers.get_content_type(), response.read()
    finally:
        connection.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_the_echo_example_echoes_until_a_signal_ends_it_with_exit_code_0(number: signal.Signals) -> None:
    with running("-m", "examples.echo", "--port", "0") as server:
        messages = ["hello", "", "日本語 🎉", "x" * 60_000]
        assert echoed(server.port, messages) == messages
        assert server.stop(number) == 0
    assert server.lines[0].endswith(f"Starting HTTP server localhost on http://127.0.0.1:{server.port}/")
    assert server.complaints() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_the_echo_example_ends_with_exit_code_0_while_a_client_is_connected(number: signal.Signals) -> None:
    with running("-m", "examples.echo", "--port", "0") as server:
        address = f"ws://127.0.0.1:{server.port}/echo"
        with connect(address, subprotocols=[Subprotocol("echo")], proxy=None) as client:
            client.send("hello")
            assert client.recv(PATIENCE) == "hello"
            assert server.stop(number) == 0
            with pytest.raises(ConnectionClosed):
                client.recv(PATIENCE)
            assert client.close_code == 1001
    assert server.complaints() == []


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/", "text/html"),
        ("/index.html", "text/html"),
        ("/echo.css", "text/css"),
        ("/echo.js", "text/javascript"),
        ("/favicon.svg", "image/svg+xml"),
    ],
)
def test_the_echo_example_serves_its_page(echo_server: RunningServer, path: str, content_type: str) -> None:
    name = path.removeprefix("/") or "index.html"
    page = (ROOT / "examples" / "echo" / "webroot" / name).read_bytes()
    assert fetch(echo_server.port, path) == (200, content_type, page)


def test_the_echo_example_serves_nothing_outside_its_page(echo_server: RunningServer) -> None:
    assert fetch(echo_server.port, "/../echo.py")[0] in (400, 404)
    assert fetch(echo_server.port, "/%2e%2e/echo.py")[0] in (400, 404)


def test_the_echo_example_names_a_port_in_use_in_one_line_and_exits_with_1() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [*python(), "-m", "examples.echo", "--port", str(port)]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert ended.returncode == 1
    assert str(port) in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
