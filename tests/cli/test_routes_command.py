"""``python -m perfectws routes`` and ``check``: the tree as people see it, and what is wrong, a line each."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from perfectws.cli.main import main

from .conftest import Write

HEAD = """from functools import partial
from perfectws import *

def show(request, response): response.completed()
def chat(request, socket): pass
def before(request, response): response.next()
class Limit(HTTPRequestFilter): pass
class Log(HTTPRequestFilter): pass
class Page:
    def get(self, request, response): pass
    def __call__(self, request, response): pass
routes = Routes()
"""


@pytest.fixture
def write(write_shop: Write) -> Write:
    """Write the module ``shop``, which begins with `HEAD`."""
    return lambda code: write_shop(HEAD + code)


@pytest.fixture
def shown(write: Write, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What `routes` prints for a module of this code."""

    def shown(code: str, name: str = "shop") -> str:
        write(code)
        assert main(["routes", name]) == 0
        out, told = capsys.readouterr()
        assert told == ""
        return out

    return shown


@pytest.fixture
def checked(write: Write, capsys: pytest.CaptureFixture[str]) -> Callable[..., list[str]]:
    """What `check` says of a module of this code, where something is wrong."""

    def checked(code: str, *arguments: str, name: str = "shop") -> list[str]:
        write(code)
        assert main(["check", name, *arguments]) == 1
        out, told = capsys.readouterr()
        assert told == ""
        return out.splitlines()

    return checked


class TestRoutes:
    def test_the_tree_has_the_methods_handlers_and_filters_of_each(self, shown: Callable[..., str]) -> None:
        code = """
routes.get("/", show)
routes.add(uri="/page", handler=Page())
routes.add(methods=["GET", "POST"], uri="/form", handler=Page().get)
routes.web_socket("/chat", chat)
routes.add("GET", "/echo", WebSocketHandler(lambda request, protocols: None))
routes.add("GET", "/files/**", StaticFileHandler("webroot"))
api = routes.grouped("/api", Limit(), (Log(), FilterPriority.LOW))
api.get("users/:id", partial(show))
deep = Routes("/deep", before)
deep.add("MKCOL", "/a", show)
api.add(deep)
api.get("last/", show)
empty = routes.grouped("/nothing")
"""
        assert shown(code).splitlines() == [
            "PATTERN              METHODS    HANDLER                              FILTERS",
            "/                    GET        shop:show",
            "/page                any        shop:Page",
            "/form                GET, POST  shop:Page.get",
            "/chat                GET        shop:chat (WebSocket)",
            "/echo                GET        shop:<lambda> (line 18) (WebSocket)",
            "/files/**            GET        files of webroot",
            "/api",
            "├── /api/users/{id}  GET        shop:show                            shop:Limit, shop:Log",
            "├── /api/last/       GET        shop:show                            shop:Limit, shop:Log",
            "└── /api/deep",
            "    └── /api/deep/a  MKCOL      shop:show                            shop:Limit, shop:Log, shop:before",
        ]

    def test_a_server_is_shown_with_what_is_its_own(self, shown: Callable[..., str]) -> None:
        code = """
routes.get("/a", show)
def make():
    upgrader = HTTPServer.web_socket_upgrader(on_upgrade=lambda socket, request: None)
    server = HTTPServer.server(name="x", address="127.0.0.1", port=5, routes=routes, upgraders=[upgrader],
                               document_root="webroot")
    return server.set_request_filters([(Limit(), FilterPriority.LOW), (Log(), FilterPriority.HIGH)])
"""
        assert (
            shown(code, "shop:make")
            == """\
HTTP server 'x' on 127.0.0.1:5
every request passes: shop:Log, shop:Limit

PATTERN     METHODS    HANDLER
/a          GET        shop:show
(all else)  GET        shop:make.<locals>.<lambda> (line 16) (WebSocket)
(all else)  GET, HEAD  files of webroot
"""
        )

    def test_perfect_1s_routes_hang_on_theirs(self, shown: Callable[..., str]) -> None:
        code = """
def make_page(response): return Page()
def perfect_server_module_init():
    Routing.Handler.register_globally()
    Routing.Routes["*"] = make_page
    Routing.Routes["GET", "/echo"] = make_page
"""
        assert (
            shown(code)
            == """\
PATTERN    METHODS  HANDLER
/**        any      Routing.Routes
├── /echo  GET      shop:make_page
└── /*     any      shop:make_page
"""
        )

    def test_no_routes_are_told(self, shown: Callable[..., str]) -> None:
        assert shown("") == "no routes\n"

    @pytest.mark.parametrize(
        ("code", "name", "says"),
        [
            ("", "nowhere", "there is no module 'nowhere'"),
            ("1/0", "shop", "ZeroDivisionError: division by zero\nshop.py:13: ZeroDivisionError"),
        ],
    )
    def test_what_cannot_be_shown_is_told_with_exit_code_1(
        self, write: Write, code: str, name: str, says: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        write(code)
        assert main(["routes", name]) == 1
        out, told = capsys.readouterr()
        assert out == ""
        assert says in told


class TestCheck:
    def test_nothing_wrong_is_told_with_exit_code_0(self, write: Write, capsys: pytest.CaptureFixture[str]) -> None:
        write("routes.get('/a', show); routes.grouped('/b').get('/c', show)")
        assert main(["check", "shop", "--port", "1", "--document-root", "."]) == 0
        assert capsys.readouterr().out == "shop: nothing is wrong (2 routes)\n"

    @pytest.mark.parametrize(
        ("code", "says"),
        [
            ("1/0", "shop.py:13: ZeroDivisionError: division by zero (as shop is imported)"),
            ("", "shop has nothing to serve: add a route to its Routes, or give --document-root a directory of files"),
            (
                "routes.get('/a', 5)",
                "shop.py:13: RouteError: a handler is a function with the arguments (request, response)"
                ", not 5 (as shop is imported)",
            ),
            (
                "routes.get('/:name', show); routes.get('/about', before)",
                "GET /about, shop:before, can never be reached: its requests go to GET /{name}, shop:show",
            ),
            (
                "routes.add(uri='/a', handler=show); routes.add(uri='/A', handler=before)",
                "any method of /a, shop:show, can never be reached: its requests go to any method of /A, shop:before",
            ),
            (
                "routes.get('/a', show); routes.contents.routes[0].handler = lambda request: None",
                "the handler of GET /a is a callable that takes (request, response): <lambda>(request) cannot be called"
                " so",
            ),
            (
                "raise ValueError('multi\\nline')",
                "shop.py:13: ValueError: multi line (as shop is imported)",
            ),
            (
                "HTTPServer.launch(name='x', port=0, routes=routes)",
                "shop.py:13: LaunchFailure: the module launches a server as it is imported, and so would "
                "hold up python -m perfectws check: write that below if __name__ == '__main__': (as shop is imported)",
            ),
        ],
    )
    def test_what_is_wrong_in_the_module_is_one_line(
        self, checked: Callable[..., list[str]], code: str, says: str
    ) -> None:
        assert checked(code) == [says]

    def test_all_that_is_wrong_is_told_at_once(
        self, checked: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PERFECTWS_MAX_HEADERS", "many")
        monkeypatch.setenv("PERFECTWS_ADRESS", "many")
        code = "routes.get('/:name', show); routes.get('/about', before)"
        arguments = ["--document-root", "nowhere", "--tls-cert", "no.pem", "--unix", "a", "--port", "1"]
        told = checked(code, *arguments, "--reload", "--reload-dir", "gone")
        assert [line[:30] for line in told] == [
            "PERFECTWS_MAX_HEADERS: it is a",
            "--unix and --port contradict e",
            "nobody reads the variable PERF",
            "document_root 'nowhere' is no ",
            "cert_path 'no.pem': there is n",
            "GET /about, shop:before, can n",
            "--reload: there is no director",
        ]

    def test_what_is_wrong_with_the_options_is_told_where_the_module_is_broken_too(
        self, checked: Callable[..., list[str]]
    ) -> None:
        told = checked("1/0", "--document-root", "nowhere")
        assert [line[:15] for line in told] == ["shop.py:13: Zer", "document_root '"]

    def test_a_server_is_looked_at_as_it_is_set(self, checked: Callable[..., list[str]]) -> None:
        code = "server = HTTPServer.server(name='x', port=0, routes=routes, max_headers=-1); routes.get('/', show)"
        assert checked(code) == ["max_headers is a whole number, not -1"]
        sys.modules.pop("shop")
        code = "server = HTTPServer.server(name='x', address='unix:a', routes=routes); routes.get('/', show)"
        (line,) = checked(code, "--port", "1")
        assert line.startswith("--port changes nothing: the module's server listens on unix:a")

    @pytest.mark.skipif(sys.platform == "win32", reason="workers are forked")
    def test_a_room_that_workers_cannot_share_is_told(self, checked: Callable[..., list[str]]) -> None:
        (line,) = checked("routes.get('/', show); lobby = Room('lobby of the shop')", "--workers", "2")
        assert "'lobby of the shop' would be another one in each worker" in line
