"""Requests of a test: what the server sees of them, and what comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http import HTTPMethod
from pathlib import Path
from types import ModuleType

import pytest

from perfectws import (
    Expiration,
    FilterPriority,
    HTTPCookie,
    HTTPRequest,
    HTTPRequestFilter,
    HTTPResponse,
    HTTPServer,
    LaunchFailure,
    RequestFilterResult,
    Route,
    Routes,
    TLSConfiguration,
    WebSocket,
    call_later,
)
from perfectws.testing import TestServer
from perfectws.testing.request import FormFile


@pytest.fixture
def server(routes: Routes) -> Iterator[TestServer]:
    with TestServer(routes) as server:
        yield server


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_each_method_has_its_name(server: TestServer, method: str) -> None:
    named = getattr(server, method.lower(), None)
    response = server.request(method, "/reflect") if named is None else named("/reflect")
    assert response.json()["method"] == method


def test_a_method_may_be_one_of_the_standard_librarys(server: TestServer) -> None:
    assert server.request(HTTPMethod.PUT, "/reflect").json()["method"] == "PUT"
    head = server.request("head", "/reflect")
    assert (head.status, head.body) == (200, b"")
    assert int(head.header("Content-Length") or 0) > 100


def test_path_query_and_headers_arrive_as_they_are(server: TestServer) -> None:
    seen = server.get("/reflect?a=1&b=%20", headers=[("X-One", "1"), ("Host", "example.org")]).json()
    assert seen["query"] == [["a", "1"], ["b", " "]]
    assert (seen["headers"]["X-One"], seen["headers"]["Host"]) == ("1", "example.org")
    assert server.get("/reflect").json()["headers"]["Host"] == "testserver"


def test_json_is_sent_as_json(server: TestServer) -> None:
    seen = server.post("/reflect", json={"a": [1, None]}).json()
    assert (seen["headers"]["Content-Type"], seen["body"]) == ("application/json", '{"a": [1, null]}')
    assert server.post("/reflect", json=None).json()["body"] == "null"


def test_a_form_is_sent_as_browsers_do(server: TestServer) -> None:
    seen = server.post("/reflect", data={"name": "Ana & Bo", "tag": ["x", "y"]}).json()
    assert seen["form"] == [["name", "Ana & Bo"], ["tag", "x"], ["tag", "y"]]
    assert server.post("/reflect", data=[("a", "1")]).json()["form"] == [["a", "1"]]


def test_a_body_may_be_given_as_it_is(server: TestServer) -> None:
    seen = server.put("/reflect", data=b"\x00\xff", headers={"Content-Type": "application/octet-stream"}).json()
    assert (seen["body"], seen["headers"]["Content-Length"]) == ("\x00\xff", "2")
    assert server.put("/reflect", data="").json()["headers"]["Content-Length"] == "0"


def test_files_are_sent_with_their_names_and_types(server: TestServer) -> None:
    files: dict[str, FormFile] = {"one": b"1", "two": ("b.txt", "2"), "three": ("c.png", b"3", "image/png")}
    uploads = server.post("/reflect", data={"title": "t"}, files=files).json()["uploads"]
    assert uploads == [
        ["title", "", "", "t"],
        ["one", "one", "application/octet-stream", "1"],
        ["two", "b.txt", "application/octet-stream", "2"],
        ["three", "c.png", "image/png", "3"],
    ]
    twice = server.post("/reflect", files=[("a", ('q"\r\n.txt', b"1")), ("a", b"2")]).json()["uploads"]
    assert [upload[0] for upload in twice] == ["a", "a"]


def test_a_request_has_one_body(server: TestServer) -> None:
    with pytest.raises(TypeError, match="a request has one body"):
        server.post("/reflect", json=1, data={"a": "1"})
    with pytest.raises(TypeError, match="fields of the form"):
        server.post("/reflect", data=b"x", files={"a": b"1"})
    with pytest.raises(TypeError, match=r"no keyword 'header'.*headers"):
        server.get("/reflect", header={})  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="begins with a slash"):
        server.get("reflect")
    for method in (5, "", "/reflect", "GET /"):
        with pytest.raises(ValueError, match="is not a request method: write"):
            server.request(method, "/reflect")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="remote_address is an IP address, a str, not 'nope'"):
        server.get("/reflect", remote_address="nope")


def test_an_answer_that_is_no_json_is_shown() -> None:
    with TestServer([Route("GET", "/", lambda request, response: response.set_body("oops").completed(404))]) as server:
        response = server.get("/")
        assert (response.status, response.text) == (404, "oops")
        with pytest.raises(AssertionError, match=r"JSON was expected, but <TestResponse 404 b'oops'> came"):
            response.json()


def test_an_answer_in_pieces_is_put_together() -> None:
    routes = Routes()

    @routes.get("/")
    def stream(request: HTTPRequest, response: HTTPResponse) -> None:
        response.is_streaming = True
        response.set_header("Content-Type", "text/plain; charset=latin-1").set_body(b"\xfc")
        response.push(lambda ok: response.set_body("b" * 300_000).completed())

    with TestServer(routes) as server:
        assert server.get("/").text == "ü" + "b" * 300_000


def test_an_answer_that_does_not_come_is_waited_for_so_long_only() -> None:
    kept: list[HTTPResponse] = []
    silent = Route("GET", "/", lambda request, response: kept.append(response))
    told = r"GET / was not answered within 0\.02 seconds"
    with TestServer([silent]) as server, pytest.raises(TimeoutError, match=told):
        server.get("/", timeout=0.02)


def test_a_connection_that_ends_without_an_answer_is_told() -> None:
    routes = Routes()

    @routes.get("/")
    def break_off(request: HTTPRequest, response: HTTPResponse) -> None:
        response.is_streaming = True

        def fail(ok: bool) -> None:
            raise ValueError("broken off")

        response.set_body("begun").push(fail)

    with TestServer(routes) as server:
        with pytest.raises(ConnectionError, match="in the middle of its answer"):
            server.get("/")
        assert [str(error) for error in server.errors] == ["broken off"]
        server.errors.clear()


def test_limits_are_those_of_the_server(routes: Routes) -> None:
    with TestServer(routes, max_body_size=1000) as server:
        assert server.post("/reflect", data="x" * 1001).status == 413
        assert server.post("/reflect", data="x" * 1_000_000).status == 413  # and is not taken


class Gate(HTTPRequestFilter):
    """Lets those pass who know the word."""

    def filter(
        self, request: HTTPRequest, response: HTTPResponse, callback: Callable[[RequestFilterResult], object]
    ) -> None:
        """Look for the word."""
        if request.header("X-Word") == "sesame":
            callback(RequestFilterResult.CONTINUE(request, response))
        else:
            response.status = 401
            callback(RequestFilterResult.HALT(request, response))


def test_a_server_comes_with_its_filters_and_files(routes: Routes, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("a page")
    http_server = HTTPServer()
    http_server.add_routes(routes)
    http_server.set_request_filters([(Gate(), FilterPriority.HIGH)])
    http_server.document_root = str(tmp_path)
    with TestServer(http_server) as server:
        assert server.http_server is http_server
        assert server.get("/page.html").status == 401
        page = server.get("/page.html", headers={"X-Word": "sesame"})
        assert (page.text, page.header("Content-Type")) == ("a page", "text/html; charset=utf-8")
        with pytest.raises(LaunchFailure), TestServer(http_server):
            pass
    with TestServer(http_server) as server:  # again
        assert server.get("/page.html").status == 401


def test_keywords_describe_a_server_as_they_do_for_launch(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("a page")
    with TestServer(document_root=tmp_path, request_filters=[(Gate(), FilterPriority.LOW)]) as server:
        assert server.get("/page.html", headers={"X-Word": "sesame"}).text == "a page"
    with pytest.raises(TypeError, match="something to serve"):
        TestServer()
    with pytest.raises(TypeError, match="configured already: set max_body_size= there"):
        TestServer(HTTPServer(), max_body_size=1)
    with pytest.raises(TypeError, match="serves Routes, a list of Route, an HTTPServer or a module, not 5"):
        TestServer(5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"no keyword 'documentRoot'"):
        TestServer(Routes(), documentRoot="x")  # type: ignore[call-arg]


def test_a_module_is_served_as_the_command_does(routes: Routes) -> None:
    module = ModuleType("an_app")
    vars(module)["routes"] = routes
    with TestServer(module) as server:
        assert server.get("/reflect").status == 200
    with TestServer("tests.testing.test_requests:COOKIE_ROUTES") as server:
        assert server.get("/me").status == 200
    with pytest.raises(LaunchFailure, match="has no nothing"):
        TestServer("tests.testing.conftest:nothing")
    with pytest.raises(LaunchFailure, match="there is no module 'no_such_module'"):
        TestServer("no_such_module")


def test_a_server_with_tls_takes_its_clients_for_encrypted_and_needs_no_certificate(routes: Routes) -> None:
    http_server = HTTPServer()
    http_server.add_routes(routes)
    http_server.ssl = TLSConfiguration(cert_path="/nowhere/cert.pem")
    with TestServer(http_server) as server:
        seen = server.get("/reflect").json()
        assert (seen["secure"], seen["server"]) == (True, ["127.0.0.1", 443])
        with server.connect("/echo") as ws:
            assert ws.socket.remote_address == ("127.0.0.1", 443)


def test_proxies_are_believed_by_their_address(routes: Routes) -> None:
    with TestServer(routes, trusted_proxies=["192.0.2.1"]) as server:
        headers = {"X-Forwarded-For": "198.51.100.9"}
        near = server.get("/reflect", headers=headers, remote_address="192.0.2.1").json()
        assert near["remote"][0] == "198.51.100.9"
        far = server.get("/reflect", headers=headers, remote_address="192.0.2.2").json()
        assert far["remote"][0] == "192.0.2.2"


def cookie_routes() -> Routes:
    routes = Routes()

    @routes.post("/login")
    def login(request: HTTPRequest, response: HTTPResponse) -> None:
        response.add_cookie(HTTPCookie("name", request.param("name") or "", path="/", http_only=True))
        response.set_header("Location", "me?from=login").completed(303)

    @routes.post("/logout")
    def logout(request: HTTPRequest, response: HTTPResponse) -> None:
        response.add_cookie(HTTPCookie("name", "", expires=Expiration.relative_seconds(0))).completed()

    @routes.get("/me")
    def me(request: HTTPRequest, response: HTTPResponse) -> None:
        name = dict(request.cookies).get("name", "nobody")
        response.set_body(f"{name} {request.method} {request.uri} {request.header('Content-Type')}").completed()

    @routes.get("/away")
    def away(request: HTTPRequest, response: HTTPResponse) -> None:
        response.set_header("Location", "https://example.org/").completed(302)

    @routes.web_socket("/ws")
    def opened(request: HTTPRequest, socket: WebSocket) -> None:
        socket.send(dict(request.cookies).get("name", "nobody"))

    return routes


COOKIE_ROUTES = cookie_routes()


def test_cookies_are_kept_if_that_is_asked_for() -> None:
    with TestServer(cookie_routes(), keep_cookies=True) as server:
        login = server.post("/login", data={"name": "Ana; <3"})
        assert login.cookies == server.cookies == {"name": "Ana; <3"}
        assert server.get("/me").text.startswith("Ana; <3 GET")
        assert server.connect("/ws").receive() == "Ana; <3"
        assert server.connect("/ws", cookies={"name": "Bo"}).receive() == "Bo"
        assert server.get("/me", headers={"Cookie": "name=Cy"}).text.startswith("Cy")
        server.post("/logout")
        assert server.cookies == {}
        server.cookies["name"] = "Di"
        assert server.get("/me").text.startswith("Di")


def test_cookies_are_not_kept_by_themselves() -> None:
    with TestServer(cookie_routes()) as server:
        assert server.post("/login", data={"name": "Ana"}).cookies == {"name": "Ana"}
        assert server.cookies == {}


def test_redirects_are_followed_if_that_is_asked_for() -> None:
    with TestServer(cookie_routes(), keep_cookies=True) as server:
        assert server.post("/login", data={"name": "Ana"}).status == 303
        followed = server.post("/login", data={"name": "Bo"}, follow_redirects=True)
        assert (followed.status, followed.text) == (200, "Bo GET /me?from=login None")
        away = server.get("/away", follow_redirects=True)
        assert (away.status, away.header("Location")) == (302, "https://example.org/")


def test_a_path_that_is_not_encoded_is_refused(server: TestServer) -> None:
    for path in ("/a b", "/ü", "/a\r\nX: y"):
        with pytest.raises(ValueError, match="encode it"):
            server.get(path)
        with pytest.raises(ValueError, match="encode it"):
            server.connect(path)


def test_a_server_that_is_full_says_so(routes: Routes) -> None:
    with TestServer(routes, max_connections=1) as server, server.connect("/echo"):
        assert server.get("/reflect").status == 503


def test_what_a_server_does_at_its_start_is_done() -> None:
    started: list[float] = []
    http_server = HTTPServer()
    http_server.add_routes(COOKIE_ROUTES)

    @http_server.on_start
    def begin() -> None:
        call_later(10, lambda: started.append(10))
        started.append(0)

    with TestServer(http_server) as server:
        server.settle()
        assert started == [0]
        server.advance(10)
        assert started == [0, 10]


def test_handlers_may_use_the_real_network(routes: Routes) -> None:
    front = Routes()
    with HTTPServer.launch(name="back", address="127.0.0.1", port=0, routes=routes, wait=False) as back:

        @front.web_socket("/")
        async def relay(request: HTTPRequest, socket: WebSocket) -> None:
            upstream = await WebSocket.connect(to=f"ws://127.0.0.1:{back.port}/echo")
            async for message in socket:
                await upstream.send(message)
                await socket.send(await upstream.receive())
            await upstream.close()

        with TestServer(front) as server, server.connect() as ws:
            ws.send("through")
            assert ws.receive() == "through"
