"""`HTTPHandler` and `HTTPFilter`: what is there already."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from perfectws import (
    FilterPriority,
    HTTPFilter,
    HTTPHandler,
    HTTPRequest,
    HTTPResponse,
    LocalProtocolError,
    Routes,
    StaticFileHandler,
)
from perfectws.http.filters import RESPONSE_FILTER, with_filters
from perfectws.http.routing import Routes as PlainRoutes
from tests.http.fakes import Server, echo_path, everything, get
from tests.server.conftest import Launch, raw
from tests.server.test_static_files import NurseryLoop, TrioServer


class TestData:
    """The dictionary that each is made of."""

    @pytest.mark.parametrize(
        ("make", "data", "message"),
        [
            (HTTPHandler.static_files, {"document_root": "/srv"}, "'document_root' is no key here: did you mean 'docu"),
            (
                HTTPHandler.redirect,
                {"base": "https://a.example", "status": 302},
                "'status' is no key here; known are b",
            ),
            (HTTPHandler.health, {"raedy": True}, "'raedy' is no key here: did you mean 'ready'?; known are ready, b"),
            (HTTPHandler.metrics, {"regestry": None}, "'regestry' is no key here: did you mean 'registry'?"),
            (HTTPFilter.content_compression, {"typ": 1}, "'typ' is no key here"),
            (HTTPFilter.custom_404, {"file": "404.html"}, "'file' is no key here"),
            (HTTPFilter.custom_req_filter, {"any": 1}, "'any' is no key here; there are none"),
        ],
    )
    def test_a_key_that_nobody_reads_is_refused(self, make: Any, data: Any, message: str) -> None:
        with pytest.raises(LocalProtocolError, match=f"^{make.__qualname__}: {re.escape(message)}"):
            make(data)

    def test_what_is_no_dictionary_is_refused(self) -> None:
        path: Any = "/srv"
        with pytest.raises(TypeError, match=r"HTTPHandler.static_files takes a dictionary, not '/srv'"):
            HTTPHandler.static_files(path)

    def test_the_keys_that_a_configuration_reads_are_let_pass(self) -> None:
        of_route = {"method": "get", "methods": ["get"], "uri": "/", "uris": ["/"], "handler": "a", "ready": True}
        assert callable(HTTPHandler.health(of_route))
        HTTPFilter.custom_req_filter({"type": "request", "priority": "high", "name": "b"})


class TestHandlers:
    @pytest.mark.parametrize("data", [None, {}, {"documentRoot": "/srv", "allowResponseFilters": True}])
    def test_static_files_have_perfects_keys(self, data: Any) -> None:
        handler: Any = HTTPHandler.static_files(data)
        files = handler.__self__
        assert isinstance(files, StaticFileHandler)
        assert (files.document_root, files.allow_response_filters) == (("/srv", True) if data else ("./webroot", False))

    @pytest.mark.parametrize(
        ("target", "location"),
        [
            ("/a/b?c=d", "https://example.org/a/b?c=d"),
            ("/", "https://example.org/"),
            ("//evil.example/x", "https://example.org//evil.example/x"),
            ("http://this.example/x?y", "https://example.org/x?y"),
            ("/%0d%0aX:y", "https://example.org/%0d%0aX:y"),
        ],
    )
    def test_redirect_leads_to_the_same_path_of_another_server(self, target: str, location: str) -> None:
        (answer,) = Server(everything(HTTPHandler.redirect({"base": "https://example.org"}))).ask(get(target))
        assert (answer.status, answer.header("location")) == (301, location)

    @pytest.mark.parametrize(
        ("base", "uri", "location"),
        [
            ("https://example.org", ".evil.test/a", "https://example.org/.evil.test/a"),
            ("https://example.org", "@evil.test/a", "https://example.org/@evil.test/a"),
            ("https://example.org", ":80@evil.test", "https://example.org/:80@evil.test"),
            ("https://example.org", "*", "https://example.org/*"),
            ("https://example.org", "", "https://example.org/"),
            ("//example.org", "//evil.test/a", "//example.org//evil.test/a"),
            ("/", "/evil.test/a", "/evil.test/a"),
            ("/", "//evil.test/a", "/evil.test/a"),
            ("/", "/\\evil.test/a", "/evil.test/a"),
            ("/", "/\\//\\evil.test?/a", "/evil.test?/a"),
            ("/new", "//evil.test/a", "/new//evil.test/a"),
            ("/a//b", "/c", "/a//b/c"),
        ],
    )
    def test_no_path_leads_a_redirect_to_another_host_whoever_has_set_it(
        self, base: str, uri: str, location: str
    ) -> None:
        request = HTTPRequest("GET", uri)
        response = HTTPResponse(request)
        HTTPHandler.redirect({"base": base})(request, response)
        assert response.header("Location") == location

    @pytest.mark.parametrize(
        "target", [b".evil.test/a", b"@evil.test/a", b":80@evil.test/", b"\\evil.test", b"*", b"evil.test:80"]
    )
    def test_what_is_no_path_is_refused_before_it_is_redirected(self, launch: Launch, target: bytes) -> None:
        context = launch(routes=everything(HTTPHandler.redirect({"base": "https://example.org"})))
        with raw(context) as connection:
            connection.send(b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = connection.read_all()
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"Location" not in answer

    @pytest.mark.parametrize("base", ["https://", "https:", "https:///a", "//", "///a", "https://["])
    def test_a_base_that_lacks_its_host_is_refused(self, base: str) -> None:
        with pytest.raises(LocalProtocolError, match="no server"):
            HTTPHandler.redirect({"base": base})

    @pytest.mark.parametrize("data", [None, {}, {"base": 7}, {"base": ""}])
    def test_redirect_needs_a_base(self, data: Any) -> None:
        with pytest.raises(LocalProtocolError, match="'base'"):
            HTTPHandler.redirect(data)

    def test_health_is_200_and_never_kept(self) -> None:
        (answer,) = Server(everything(HTTPHandler.health())).ask(get("/health"))
        assert (answer.status, answer.body, answer.header("cache-control")) == (200, b"OK\n", "no-store")


class TestCustom404:
    @pytest.fixture
    def page(self, tmp_path: Path) -> Path:
        path = tmp_path / "404.html"
        path.write_text("<h1>gone</h1>")
        return path

    async def ask(self, page: Path, nursery: trio.Nursery, routes: PlainRoutes, path: str) -> Any:
        loop = NurseryLoop(nursery)
        nursery.start_soon(loop.pump)
        filters = with_filters((), [(HTTPFilter.custom_404({"path": str(page)}), FilterPriority.HIGH)], RESPONSE_FILTER)
        server = TrioServer(routes, loop=loop, response_filters=filters)
        return await server.fetch(get(path))

    async def test_a_404_has_the_files_contents(self, page: Path, nursery: trio.Nursery) -> None:
        answer = await self.ask(page, nursery, Routes(), "/nowhere")
        assert (answer.status, answer.body) == (404, b"<h1>gone</h1>")
        assert answer.header("content-type") == "text/html; charset=utf-8"

    async def test_all_else_is_left_alone(self, page: Path, nursery: trio.Nursery) -> None:
        answer = await self.ask(page, nursery, everything(echo_path), "/here")
        assert (answer.status, answer.body) == (200, b"GET /here ")

    async def test_a_page_that_is_gone_is_logged_and_the_404_stays(
        self, page: Path, nursery: trio.Nursery, caplog: pytest.LogCaptureFixture
    ) -> None:
        filters = HTTPFilter.custom_404({"path": str(page)})
        page.unlink()
        loop = NurseryLoop(nursery)
        nursery.start_soon(loop.pump)
        pairs = with_filters((), [(filters, FilterPriority.HIGH)], RESPONSE_FILTER)
        answer = await TrioServer(Routes(), loop=loop, response_filters=pairs).fetch(get("/x"))
        assert (answer.status, answer.body[:4]) == (404, b"404 ")
        assert len(caplog.records) == 1

    @pytest.mark.parametrize("data", [None, {}, {"path": "/no/such/file"}, {"path": 7}])
    def test_it_needs_a_file(self, data: Any) -> None:
        with pytest.raises(LocalProtocolError, match="'path'"):
            HTTPFilter.custom_404(data)


def test_a_handler_that_forgets_completed_is_answered_for_from_outside(launch: Launch) -> None:
    routes = Routes()
    forgetful: Any = lambda request, response: response.append_body("hi")  # noqa: E731  # else it is found by its type
    routes.add("GET", "/forgot", forgetful)
    routes.add("GET", "/fine", lambda request, response: response.set_body("fine").completed())
    context = launch(routes=routes)
    with httpx.Client(base_url=f"http://127.0.0.1:{context.port}", trust_env=False, timeout=30) as client:
        assert client.get("/forgot").status_code == 500
        assert client.get("/fine").text == "fine"  # on the same connection
