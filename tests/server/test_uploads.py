"""Uploads from outside: whoever sends them, over every transport, however slowly, and however they end."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import trio

from perfectws import HTTPRequest, HTTPResponse, LaunchContext, Route, Routes
from perfectws.http.body_spec import BodySpec
from tests.conftest import Connect
from tests.http.forms import FORM, field, file, form
from tests.server.conftest import PATIENCE, Launch, Raw, raw, url

MIB = 1024 * 1024


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of temporary files."""
    path = tmp_path / "uploads"
    path.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(path))
    return path


def eventually(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)


def tell(request: HTTPRequest, response: HTTPResponse) -> None:
    """Tell what was uploaded."""
    parts = []
    for upload in request.post_file_uploads or ():
        content = upload.field_value if upload.file is None else sum(upload.file.read())
        parts.append([upload.field_name, upload.file_name, upload.content_type, upload.file_size, content])
    response.set_body(json=parts).completed()


def request_bytes(body: bytes) -> bytes:
    return f"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{FORM}\r\n\r\n".encode() + body


@pytest.fixture
def context(launch: Launch, disk: Path) -> LaunchContext:
    return launch(routes=[Route("POST", "/upload", tell)], max_upload_size=100 * MIB, close_timeout=1)


@pytest.mark.parametrize("size", [1, 70_000, 900_000])
async def test_over_every_transport(connect: Connect, disk: Path, size: int) -> None:
    routes = Routes()
    routes.add("POST", "/upload", tell)
    content = os.urandom(size)
    peer = await connect.to(routes)
    data = request_bytes(form(field("a", "b"), file("f", content), file("g", b"x")))
    for _ in range(2):
        for start in range(0, len(data), 50_000):
            await peer.stream.send_all(data[start : start + 50_000])
        await peer.read_head()
        assert peer.status == 200
        expected = f'["f", "a.txt", "text/plain", {size}, {sum(content)}]'
        assert expected in (await peer.read_body()).decode()
        with trio.fail_after(PATIENCE):
            while list(disk.iterdir()):
                await trio.sleep(0.01)


def test_of_curl_and_of_httpx(context: LaunchContext, disk: Path, tmp_path: Path, client: httpx.Client) -> None:
    content = os.urandom(3 * MIB)
    (tmp_path / "large.bin").write_bytes(content)
    (tmp_path / "small.txt").write_bytes(b"abc")
    expected = [
        ["title", "", "", 0, "grüße"],
        ["one", "large.bin", "application/octet-stream", len(content), sum(content)],
        ["two", "small.txt", "text/plain", 3, sum(b"abc")],
    ]
    options = ["-F", "title=grüße", "-F", f"one=@{tmp_path}/large.bin", "-F", f"two=@{tmp_path}/small.txt"]
    command = ["curl", "--silent", "--show-error", "--max-time", "30", "--noproxy", "*", *options]
    answer = subprocess.run([*command, url(context, "/upload")], capture_output=True, check=True, timeout=PATIENCE)
    assert httpx.Response(200, content=answer.stdout).json() == expected
    files = {"one": ("large.bin", content, "application/octet-stream"), "two": ("small.txt", b"abc", "text/plain")}
    assert client.post(url(context, "/upload"), data={"title": "grüße"}, files=files).json() == expected
    eventually(lambda: not list(disk.iterdir()))


def half_an_upload(context: LaunchContext, disk: Path) -> Raw:
    """Send the half of an upload, and wait until some of it is on the disk."""
    before = len(list(disk.iterdir()))
    connection = raw(context)
    connection.send(request_bytes(form(file("f", bytes(MIB))))[: MIB // 2])
    eventually(lambda: len(list(disk.iterdir())) > before)
    return connection


class TestAnUploadThatEndsInTheMiddle:
    def test_by_a_fin_leaves_no_file_and_gets_no_answer(self, context: LaunchContext, disk: Path) -> None:
        with half_an_upload(context, disk) as connection:
            connection.socket.shutdown(socket.SHUT_WR)
            assert connection.read_all() == b""
        eventually(lambda: not list(disk.iterdir()))

    def test_by_a_reset_leaves_no_file(self, context: LaunchContext, disk: Path) -> None:
        connection = half_an_upload(context, disk)
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.socket.close()
        eventually(lambda: not list(disk.iterdir()))

    def test_by_the_servers_end_leaves_no_file(self, launch: Launch, disk: Path) -> None:
        kept: list[HTTPResponse] = []
        context = launch(
            routes=[Route("POST", "/upload", lambda request, response: kept.append(response))],
            max_upload_size=2 * MIB,
            close_timeout=0.1,
        )
        with half_an_upload(context, disk), raw(context) as waiting:
            waiting.send(request_bytes(form(file("f", bytes(MIB)))))
            eventually(lambda: bool(kept))
            assert len(list(disk.iterdir())) == 2
            context.terminate()
            assert context.wait(PATIENCE)
            assert not list(disk.iterdir())


def test_a_full_disk_is_said_to_the_client_and_no_hang(
    context: LaunchContext, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def full(prefix: str, dir: str | None) -> tuple[int, str]:  # noqa: A002  # as mkstemp has it
        made.append(str(disk / f"{prefix}{len(made)}"))
        return os.open("/dev/full", os.O_WRONLY), made[-1]

    monkeypatch.setattr(tempfile, "mkstemp", full)
    with raw(context) as connection:
        connection.send(request_bytes(form(file("f", bytes(MIB)))))
        answer = connection.read_all()
    assert made
    assert answer.startswith(b"HTTP/1.1 507 ")
    assert answer.endswith(b"507 Insufficient Storage: the server cannot store what is uploaded\n")


def test_while_the_disk_takes_its_time_others_are_served(
    context: LaunchContext, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, writes = threading.Event(), threading.Event()
    write = BodySpec._write

    def late(spec: BodySpec, data: bytes) -> None:
        writes.set()
        assert go_on.wait(PATIENCE)
        write(spec, data)

    monkeypatch.setattr(BodySpec, "_write", late)
    body = form(file("f", bytes(200_000)))
    with raw(context) as slow, raw(context) as other:
        slow.send(request_bytes(body))
        assert writes.wait(PATIENCE)
        for _ in range(20):
            assert other.ask(request_bytes(form(field("a", "b"))))[1] == b'[["a", "", "", 0, "b"]]'
        go_on.set()
        assert b"200000, 0]]" in slow.ask(b"")[1]


def test_fifty_slow_uploads_take_little_memory_and_all_arrive(context: LaunchContext, disk: Path) -> None:
    count, size = 50, 2 * MIB
    data = request_bytes(form(file("f", bytes(size))))
    connections = [raw(context) for _ in range(count)]
    tracemalloc.start()
    try:
        for start in range(0, len(data), 64 * 1024):
            piece = memoryview(data)[start : start + 64 * 1024]
            for connection in connections:
                connection.socket.sendall(piece)
        answers = [connection.ask(b"")[1] for connection in connections]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        for connection in connections:
            connection.socket.close()
    assert answers == [f'[["f", "a.txt", "text/plain", {size}, 0]]'.encode()] * count
    # `tell` reads one of them as a whole at a time.
    assert peak - size < count * 512 * 1024 < count * size
    eventually(lambda: not list(disk.iterdir()))
