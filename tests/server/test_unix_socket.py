"""``address="unix:PATH"``: as behind a proxy on the same machine."""

from __future__ import annotations

import os
import socket
import ssl
import sys
from pathlib import Path

import httpx
import pytest

from perfectws import HTTPServer, LaunchFailure, Routes, TLSConfiguration
from tests.server.conftest import PATIENCE, Launch, Raw

if sys.platform == "win32":
    pytest.skip("Windows has no Unix sockets", allow_module_level=True)
assert sys.platform != "win32"  # which type checkers understand


def fetch(path: Path, **headers: str) -> httpx.Response:
    transport = httpx.HTTPTransport(uds=str(path))
    with httpx.Client(transport=transport, timeout=PATIENCE) as client:
        return client.get("http://localhost/hello", headers=headers)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "test.sock"


def test_a_server_listens_on_a_path_and_removes_it_at_the_end(launch: Launch, routes: Routes, path: Path) -> None:
    context = launch(routes=routes, address=f"unix:{path}")
    assert fetch(path).text == " plain test"
    assert context.port == 0
    assert context.server.listens_on == f"unix:{path}"
    context.terminate().wait()
    assert not path.exists()


def test_no_port_is_needed(routes: Routes, path: Path) -> None:
    context = HTTPServer.launch(name="test", address=f"unix:{path}", routes=routes, wait=False)
    assert fetch(path).status_code == 200
    assert context.terminate().wait(PATIENCE)


def test_what_a_dead_server_has_left_behind_is_taken_over(launch: Launch, routes: Routes, path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    launch(routes=routes, address=f"unix:{path}")
    assert fetch(path).status_code == 200


def test_a_living_servers_path_is_in_use(launch: Launch, routes: Routes, path: Path) -> None:
    launch(routes=routes, address=f"unix:{path}")
    with pytest.raises(LaunchFailure, match=rf"cannot listen on unix:{path}: .*in use"):
        launch(routes=routes, address=f"unix:{path}")
    assert fetch(path).status_code == 200


def test_a_file_is_left_alone(launch: Launch, routes: Routes, path: Path) -> None:
    path.write_text("precious")
    with pytest.raises(LaunchFailure, match="in use"):
        launch(routes=routes, address=f"unix:{path}")
    assert path.read_text() == "precious"


def test_a_path_that_another_server_has_taken_meanwhile_is_left_to_it(
    launch: Launch, routes: Routes, path: Path
) -> None:
    first = launch(routes=routes, address=f"unix:{path}")
    os.unlink(path)
    launch(routes=routes, address=f"unix:{path}")
    first.terminate().wait()
    assert fetch(path).status_code == 200


def test_a_directory_that_is_not_there_is_a_launch_failure(launch: Launch, routes: Routes, path: Path) -> None:
    with pytest.raises(LaunchFailure, match="No such file"):
        launch(routes=routes, address=f"unix:{path}/none.sock")


def test_a_trusted_proxy_behind_it_tells_the_client(launch: Launch, routes: Routes, path: Path) -> None:
    launch(routes=routes, address=f"unix:{path}", trusted_proxies=["unix:"])
    forwarded = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}
    assert fetch(path, **forwarded).text == "192.0.2.7 secure test"


def test_tls_works_there_too(
    launch: Launch, routes: Routes, path: Path, certificate: tuple[Path, Path], trusting: ssl.SSLContext
) -> None:
    tls = TLSConfiguration(cert_path=certificate[0], key_path=certificate[1])
    launch(routes=routes, address=f"unix:{path}", tls_config=tls)
    with Raw(str(path), trusting) as connection:
        assert connection.ask(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")[1] == b" secure test"
