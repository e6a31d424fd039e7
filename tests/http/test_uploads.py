"""What an `HTTPConnection` does with a multipart form: where its files go, and when they are removed."""

from __future__ import annotations

import errno
import logging
import os
import tempfile
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import outcome
import pytest

from perfectws import HTTPRequest, HTTPResponse, MimeReader, Routes
from perfectws.callbacks import CallbackOwner
from perfectws.http.body_spec import BodySpec
from perfectws.http.mime_reader import MAX_IN_MEMORY, MAX_PARTS, MAX_UNWRITTEN
from tests.http.fakes import FakeLoop, Server, echo_path, everything, get, post
from tests.http.forms import FORM, field, file, form

LARGE = bytes(range(256)) * 1024
MIB = 1024 * 1024


@pytest.fixture(autouse=True)
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of temporary files, which is empty whenever a test is over."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def files(disk: Path) -> list[str]:
    return os.listdir(disk)


class Site:
    """Keeps the requests, and answers when told to."""

    def __init__(self, at_once: bool = False) -> None:
        self.responses: list[HTTPResponse] = []
        self.seen: list[list[tuple[str, str, bytes]]] = []
        self._at_once = at_once
        self.routes = everything(self.handle)

    def handle(self, request: HTTPRequest, response: HTTPResponse) -> None:
        self.responses.append(response)
        uploads = request.post_file_uploads
        assert uploads is not None
        self.seen.append([contents(upload) for upload in uploads])
        if self._at_once:
            response.completed()

    @property
    def request(self) -> HTTPRequest:
        return self.responses[-1].request


def contents(upload: MimeReader.BodySpec) -> tuple[str, str, bytes]:
    if upload.file is None:
        return upload.field_name, "", upload.field_value.encode()
    return upload.field_name, upload.file_name, upload.file.read()


class SlowDisk(FakeLoop):
    """Calls in a thread are made when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: deque[tuple[CallbackOwner, Callable[[], object], Any]] = deque()

    def call_in_thread(
        self,
        owner: CallbackOwner,
        function: Callable[[], object],
        done: Callable[[outcome.Outcome[Any]], object] | None = None,
    ) -> None:
        self.waiting.append((owner, function, done))

    def work(self) -> None:
        """Let the disk do what was asked of it so far."""
        for _ in range(len(self.waiting)):
            super().call_in_thread(*self.waiting.popleft())
        self.run()


def pieces(data: bytes, size: int = 16 * 1024) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


class TestAForm:
    def test_has_its_fields_and_files_and_no_bytes(self, disk: Path) -> None:
        site = Site()
        server = Server(site.routes)
        server.ask(post("/", form(field("a", "ä"), file("f", LARGE), file("g", b"small", "b")), FORM))
        assert site.seen == [[("a", "", "ä".encode()), ("f", "a.txt", LARGE), ("g", "b", b"small")]]
        request = site.request
        assert request.post_params == [("a", "ä")]
        assert request.param("a") == "ä"
        assert request.post_body_bytes == b""
        assert request.post_body_string is None
        assert len(files(disk)) == 1
        site.responses[0].completed()
        server.loop.run()
        assert files(disk) == []
        assert server.answers()[0].status == 200

    def test_that_is_none_has_no_uploads(self) -> None:
        def handle(request: HTTPRequest, response: HTTPResponse) -> None:
            response.set_body(repr((request.post_file_uploads, request.post_body_bytes))).completed()

        server = Server(everything(handle))
        answers = server.ask(
            get("/")
            + post("/", b"a=1", "Content-Type: application/x-www-form-urlencoded")
            + post("/", b"--", "Content-Type: multipart/form-data")
        )
        assert [answer.body for answer in answers] == [b"(None, b'')", b"(None, b'a=1')", b"(None, b'--')"]

    def test_in_chunks_is_read_too_and_what_comes_behind_it_is_the_next_request(self) -> None:
        site = Site(at_once=True)
        body = form(file("f", LARGE))
        chunked = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces(body, 1000)) + b"0\r\n\r\n"
        head = f"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n{FORM}\r\n\r\n".encode()
        server = Server(site.routes)
        data = (head + chunked) * 3
        for piece in pieces(data, 10_000):
            server.ask(piece)
        assert site.seen == [[("f", "a.txt", LARGE)]] * 3
        assert len(server.answers("POST", "POST", "POST")) == 3

    def test_of_a_request_that_was_constructed_is_read_as_well(self, disk: Path) -> None:
        body = form(field("a", "1"), file("f", LARGE))
        request = HTTPRequest("POST", "/", [("Content-Type", FORM.partition(": ")[2])], body)
        uploads = request.post_file_uploads
        assert uploads is not None
        assert [contents(upload) for upload in uploads] == [("a", "", b"1"), ("f", "a.txt", LARGE)]
        assert request.post_params == [("a", "1")]
        assert request.post_body_bytes == body
        del request, uploads
        assert files(disk) == []

    def test_of_a_constructed_request_ends_where_there_is_too_much_of_it(self) -> None:
        request = HTTPRequest("POST", "/", [("Content-Type", FORM.partition(": ")[2])], form(*[field("a", "")] * 1500))
        assert len(request.post_params) == MAX_PARTS

    def test_whose_last_boundary_is_missing_ends_with_the_body(self) -> None:
        site = Site()
        Server(site.routes).ask(post("/", field("a", "1") + file("f", LARGE)[:-2], FORM))
        assert site.seen == [[("a", "", b"1"), ("f", "a.txt", LARGE)]]


class TestItsFilesAreRemoved:
    def begun(self, loop: FakeLoop | None = None) -> tuple[Site, Server]:
        site = Site()
        server = Server(site.routes, loop=loop, max_body_size=10 * MIB)
        return site, server

    def test_when_the_client_leaves_in_the_middle(self, disk: Path) -> None:
        _, server = self.begun()
        server.ask(post("/", form(file("f", LARGE)), FORM)[: len(LARGE) // 2 + 50_000])
        assert files(disk)
        server.lose()
        assert files(disk) == []

    def test_when_the_client_ends_its_side_in_the_middle(self, disk: Path) -> None:
        site, server = self.begun()
        server.ask(post("/", form(file("f", LARGE)), FORM)[:-1])
        server.protocol.eof_received()
        server.loop.run()
        assert files(disk) == []
        assert site.responses == []
        assert server.transport.linger is not None

    def test_when_the_client_leaves_while_it_is_handled(self, disk: Path) -> None:
        _, server = self.begun()
        server.ask(post("/", form(file("f", LARGE)), FORM))
        assert files(disk)
        server.lose()
        assert files(disk) == []

    def test_when_the_client_leaves_while_they_are_written(self, disk: Path) -> None:
        loop = SlowDisk()
        _, server = self.begun(loop)
        server.ask(post("/", form(file("f", bytes(MAX_IN_MEMORY + 1))), FORM))
        server.lose()
        assert len(loop.waiting) == 2
        loop.work()
        assert files(disk) == []
        assert not loop.waiting
        assert not server.transport.is_aborted

    def test_when_the_handler_fails(self, disk: Path) -> None:
        def handle(request: HTTPRequest, response: HTTPResponse) -> None:
            assert files(disk)
            raise ValueError("no")

        server = Server(everything(handle))
        assert server.ask(post("/", form(file("f", LARGE)), FORM))[0].status == 500
        assert files(disk) == []

    def test_when_another_protocol_takes_over(self, disk: Path) -> None:
        routes = Routes()
        routes.web_socket("/", lambda request, socket: None, ping_interval=None)
        server = Server(routes)
        upgrade = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")
        head = post("/", form(file("f", LARGE)), FORM, *upgrade, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
        server.receive(head.replace(b"POST", b"GET", 1))
        server.loop.run()
        assert server.transport.sent.startswith(b"HTTP/1.1 101")
        assert files(disk) == []

    def test_when_it_is_refused_in_the_middle(self, disk: Path) -> None:
        server = Server(everything(echo_path), max_body_size=len(LARGE))
        data = post("/", form(file("f", LARGE)), FORM).replace(b"Content-Length", b"Transfer-Encoding: chunked\r\nX")
        head, _, body = data.partition(b"\r\n\r\n")
        server.ask(head + b"\r\n\r\n%x\r\n" % len(body))
        for piece in pieces(body):
            server.ask(piece)
        assert server.answers()[0].status == 413
        assert files(disk) == []

    def test_but_not_what_was_moved(self, disk: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
        target = tmp_path_factory.mktemp("kept")

        def handle(request: HTTPRequest, response: HTTPResponse) -> None:
            for number, upload in enumerate(request.post_file_uploads or ()):
                os.rename(upload.tmp_file_name, target / str(number))
            response.completed()

        server = Server(everything(handle))
        server.ask(post("/", form(file("f", LARGE), file("f", b"small")), FORM))
        assert [(target / name).read_bytes() for name in ("0", "1")] == [LARGE, b"small"]
        assert files(disk) == []


class TestALateDisk:
    def test_holds_the_client_up_and_little_is_in_memory(self) -> None:
        loop, site = SlowDisk(), Site()
        server = Server(site.routes, loop=loop, max_body_size=100 * MIB)
        data = post("/", form(file("f", LARGE * 40)), FORM)
        held = 0
        for piece in pieces(data):
            if server.transport.is_paused:
                loop.work()
            assert not server.transport.is_paused
            server.ask(piece)
            body = server.connection._body
            if body is not None and body._form is not None:
                held = max(held, body._form.unwritten + len(server.connection._input))
        loop.work()
        assert site.seen == [[("f", "a.txt", LARGE * 40)]]
        assert MAX_UNWRITTEN <= held <= MAX_UNWRITTEN + 3 * 16 * 1024
        server.lose()
        loop.work()

    def test_is_waited_for_before_the_request_is_handled(self) -> None:
        loop, site = SlowDisk(), Site()
        server = Server(site.routes, loop=loop)
        server.ask(post("/", form(file("f", bytes(MAX_IN_MEMORY + 1))), FORM))
        assert site.responses == []
        loop.work()
        assert len(site.responses) == 1
        server.lose()
        loop.work()

    def test_lets_a_client_that_has_ended_its_side_have_its_answer(self) -> None:
        loop, site = SlowDisk(), Site(at_once=True)
        server = Server(site.routes, loop=loop)
        server.ask(post("/", form(file("f", LARGE)), FORM))
        server.protocol.eof_received()
        while loop.waiting:
            loop.work()
        assert server.answers()[0].status == 200

    def test_is_not_the_fault_of_the_client(self, disk: Path) -> None:
        loop = SlowDisk()
        server = Server(everything(echo_path), loop=loop, body_timeout=5)
        server.ask(post("/", form(file("f", LARGE)), FORM))
        loop.advance(6)
        assert server.answers()[0].status == 503
        loop.work()
        assert files(disk) == []

    def test_takes_no_more_time_than_the_body_may(self) -> None:
        server = Server(everything(echo_path), body_timeout=5)
        server.ask(post("/", form(file("f", LARGE)), FORM)[:-1])
        server.loop.advance(6)
        assert server.answers()[0].status == 408


@pytest.mark.parametrize(
    ("number", "status"), [(errno.ENOSPC, 507), (errno.EDQUOT, 507), (errno.EMFILE, 503), (errno.EIO, 500)]
)
@pytest.mark.parametrize("size", [MAX_IN_MEMORY + 1, 4 * MAX_UNWRITTEN])
def test_what_cannot_be_stored_is_refused_and_logged_once(
    number: int, status: int, size: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, disk: Path
) -> None:
    write = BodySpec._write

    def fail(spec: BodySpec, data: bytes) -> None:
        write(spec, data[:10])
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(BodySpec, "_write", fail)
    server = Server(everything(echo_path), max_body_size=10 * MIB)
    for piece in pieces(post("/", form(file("f", bytes(size))), FORM)):
        server.ask(piece)
    answer = server.answers()[0]
    assert (answer.status, answer.header("connection")) == (status, "close")
    assert b"cannot store what is uploaded" in answer.body
    assert files(disk) == []
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert os.strerror(number) in caplog.text


def test_an_error_of_our_own_costs_the_connection_only(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, disk: Path
) -> None:
    def fail(spec: BodySpec, data: bytes) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(BodySpec, "_write", fail)
    server = Server(everything(echo_path))
    server.ask(post("/", form(file("f", LARGE)), FORM))
    assert server.transport.is_aborted
    assert "ZeroDivisionError" in caplog.text


class TestLimits:
    def test_without_another_limit_that_of_every_body_counts(self) -> None:
        body = form(file("f", LARGE))
        for surplus, status in [(0, 200), (-1, 413)]:
            server = Server(Site(at_once=True).routes, max_body_size=len(body) + surplus)
            assert server.ask(post("/", body, FORM))[0].status == status

    def test_uploads_may_have_a_limit_of_their_own_and_other_bodies_keep_theirs(self) -> None:
        body = form(field("a", "x" * 500), file("f", LARGE))
        for surplus, status in [(0, 200), (-1, 413)]:
            server = Server(Site(at_once=True).routes, max_body_size=1000, max_upload_size=len(body) + surplus)
            assert server.ask(post("/", body, FORM))[0].status == status
        server = Server(everything(echo_path), max_body_size=1000, max_upload_size=10 * MIB)
        assert server.ask(post("/", bytes(1001), "Content-Type: text/plain"))[0].status == 413

    def test_what_a_form_holds_in_memory_is_limited_as_every_body_is(self) -> None:
        server = Server(everything(echo_path), max_body_size=1000, max_upload_size=10 * MIB)
        assert server.ask(post("/", form(field("a", "x" * 1000)), FORM))[0].status == 413

    def test_a_form_of_very_many_parts_is_refused(self) -> None:
        server = Server(everything(echo_path), max_body_size=100 * MIB)
        answer = server.ask(post("/", form(*[field("a", "")] * 100_000), FORM))[0]
        assert (answer.status, answer.body) == (
            413,
            b"413 Request Entity Too Large: the form has more than 1000 parts\n",
        )


def test_a_client_that_waits_for_it_is_told_to_go_on() -> None:
    site = Site(at_once=True)
    server = Server(site.routes)
    head, _, body = post("/", form(file("f", LARGE)), FORM, "Expect: 100-continue").partition(b"\r\n\r\n")
    server.ask(head + b"\r\n\r\n")
    assert server.transport.sent == b"HTTP/1.1 100 Continue\r\n\r\n"
    server.ask(body)
    assert site.seen == [[("f", "a.txt", LARGE)]]


def test_a_filter_that_sets_another_body_leaves_no_file(disk: Path) -> None:
    def handle(request: HTTPRequest, response: HTTPResponse) -> None:
        request.post_body_bytes = b"other"
        response.set_body(str((request.post_body_bytes, request.post_file_uploads))).completed()

    server = Server(everything(handle))
    assert server.ask(post("/", form(file("f", LARGE)), FORM))[0].body == b"(b'other', [])"
    assert files(disk) == []
