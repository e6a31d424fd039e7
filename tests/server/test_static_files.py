"""`StaticFileHandler`: the pure parts by themselves, then real files through a connection in memory."""

import errno
import os
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from perfectws.callbacks import CallbackOwner
from perfectws.errors import LocalProtocolError
from perfectws.http.dates import http_date, parse_http_date
from perfectws.http.filters import FilterPriority, HTTPResponseFilter, ResponseFilterResult
from perfectws.http.paths import path_components
from perfectws.http.request import HTTPRequest
from perfectws.http.response import HTTPResponse
from perfectws.http.routing import Routes
from perfectws.server.static_files import (
    PIECE,
    Directory,
    StaticFile,
    StaticFileHandler,
    open_file,
    requested_range,
)
from perfectws.transport import Parts
from tests.http.fakes import Answer, FakeLoop, FakeTransport, Server, get

MODIFIED = 784111777  # Sun, 06 Nov 1994 08:49:37 GMT


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a document root with a little of everything, and secrets beside it."""
    webroot = tmp_path / "webroot"
    for path, content in {
        "webroot/index.html": "<h1>home</h1>",
        "webroot/hello.txt": "0123456789",
        "webroot/docs/index.html": "docs",
        "webroot/docs/grüße & co.txt": "grüße",
        "webroot/docs/100%.txt": "percent",
        "webroot/empty/nothing.txt": "",
        "webroot/.well-known/x": "hidden",
        "secret.txt": "secret",
        "webroot-other/secret.txt": "secret",
    }.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
    os.utime(webroot / "hello.txt", (MODIFIED, MODIFIED))
    (webroot / "out.txt").symlink_to(tmp_path / "secret.txt")
    (webroot / "outside").symlink_to(tmp_path)
    (webroot / "beside").symlink_to(tmp_path / "webroot-other")
    (webroot / "leads-out").mkdir()
    (webroot / "leads-out" / "index.html").symlink_to(tmp_path / "secret.txt")
    (webroot / "inside.txt").symlink_to(webroot / "hello.txt")
    if sys.platform != "win32":
        os.mkfifo(webroot / "pipe")
    return webroot


def read(root: Path | str, uri: str) -> str | Directory | None:
    """Return what lies at a path: the content, a `Directory`, or ``None``."""
    found = open_file(str(root), path_components(uri))
    if not isinstance(found, StaticFile):
        return found
    with found.content:
        return found.content.read().decode()


class TestFinding:
    @pytest.mark.parametrize(
        ("uri", "content"),
        [
            ("/", "<h1>home</h1>"),
            ("/index.html", "<h1>home</h1>"),
            ("/hello.txt", "0123456789"),
            ("//hello.txt", "0123456789"),
            ("/docs/", "docs"),
            ("/docs/gr%C3%BC%C3%9Fe%20&%20co.txt", "grüße"),
            ("/docs/100%25.txt", "percent"),
            ("/.well-known/x", "hidden"),
            ("/inside.txt", "0123456789"),
            ("/empty/nothing.txt", ""),
            ("/docs", Directory("docs")),
        ],
    )
    def test_what_is_there_is_found(self, root: Path, uri: str, content: str | Directory) -> None:
        assert read(root, uri) == content

    @pytest.mark.parametrize(
        "uri",
        [
            "/nothing",
            "/hello.txt/",
            "/hello.txt/x",
            "/empty/",
            "/../secret.txt",
            "/%2e%2e/secret.txt",
            "/%2E%2e/secret.txt",
            "/..%2fsecret.txt",
            "/docs/../hello.txt",
            "/docs/..%2f..%2fsecret.txt",
            "/%2e%2e%2fsecret.txt",
            "/..%5csecret.txt",
            "/..\\secret.txt",
            "/hello.txt%00",
            "/hello.txt%00.html",
            "/%00",
            "/./hello.txt",
            "/%2fetc/passwd",
            "/%2Fetc%2Fpasswd",
            "//etc/passwd",
            "/out.txt",
            "/outside/secret.txt",
            "/outside/",
            "/outside",
            "/beside/secret.txt",
            "/leads-out/",
            "/pipe",
            "/%ff",
            "/%c0%ae%c0%ae/secret.txt",
            "/" + "x" * 5000,
            "/" + "x/" * 2000,
            "/%252e%252e/secret.txt",
            "/../webroot-other/secret.txt",
        ],
    )
    def test_nothing_else_is(self, root: Path, uri: str) -> None:
        assert read(root, uri) is None

    def test_a_file_that_may_not_be_read_is_not_there(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*args: object, **kwargs: object) -> None:
            raise PermissionError

        monkeypatch.setattr("builtins.open", refuse)
        assert open_file(str(root), ["/", "hello.txt"]) is None

    @pytest.mark.parametrize(
        "number",
        ["ENOENT", "ENOTDIR", "EISDIR", "EACCES", "EPERM", "ELOOP", "ENAMETOOLONG", "ENXIO", "EINVAL", "EILSEQ"],
    )
    @pytest.mark.parametrize("uri", ["/hello.txt", "/"])
    def test_nor_is_one_that_the_system_says_is_nowhere(
        self, root: Path, monkeypatch: pytest.MonkeyPatch, number: str, uri: str
    ) -> None:
        monkeypatch.setattr("builtins.open", failing(number))
        assert open_file(str(root), path_components(uri)) is None

    @pytest.mark.parametrize("number", ["EMFILE", "ENFILE", "ENOMEM", "EIO", "ESTALE", "ETIMEDOUT"])
    @pytest.mark.parametrize("function", ["builtins.open", "os.stat"])
    @pytest.mark.parametrize("uri", ["/hello.txt", "/", "/docs/"])
    def test_one_that_may_be_there_is_not_said_to_be_nowhere(
        self, root: Path, monkeypatch: pytest.MonkeyPatch, number: str, function: str, uri: str
    ) -> None:
        monkeypatch.setattr(function, failing(number))
        with pytest.raises(OSError, match=os.strerror(getattr(errno, number))):
            open_file(str(root), path_components(uri))

    def test_a_link_that_leads_to_itself_is_nowhere(self, root: Path) -> None:
        (root / "loop").symlink_to("loop")
        assert read(root, "/loop") is None
        assert read(root, "/loop/x") is None

    @pytest.mark.parametrize("uri", ["/" + "a/" * 32_000, "/" + "a" * 4096, "/" + "%41/" * 14_000, "/docs/" * 10_000])
    def test_a_path_that_no_system_has_is_not_looked_for(
        self, root: Path, monkeypatch: pytest.MonkeyPatch, uri: str
    ) -> None:
        for function in ("os.stat", "os.lstat", "os.path.realpath", "builtins.open"):
            monkeypatch.setattr(function, failing("EIO"))
        assert open_file(str(root), path_components(uri)) is None

    def test_of_a_path_that_leads_nowhere_not_every_name_is_looked_at(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("os.path.realpath", failing("EIO"))
        assert read(root, "/" + "a/" * 2000) is None

    def test_the_root_itself_may_be_a_link_and_relative(
        self, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "link").symlink_to(root)
        monkeypatch.chdir(tmp_path)
        assert read("link", "/hello.txt") == "0123456789"
        assert read("./webroot/", "/hello.txt") == "0123456789"

    @given(
        st.lists(st.sampled_from(["..", ".", "", "webroot", "secret.txt", "outside", "%2e%2e", "%2f", "\0", "~", "\\"]))
    )
    def test_no_path_leads_out(self, root_of_module: Path, parts: list[str]) -> None:
        content = read(root_of_module, "/" + "/".join(parts))
        assert not isinstance(content, str) or "secret" not in content


def failing(number: str) -> Callable[..., Any]:
    """Return a function that fails as the system does."""

    def fail(*args: object, **kwargs: object) -> None:
        raise OSError(getattr(errno, number), os.strerror(getattr(errno, number)))

    return fail


@pytest.fixture(scope="module")
def root_of_module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("base")
    (base / "secret.txt").write_text("secret")
    (base / "webroot").mkdir()
    (base / "webroot" / "outside").symlink_to(base)
    return base / "webroot"


def a_file(size: int = 10) -> StaticFile:
    return StaticFile(None, "a.txt", size, MODIFIED * 10**9 + 5)  # type: ignore[arg-type]


def asking(*headers: tuple[str, str], method: str = "GET") -> HTTPRequest:
    return HTTPRequest(method, "/", headers)


class TestRanges:
    @pytest.mark.parametrize(
        ("header", "part"),
        [
            ("bytes=0-3", (0, 4)),
            ("bytes=3-3", (3, 4)),
            ("bytes=4-", (4, 10)),
            ("bytes=-3", (7, 10)),
            ("bytes=-99", (0, 10)),
            ("bytes=5-99", (5, 10)),
            ("Bytes = 1 - 2", (1, 3)),
            ("bytes=10-", None),
            ("bytes=99-100", None),
            ("bytes=-0", None),
            # What is malformed or several is ignored.
            ("bytes=3-2", (0, 10)),
            ("bytes=0-1,3-4", (0, 10)),
            ("bytes=", (0, 10)),
            ("bytes=-", (0, 10)),
            ("bytes=a-b", (0, 10)),
            ("bytes=+1-2", (0, 10)),
            ("bytes=--1", (0, 10)),
            ("bytes=²-3", (0, 10)),
            ("bytes=1" + "0" * 5000 + "-", (0, 10)),
            ("lines=0-3", (0, 10)),
            ("0-3", (0, 10)),
        ],
    )
    def test_a_range_is_a_slice_of_the_file(self, header: str, part: tuple[int, int] | None) -> None:
        expected = None if part is None else range(*part)
        assert requested_range(asking(("Range", header)), a_file()) == expected

    def test_an_empty_file_has_no_range_but_can_be_had_whole(self) -> None:
        assert requested_range(asking(("Range", "bytes=0-")), a_file(0)) is None
        assert requested_range(asking(("Range", "bytes=-5")), a_file(0)) == range(0)
        assert requested_range(asking(("Range", "bytes=-0")), a_file(0)) is None
        assert requested_range(asking(), a_file(0)) == range(0)

    def test_head_ignores_ranges(self) -> None:
        assert requested_range(asking(("Range", "bytes=0-3"), method="HEAD"), a_file()) == range(10)

    def test_if_range_must_name_this_very_file(self) -> None:
        file = a_file()
        for validator, part in [
            (file.etag, range(4)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", range(4)),
            ('"other"', range(10)),
            ("W/" + file.etag, range(10)),
            ("Sun, 06 Nov 1994 08:49:36 GMT", range(10)),
        ]:
            assert requested_range(asking(("Range", "bytes=0-3"), ("If-Range", validator)), file) == part

    @given(st.text())
    def test_no_header_makes_it_raise(self, header: str) -> None:
        request = HTTPRequest(
            headers=b"\r\nRange: " + header.replace("\n", " ").encode("utf-8", "replace") + b"\r\n\r\n"
        )
        part = requested_range(request, a_file())
        assert part is None or (part.step == 1 and 0 <= part.start < part.stop <= 10)


class TestTags:
    def test_a_tag_changes_with_the_file(self) -> None:
        assert len({StaticFile(None, "a", size, when).etag for size in (1, 2) for when in (1, 2)}) == 4  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("a.html", "text/html; charset=utf-8"),
        ("a.JS", "text/javascript; charset=utf-8"),
        ("a.css", "text/css; charset=utf-8"),
        ("a.json", "application/json"),
        ("a.svg", "image/svg+xml"),
        ("a.wasm", "application/wasm"),
        ("a.woff2", "font/woff2"),
        ("a.tar.gz", "application/gzip"),
        ("a.unknown", "application/octet-stream"),
        ("a", "application/octet-stream"),
    ],
)
def test_a_file_has_the_media_type_of_its_name(name: str, media_type: str) -> None:
    assert StaticFile(None, name, 0, 0).media_type == media_type  # type: ignore[arg-type]


class NurseryLoop(FakeLoop):
    """Runs its tasks in a nursery, and its queue whenever something is ready."""

    def __init__(self, nursery: trio.Nursery) -> None:
        super().__init__()
        self.nursery = nursery
        self.idle = True
        self.something = trio.Event()

    def wake(self) -> None:
        self.something.set()

    def start_task(
        self, owner: CallbackOwner, coroutine: Coroutine[Any, Any, object], done: Callable[[], object] | None = None
    ) -> None:
        # As the real loop does: it fails inside of a callback of the same owner.
        owner.context.run(self.nursery.start_soon, self._run, owner, coroutine)

    async def _run(self, owner: CallbackOwner, coroutine: Coroutine[Any, Any, object]) -> None:
        try:
            await coroutine
        except Exception as error:
            owner.callback_failed(error)

    async def pump(self) -> None:
        while True:
            await self.something.wait()
            self.something = trio.Event()
            self.run_ready()


class EventfulTransport(FakeTransport):
    """Says when something was written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = trio.Event()

    def write(self, data: bytes | Parts) -> None:
        super().write(data)
        self.written.set()


class TrioServer(Server):
    """A server in memory whose handlers may use trio."""

    transport: EventfulTransport

    def make_transport(self) -> EventfulTransport:
        return EventfulTransport()

    async def fetch(self, data: bytes, *methods: str) -> Answer:
        """Ask, wait for the whole response, and return it."""
        before = len(self.answers(*methods))
        self.receive(data)
        with trio.fail_after(10):
            while True:
                self.transport.written = trio.Event()
                answers = self.answers(*methods)
                if len(answers) > before and answers[-1].is_complete:
                    return answers[-1]
                await self.transport.written.wait()


Serve = Callable[..., TrioServer]


@pytest.fixture
async def serve(root: Path, nursery: trio.Nursery) -> Serve:
    """Return a function that serves the root in some way."""

    def start(routes: Routes | None = None, **options: Any) -> TrioServer:
        if routes is None:
            routes = Routes()
            routes.add(uri="/**", handler=StaticFileHandler(root))
        loop = NurseryLoop(nursery)
        nursery.start_soon(loop.pump)
        return TrioServer(routes, loop=loop, **options)

    return start


class TestServing:
    async def test_a_file_is_served_with_all_its_headers(self, serve: Serve) -> None:
        answer = await serve().fetch(get("/hello.txt"))
        assert (answer.status, answer.body) == (200, b"0123456789")
        assert answer.header("content-type") == "text/plain; charset=utf-8"
        assert answer.header("content-length") == "10"
        assert answer.header("last-modified") == "Sun, 06 Nov 1994 08:49:37 GMT"
        assert answer.header("accept-ranges") == "bytes"
        assert (answer.header("etag") or "").startswith('"')

    async def test_an_empty_file_is_served(self, serve: Serve) -> None:
        answer = await serve().fetch(get("/empty/nothing.txt"))
        assert (answer.status, answer.body, answer.header("content-length")) == (200, b"", "0")

    async def test_head_tells_the_length_and_sends_nothing(self, serve: Serve) -> None:
        server = serve()
        answer = await server.fetch(b"HEAD /hello.txt HTTP/1.1\r\nHost: x\r\n\r\n", "HEAD")
        assert (answer.status, answer.header("content-length"), answer.body) == (200, "10", b"")
        assert server.transport.sent.endswith(b"\r\n\r\n")

    async def test_a_directory_is_redirected_to_its_slash_with_the_query(self, serve: Serve) -> None:
        server = serve()
        answer = await server.fetch(get("/docs?a=b"))
        assert (answer.status, answer.header("location")) == (301, "./docs/?a=b")
        assert (await server.fetch(get("/docs/"))).body == b"docs"

    async def test_a_range_is_partial_content(self, serve: Serve) -> None:
        answer = await serve().fetch(get("/hello.txt", "Range: bytes=2-4"))
        assert (answer.status, answer.body) == (206, b"234")
        assert answer.header("content-range") == "bytes 2-4/10"
        assert answer.header("content-length") == "3"

    async def test_a_range_outside_of_the_file_is_416(self, serve: Serve) -> None:
        answer = await serve().fetch(get("/hello.txt", "Range: bytes=10-"))
        assert (answer.status, answer.header("content-range")) == (416, "bytes */10")

    async def test_a_known_file_is_304_without_a_body(self, serve: Serve) -> None:
        server = serve()
        etag = (await server.fetch(get("/hello.txt"))).header("etag")
        answer = await server.fetch(get("/hello.txt", f"If-None-Match: {etag}"))
        assert (answer.status, answer.body, answer.header("etag")) == (304, b"", etag)

    @pytest.mark.parametrize(
        ("number", "status"), [("EMFILE", 503), ("ENFILE", 503), ("ENOMEM", 503), ("EIO", 500), ("ESTALE", 500)]
    )
    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    async def test_what_cannot_be_opened_now_is_kept_by_no_cache_and_logged_once(
        self,
        serve: Serve,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        number: str,
        status: int,
        method: str,
    ) -> None:
        server = serve()
        request = get("/hello.txt").replace(b"GET", method.encode())
        with monkeypatch.context() as patch:
            patch.setattr("builtins.open", failing(number))
            answers = [await server.fetch(request, *[method] * 3) for _ in range(3)]
        for answer in answers:
            assert answer.status == status
            assert answer.header("cache-control") == "no-store"
            assert answer.body.count(b"\n") == (1 if method == "GET" else 0)
            assert answer.header("etag") is None
        (record,) = caplog.records
        assert record.getMessage() == f"The file at /hello.txt cannot be opened: {os.strerror(getattr(errno, number))}"
        assert (await server.fetch(get("/hello.txt"), *[method] * 3, "GET")).status == 200

    async def test_conditions_are_judged_in_their_order(self, serve: Serve) -> None:
        server = serve()
        first = await server.fetch(get("/hello.txt"))
        etag, modified = first.header("etag"), first.header("last-modified")
        before = "Sun, 06 Nov 1994 08:49:36 GMT"
        for headers, status in [
            ([f"If-Match: {etag}"], 200),
            (['If-Match: "x"'], 412),
            ([f"If-Match: W/{etag}"], 412),
            ([f"If-Unmodified-Since: {modified}"], 200),
            ([f"If-Unmodified-Since: {before}"], 412),
            ([f"If-Match: {etag}", f"If-Unmodified-Since: {before}"], 200),
            ([f"If-Match: {etag}", f"If-None-Match: {etag}"], 304),
            (['If-Match: "x"', f"If-None-Match: {etag}"], 412),
            ([f"If-Match: {etag}", "Range: bytes=0-3"], 206),
            (['If-Match: "x"', "Range: bytes=0-3"], 412),
            (['If-Match: "x"', "Range: bytes=99-"], 412),
            ([f"If-None-Match: {etag}", "Range: bytes=0-3"], 304),
            (["Range: bytes=0-3", 'If-Range: "x"'], 200),
            (["Range: bytes=0-3", f"If-Range: {etag}"], 206),
        ]:
            answer = await server.fetch(get("/hello.txt", *headers))
            assert answer.status == status, headers
            if status == 412:
                assert answer.body.startswith(b"412 Precondition Failed: ")
                assert answer.header("content-type") == "text/plain; charset=utf-8"
                assert answer.header("content-range") is None

    async def test_of_what_is_not_there_no_condition_is_judged(self, serve: Serve) -> None:
        server = serve()
        assert (await server.fetch(get("/nothing", 'If-Match: "x"'))).status == 404
        assert (await server.fetch(get("/docs", 'If-Match: "x"'))).status == 301

    async def test_a_file_from_the_future_was_modified_when_it_is_sent(self, serve: Serve, root: Path) -> None:
        server = serve()
        os.utime(root / "hello.txt", (4e9, 4e9))
        answer = await server.fetch(get("/hello.txt"))
        assert answer.header("last-modified") == answer.header("date")
        date = answer.header("date") or ""
        assert parse_http_date(date) == pytest.approx(time.time(), abs=60)
        # A date of that kind tells nothing of what was sent with it.
        partial = await server.fetch(get("/hello.txt", "Range: bytes=0-3", "If-Range: " + http_date(4e9 - 1)))
        assert partial.status == 200
        assert (
            await server.fetch(get("/hello.txt", "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT"))
        ).status == 412

    async def test_what_is_not_there_is_404_and_one_line(self, serve: Serve) -> None:
        answer = await serve().fetch(get("/../secret.txt"))
        assert answer.status == 404
        assert answer.body == b"404 Not Found: nothing is served at /../secret.txt\n"

    async def test_a_file_can_only_be_read(self, serve: Serve) -> None:
        answer = await serve().fetch(b"DELETE /hello.txt HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (answer.status, answer.header("allow")) == (405, "GET, HEAD")

    async def test_as_a_routes_handler_it_serves_what_the_wildcard_stands_for(self, serve: Serve, root: Path) -> None:
        routes = Routes()
        routes.add("GET", "/files/**", StaticFileHandler(root))
        server = serve(routes)
        assert (await server.fetch(get("/files/docs/100%25.txt"))).body == b"percent"
        assert (await server.fetch(get("/files/docs"))).header("location") == "./docs/"
        assert (await server.fetch(get("/files/"))).body == b"<h1>home</h1>"

    async def test_a_path_that_is_too_long_is_not_cut_to_one_that_is_there(self, serve: Serve, root: Path) -> None:
        routes = Routes()
        routes.add("GET", "/files/**", StaticFileHandler(root))
        server = serve(routes)
        for tail in ("a/" * 10_000, "/" * 5000 + "nothing", "%2f" * 5000 + "nothing", "x" * 5000):
            assert (await server.fetch(get("/files/docs/" + tail))).status == 404

    async def test_on_a_fixed_route_it_serves_the_path(self, serve: Serve, root: Path) -> None:
        routes = Routes()
        routes.add("GET", "/hello.txt", StaticFileHandler(root))
        assert (await serve(routes).fetch(get("/hello.txt"))).body == b"0123456789"

    async def test_handle_request_serves_the_path_that_a_handler_has_set(self, serve: Serve, root: Path) -> None:
        def download(request: HTTPRequest, response: HTTPResponse) -> None:
            request.path = request.url_variables["_trailing_wildcard_"]
            StaticFileHandler(document_root=root).handle_request(request=request, response=response)

        routes = Routes()
        routes.add("GET", "/files/**", download)
        assert (await serve(routes).fetch(get("/files/hello.txt"))).body == b"0123456789"

    @pytest.mark.parametrize("allowed", [True, False])
    async def test_filters_see_a_file_only_if_they_are_allowed_to_and_its_head_always(
        self, serve: Serve, root: Path, allowed: bool
    ) -> None:
        class Shout(HTTPResponseFilter):
            def filter_headers(
                self, response: HTTPResponse, callback: Callable[[ResponseFilterResult], object]
            ) -> None:
                response.set_header("X-Seen", "yes")
                callback(ResponseFilterResult.CONTINUE)

            def filter_body(self, response: HTTPResponse, callback: Callable[[ResponseFilterResult], object]) -> None:
                response.body_bytes = response.body_bytes.replace(b"0", b"zero")
                callback(ResponseFilterResult.CONTINUE)

        routes = Routes()
        routes.add("GET", "/**", StaticFileHandler(root, allow_response_filters=allowed))
        server = serve(routes, response_filters=[(Shout(), FilterPriority.HIGH)])
        answer = await server.fetch(get("/hello.txt"))
        assert answer.body == (b"zero123456789" if allowed else b"0123456789")
        assert answer.header("content-length") == str(len(answer.body))
        assert answer.header("x-seen") == "yes"
        assert (await server.fetch(get("/nowhere.0"))).body.endswith(b"nowhere.zero\n")

    async def test_without_filters_a_file_that_they_might_see_has_its_length(self, serve: Serve, root: Path) -> None:
        routes = Routes()
        routes.add("GET", "/**", StaticFileHandler(root, allow_response_filters=True))
        assert (await serve(routes).fetch(get("/hello.txt"))).header("content-length") == "10"

    async def test_without_a_root_it_serves_the_requests_own(self, serve: Serve, root: Path) -> None:
        routes = Routes()
        routes.add("GET", "/**", StaticFileHandler())
        server = serve(routes, document_root=str(root))
        assert (await server.fetch(get("/hello.txt"))).body == b"0123456789"

    async def test_a_large_file_is_pushed_piece_by_piece_and_waits_for_its_reader(
        self, serve: Serve, root: Path
    ) -> None:
        size = 40 * PIECE + 1
        with open(root / "large", "wb") as file:
            file.truncate(size)
        server = serve()
        server.transport.is_stalled = True
        most = 0
        server.receive(get("/large"))
        with trio.fail_after(30):
            while len(server.transport.sent.partition(b"\r\n\r\n")[2]) < size:
                await server.transport.written.wait()
                server.transport.written = trio.Event()
                most = max(most, server.transport.buffered_amount)
                server.transport.drain()
                server.transport.is_stalled = True
        assert most <= PIECE + 1000
        assert server.answers()[0].is_complete

    async def test_when_the_peer_leaves_the_file_is_closed(
        self, serve: Serve, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        opened: list[StaticFile] = []

        def open_and_keep(root: str, components: Sequence[str]) -> StaticFile:
            found = open_file(root, components)
            assert isinstance(found, StaticFile)
            opened.append(found)
            return found

        monkeypatch.setattr("perfectws.server.static_files.open_file", open_and_keep)
        with open(root / "large", "wb") as file:
            file.truncate(4 * PIECE)
        server = serve()
        server.transport.is_stalled = True
        server.receive(get("/large"))
        with trio.fail_after(10):
            await server.transport.written.wait()
            server.protocol.connection_lost(None)
            while not opened[0].content.closed:
                await trio.testing.wait_all_tasks_blocked()

    async def test_a_file_that_shrinks_meanwhile_ends_the_connection(
        self, serve: Serve, root: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        with open(root / "large", "wb") as file:
            file.truncate(4 * PIECE)
        server = serve()
        server.transport.is_stalled = True
        server.receive(get("/large"))
        with trio.fail_after(10):
            await server.transport.written.wait()
            os.truncate(root / "large", PIECE)
            server.transport.drain()
            while not server.transport.is_aborted:
                await trio.testing.wait_all_tasks_blocked()
        assert len(caplog.records) == 1


def test_without_a_connection_there_is_nothing_to_serve_it(root: Path) -> None:
    request = HTTPRequest(uri="/hello.txt")
    with pytest.raises(LocalProtocolError, match="belongs to no connection"):
        StaticFileHandler(root).handle_request(request, HTTPResponse(request))
