"""Large files over plain sockets are sent by the kernel: what comes around them, and what goes wrong meanwhile."""

from __future__ import annotations

import gc
import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from perfectws import (
    FilterPriority,
    HTTPRequest,
    HTTPResponse,
    HTTPResponseFilter,
    LaunchContext,
    Routes,
    StaticFileHandler,
)
from perfectws.net.socket_transport import AcceptedSocket
from tests.server.conftest import PATIENCE, Launch, Raw, raw

if sys.platform != "linux":
    pytest.skip("only sockets on a reactor let the kernel send files", allow_module_level=True)
assert sys.platform == "linux"  # which type checkers understand

#: The most bytes of one copy, where the kernel cannot do it.
PIECE = 256 * 1024
SIZE = 5 * 1024 * 1024 + 7
REQUEST = b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n"


class Spy:
    """Counts the calls of `os.sendfile`, and may answer in its place."""

    def __init__(self) -> None:
        self.sendfile = os.sendfile
        self.count = 0
        self.error: OSError | None = None
        self.before: Callable[[], object] = lambda: None

    def __call__(self, *arguments: Any) -> int:
        self.count += 1
        self.before()
        if self.error is not None:
            raise self.error
        return self.sendfile(*arguments)


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Spy:
    spy = Spy()
    monkeypatch.setattr(os, "sendfile", spy)
    return spy


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "large"
    path.write_bytes(os.urandom(SIZE))
    (tmp_path / "small").write_bytes(b"small")
    return path


@pytest.fixture
def context(launch: Launch, large: Path) -> LaunchContext:
    return launch(document_root=large.parent, close_timeout=0.2)


def test_it_is_used_for_large_files_only(context: LaunchContext, large: Path, spy: Spy) -> None:
    with raw(context) as connection:
        assert connection.ask(b"GET /small HTTP/1.1\r\nHost: x\r\n\r\n")[1] == b"small"
        assert spy.count == 0
        assert connection.ask(REQUEST)[1] == large.read_bytes()
        assert spy.count > 0


def test_the_connection_goes_on_and_pipelined_requests_wait_their_turn(context: LaunchContext, large: Path) -> None:
    with raw(context) as connection:
        part = REQUEST.replace(b"\r\n\r\n", b"\r\nRange: bytes=1000000-4999999\r\n\r\n")
        connection.send(REQUEST + part + REQUEST)
        content = large.read_bytes()
        for body in (content, content[1000000:5000000], content):
            head, received = connection.ask(b"")
            assert head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 206"))
            assert received == body


def test_a_reader_that_pauses_gets_it_all(context: LaunchContext, large: Path, spy: Spy) -> None:
    with raw(context) as connection, raw(context) as other:
        connection.send(REQUEST)
        connection.socket.recv(10, socket.MSG_PEEK)
        for _ in range(20):
            assert other.ask(b"GET /small HTTP/1.1\r\nHost: x\r\n\r\n")[1] == b"small"
        assert connection.ask(b"")[1] == large.read_bytes()


def test_response_filters_that_may_change_it_get_it_piece_by_piece(launch: Launch, large: Path, spy: Spy) -> None:
    context = launch(document_root=large.parent, response_filters=[(Unchanging(), FilterPriority.LOW)])
    with raw(context) as connection:
        connection.send(REQUEST.replace(b"1.1", b"1.0"))
        assert connection.read_all().endswith(large.read_bytes()[-1000:])
    assert spy.count == 0


class Unchanging(HTTPResponseFilter):
    """A filter that changes nothing."""


def test_where_the_kernel_cannot_do_it_it_is_copied(context: LaunchContext, large: Path, spy: Spy) -> None:
    spy.error = OSError(22, "Invalid argument")
    with raw(context) as connection:
        assert connection.ask(REQUEST)[1] == large.read_bytes()
    assert spy.count > SIZE // PIECE


def test_a_file_that_becomes_shorter_ends_the_connection_and_is_logged(
    context: LaunchContext, large: Path, spy: Spy, caplog: pytest.LogCaptureFixture
) -> None:
    spy.before = lambda: os.truncate(large, 1_000_000)
    with raw(context) as connection:
        connection.send(REQUEST)
        assert len(connection.read_all()) < SIZE
    assert "shorter" in caplog.text
    assert len(caplog.records) == 1


def test_a_reader_that_leaves_is_no_error(context: LaunchContext, spy: Spy, caplog: pytest.LogCaptureFixture) -> None:
    for linger in (struct.pack("ii", 1, 0), None):
        with raw(context) as connection:
            connection.send(REQUEST)
            connection.socket.recv(1000)
            if linger is not None:
                connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    with raw(context) as connection:
        assert connection.ask(b"GET /small HTTP/1.1\r\nHost: x\r\n\r\n")[1] == b"small"
    assert context.terminate().wait()
    assert not caplog.records


@pytest.mark.parametrize("leaves_early", [True, False])
def test_nothing_is_left_of_readers_that_were_reset(context: LaunchContext, leaves_early: bool) -> None:
    descriptors = len(os.listdir("/proc/self/fd"))
    for _ in range(30):
        connection = Raw(("127.0.0.1", context.port))
        connection.send(REQUEST)
        connection.socket.recv(1000 if leaves_early else 100_000)
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.socket.close()
    deadline = time.monotonic() + PATIENCE
    while len(os.listdir("/proc/self/fd")) > descriptors:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_server_that_stops_lets_go_of_a_reader_that_does_not_read(
    context: LaunchContext, caplog: pytest.LogCaptureFixture
) -> None:
    descriptors = len(os.listdir("/proc/self/fd"))
    connection = Raw(("127.0.0.1", context.port))
    connection.send(REQUEST)
    connection.socket.recv(1000)
    assert context.terminate().wait(10)
    assert len(connection.read_all()) < SIZE
    connection.socket.close()
    assert len(os.listdir("/proc/self/fd")) <= descriptors
    assert not caplog.records


@pytest.mark.parametrize("place", ["tcp", "unix"])
def test_a_reader_that_takes_nothing_is_dropped_after_write_timeout(
    launch: Launch, tmp_path: Path, spy: Spy, place: str
) -> None:
    (tmp_path / "vast").write_bytes(bytes(40 * 2**20))  # more than the kernel holds for anybody
    files, over = StaticFileHandler(tmp_path), threading.Event()
    routes = Routes()

    @routes.get("vast")
    def serve(request: HTTPRequest, response: HTTPResponse) -> None:
        response.on_close.when_complete(lambda result: over.set())
        files.handle_request(request, response)

    address = {"address": f"unix:{tmp_path / 'socket'}"} if place == "unix" else {}
    context = launch(routes=routes, write_timeout=0.2, close_timeout=0.2, **address)
    where = str(tmp_path / "socket") if place == "unix" else ("127.0.0.1", context.port)
    with Raw(where) as connection:
        connection.send(b"GET /vast HTTP/1.1\r\nHost: x\r\n\r\n")
        assert over.wait(PATIENCE)
        assert len(connection.read_all()) < 40 * 2**20
    assert spy.count > 0


@pytest.mark.parametrize("leaves_by", ["a reset", "write_timeout"])
def test_a_connection_that_ends_while_a_file_is_sent_leaves_no_cycle(
    launch: Launch, large: Path, leaves_by: str
) -> None:
    context = launch(document_root=large.parent, write_timeout=0.1, close_timeout=0.1)
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            with raw(context) as connection:
                connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                connection.send(REQUEST * 8)
                if leaves_by == "a reset":
                    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                else:
                    connection.socket.shutdown(socket.SHUT_WR)
                    time.sleep(0.3)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and (left := sockets_left()):
            time.sleep(0.01)
        assert left == 0
    finally:
        gc.enable()


def sockets_left() -> int:
    """Return how many connections there are, collected or not."""
    return sum(type(each) is AcceptedSocket for each in gc.get_objects())
