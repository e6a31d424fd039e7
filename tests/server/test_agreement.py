"""curl and httpx agree with the server, and with each other; a browser does in ``tests/browser/test_http_side.py``."""

from __future__ import annotations

import gzip
import subprocess
import zlib
from pathlib import Path

import httpx
import pytest

from perfectws import (
    FilterPriority,
    HTTPFilter,
    HTTPHandler,
    HTTPRequest,
    HTTPResponse,
    LaunchContext,
    Route,
    StaticFileHandler,
)
from tests.server.conftest import PATIENCE, Launch, url

TEXT = "grüße\n" * 10_000
CONTENT = TEXT.encode()


def upload(request: HTTPRequest, response: HTTPResponse) -> None:
    response.set_body(json={"size": len(request.post_body_bytes), "name": request.param("name")}).completed()


def count(request: HTTPRequest, response: HTTPResponse) -> None:
    """Push a body piece by piece."""
    response.set_header("Content-Type", "text/plain")

    def push(number: int) -> None:
        response.append_body(f"{number}\n" * 200)
        if number == 9:
            response.completed()
        else:
            response.push(lambda ok: push(number + 1))

    push(0)


@pytest.fixture
def context(launch: Launch, tmp_path: Path) -> LaunchContext:
    """A server with files, redirects, forms, streams and compression."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.html").write_text("docs")
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "picture.png").write_bytes(bytes(range(256)) * 100)
    return launch(
        routes=[
            Route("GET", "/count", count),
            Route("POST", "/upload", upload),
            Route("GET", "/away/**", HTTPHandler.redirect({"base": "/text.txt#"})),
            Route("GET", "/**", StaticFileHandler(tmp_path, allow_response_filters=True)),
        ],
        response_filters=[(HTTPFilter.content_compression(), FilterPriority.HIGH)],
    )


def curl(context: LaunchContext, *arguments: str) -> bytes:
    """Run curl on a path of the server, the last argument."""
    *options, path = arguments
    command = ["curl", "--silent", "--show-error", "--max-time", "30", "--noproxy", "*", *options, url(context, path)]
    return subprocess.run(command, capture_output=True, check=True, timeout=PATIENCE).stdout


def curl_head(context: LaunchContext, *arguments: str) -> tuple[int, dict[str, str]]:
    """Return the status and the headers that curl sees."""
    lines = curl(context, "--dump-header", "-", "--output", "/dev/null", *arguments).decode().splitlines()
    fields = (line.partition(": ") for line in lines[1:] if line)
    return int(lines[0].split()[1]), {name.lower(): value for name, _, value in fields}


class TestCurl:
    def test_it_keeps_its_connection_for_many_requests(self, context: LaunchContext) -> None:
        told = curl(context, "--verbose", "--stderr", "-", *[url(context, "/docs/")] * 5, "/text.txt")
        assert told.count(b"Re-using existing connection") == 5
        assert told.count(b"Connected to") == 1

    def test_ranges(self, context: LaunchContext) -> None:
        assert curl(context, "--range", "0-9", "/text.txt") == CONTENT[:10]
        assert curl(context, "--range", "-10", "/text.txt") == CONTENT[-10:]
        assert curl(context, "--range", "50000-", "/text.txt") == CONTENT[50000:]
        assert curl_head(context, "--range", "999999-", "/text.txt")[0] == 416

    def test_a_broken_off_download_is_resumed(self, context: LaunchContext, tmp_path: Path) -> None:
        part = tmp_path / "part"
        part.write_bytes(CONTENT[:12345])
        curl(context, "--continue-at", "-", "--output", str(part), "/text.txt")
        assert part.read_bytes() == CONTENT

    @pytest.mark.parametrize("path", ["/text.txt", "/count"])
    def test_compression(self, context: LaunchContext, path: str) -> None:
        plain, packed = curl(context, path), curl(context, "--header", "Accept-Encoding: gzip", path)
        assert curl(context, "--compressed", path) == plain
        assert gzip.decompress(packed) == plain
        assert len(packed) < len(plain) / 4

    def test_deflate_alone(self, context: LaunchContext) -> None:
        assert zlib.decompress(curl(context, "--header", "Accept-Encoding: deflate", "/text.txt")) == CONTENT

    def test_head(self, context: LaunchContext) -> None:
        status, headers = curl_head(context, "--head", "/text.txt")
        assert (status, headers["content-length"]) == (200, str(len(CONTENT)))
        status, headers = curl_head(context, "--head", "--compressed", "/text.txt")
        assert (status, headers["content-encoding"], headers.get("content-length")) == (200, "gzip", None)

    def test_redirects(self, context: LaunchContext) -> None:
        assert curl(context, "--location", "/docs") == b"docs"
        assert curl(context, "--location", "/away/from/here") == CONTENT

    def test_a_large_body_waits_for_100_continue(self, context: LaunchContext, tmp_path: Path) -> None:
        body = tmp_path / "body"
        body.write_bytes(bytes(1024 * 1024))
        options = ("--data-binary", f"@{body}", "--header", "Expect: 100-continue")
        assert curl(context, *options, "/upload?name=a%20b") == b'{"size": 1048576, "name": "a b"}'
        assert curl(context, *options, "--header", "Transfer-Encoding: chunked", "/upload").startswith(
            b'{"size": 1048576'
        )

    def test_conditions(self, context: LaunchContext, tmp_path: Path) -> None:
        etags = tmp_path / "etags"
        curl(context, "--etag-save", str(etags), "/text.txt")
        assert curl_head(context, "--etag-compare", str(etags), "/text.txt")[0] == 304
        assert curl_head(context, "--time-cond", "1 Jan 2037", "/text.txt")[0] == 304


class TestHttpx:
    def test_it_keeps_its_connection_for_many_requests(self, context: LaunchContext, client: httpx.Client) -> None:
        peers = set()
        for path in ("/docs/", "/text.txt", "/count", "/none", "/docs/"):
            with client.stream("GET", url(context, path)) as response:
                peers.add(response.extensions["network_stream"].get_extra_info("client_addr"))
                response.read()
        assert len(peers) == 1

    def test_ranges(self, context: LaunchContext, client: httpx.Client) -> None:
        response = client.get(url(context, "/text.txt"), headers={"Range": "bytes=10-19"})
        assert (response.status_code, response.content) == (206, CONTENT[10:20])
        assert response.headers["content-range"] == f"bytes 10-19/{len(CONTENT)}"
        assert "content-encoding" not in response.headers

    @pytest.mark.parametrize("path", ["/text.txt", "/count"])
    def test_compression(self, context: LaunchContext, client: httpx.Client, path: str) -> None:
        packed = client.get(url(context, path))
        plain = client.get(url(context, path), headers={"Accept-Encoding": "identity"})
        assert packed.content == plain.content
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"

    def test_a_picture_is_not_compressed(self, context: LaunchContext, client: httpx.Client) -> None:
        response = client.get(url(context, "/picture.png"))
        assert "content-encoding" not in response.headers
        assert len(response.content) == 25600

    def test_head(self, context: LaunchContext, client: httpx.Client) -> None:
        for path in ("/text.txt", "/count", "/docs", "/none"):
            head, get = client.head(url(context, path)), client.get(url(context, path))
            assert head.status_code == get.status_code
            assert head.content == b""
            assert head.headers.get("content-encoding") == get.headers.get("content-encoding")
            assert head.headers.get("content-type") == get.headers.get("content-type")

    def test_redirects(self, context: LaunchContext, client: httpx.Client) -> None:
        response = client.get(url(context, "/docs?a=b"), follow_redirects=True)
        assert (response.text, response.url.path, response.url.query) == ("docs", "/docs/", b"a=b")

    def test_conditions_hold_for_what_was_compressed_too(self, context: LaunchContext, client: httpx.Client) -> None:
        first = client.get(url(context, "/text.txt"))
        assert first.headers["etag"].startswith('W/"')
        again = client.get(url(context, "/text.txt"), headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
