"""Whatever a form holds, however it is cut, whenever the disk gets round to it: the same parts, and no file is left."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perfectws import HTTPRequest, HTTPResponse
from perfectws.http import mime_reader, request_body
from tests.http.fakes import Server, everything, post
from tests.http.forms import FORM, field, file, form
from tests.http.test_uploads import SlowDisk, contents

#: A file's content, or `None` for a field.
SIZES = st.one_of(st.none(), st.integers(0, 300))
EVENTS = st.one_of(st.integers(1, 400), st.just("disk"))


@pytest.fixture(scope="module", autouse=True)
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Small limits, so that small forms pass them; and a directory of temporary files."""
    path = tmp_path_factory.mktemp("disk")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(path))
        patch.setattr(mime_reader, "MAX_IN_MEMORY", 100)
        patch.setattr(request_body, "MAX_UNWRITTEN", 150)
        yield path


def body_of(sizes: list[int | None]) -> tuple[bytes, list[tuple[str, str, bytes]]]:
    parts, expected = [], []
    for number, size in enumerate(sizes):
        content = bytes([65 + number % 26]) * (10 if size is None else size)
        parts.append(field("a", content.decode()) if size is None else file("f", content))
        expected.append(("a", "", content) if size is None else ("f", "a.txt", content))
    return form(*parts), expected


def chunked(body: bytes, size: int) -> bytes:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    head = f"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n{FORM}\r\n\r\n".encode()
    return head + b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@given(
    st.lists(st.lists(SIZES, max_size=8), min_size=1, max_size=3),
    st.one_of(st.none(), st.integers(1, 500)),
    st.lists(EVENTS, max_size=60),
    st.sampled_from(["all", "reset", "eof"]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_forms_are_read_and_nothing_is_left(
    disk: Path, forms: list[list[int | None]], chunk: int | None, events: list[int | str], end: str
) -> None:
    loop = SlowDisk()
    seen: list[list[tuple[str, str, bytes]]] = []

    def handle(request: HTTPRequest, response: HTTPResponse) -> None:
        seen.append([contents(upload) for upload in request.post_file_uploads or ()])
        response.completed()

    bodies = [body_of(sizes) for sizes in forms]
    data = b"".join(post("/", body, FORM) if chunk is None else chunked(body, chunk) for body, _ in bodies)
    expected = [parts for _, parts in bodies]
    server = Server(everything(handle), loop=loop)
    for event in events:
        if event == "disk":
            loop.work()
        elif isinstance(event, int) and data:
            server.receive(data[:event])
            loop.run()
            data = data[event:]
    if end == "reset":
        server.lose()
    else:
        if data:
            server.receive(data)
        loop.run()
        if end == "eof":
            server.protocol.eof_received()
            loop.run()
    while loop.waiting:
        loop.work()
    assert seen == (expected[: len(seen)] if end == "reset" else expected)
    assert os.listdir(disk) == []
    assert not server.transport.is_aborted
    if end == "all":
        assert [answer.status for answer in server.answers(*["POST"] * len(forms))] == [200] * len(forms)
        assert not server.transport.is_paused
        assert server.transport.is_open
