from __future__ import annotations

import json
import random
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from ..platforms import python
from .running import PATIENCE, ROOT, RunningServer, running

CONTENT = random.Random(6).randbytes(5_000_001)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    directory = tmp_path / "served"
    directory.mkdir()
    return directory


@pytest.fixture
def server(directory: Path) -> Iterator[RunningServer]:
    with running("-m", "examples.files", "serve", str(directory), "--port", "0") as server:
        yield server
        assert server.stop() == 0
        assert server.complaints() == []


def files(server: RunningServer, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line."""
    url = f"ws://127.0.0.1:{server.port}/files"
    command = [*python(), "-m", "examples.files", *arguments, "--url", url]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)


def open_files(server: RunningServer) -> ClientConnection:
    return connect(f"ws://127.0.0.1:{server.port}/files", subprotocols=[Subprotocol("files")], proxy=None)


@pytest.mark.parametrize("content", [b"", b"x", CONTENT], ids=["empty", "1 byte", "5 MB"])
def test_a_file_goes_up_and_comes_down_as_it_was_with_its_progress_shown(
    server: RunningServer, directory: Path, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "a file.bin").write_bytes(content)
    uploaded = files(server, "upload", str(tmp_path / "a file.bin"))
    assert uploaded.returncode == 0, uploaded.stderr
    assert (directory / "a file.bin").read_bytes() == content

    fetched = tmp_path / "fetched"
    fetched.mkdir()
    downloaded = files(server, "download", "a file.bin", "--into", str(fetched))
    assert downloaded.returncode == 0, downloaded.stderr
    assert (fetched / "a file.bin").read_bytes() == content
    for shown in (uploaded.stderr, downloaded.stderr):
        lines = shown.splitlines()
        assert "100 %" in lines[-1]
        assert len(lines) > (50 if content is CONTENT else 0)
    assert [path.name for path in directory.iterdir()] == ["a file.bin"]
    assert [path.name for path in fetched.iterdir()] == ["a file.bin"]


def test_a_file_that_is_not_there_is_named(server: RunningServer, tmp_path: Path) -> None:
    ended = files(server, "download", "nothing.bin", "--into", str(tmp_path))
    assert ended.returncode == 1
    assert ended.stderr == "There is no file nothing.bin\n"


def test_nothing_outside_the_directory_is_read_or_written(
    server: RunningServer, directory: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("secret")
    for name in ["../secret", "/etc/passwd", "", ".", "..", ".hidden", "a/b", "a\0b", 1, None]:
        with open_files(server) as client:
            for order in ({"get": name}, {"put": name, "size": 3}):
                client.send(json.dumps(order))
                assert "plain file" in json.loads(client.recv(PATIENCE))["error"], order
    assert list(directory.iterdir()) == []


@pytest.mark.parametrize("parts", [[b"abc", b"d"], [b"ab", b""], [b"abcd" * 100]], ids=["more", "less", "much more"])
def test_a_file_that_is_not_what_was_announced_leaves_nothing(
    server: RunningServer, directory: Path, parts: list[bytes]
) -> None:
    with open_files(server) as client:
        client.send('{"put": "file", "size": 3}')
        assert json.loads(client.recv(PATIENCE)) == {"ready": True}
        # It may end before the last fragment is sent, or behind it.
        with pytest.raises(ConnectionClosed):
            upload(client, parts)
        assert client.close_code == 1008
    assert list(directory.iterdir()) == []


def upload(client: ClientConnection, parts: list[bytes]) -> None:
    client.send(iter(parts))
    while True:
        client.recv(PATIENCE)


def test_an_upload_that_breaks_off_leaves_the_former_file(directory: Path) -> None:
    (directory / "file").write_bytes(b"former")
    with running("-m", "examples.files", "serve", str(directory), "--port", "0") as server:
        with open_files(server) as client:
            client.send('{"put": "file", "size": 6}')
            assert json.loads(client.recv(PATIENCE)) == {"ready": True}

            def half() -> Iterator[bytes]:
                yield b"abc"
                assert json.loads(client.recv(PATIENCE)) == {"received": 3}
                client.socket.shutdown(socket.SHUT_RDWR)

            with pytest.raises((ConnectionClosed, OSError)):
                client.send(half())
        # Once it has stopped, it has seen that the client is gone.
        assert server.stop() == 0
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == {"file": b"former"}
