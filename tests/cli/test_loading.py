"""``MODULE[:NAME]``: what is found in a module, and what is said where nothing is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from perfectws import HTTPServer, LaunchFailure, Routes
from perfectws.cli import frames
from perfectws.cli.loading import BrokenModule, Served, load, split_name

from .conftest import Write

HEAD = """from perfectws import HTTPServer, Routes
def one():
    made = Routes()
    made.add("GET", "/one", lambda request, response: response.completed())
    return made
"""


@pytest.fixture
def write(write_shop: Write) -> Write:
    """Write the module ``shop``, which begins with `HEAD`."""
    return lambda code: write_shop(HEAD + code)


def found(name: str = "shop") -> Served:
    return load(name, "a test")


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("shop", ("shop", None)),
        ("my.shop:routes", ("my.shop", "routes")),
        ("my/shop.py:Shop.routes", ("my/shop.py", "Shop.routes")),
        ("C:\\my\\shop.py", ("C:\\my\\shop.py", None)),
        ("C:\\my\\shop.py:make", ("C:\\my\\shop.py", "make")),
        (":routes", (":routes", None)),
    ],
)
def test_a_name_is_what_stands_behind_the_last_colon(name: str, parts: tuple[str, str | None]) -> None:
    assert split_name(name) == parts


def test_a_colon_with_nothing_behind_it_says_so() -> None:
    with pytest.raises(LaunchFailure, match="'shop:' names nothing behind its colon: write shop:routes"):
        split_name("shop:")


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("routes = one()", "shop"),
        ("app = one()", "shop"),
        ("_other = Routes(); app = one()", "shop"),
        ("app = one(); api = app.grouped('/api'); deep = api.grouped('/deep')", "shop"),
        ("app = one(); again = app", "shop"),
        ("other = Routes(); routes = one()", "shop"),
        ("other = Routes(); app = one()", "shop:app"),
        ("class Shop:\n    app = one()", "shop:Shop.app"),
        ("", "shop:one"),
        ("", "shop.py:one"),
    ],
)
def test_routes_are_found(write: Write, code: str, name: str) -> None:
    write(code)
    routes = found(name)
    assert not isinstance(routes, HTTPServer)
    assert [each.uri for each in routes.contents.routes] == ["/one"]


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("server = HTTPServer(); server.server_name = 'x'; routes = one()", "shop"),
        ("site = HTTPServer(); site.server_name = 'x'; api = one()", "shop"),
        ("def make():\n    server = HTTPServer()\n    server.server_name = 'x'\n    return server", "shop:make"),
        (
            "class My(HTTPServer):\n  def __init__(self):\n    super().__init__()\n    self.server_name = 'x'",
            "shop:My",
        ),
    ],
)
def test_a_server_is_found(write: Write, code: str, name: str) -> None:
    write(code)
    server = found(name)
    assert isinstance(server, HTTPServer)
    assert server.server_name == "x"


@pytest.mark.parametrize(
    ("code", "name", "says"),
    [
        ("", "shop", "the module 'shop' has nothing to serve: define routes = Routes(), or say which name it is"),
        ("a = Routes(); b = Routes()", "shop", "several things to serve; say which of them: shop:a, shop:b"),
        ("routes = one()", "shop:rotes", "shop has no rotes: did you mean 'routes'?"),
        ("a = Routes(); b = Routes()", "shop:xyz", "shop has no xyz; it has shop:a, shop:b"),
        ("", "shop:xyz", "shop has no xyz"),
        ("routes = one()", "shop:routes.x", "shop has no routes.x: 'x' is not there"),
        ("x = 5", "shop:x", "shop:x is 5: what is served is a Routes, an HTTPServer, or what returns one"),
        ("def make(x): pass", "shop:make", "shop:make is a callable without arguments: make(x) cannot be called so"),
        ("def make(): pass", "shop:make", "shop:make returned None: it is to return a Routes or an HTTPServer"),
        ("async def make(): pass", "shop:make", "shop:make is async, and no loop runs yet"),
        ("", "ship", "there is no module 'ship' here, nor among what is installed: did you mean 'shop'?"),
        (
            "",
            "shop.deep",
            "nor among what is installed: did you mean 'shop:deep'?",
        ),
        ("", ".", "there is no module '.' here"),
        ("", ".shop", "there is no module '.shop' here"),
        ("", "ship.deep.er", "there is no module 'ship.deep.er' here"),
        ("", "ship.py", "there is no file 'ship.py'"),
    ],
)
def test_what_is_not_there_is_one_sentence(write: Write, code: str, name: str, says: str) -> None:
    write(code)
    with pytest.raises(LaunchFailure) as caught:
        found(name)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not isinstance(caught.value, BrokenModule)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("x = 1/0", "shop.py:6: ZeroDivisionError: division by zero (as shop is imported)"),
        ("def (", "shop.py:6: SyntaxError: invalid syntax (as shop is imported)"),
        ("def f(): g()\ndef g(): int('x')\nf()", "shop.py:7: ValueError: invalid literal"),
        ("import no_such_module_at_all", "shop.py:6: ModuleNotFoundError: No module named 'no_such_module_at_all'"),
        ("import sys; sys.exit(3)", "shop.py:6: SystemExit: 3 (as shop is imported)"),
        ("Routes().add('GET', '/a', 5)", "shop.py:6: RouteError: a handler is a function with"),
        ("import json; json.loads('[')", "shop.py:6: JSONDecodeError: Expecting value"),
        ("raise ValueError('multi\\nline')", "shop.py:6: ValueError: multi line (as shop is imported)"),
        ("raise ValueError", "shop.py:6: ValueError (as shop is imported)"),
        ("e = ValueError('x')\ne.add_note('a note')\nraise e", "shop.py:8: ValueError: x (as shop is imported)"),
        ("raise ValueError('\\n')", "shop.py:6: ValueError (as shop is imported)"),
        (
            "def perfect_server_module_init(): 1/0",
            "shop.py:6: ZeroDivisionError: division by zero (as shop is asked for",
        ),
    ],
)
def test_what_the_module_raises_is_told_with_the_last_line_of_its_code(write: Write, code: str, says: str) -> None:
    write(code)
    with pytest.raises(BrokenModule) as caught:
        found()
    assert str(caught.value).startswith(says)
    assert "\n" not in str(caught.value)
    assert "perfectws/cli" not in caught.value.report
    assert "importlib" not in caught.value.report
    assert says.split(": ")[1].removesuffix(" (as shop is imported)") in caught.value.report


@pytest.mark.parametrize("name", ["shop", "shop.py"])
def test_what_no_line_has_raised_is_told_without_one(write: Write, name: str) -> None:
    write("x = '\0'")
    with pytest.raises(BrokenModule, match="Error: source code string cannot contain null bytes") as caught:
        found(name)
    assert "frozen" not in str(caught.value)
    assert str(caught.value).endswith(f"(as {name} is imported)")


def test_what_is_installed_is_named_where_no_line_of_the_users_has_raised_it(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("x = 1/0")
    monkeypatch.setattr(frames, "_INSTALLED", (f"{tmp_path}/",))
    monkeypatch.setattr(frames, "_OTHERS", (*frames._OTHERS, f"{tmp_path}/"))
    with pytest.raises(BrokenModule, match=r"^shop.py:6: ZeroDivisionError"):
        found()


def test_what_a_function_raises_that_makes_the_routes_is_told_likewise(write: Write) -> None:
    write("def make(): 1/0")
    with pytest.raises(
        BrokenModule, match=r"shop.py:6: ZeroDivisionError: division by zero \(as shop:make is called\)"
    ):
        found("shop:make")


def test_a_module_that_launches_a_server_itself_would_block_and_is_told(write: Write) -> None:
    write("HTTPServer.launch(name='x', address='127.0.0.1', port=0, routes=one())")
    with pytest.raises(BrokenModule, match=r"shop.py:6: .*would hold up a test: write that below if __name__ =="):
        found()


def test_it_may_launch_one_that_does_not_block(write: Write) -> None:
    write(
        "context = HTTPServer.launch(name='x', address='127.0.0.1', port=0, routes=one(), wait=False); routes = one()"
    )
    assert isinstance(found(), Routes)
    sys.modules["shop"].context.terminate().wait()


def test_a_file_sees_those_beside_it(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "beside_it.py").write_text("NUMBER = 5")
    (tmp_path / "inner" / "shop.py").write_text("import beside_it\n" + HEAD + "routes = one()")
    monkeypatch.delitem(sys.modules, "beside_it", raising=False)
    assert isinstance(found("inner/shop.py"), Routes)
    assert sys.modules.pop("beside_it").NUMBER == 5
