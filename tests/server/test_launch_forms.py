"""`HTTPServer.launch` in each of its forms, from a plain thread, as a script or a test would use it."""

from __future__ import annotations

import json
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from perfectws import (
    FilterPriority,
    HTTPHandler,
    HTTPRequest,
    HTTPRequestFilter,
    HTTPResponse,
    HTTPServer,
    LaunchContext,
    LaunchFailure,
    LocalProtocolError,
    Route,
    Routes,
    WebSocket,
)
from tests.examples.running import running
from tests.server.conftest import PATIENCE, Launch, hello, raw, url

HELLO = "127.0.0.1 plain test"
UPGRADER = HTTPServer.web_socket_upgrader(on_upgrade=lambda ws, request: None)


def get(context: LaunchContext, path: str = "/hello") -> httpx.Response:
    return httpx.get(url(context, path), trust_env=False, timeout=PATIENCE)


class TestOneServer:
    def test_keywords_describe_it_and_give_its_context(self, launch: Launch, routes: Routes) -> None:
        context = launch(routes=routes)
        assert isinstance(context, LaunchContext)
        assert context.port == context.server.server_port > 0
        assert get(context).text == HELLO

    def test_routes_may_be_a_list(self, launch: Launch) -> None:
        assert get(launch(routes=[Route(method="get", uri="/hello", handler=hello)])).text == HELLO

    def test_a_document_root_serves_its_files_where_no_route_does(
        self, launch: Launch, routes: Routes, tmp_path: Path
    ) -> None:
        (tmp_path / "index.html").write_text("home")
        (tmp_path / "hello").write_text("never")
        context = launch(routes=routes, document_root=tmp_path)
        assert [get(context, path).text for path in ("/", "/hello")] == ["home", HELLO]
        assert get(context, "/none").status_code == 404
        assert httpx.post(url(context, "/"), trust_env=False).status_code == 404

    def test_a_route_of_the_same_pattern_comes_before_the_document_root(self, launch: Launch, tmp_path: Path) -> None:
        (tmp_path / "x").write_text("file")
        routes = Routes()
        routes.add("GET", "/**", hello)
        assert get(launch(routes=routes, document_root=tmp_path), "/x").text == HELLO

    def test_an_upgrader_comes_before_the_document_root(self, launch: Launch, tmp_path: Path) -> None:
        (tmp_path / "chat").write_text("file")
        upgrader = HTTPServer.web_socket_upgrader(on_upgrade=lambda ws, request: ws.send("hello"))
        context = launch(document_root=tmp_path, upgraders=[upgrader])

        async def chat() -> object:
            async with trio.open_nursery() as nursery:
                ws = await WebSocket.connect(to=url(context, "/chat", "ws"), on=nursery)
                message = await ws.read_string_message()
                await ws.close()
            return message.data

        assert trio.run(chat) == "hello"
        assert get(context, "/chat").text == "file"

    def test_request_document_root_is_what_was_given(self, launch: Launch, tmp_path: Path) -> None:
        routes = Routes()
        routes.add("GET", "/", lambda request, response: response.set_body(request.document_root).completed())
        assert get(launch(routes=routes, document_root=tmp_path), "/").text == str(tmp_path)
        assert get(launch(routes=routes), "/").text == "./webroot"

    def test_an_http_server_that_is_set_up_step_by_step_is_the_same(self, routes: Routes, tmp_path: Path) -> None:
        class Seen(HTTPRequestFilter):
            def __init__(self, by: str) -> None:
                self.by = by

            def filter(self, request: HTTPRequest, response: HTTPResponse, callback: Any) -> None:
                response.add_header("X-Seen", self.by)
                super().filter(request, response, callback)

        server = HTTPServer()
        server.server_name = "test"
        server.server_address = "127.0.0.1"
        server.document_root = str(tmp_path)
        server.add_routes(routes)
        assert server.set_request_filters([(Seen("the session"), FilterPriority.LOW)]) is server
        assert server.set_request_filters([(Seen("the logger"), FilterPriority.HIGH)]) is server
        assert server.set_response_filters([]) is server
        server.bind()
        port = server.server_port
        thread = threading.Thread(target=server.start)
        thread.start()
        response = httpx.get(f"http://127.0.0.1:{port}/hello", trust_env=False)
        assert (response.text, response.headers["x-seen"]) == (HELLO, "the session, the logger")
        server.stop()
        thread.join(PATIENCE)
        assert not thread.is_alive()


class TestSeveralServers:
    def test_they_are_given_one_by_one_or_in_a_list_and_give_a_list(self, routes: Routes) -> None:
        def described(name: str) -> HTTPServer:
            return HTTPServer.server(name=name, address="127.0.0.1", port=0, routes=routes)

        for servers in ((described("one"), described("two")), ([described("one"), described("two")],)):
            contexts = HTTPServer.launch(*servers, wait=False)
            assert [get(context).text for context in contexts] == ["127.0.0.1 plain one", "127.0.0.1 plain two"]
            assert sum(thread.name == "perfectws servers" for thread in threading.enumerate()) == 1
            for context in contexts:
                context.terminate()
            assert all(context.wait(PATIENCE) for context in contexts)

    def test_one_may_stop_while_the_others_go_on(self, routes: Routes) -> None:
        one, two = HTTPServer.launch(
            *(HTTPServer.server(name=name, address="127.0.0.1", port=0, routes=routes) for name in ("one", "two")),
            wait=False,
        )
        with raw(one) as idle, raw(two) as kept:
            ask = b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
            for connection in (idle, kept):
                assert connection.ask(ask)[0].startswith(b"HTTP/1.1 200")
            assert one.terminate().wait(PATIENCE)
            assert idle.read_all() == b""
            assert (one.terminated, two.terminated) == (True, False)
            assert kept.ask(ask)[0].startswith(b"HTTP/1.1 200")
        assert two.terminate().wait(PATIENCE)

    def test_if_one_cannot_listen_none_does_and_the_failure_names_it(self, routes: Routes) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            first = HTTPServer.server(name="first", address="127.0.0.1", port=0, routes=routes)
            second = HTTPServer.server(name="second", address="127.0.0.1", port=port, routes=routes)
            says = rf"HTTP server 'second' cannot listen on 127.0.0.1:{port}: .*in use"
            with pytest.raises(LaunchFailure, match=says):
                HTTPServer.launch(first, second, wait=False)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", first.server_port))

    def test_a_configuration_gives_a_list(self, routes: Routes, tmp_path: Path) -> None:
        def server(name: str) -> dict[str, Any]:
            return {"name": name, "address": "127.0.0.1", "port": 0, "documentRoot": str(tmp_path)}

        (tmp_path / "hello").write_text("file")
        path = tmp_path / "perfecthttp.json"
        path.write_text(json.dumps({"servers": [server("one"), server("two")]}))
        data = {"servers": [{**server("one"), "routes": [{"uri": "/hello", "handler": hello}]}]}
        by_path = HTTPServer.launch(configuration_path=path, wait=False)
        by_data = HTTPServer.launch(configuration_data=data, wait=False)
        assert [get(context).text for context in by_path + by_data] == ["file", "file", "127.0.0.1 plain one"]
        for context in by_path + by_data:
            assert context.terminate().wait(PATIENCE)


class TestTheContext:
    def test_it_tells_whether_it_runs(self, launch: Launch, routes: Routes) -> None:
        context = launch(routes=routes)
        assert not context.terminated
        assert not context.wait(0.01)
        assert repr(context) == f"<LaunchContext 'test' on 127.0.0.1:{context.port} running>"
        assert context.terminate() is context
        assert context.wait(-1)
        assert context.terminated
        assert context.wait()
        context.terminate()

    def test_its_future_is_resolved_at_the_end(self, launch: Launch, routes: Routes) -> None:
        context = launch(routes=routes)
        with pytest.raises(TimeoutError):
            context.on_close.wait(0.01)
        told = threading.Event()
        context.on_close.when_complete(lambda result: told.set())
        context.terminate()
        context.on_close.wait(PATIENCE)
        assert told.wait(PATIENCE)

    def test_once_it_has_waited_the_thread_is_gone_and_the_port_is_free(self, launch: Launch, routes: Routes) -> None:
        context = launch(routes=routes)
        context.terminate().wait()
        assert "perfectws servers" not in [thread.name for thread in threading.enumerate()]
        launch(routes=routes, port=context.port)

    def test_to_wait_in_a_callback_of_its_own_raises(self, launch: Launch) -> None:
        errors: list[Exception] = []

        def wait(request: HTTPRequest, response: HTTPResponse) -> None:
            try:
                context.wait(1)
            except LocalProtocolError as error:
                errors.append(error)
            response.completed()

        context = launch(routes=[Route("GET", "/wait", wait)])
        assert get(context, "/wait").status_code == 200
        assert len(errors) == 1

    def test_a_handler_may_terminate_its_own_server_and_is_answered(self, launch: Launch) -> None:
        def stop(request: HTTPRequest, response: HTTPResponse) -> None:
            context.terminate()
            response.set_body("stopping").completed()

        context = launch(routes=[Route("GET", "/stop", stop)])
        assert get(context, "/stop").text == "stopping"
        assert context.wait(PATIENCE)

    def test_an_error_that_ends_the_server_is_logged_and_raised_where_it_is_waited_for(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        def die(request: HTTPRequest, response: HTTPResponse) -> None:
            raise SystemExit(3)

        routes = Routes(routes=[Route("GET", "/die", die)])
        context = HTTPServer.launch(name="test", address="127.0.0.1", port=0, routes=routes, wait=False)
        with pytest.raises(httpx.TransportError):
            get(context, "/die")
        with pytest.raises(SystemExit):
            context.wait(PATIENCE)
        assert "The servers have ended because of an error" in caplog.text

    def test_signals_are_left_alone(self, launch: Launch, routes: Routes) -> None:
        before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        launch(routes=routes)
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before

    async def test_it_works_beside_a_trio_program_too(self, routes: Routes) -> None:
        context = HTTPServer.launch(name="test", address="127.0.0.1", port=0, routes=routes, wait=False)
        response = await trio.to_thread.run_sync(get, context)
        assert response.text == HELLO
        assert await trio.to_thread.run_sync(context.terminate().wait, PATIENCE)

    async def test_to_block_a_trio_program_raises_instead(self, routes: Routes) -> None:
        with pytest.raises(LocalProtocolError, match=r"await server\.serve"):
            HTTPServer.launch(name="test", address="127.0.0.1", port=0, routes=routes)


class TestMisuse:
    @pytest.mark.parametrize(
        ("keywords", "says"),
        [
            ({}, "either servers, or"),
            ({"name": "x", "routes": Routes()}, "needs port="),
            ({"port": 0}, "routes=, document_root= or upgraders="),
            ({"prot": 0, "routes": Routes()}, "'prot': did you mean 'port'?"),
            ({"port": 0, "routes": Routes(), "workers": 2}, "'workers'"),
            ({"port": 0, "routes": Routes(), "configuration_data": {}}, "either servers, or"),
            ({"port": 0, "routes": Routes(), "request_filters": [1]}, "pairs"),
            ({"port": 0, "upgraders": [5]}, "upgraders is a list of what HTTPServer.web_socket_upgrader(…) returns"),
            ({"port": 0, "upgraders": UPGRADER}, "upgraders is a list of what HTTPServer.web_socket_upgrader(…)"),
            ({"port": 0, "upgraders": [UPGRADER, print]}, "upgraders is a list"),
        ],
    )
    def test_arguments_that_describe_no_server_are_refused_at_once(self, keywords: Any, says: str) -> None:
        with pytest.raises(TypeError) as caught:
            HTTPServer.launch(wait=False, **keywords)
        assert says in str(caught.value)

    @pytest.mark.parametrize(
        ("keywords", "says"),
        [
            ({"port": 70000}, "port is a number from 0 to 65535, not 70000"),
            ({"port": "80"}, "port is a number"),
            ({"document_root": "/no/such/directory"}, "document_root '/no/such/directory' is no directory"),
            ({"max_connections": 0}, "max_connections is a whole number above 0"),
            ({"max_header_size": -1}, "max_header_size is a whole number"),
            ({"header_timeout": 0}, "header_timeout is a number of seconds above 0, or None"),
            ({"close_timeout": -1}, "close_timeout is a number of seconds"),
            ({"trusted_proxies": ["proxy"]}, "trusted_proxies holds IP addresses"),
            ({"tls_config": "cert.pem"}, "tls_config is a TLSConfiguration"),
            ({"address": "256.256.256.256"}, "cannot listen on 256.256.256.256"),
        ],
    )
    def test_a_value_that_cannot_be_is_a_launch_failure_that_names_the_server(self, keywords: Any, says: str) -> None:
        given = {"name": "shop", "address": "127.0.0.1", "port": 0, "routes": Routes(), **keywords}
        with pytest.raises(LaunchFailure) as caught:
            HTTPServer.launch(wait=False, **given)
        assert says in str(caught.value)
        assert "server 'shop'" in str(caught.value)

    def test_what_is_no_server_is_refused(self) -> None:
        with pytest.raises(TypeError, match=r"HTTPServer.server"):
            HTTPServer.launch(7, wait=False)  # type: ignore[call-overload]


#: A script that ends when a client has said so, and says no farewell itself.
SCRIPT = """
import logging, threading
from perfectws import HTTPServer, Routes
logging.basicConfig(level=logging.INFO)
end = threading.Event()
routes = Routes()
routes.web_socket("/", lambda request, ws: ws.on_text(lambda ws, text: end.set()))
HTTPServer.launch(name="localhost", address="127.0.0.1", port=0, routes=routes, wait=False)
end.wait()
"""


def test_a_script_that_ends_tells_its_clients_that_the_server_goes_away() -> None:
    with running("-c", SCRIPT) as it:
        goodbye: list[int | None] = []

        async def client() -> None:
            async with trio.open_nursery() as nursery:
                ws = await WebSocket.connect(to=f"ws://127.0.0.1:{it.port}/", on=nursery)
                ws.send("end")
                await ws.on_close
                goodbye.append(ws.close_code)

        trio.run(client)
        assert it.process.wait(PATIENCE) == 0
    assert goodbye == [1001]
    assert it.complaints() == []


def test_health_says_ok(launch: Launch) -> None:
    context = launch(routes=[Route("GET", "/health", HTTPHandler.health())])
    assert get(context, "/health").text == "OK\n"


@pytest.mark.skipif(sys.platform != "linux", reason="a host name with two addresses")
def test_port_0_is_the_same_port_for_every_address_of_a_host(launch: Launch, routes: Routes) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("there is no IPv6 here")
    context = launch(address="", routes=routes)
    for host in ("127.0.0.1", "[::1]"):
        assert httpx.get(f"http://{host}:{context.port}/hello", trust_env=False).status_code == 200
