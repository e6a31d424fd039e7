"""The upload form, driven: what its handler sees is what was sent, and what it moves stays."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from perfectws.testing import TestServer

from .uploads import PAGE, make_server


@pytest.fixture
def temp_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "temp"
    path.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(path))
    return path


@pytest.fixture
def site(tmp_path: Path, temp_dir: Path) -> Iterator[TestServer]:
    with TestServer(make_server(tmp_path / "files")) as site:
        yield site
    assert not list(temp_dir.iterdir())


def test_the_page_is_html(site: TestServer) -> None:
    answer = site.get("/")
    assert (answer.header("Content-Type"), answer.text) == ("text/html", PAGE)


@pytest.mark.parametrize("size", [0, 100, 500_000])
def test_files_of_any_size_are_moved(
    site: TestServer, tmp_path: Path, size: int, caplog: pytest.LogCaptureFixture
) -> None:
    content = os.urandom(size)
    files = [("files", ("../a.png", content, "image/png")), ("files", ("b", b"b", "text/plain"))]
    answer = site.post("/upload", data={"title": "one"}, files=files).json()
    assert answer["title"] == "one"
    title, image, text = answer["files"]
    assert title == {"fieldName": "title", "fieldValue": "one"}
    assert (tmp_path / "files" / image.pop("storedAs")).read_bytes() == content
    assert (tmp_path / "files" / text.pop("storedAs")).read_bytes() == b"b"
    common = {"fieldName": "files", "contentType": "image/png", "fileName": "../a.png"}
    assert image == {**common, "fileSize": size, "isImage": True}
    assert (text["isImage"], text["fileSize"]) == (False, 1)
    lines = [record.getMessage() for record in caplog.records if record.name == "perfectws.access"]
    assert len(lines) == 1
    assert '"POST /upload HTTP/1.1" 200 ' in lines[0]


def test_what_is_no_form_has_no_uploads(site: TestServer) -> None:
    answer = site.post("/upload", data="{}")
    assert (answer.status, answer.json()) == (400, {"error": "nothing was uploaded"})
