"""Perfect 1: the module of the older guide, served by ``python -m perfectws serve``, and `Routing` by itself."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
import trio

from perfectws import HTTPRequest, HTTPResponse, LaunchFailure, RouteError, Routes, Routing, WebSocket
from perfectws.cli.loading import find_served, load_module
from tests.examples.running import ROOT, RunningServer, running
from tests.http.fakes import Server, get
from tests.platforms import python

PATIENCE = 30.0


@pytest.fixture(autouse=True)
def _routing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let each test begin with no routes, as each process does."""
    monkeypatch.setattr(Routing, "is_registered", False)
    monkeypatch.setattr(sys, "path", [*sys.path])
    Routing.Routes.clear()
    yield
    Routing.Routes.clear()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """The guide's module, served by the command line."""
    webroot = tmp_path_factory.mktemp("webroot")
    (webroot / "index.html").write_text("<h1>Perfect 1</h1>")
    address = ("--address", "127.0.0.1", "--port", "0")
    module = "tests.parity.perfect1_module"
    with running("-m", "perfectws", "serve", module, *address, "--document-root", str(webroot)) as server:
        yield server


class TestTheGuidesModule:
    def test_its_star_serves_the_page(self, server: RunningServer) -> None:
        for path in ("/", "/index.html"):
            assert httpx.get(f"http://127.0.0.1:{server.port}{path}", trust_env=False).text == "<h1>Perfect 1</h1>"

    def test_its_echo_echoes(self, server: RunningServer) -> None:
        async def chat() -> None:
            with trio.fail_after(PATIENCE):
                async with trio.open_nursery() as nursery:
                    url = f"ws://127.0.0.1:{server.port}/echo"
                    socket = await WebSocket.connect(to=url, subprotocols=["echo"], on=nursery)
                    for text in ("one", "two", "grüße"):
                        socket.send(text)
                        assert (await socket.read_string_message()).data == text
                    await socket.close()

        trio.run(chat)

    def test_sigterm_ends_it(self, server: RunningServer) -> None:
        assert server.stop() == 0


class Saying:
    """A handler of Perfect 1's kind."""

    def __init__(self, text: str) -> None:
        self.text = text

    def handle_request(self, request: HTTPRequest, response: HTTPResponse) -> None:
        response.set_body(f"{self.text} {dict(request.url_variables)}").completed()


def ask(path: str, method: str = "GET") -> tuple[int, bytes]:
    Routing.Handler.register_globally()
    from perfectws.server.perfect1 import global_routes

    server = Server(global_routes())
    (answer,) = server.ask(get(path).replace(b"GET", method.encode(), 1), method)
    return answer.status, answer.body


class TestRouting:
    def test_a_path_is_for_every_method(self) -> None:
        Routing.Routes["/foo/*/baz"] = lambda _: Saying("foo")
        assert ask("/foo/bar/baz")[1] == b"foo {}"
        assert ask("/foo/bar/baz", "DELETE")[1] == b"foo {}"
        assert ask("/foo/bar")[0] == 404

    def test_paths_may_be_several_with_a_method_or_without(self) -> None:
        Routing.Routes["GET", ["/", "index.html"]] = lambda _: Saying("index")
        Routing.Routes[["/a", "b"]] = lambda _: Saying("ab")
        assert [ask(path)[1] for path in ("/", "/index.html", "/a", "/b")] == [b"index {}"] * 2 + [b"ab {}"] * 2
        assert ask("/", "POST")[0] == 404

    def test_variables_are_kept(self) -> None:
        Routing.Routes["GET", "/user/{id}/baz"] = lambda _: Saying("get")
        Routing.Routes["post", "/user/{id}/baz"] = lambda _: Saying("post")
        assert ask("/user/7/baz")[1] == b"get {'id': '7'}"
        assert ask("/user/7/baz", "POST")[1] == b"post {'id': '7'}"

    def test_a_method_of_its_own_comes_before_every_method_whatever_the_pattern(self) -> None:
        Routing.Routes["/echo"] = lambda _: Saying("every")
        Routing.Routes["GET", "*"] = lambda _: Saying("get")
        assert ask("/echo")[1] == b"get {}"
        assert ask("/echo", "POST")[1] == b"every {}"

    def test_the_function_makes_a_handler_for_each_request_and_has_its_response(self) -> None:
        made: list[object] = []

        def make(response: HTTPResponse) -> Saying:
            made.append(response)
            return Saying(response.request.uri)

        Routing.Routes["*"] = make
        assert [ask("/a")[1], ask("/b")[1]] == [b"/a {}", b"/b {}"]
        assert len(made) == 2

    def test_without_register_globally_nothing_is_served(self) -> None:
        from perfectws.server.perfect1 import global_routes

        Routing.Routes["*"] = lambda _: Saying("x")
        assert Server(global_routes()).ask(get("/x"))[0].status == 404

    def test_one_that_returns_no_handler_costs_a_500_that_is_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        Routing.Routes["*"] = lambda _: None  # type: ignore[assignment, return-value]  # on purpose
        assert ask("/x")[0] == 500
        assert "has no handle_request" in caplog.text

    @pytest.mark.parametrize(
        ("key", "value", "says"),
        [
            ("*", None, "takes the response"),
            ("/a/**/b", Saying, "only be the last"),
            (("GET", "/", "/a"), Saying, "a path, or a method and a path"),
            (("G T", "/"), Saying, "not a request method"),
        ],
    )
    def test_a_mistake_is_refused_at_once(self, key: Any, value: Any, says: str) -> None:
        with pytest.raises(RouteError) as caught:
            Routing.Routes[key] = value
        assert says in str(caught.value)


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [*python(), "-m", "perfectws", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=PATIENCE)


class TestTheCommandLine:
    @pytest.mark.parametrize("name", ["shop.app", "shop/app.py"])
    def test_a_modules_routes_are_served_too_by_name_or_as_a_file(
        self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "shop").mkdir()
        (tmp_path / "shop" / "app.py").write_text(
            "from perfectws import Routes\n"
            "routes = Routes()\n"
            "routes.add('GET', '/x', lambda request, response: response.set_body('shop').completed())\n"
        )
        monkeypatch.chdir(tmp_path)
        for module in ("shop", "shop.app", "app"):
            monkeypatch.setitem(sys.modules, module, ModuleType(module))  # so that none is there afterwards
            monkeypatch.delitem(sys.modules, module)
        routes = find_served(load_module(name))
        assert isinstance(routes, Routes)
        assert Server(routes).ask(get("/x"))[0].body == b"shop"

    def test_a_module_with_nothing_to_serve_says_what_to_define(self, tmp_path: Path) -> None:
        (tmp_path / "empty_module.py").write_text("")
        ended = run("serve", "empty_module", cwd=tmp_path)
        assert (ended.returncode, ended.stdout) == (1, "")
        assert ended.stderr == (
            "the module 'empty_module' has nothing to serve: define routes = Routes(), or say which name it is: serve "
            "MODULE:NAME\n"
        )

    @pytest.mark.parametrize("name", ["no_such_module", "no/such/file.py"])
    def test_a_module_that_is_not_there_is_one_line(self, name: str, tmp_path: Path) -> None:
        ended = run("serve", name, cwd=tmp_path)
        assert ended.returncode == 1
        assert ended.stderr.count("\n") == 1
        assert name in ended.stderr

    def test_a_port_in_use_is_one_line(self, tmp_path: Path) -> None:
        import socket

        (tmp_path / "some_module.py").write_text("from perfectws import Routes\nroutes = Routes()\n")
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            address = ("--address", "127.0.0.1", "--port", port)
            ended = run("serve", "some_module", *address, "--document-root", ".", cwd=tmp_path)
        assert ended.returncode == 1
        assert ended.stderr.startswith(f"HTTP server 'localhost' cannot listen on 127.0.0.1:{port}: ")
        assert ended.stderr.endswith(": choose another --port, or 0 for any that is free\n")
        assert ended.stderr.count("\n") == 1

    def test_an_error_inside_of_the_module_is_its_own(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "broken_module.py").write_text("import no_such_module_at_all\n")
        monkeypatch.chdir(tmp_path)
        with pytest.raises(ModuleNotFoundError, match="no_such_module_at_all"):
            load_module("broken_module")
        with pytest.raises(LaunchFailure):
            load_module("broken_modul")

    def test_help_and_version(self, tmp_path: Path) -> None:
        assert "serve" in run("--help", cwd=tmp_path).stdout
        assert "--document-root" in run("serve", "--help", cwd=tmp_path).stdout
        assert run("--version", cwd=tmp_path).stdout.startswith("perfectws ")
        assert run(cwd=tmp_path).returncode == 2
