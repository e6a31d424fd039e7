"""The HTTP side as a browser sees it: what ``tests/server/test_agreement.py`` says of curl and httpx holds here too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from perfectws import (
    FilterPriority,
    HTTPCookie,
    HTTPFilter,
    HTTPRequest,
    HTTPResponse,
    HTTPServer,
    Route,
    SameSite,
    StaticFileHandler,
)
from tests.examples.running import PATIENCE

TEXT = "grüße\n" * 10_000

#: What a page's script learns of a response.
FETCH = """
async ([path, options]) => {
    const response = await fetch(path, options);
    const body = await response.text();
    const headers = Object.fromEntries(response.headers);
    return {status: response.status, url: response.url, redirected: response.redirected, headers, body};
}
"""


def peer(request: HTTPRequest, response: HTTPResponse) -> None:
    """Tell the port that the request came from: one for each connection."""
    response.set_header("Cache-Control", "no-store").set_body(json=request.remote_address[1]).completed()


def cookie(request: HTTPRequest, response: HTTPResponse) -> None:
    """Set two cookies, and tell those that came."""
    response.add_cookie(HTTPCookie("shown", "a b;c", same_site=SameSite.LAX))
    response.add_cookie(HTTPCookie("hidden", "secret", http_only=True))
    response.set_body(json=dict(request.cookies)).completed()


def form(request: HTTPRequest, response: HTTPResponse) -> None:
    response.set_body(json=request.params()).completed()


UPLOAD_PAGE = """<!doctype html><meta charset=utf-8><title>upload</title>
<form method=post enctype=multipart/form-data action=/upload>
<input name=title><input type=file name=files multiple><input type=file name=empty><button>send</button>
</form>"""


def upload(request: HTTPRequest, response: HTTPResponse) -> None:
    """Tell what was uploaded: of each part its name, its value, its file's name, type, and the sum of its bytes."""
    parts = []
    for each in request.post_file_uploads or ():
        content = None if each.file is None else sum(each.file.read())
        parts.append([each.field_name, each.field_value, each.file_name, each.content_type, content])
    response.set_body(json=parts).completed()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with files, compression, cookies and a form."""
    root: Path = tmp_path_factory.mktemp("site")
    (root / "docs").mkdir()
    (root / "docs" / "index.html").write_text(
        "<!doctype html><title>docs</title><script src=app.mjs type=module></script>"
    )
    (root / "docs" / "app.mjs").write_text("document.title = 'ran';")
    (root / "upload.html").write_text(UPLOAD_PAGE)
    (root / "text.txt").write_text(TEXT, encoding="utf-8")
    context = HTTPServer.launch(
        name="localhost",
        address="127.0.0.1",
        port=0,
        wait=False,
        routes=[
            Route("GET", "/peer", peer),
            Route("GET", "/cookie", cookie),
            Route("POST", "/form", form),
            Route("POST", "/upload", upload),
            Route("GET", "/**", StaticFileHandler(root, allow_response_filters=True)),
        ],
        response_filters=[(HTTPFilter.content_compression(), FilterPriority.HIGH)],
    )
    yield f"http://127.0.0.1:{context.port}"
    assert context.terminate().wait(PATIENCE)


@pytest.fixture
def at(page: Page, site: str) -> Page:
    """A page of the site."""
    page.goto(f"{site}/docs/")
    return page


def fetch(page: Page, path: str, **options: Any) -> Any:
    return page.evaluate(FETCH, [path, options])


def test_a_directory_is_redirected_to_its_slash_and_its_scripts_run(page: Page, site: str) -> None:
    page.goto(f"{site}/docs?a=b")
    assert page.url == f"{site}/docs/?a=b"
    page.wait_for_function("document.title === 'ran'")


def test_a_connection_is_kept_for_many_requests(at: Page) -> None:
    assert len({fetch(at, "/peer")["body"] for _ in range(10)}) == 1


def test_text_comes_compressed_and_is_unpacked(at: Page) -> None:
    response = fetch(at, "/text.txt", cache="no-store")
    assert response["body"] == TEXT
    assert response["headers"]["content-encoding"] == "gzip"
    assert int(response["headers"]["content-length"]) < len(TEXT) / 10


def test_ranges(at: Page) -> None:
    response = fetch(at, "/text.txt", headers={"Range": "bytes=0-3"})
    assert (response["status"], response["body"].encode()) == (206, "grü".encode())
    assert fetch(at, "/text.txt", headers={"Range": "bytes=999999-"})["status"] == 416


def test_head(at: Page) -> None:
    response = fetch(at, "/text.txt", method="HEAD")
    assert (response["status"], response["body"], response["headers"]["content-encoding"]) == (200, "", "gzip")


def test_a_file_is_asked_for_again_with_its_tag_and_not_sent_again(at: Page) -> None:
    with at.expect_response("**/text.txt") as first:
        fetch(at, "/text.txt", cache="no-cache")
    with at.expect_response("**/text.txt") as second:
        assert fetch(at, "/text.txt", cache="no-cache")["body"] == TEXT
    assert first.value.all_headers()["etag"].startswith('W/"')
    assert second.value.request.all_headers()["if-none-match"] == first.value.all_headers()["etag"]


def test_cookies_go_both_ways_and_those_of_http_only_are_hidden_from_scripts(at: Page) -> None:
    assert fetch(at, "/cookie")["body"] == "{}"
    assert fetch(at, "/cookie")["body"] == '{"shown": "a b;c", "hidden": "secret"}'
    assert at.evaluate("document.cookie") == "shown=a%20b%3Bc"


@pytest.mark.parametrize("kind", ["FormData", "URLSearchParams"])
def test_forms(at: Page, kind: str) -> None:
    body = at.evaluate(
        "async kind => { const form = kind === 'FormData' ? new FormData() : new URLSearchParams();"
        "form.append('name', 'grüße & mehr'); form.append('name', ''); "
        "return (await fetch('/form?q=1', {method: 'POST', body: form})).json() }",
        kind,
    )
    assert body == [["q", "1"], ["name", "grüße & mehr"], ["name", ""]]


def test_an_upload_form(page: Page, site: str, tmp_path: Path) -> None:
    large, small = bytes(range(256)) * 2000, b"small"
    names = ['grüße "1".png', "b;c.txt"]
    (tmp_path / names[0]).write_bytes(large)
    (tmp_path / names[1]).write_bytes(small)
    page.goto(f"{site}/upload.html")
    page.fill("[name=title]", "über uns")
    page.set_input_files("[name=files]", [tmp_path / name for name in names])
    page.click("button")
    page.wait_for_url("**/upload")
    assert json.loads(page.inner_text("body")) == [
        ["title", "über uns", "", "", None],
        ["files", "", names[0].replace('"', "%22"), "image/png", sum(large)],
        ["files", "", names[1], "text/plain", sum(small)],
        ["empty", "", "", "application/octet-stream", None],
    ]
